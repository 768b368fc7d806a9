"""Microcode: every update once, damage is told, and what stands in front of an initrd is found by others."""

import io
import struct
import subprocess
from contextlib import suppress
from pathlib import Path

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from assembler.architecture import AMD64, ARM64, Microcode
from assembler.formats import cpio
from assembler.initrd.compose import write
from assembler.initrd.microcode import ALIGNMENT, PATHS, MicrocodeError, microcode, takes
from assembler.tree.staging import Tree
from tests.initrd.updates import container, update

INTEL, AMD = AMD64.microcode


def tree_of(vendor: Microcode, *files: bytes) -> Tree:
    tree = Tree()
    for number, data in enumerate(files):
        path = vendor.pattern.replace("*", f"06-0{number}-00")
        tree.write(path, data, parents=True)
    return tree


def made(vendor: Microcode, *files: bytes) -> bytes:
    return microcode(tree_of(vendor, *files), [vendor])[vendor.path]


def refused(vendor: Microcode, *files: bytes) -> str:
    with pytest.raises(MicrocodeError) as caught:
        made(vendor, *files)
    return caught.value.why or caught.value.what


def test_updates_of_all_files_are_there_once_in_order() -> None:
    one, two, old = update(0x306C3), update(0x906EA, 40_000), update(0x6F2, old=True)
    assert len(old) == 2048
    assert made(INTEL, two + one, old, one, one + one) == two + one + old
    newer = update(0x306C3, revision=2)
    assert made(INTEL, one, newer) == one + newer, "which of two a processor takes, the kernel decides"


def test_containers_are_there_in_order() -> None:
    first, second = container(b"patch", b"another"), container(bytes(3200))
    assert made(AMD, first, second) == first + second
    assert made(AMD, first + second, second) == first + second


def test_what_is_not_there() -> None:
    for vendor in (INTEL, AMD):
        assert refused(vendor) == "the package has no microcode"
    assert microcode(Tree(), ()) == {}
    tree = tree_of(AMD, container(b"a"))
    tree.write("/usr/lib/firmware/amd-ucode/README", b"text")
    tree.mkdir("/usr/lib/firmware/amd-ucode/d.bin")
    assert microcode(tree, [AMD]) == {AMD.path: container(b"a")}


def test_damage_of_intels() -> None:
    good = update(0x306C3)
    assert refused(INTEL, good + b"\0") == f"no header at byte {len(good)}"
    assert refused(INTEL, good[:-4]) == "no header at byte 0"
    flipped = bytearray(good)
    flipped[60] ^= 1
    assert refused(INTEL, bytes(flipped)) == "a wrong checksum of the update at byte 0"
    for at in (0, 20, 28, 32):  # versions and sizes
        other = bytearray(good)
        struct.pack_into("<I", other, at, 7_777_777)
        assert refused(INTEL, bytes(other)) == "no header at byte 0"


def test_damage_of_amds() -> None:
    good = container(b"patch")
    assert refused(AMD, b"") == "it ends too early"
    assert refused(AMD, good[:-1]) == "it ends too early"
    assert refused(AMD, good + b"\0\0\0") == f"no patch at byte {len(good)}"
    assert refused(AMD, b"\0" + good) == "no patch at byte 0"
    assert refused(AMD, b"DMA\0" + good) == "no table at byte 0"


@given(st.binary(max_size=300), st.sampled_from([INTEL, AMD]))
def test_any_bytes_are_taken_or_refused(data: bytes, vendor: Microcode) -> None:
    found = b""
    with suppress(MicrocodeError):
        found = made(vendor, data)
    assert found in {b"", data}


def test_too_much(monkeypatch: pytest.MonkeyPatch) -> None:
    one = update(0x306C3)
    monkeypatch.setattr("assembler.initrd.microcode._LARGEST", 2 * len(one))
    assert made(INTEL, one, one) == one
    assert refused(INTEL, one, one, one) == f"the files there have more than {2 * len(one)} bytes"


def test_which_kernels_take_it() -> None:
    assert takes(b"CONFIG_X=y\nCONFIG_MICROCODE=y\n")
    for config in (b"", b"# CONFIG_MICROCODE is not set\n", b"CONFIG_MICROCODE_AMD=y\n"):
        assert not takes(config)


def test_only_where_the_kernel_looks() -> None:
    """Documentation/arch/x86/microcode.rst."""
    names = {"/kernel/x86/microcode/GenuineIntel.bin", "/kernel/x86/microcode/AuthenticAMD.bin"}
    assert names == PATHS
    assert ARM64.microcode == ()


@pytest.fixture(scope="module")
def initrd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An initrd with microcode of both, and an init."""
    tree = Tree()
    tree.write("init", b"#!/bin/sh\n", 0o755)
    for path, data in {INTEL.path: update(0x306C3) + update(0x906EA, 40_000), AMD.path: container(b"odd")}.items():
        tree.write(path, data, parents=True)
    out = tmp_path_factory.mktemp("initrd") / "initrd.img"
    write(tree, out, 1_700_000_000)
    return out


def test_cpio_finds_it_uncompressed(initrd: Path, tmp_path: Path) -> None:
    done = subprocess.run(["cpio", "-id"], input=initrd.read_bytes(), cwd=tmp_path, capture_output=True, check=True)
    assert {f"/{each.relative_to(tmp_path)}" for each in tmp_path.rglob("*") if each.is_file()} == PATHS
    assert b"warning" not in done.stderr
    for path, data in {INTEL.path: update(0x306C3) + update(0x906EA, 40_000), AMD.path: container(b"odd")}.items():
        assert (tmp_path / path[1:]).read_bytes() == data


def test_the_bytes_of_each_file_are_where_processors_can_take_them(initrd: Path) -> None:
    data = initrd.read_bytes()
    for start in (update(0x306C3), container(b"odd")):
        assert data.count(start) == 1
        assert data.index(start) % ALIGNMENT == 0


def test_the_kernel_finds_the_rest(initrd: Path) -> None:
    """As its initramfs.c reads on: past zeros, to an archive at a multiple of four bytes."""
    stream = io.BytesIO(initrd.read_bytes())
    early = cpio.read(stream)
    assert early.names("/") == ["kernel"]
    at = stream.tell()
    rest = stream.read()
    packed = rest.lstrip(b"\0")
    assert (at + len(rest) - len(packed)) % 512 == 0
    tree = cpio.read(io.BytesIO(zstandard.ZstdDecompressor().decompress(packed)))
    assert tree.names("/") == ["init"]
    assert {inode.mtime for each in (early, tree) for _, inode in each.walk()} == {1_700_000_000}


def test_linux_finds_it_by_its_own_search(initrd: Path) -> None:
    """find_cpio_data() of Linux's lib/earlycpio.c, in other words."""
    data, found, at = initrd.read_bytes(), {}, 0
    while len(data) - at > 110:
        if data[at] == 0:
            at += 4
            continue
        if data[at : at + 6] != b"070701":
            break
        fields = [int(data[place : place + 8], 16) for place in range(at + 6, at + 110, 8)]
        size, length = fields[6], fields[11]
        body = -(-(at + 110 + length) // 4) * 4
        found["/" + data[at + 110 : data.index(b"\0", at + 110)].decode()] = data[body : body + size]
        at = -(-(body + size) // 4) * 4
    assert {path: found[path] for path in PATHS} == {
        INTEL.path: update(0x306C3) + update(0x906EA, 40_000),
        AMD.path: container(b"odd"),
    }
