import io
import json
import random
import subprocess
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.formats.qcow2 import CLUSTER, MAX_SIZE, Qcow2Error, compress, create, empty, read_header
from assembler.store.objects import sha256_of

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
