import io
import json
import random
import struct
import subprocess
import tempfile
from pathlib import Path

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.formats.qcow2 import (
    CLUSTER,
    MAX_SIZE,
    Qcow2Error,
    _Image,
    compress,
    create,
    empty,
    read_header,
    require_alone,
)
from assembler.store.objects import sha256_of
from tests.support.reporters import Recorder

GIB = 1 << 30
NOISE = random.Random(2).randbytes(4 * CLUSTER)  # noqa: S311  not to be made smaller


@pytest.mark.parametrize("size", [512, CLUSTER, 8192 * CLUSTER, 8192 * CLUSTER + 512, 20 * GIB, MAX_SIZE])
def test_qemu_img_finds_no_fault(tmp_path: Path, size: int) -> None:
    path = tmp_path / "disk.qcow2"
    create(path, size)
    checked = subprocess.run(
        ["qemu-img", "check", "--output=json", "-f", "qcow2", path], capture_output=True, text=True, check=True
    )
    result = json.loads(checked.stdout)
    assert result["check-errors"] == 0
    assert "leaks" not in result
    assert result["image-end-offset"] == path.stat().st_size
    about = subprocess.run(["qemu-img", "info", "--output=json", path], capture_output=True, text=True, check=True)
    assert json.loads(about.stdout)["virtual-size"] == size


def test_qemu_reads_zeros_and_keeps_what_is_written(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    create(path, GIB)
    for commands in (
        ["read -P 0 0 64M", f"read -P 0 {GIB - 512} 512", "write -P 7 700M 3M", f"write -P 9 {GIB - 512} 512"],
        ["read -P 7 700M 3M", f"read -P 9 {GIB - 512} 512", "read -P 0 703M 1M"],
    ):
        argv = ["qemu-io", "-f", "qcow2"]
        for command in commands:
            argv += ["-c", command]
        done = subprocess.run([*argv, path], capture_output=True, text=True, check=True)
        assert "verification failed" not in done.stdout
    subprocess.run(["qemu-img", "check", path], check=True, capture_output=True)


def raw_disk(path: Path, size: int, pieces: dict[int, bytes]) -> Path:
    with path.open("wb") as stream:
        stream.truncate(size)
        for offset, data in pieces.items():
            stream.seek(offset)
            stream.write(data)
    return path


PIECES = {
    0: b"boot" * 128,
    3 * CLUSTER + 5: b"text " * 100_000,
    20 * CLUSTER: NOISE[100:],
    64 * CLUSTER: bytes(CLUSTER),
    8190 * CLUSTER: b"over the border of two L2 tables" * 20_000,
    (1 << 30) - 512: b"the last sector".ljust(512),
}


def test_a_compressed_image_holds_the_very_disk(tmp_path: Path) -> None:
    raw, out, back = raw_disk(tmp_path / "raw", GIB, PIECES), tmp_path / "disk.qcow2", tmp_path / "back"
    compress(raw, out, jobs=2)
    checked = subprocess.run(
        ["qemu-img", "check", "--output=json", "-f", "qcow2", out], capture_output=True, text=True, check=True
    )
    result = json.loads(checked.stdout)
    assert (result["check-errors"], result.get("leaks", 0), result.get("corruptions", 0)) == (0, 0, 0)
    assert result["image-end-offset"] == out.stat().st_size < 1_000_000
    subprocess.run(["qemu-img", "convert", "-f", "qcow2", "-O", "raw", out, back], check=True)
    assert sha256_of(back) == sha256_of(raw)
    with out.open("rb") as stream:
        assert read_header(stream).size == GIB


def test_holes_and_zeros_and_threads_make_no_difference(tmp_path: Path) -> None:
    size = 40 * CLUSTER + 512
    pieces = {offset: data for offset, data in PIECES.items() if offset + len(data) < size}
    sparse = raw_disk(tmp_path / "sparse", size, pieces)
    (tmp_path / "dense").write_bytes(sparse.read_bytes())
    compress(sparse, tmp_path / "a", jobs=1)
    compress(tmp_path / "dense", tmp_path / "b", jobs=3)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_compressed_image_can_be_written_to(tmp_path: Path) -> None:
    raw, out = raw_disk(tmp_path / "raw", GIB, PIECES), tmp_path / "disk.qcow2"
    compress(raw, out)
    argv = ["qemu-io", "-f", "qcow2", "-c", "write -P 7 256k 640k", "-c", "read -P 7 256k 640k", str(out)]
    assert "verification failed" not in subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    subprocess.run(["qemu-img", "check", out], check=True, capture_output=True)


@settings(max_examples=15)
@given(
    st.dictionaries(st.integers(0, 300), st.sampled_from([b"a" * CLUSTER, b"b", bytes(CLUSTER), NOISE]), max_size=20)
)
def test_any_disk_comes_back(pieces: dict[int, bytes]) -> None:
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        raw = raw_disk(
            directory / "raw", 300 * CLUSTER + 512, {key * CLUSTER: data[:CLUSTER] for key, data in pieces.items()}
        )
        compress(raw, directory / "out")
        argv = ["qemu-img", "compare", "-f", "raw", "-F", "qcow2", str(raw), str(directory / "out")]
        assert subprocess.run(argv, capture_output=True, check=False).returncode == 0
        subprocess.run(["qemu-img", "check", directory / "out"], check=True, capture_output=True)


def test_a_full_disk_is_told_and_nothing_of_the_source_lost(tmp_path: Path) -> None:
    raw, out = raw_disk(tmp_path / "raw", GIB, PIECES), tmp_path / "full"
    out.symlink_to("/dev/full")
    before = sha256_of(raw)
    with pytest.raises(OSError, match="No space left"):
        compress(raw, out)
    assert sha256_of(raw) == before


@pytest.mark.parametrize("size", [0, -512, 513, MAX_SIZE + 512])
def test_impossible_sizes(size: int) -> None:
    with pytest.raises(Qcow2Error, match="cannot be made"):
        empty(size)


def test_an_existing_file_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(b"precious")
    with pytest.raises(Qcow2Error, match="File exists"):
        create(path, GIB)
    assert path.read_bytes() == b"precious"


@given(st.integers(1, MAX_SIZE // 512 // 1024).map(lambda sectors: sectors * 512))
def test_header_round_trip(size: int) -> None:
    header = read_header(io.BytesIO(empty(size)))
    assert (header.version, header.size, header.cluster_size) == (3, size, CLUSTER)
    assert (header.backing_file, header.encrypted, header.dirty, header.corrupt) == (False,) * 4


@pytest.mark.parametrize("options", [["compat=0.10"], ["compat=1.1", "cluster_size=4096"]])
def test_header_of_qemu_img(tmp_path: Path, options: list[str]) -> None:
    path = tmp_path / "disk.qcow2"
    argv = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", ",".join(options), str(path), "3G"]
    subprocess.run(argv, check=True)
    with path.open("rb") as stream:
        header = read_header(stream)
    assert header.size == 3 * GIB
    assert header.version == (2 if "compat=0.10" in options else 3)
    assert header.cluster_size == (4096 if "cluster_size=4096" in options else CLUSTER)


def test_backing_file_is_seen(tmp_path: Path) -> None:
    base, top = tmp_path / "base.qcow2", tmp_path / "top.qcow2"
    create(base, GIB)
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "qcow2", "-b", base, top], check=True)
    with top.open("rb") as stream:
        assert read_header(stream).backing_file


@given(st.binary(max_size=200) | st.binary(max_size=120).map(lambda rest: b"QFI\xfb\0\0\0\3" + rest))
def test_any_bytes_give_a_header_or_a_clear_error(data: bytes) -> None:
    try:
        header = read_header(io.BytesIO(data))
    except Qcow2Error:
        return
    assert header.version in {2, 3}


def header(**fields: int) -> bytes:
    """The first bytes of an image, as of the specification (QEMU, docs/interop/qcow2.rst)."""
    names = {
        "version": (4, 4),
        "backing": (8, 8),
        "bits": (20, 4),
        "size": (24, 8),
        "crypt": (32, 4),
        "incompatible": (72, 8),
        "length": (100, 4),
    }
    data = bytearray(empty(1 << 20)[:65536])
    for name, value in fields.items():
        at, width = names[name]
        data[at : at + width] = value.to_bytes(width, "big")
    return bytes(data)


def test_what_a_header_says() -> None:
    found = read_header(io.BytesIO(header()))
    assert (found.version, found.size, found.cluster_size, found.features) == (3, 1 << 20, CLUSTER, 0)
    names = ("backing_file", "data_file", "encrypted", "dirty", "corrupt")
    assert not any(getattr(found, each) for each in names)
    for fields, name in (
        ({"backing": 1}, "backing_file"),
        ({"crypt": 1}, "encrypted"),
        ({"incompatible": 1}, "dirty"),
        ({"incompatible": 2}, "corrupt"),
        ({"incompatible": 4}, "data_file"),
    ):
        found = read_header(io.BytesIO(header(**fields)))
        assert [each for each in names if getattr(found, each)] == [name]
    for bits in (9, 21):
        assert read_header(io.BytesIO(header(bits=bits))).cluster_size == 1 << bits
    old = read_header(io.BytesIO(header(version=2, incompatible=7)[:72]))
    assert (old.version, old.features, old.dirty) == (2, 0, False)


@pytest.mark.parametrize(
    ("data", "what", "why"),
    [
        (b"", "not a qcow2 image", "its first bytes are not QFI\\xfb"),
        (header()[:71], "not a qcow2 image", "its first bytes are not QFI\\xfb"),
        (b"QFI\xfa" + header()[4:], "not a qcow2 image", "its first bytes are not QFI\\xfb"),
        (header(version=1), "a qcow2 image of an unknown version", "version 1"),
        (header(version=4), "a qcow2 image of an unknown version", "version 4"),
        (header(bits=8), "a damaged qcow2 header", "clusters of 2^8 bytes"),
        (header(bits=22), "a damaged qcow2 header", "clusters of 2^22 bytes"),
        (header()[:103], "a damaged qcow2 header", "it ends too early"),
    ],
)
def test_headers_that_are_none(data: bytes, what: str, why: str) -> None:
    with pytest.raises(Qcow2Error) as caught:
        read_header(io.BytesIO(data), file="x")
    assert (caught.value.what, caught.value.why, caught.value.where.file) == (what, why, "x")


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"backing": 1}, "is an overlay over another file of this host"),
        ({"incompatible": 4}, "has its data in another file of this host"),
        ({"crypt": 2}, "is encrypted"),
        ({"incompatible": 1 << 63}, "has unknown features (0x8000000000000000)"),
        ({"size": 0}, "has 0 bytes, which none has"),
        ({"size": MAX_SIZE + 1}, f"has {MAX_SIZE + 1} bytes, which none has"),
    ],
)
def test_an_image_that_is_not_alone_is_not_used(fields: dict[str, int], what: str) -> None:
    with pytest.raises(Qcow2Error) as caught:
        require_alone(io.BytesIO(header(**fields)), file="x")
    assert caught.value.what == f"a disk image {what}"
    assert require_alone(io.BytesIO(header(size=MAX_SIZE)), file="x").size == MAX_SIZE
    assert require_alone(io.BytesIO(header(size=1)), file="x").size == 1


def extensions(*entries: tuple[int, bytes]) -> bytes:
    """A header with extensions behind it."""
    data = bytearray(header(length=104))
    at = 104
    for kind, content in entries:
        padded = content + bytes(-len(content) % 8)
        part = kind.to_bytes(4, "big") + len(content).to_bytes(4, "big") + padded
        data[at : at + len(part)] = part
        at += len(part)
    return bytes(data)


def test_a_data_file_that_only_an_extension_names() -> None:
    named, other = (0x44415441, b"/etc/shadow"), (0x6803F857, b"x" * 9)
    for entries, found in (
        ((named,), True),
        ((other, named), True),
        ((other, (0, b""), named), False),
        ((other,), False),
    ):
        assert read_header(io.BytesIO(extensions(*entries))).data_file is found
    for count, found in ((63, False), (64, True)):  # more than anybody writes is not trusted
        many = extensions(*((0x11111111, b"") for _ in range(count)))
        assert read_header(io.BytesIO(many)).data_file is found


@pytest.mark.parametrize("size", [0, -512, 511, 513, MAX_SIZE + 512])
def test_sizes_that_no_disk_has(tmp_path: Path, size: int) -> None:
    with pytest.raises(Qcow2Error, match="a disk of this size cannot be made") as caught:
        create(tmp_path / "x", size)
    assert caught.value.why == f"{size} bytes is not a positive multiple of 512, at most {MAX_SIZE}"
    assert not (tmp_path / "x").exists()


def test_an_image_is_its_owners_alone_and_never_replaces_one(tmp_path: Path) -> None:
    create(tmp_path / "x", 512)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o600
    with pytest.raises(Qcow2Error, match="the disk image cannot be made") as caught:
        create(tmp_path / "x", 1024)
    assert caught.value.why == "File exists"
    with (tmp_path / "x").open("rb") as stream:
        assert read_header(stream).size == 512


@pytest.mark.parametrize(
    ("clusters", "extent"),
    [(1, (1, 1)), (32766, (1, 1)), (32767, (2, 1)), (65533, (2, 1)), (65534, (3, 1)), (268427263, (8192, 1))],
)
def test_counts_of_references_count_themselves(clusters: int, extent: tuple[int, int]) -> None:
    """A block counts 32768 clusters, a cluster of the table names 8192 blocks."""
    assert _Image._refcount_extent(clusters) == extent


def test_the_bytes_of_a_small_disk(tmp_path: Path) -> None:
    """Header and L1 table, the packed cluster, its L2 table, the counts of references, and the table of these."""
    text = b"".join(b"line %d of a text\n" % number for number in range(5000))[:CLUSTER]
    raw, reporter = raw_disk(tmp_path / "raw", 2 * CLUSTER + 512, {CLUSTER: text}), Recorder()
    compress(raw, tmp_path / "out", reporter=reporter)
    data = (tmp_path / "out").read_bytes()
    packed = zstandard.ZstdCompressor(level=3, write_content_size=True).compress(text)
    assert len(data) == 6 * CLUSTER
    assert data[2 * CLUSTER : 2 * CLUSTER + len(packed)] == packed
    assert not data[2 * CLUSTER + len(packed) : 3 * CLUSTER].strip(b"\0")
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, 2 * CLUSTER + 512, 0, 1, CLUSTER, 5 * CLUSTER, 1, 0, 0
    )
    header += struct.pack(">QQQIIB", 8, 0, 0, 4, 112, 1)
    assert data[:CLUSTER] == header.ljust(CLUSTER, b"\0")
    assert data[CLUSTER : 2 * CLUSTER] == struct.pack(">Q", 3 * CLUSTER | 1 << 63).ljust(CLUSTER, b"\0")
    sectors = (len(packed) - 1) // 512
    entries = struct.pack(">QQ", 0, 1 << 62 | sectors << 54 | 2 * CLUSTER)
    assert data[3 * CLUSTER : 4 * CLUSTER] == entries.ljust(CLUSTER, b"\0")
    assert data[4 * CLUSTER : 5 * CLUSTER] == struct.pack(">6H", *[1] * 6).ljust(CLUSTER, b"\0")
    assert data[5 * CLUSTER :] == struct.pack(">Q", 4 * CLUSTER).ljust(CLUSTER, b"\0")
    assert (reporter.steps, reporter.advanced) == ([("qcow2", 2 * CLUSTER + 512)], CLUSTER)


def test_the_bytes_of_an_empty_disk() -> None:
    data = empty(8192 * CLUSTER + 512)
    header = struct.pack(
        ">4sIQIIQIIQQIIQ", b"QFI\xfb", 3, 0, 0, 16, 8192 * CLUSTER + 512, 0, 2, 3 * CLUSTER, CLUSTER, 1, 0, 0
    )
    header += struct.pack(">QQQII", 0, 0, 0, 4, 112)
    clusters = header, struct.pack(">Q", 2 * CLUSTER), struct.pack(">4H", 1, 1, 1, 1), b""
    assert data == b"".join(each.ljust(CLUSTER, b"\0") for each in clusters)


def test_a_cluster_that_does_not_pack_is_stored(tmp_path: Path) -> None:
    raw = raw_disk(tmp_path / "raw", 2 * CLUSTER, {0: b"text" * 100, CLUSTER: NOISE[:CLUSTER]})
    compress(raw, tmp_path / "out", jobs=1)
    data = (tmp_path / "out").read_bytes()
    assert data[3 * CLUSTER : 4 * CLUSTER] == NOISE[:CLUSTER], "at the begin of a cluster"
    (first, second) = struct.unpack_from(">QQ", data, 4 * CLUSTER)
    assert (first >> 62, second) == (1, 1 << 63 | 3 * CLUSTER)
