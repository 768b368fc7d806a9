import hashlib
import io
import subprocess
from pathlib import Path
from typing import Any

import pytest
import zstandard

from assembler.formats import cpio
from assembler.initrd.additions import InitrdError
from assembler.initrd.compose import APPLETS, OVER, REQUIRED, Settings, compose, read_scripts, write
from assembler.kernel.elf import ElfError
from assembler.kernel.module import ModuleError
from assembler.tools.toolbox import Toolbox
from assembler.tree.staging import Inode, Kind, Tree
from tests.initrd.elves import library, module, real_tree

RELEASE = "6.1-test"
SCRIPTS = {"init": b"#!/bin/sh\n", "lib/log.sh": b"# log\n"}


@pytest.fixture
def rootfs() -> Tree:
    tree = Tree(mtime=7)
    directory = f"/usr/lib/modules/{RELEASE}/kernel"
    for name in REQUIRED:
        tree.write(f"{directory}/{name}.ko", module(depends="cdrom" if name == "isofs" else ""), parents=True)
    tree.write(f"{directory}/cdrom.ko", module())
    tree.write(f"{directory}/drivers/ahci.ko", module(depends="libata,libahci", alias="pci:v*c01*"), parents=True)
    tree.write(f"{directory}/drivers/libahci.ko", module(depends="libata"))
    tree.write(f"{directory}/drivers/libata.ko", module())
    tree.write(f"{directory}/drivers/radio.ko", module())
    return tree


@pytest.fixture
def programs() -> Tree:
    tree = Tree()
    tree.write("usr/bin/busybox", library(), 0o755, parents=True)
    for name in ("badblocks", "blkid", "e2fsck", "mke2fs"):
        tree.write(f"usr/sbin/{name}", library("libc.so.6", interpreter="/lib64/ld-linux-x86-64.so.2"), parents=True)
    tree.write("usr/lib/x86_64-linux-gnu/libc.so.6", library(soname="libc.so.6"), parents=True)
    tree.write("usr/lib/x86_64-linux-gnu/ld.so", library())
    tree.symlink("../lib/x86_64-linux-gnu/ld.so", "usr/lib64/ld-linux-x86-64.so.2", parents=True)
    tree.write("usr/share/doc/large", b"", parents=True)
    return tree


def test_what_is_in_it(rootfs: Tree, programs: Tree) -> None:
    tree = compose(rootfs, programs, RELEASE, SCRIPTS)
    assert tree.at("init").mode == 0o755
    assert tree.read("usr/lib/livecd/log.sh") == b"# log\n"
    assert tree.at("dev/console").device == (5, 1)
    assert tree.read("bin/sh") == tree.read("/usr/bin/busybox") == library()
    assert tree.at("usr/sbin/mke2fs").kind is Kind.FILE, "busybox's own would make ext2"
    assert "mke2fs" not in APPLETS
    assert tree.read("/sbin/modprobe") == library()
    assert tree.names("/lib64") == ["ld-linux-x86-64.so.2"]
    assert tree.names("/lib/x86_64-linux-gnu") == ["libc.so.6"]
    assert not tree.exists("usr/share")
    assert not tree.exists(f"usr/lib/modules/{RELEASE}/kernel/drivers/radio.ko")


def test_indexes_of_the_modules(rootfs: Tree, programs: Tree) -> None:
    tree = compose(rootfs, programs, RELEASE, SCRIPTS)
    directory = f"usr/lib/modules/{RELEASE}"
    lines = tree.read_text(f"{directory}/modules.dep").splitlines()
    assert "kernel/drivers/ahci.ko: kernel/drivers/libahci.ko kernel/drivers/libata.ko" in lines
    assert all(tree.is_file(f"{directory}/{path.rstrip(':')}") for line in lines for path in line.split())
    assert tree.read_text(f"{directory}/modules.alias") == "alias pci:v*c01* ahci\n"
    assert tree.read_text("etc/livecd.modules").split() == ["loop", "cdrom", "isofs", "squashfs", "overlay", "ext4"]


def test_settings(rootfs: Tree, programs: Tree) -> None:
    settings = Settings(label="A", state="/dev/vdb", state_label="B", wait=5, blank_timeout=60)
    tree = compose(rootfs, programs, RELEASE, SCRIPTS, settings)
    assert tree.read_text("etc/livecd.conf") == "label=A\nstate=/dev/vdb\nstate_label=B\nwait=5\nblank_timeout=60\n"
    for state in ("", "a b", "a\nlabel=X", "\x1b[2J"):
        with pytest.raises(InitrdError, match=r"livecd\.state cannot be"):
            compose(rootfs, programs, RELEASE, SCRIPTS, Settings(state=state))


def test_what_is_missing_is_an_error(rootfs: Tree, programs: Tree) -> None:
    with pytest.raises(InitrdError, match="no init"):
        compose(rootfs, programs, RELEASE, {})
    with pytest.raises(ModuleError, match=r"6\.9: the kernel's modules are missing"):
        compose(rootfs, programs, "6.9", SCRIPTS)
    programs.remove("usr/sbin/blkid")
    with pytest.raises(ElfError, match="/usr/sbin/blkid"):
        compose(rootfs, programs, RELEASE, SCRIPTS)


def test_written_bytes_depend_on_the_tree_alone(rootfs: Tree, programs: Tree, tmp_path: Path) -> None:
    first = compose(rootfs, programs, RELEASE, SCRIPTS)
    for inode in (inode for _, inode in programs.walk()):
        inode.mtime += 99
    rootfs.mtime = 8
    rootfs.root.children = dict(reversed(rootfs.root.children.items()))
    second = compose(rootfs, programs, RELEASE, dict(reversed(SCRIPTS.items())))
    assert write(first, tmp_path / "1", 1_700_000_000) == write(second, tmp_path / "2", 1_700_000_000)
    data = (tmp_path / "1").read_bytes()
    assert data == (tmp_path / "2").read_bytes()
    assert zstandard.frame_content_size(data) > 0
    assert zstandard.get_frame_parameters(data).window_size <= 8 << 20, "the kernel takes no more than 128 MiB"
    tree = cpio.read(io.BytesIO(zstandard.ZstdDecompressor().decompress(data)))
    assert [path for path, _ in tree.walk()] == [path for path, _ in first.walk()]
    assert {inode.mtime for _, inode in tree.walk()} == {1_700_000_000}


def test_no_scripts_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InitrdError, match="scripts of the initramfs are missing"):
        read_scripts(tmp_path)


def test_everything_belongs_to_root(rootfs: Tree, programs: Tree) -> None:
    programs.put("usr/sbin/blkid", Inode(Kind.FILE, 0o4755, 1000, 1000, content=programs.read("usr/sbin/blkid")))
    tree = compose(rootfs, programs, RELEASE, SCRIPTS)
    assert {(inode.uid, inode.gid) for _, inode in tree.walk()} == {(0, 0)}
    assert tree.at("usr/sbin/blkid").mode == 0o755


def test_real_programs_run_in_it(toolbox: Toolbox, rootfs: Tree, tmp_path: Path) -> None:
    programs = real_tree(toolbox, "badblocks", "blkid", "mke2fs", "e2fsck")
    programs.write("usr/bin/busybox", library())
    data = b"".join(cpio.write(compose(rootfs, programs, RELEASE, SCRIPTS)))
    subprocess.run(["cpio", "-id", "--quiet", "usr/*"], input=data, cwd=tmp_path, check=True)
    (libraries,) = (tmp_path / "usr/lib").glob("*-linux-gnu")
    (loader,) = (tmp_path / "usr").glob("lib*/ld-*")
    for name in ("badblocks", "blkid", "mke2fs", "e2fsck"):
        program = tmp_path / "usr/sbin" / name
        # badblocks does not tell its version: it has a file to read.
        what, says = (["-v", str(program)], b"Pass completed") if name == "badblocks" else (["-V"], b" 1.")
        command = [str(loader), "--inhibit-cache", "--library-path", str(libraries), str(program), *what]
        done = subprocess.run(command, capture_output=True, check=True, env={})
        assert says in done.stdout + done.stderr or b" 2." in done.stdout + done.stderr


def test_what_belongs_over_the_root_is_kept_apart(rootfs: Tree, programs: Tree) -> None:
    over = Tree()
    over.write(f"boot/config-{RELEASE}", b"CONFIG_X=y\n", parents=True)
    over.mkdir("empty")
    tree = compose(rootfs, programs, RELEASE, SCRIPTS, over=over)
    assert tree.read(f"{OVER}/boot/config-{RELEASE}") == b"CONFIG_X=y\n"
    assert not tree.exists(f"{OVER}/empty")
    assert not compose(rootfs, programs, RELEASE, SCRIPTS).exists(OVER)


def test_every_directory_and_link_of_it(rootfs: Tree, programs: Tree) -> None:
    tree = compose(rootfs, programs, RELEASE, SCRIPTS)
    assert {path for path, inode in tree.walk() if inode.kind is Kind.DIR and path.count("/") == 1} == {
        "/", "/dev", "/etc", "/newroot", "/proc", "/run", "/sys", "/tmp", "/usr",
    }  # fmt: skip
    assert tree.at("tmp").mode == 0o1777
    assert {name: tree.at(name).target for name in ("bin", "lib", "lib64", "sbin")} == {
        "bin": "usr/bin", "lib": "usr/lib", "lib64": "usr/lib64", "sbin": "usr/sbin",
    }  # fmt: skip
    console = tree.at("dev/console")
    assert (console.kind, console.mode, console.mtime) == (Kind.CHAR, 0o600, 7)
    assert {tree.at(f"usr/bin/{applet}").target for applet in APPLETS} == {"busybox"}
    assert tree.at("usr/sbin/modprobe").target == "../bin/busybox"
    assert tree.at("init").mode == 0o755
    assert tree.at("usr/lib/livecd/log.sh").mode == 0o644
    usual = "label=K8S_NODE\nstate=auto\nstate_label=K8S_STATE\nwait=30\nblank_timeout=120\n"
    assert tree.read_text("etc/livecd.conf") == usual


def test_which_files_are_scripts(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    for name in (
        "init",
        "lib/b.sh",
        "lib/a.sh",
        "lib/.a.sh.swp",
        "lib/#a.sh",
        "lib/.hidden.sh",
        "lib/c.txt",
        "other.sh",
    ):
        (tmp_path / name).write_text(name)
    (tmp_path / "lib/directory.sh").mkdir()
    assert read_scripts(tmp_path) == {name: name.encode() for name in ("init", "lib/a.sh", "lib/b.sh")}
    for name in ("init", "a.sh", "b.sh", "#a.sh", ".hidden.sh", "c.txt", ".a.sh.swp"):
        (tmp_path / ("init" if name == "init" else f"lib/{name}")).unlink()
    with pytest.raises(InitrdError) as caught:
        read_scripts(tmp_path)
    assert caught.value.where.file == str(tmp_path)


@pytest.mark.parametrize("name", ["label", "state", "state_label"])
def test_settings_are_words(rootfs: Tree, programs: Tree, name: str) -> None:
    for value in ("", "a b", "a\n", "\x7f"):
        odd: dict[str, Any] = {name: value}
        with pytest.raises(InitrdError) as caught:
            compose(rootfs, programs, RELEASE, SCRIPTS, Settings(**odd))
        assert caught.value.what == f"livecd.{name} cannot be {value!r}"
        assert caught.value.why == "it is one word on the kernel command line"


def test_what_is_written_is_checked_when_it_is_read(rootfs: Tree, programs: Tree, tmp_path: Path) -> None:
    digest = write(compose(rootfs, programs, RELEASE, SCRIPTS), tmp_path / "x", 5)
    data = (tmp_path / "x").read_bytes()
    assert digest == hashlib.sha256(data).hexdigest()
    assert zstandard.get_frame_parameters(data).has_checksum
