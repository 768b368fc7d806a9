"""What a recipe adds to the initrd: modules, firmware, files of the image and of its own, and what is refused."""

import dataclasses
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from assembler.errors import AssembleError, Place
from assembler.formats import cpio
from assembler.initrd.additions import AddedFile, Additions, as_inputs
from assembler.initrd.compose import REQUIRED, compose
from assembler.kernel.elf import ElfError
from assembler.tools.toolbox import Toolbox
from assembler.tree.staging import Tree
from tests.initrd.elves import library, module, real_tree
from tests.initrd.test_compose import RELEASE, SCRIPTS, programs, rootfs

__all__ = ["programs", "rootfs"]

LIBRARIES = "/usr/lib/x86_64-linux-gnu"
Composed = Callable[..., Tree]


@pytest.fixture
def image(programs: Tree) -> Tree:
    """A root file system, with the libraries that the initrd's own programs have."""
    tree = programs.copy()
    for name in ("bin", "lib"):
        tree.symlink(f"usr/{name}", name)
    for path, data in {
        "usr/bin/tool": library("libtool.so.1", "libc.so.6", interpreter="/lib64/ld-linux-x86-64.so.2"),
        f"{LIBRARIES}/libtool.so.1.0": library("libc.so.6"),
        "usr/bin/private": library("libown.so", runpath=f"$ORIGIN/../own:{LIBRARIES}/own"),
        f"{LIBRARIES}/own/libown.so": library("libc.so.6"),
        "usr/bin/script": b"#!/usr/bin/language -x\n",
        "usr/bin/language": library("libc.so.6"),
        "usr/share/terms/a/one": b"1",
        "usr/share/terms/b/two": b"2",
        "usr/lib/firmware/card/first.bin": b"first",
        "usr/lib/firmware/card/second.bin.zst": b"second",
        "usr/lib/firmware/updates/card/third.bin": b"third",
        "etc/secret/key": b"key",
        "etc/shadow": b"root:*\n",
    }.items():
        tree.write(path, data, 0o755 if path.startswith("usr/bin") else 0o644, parents=True)
    tree.symlink("libtool.so.1.0", f"{LIBRARIES}/libtool.so.1")
    tree.symlink("first.bin", "usr/lib/firmware/card/zero.bin")
    tree.symlink("gone", "usr/share/terms/dangling")
    tree.chmod("etc/secret", 0o700)
    tree.chmod("etc/shadow", 0o640)
    return tree


@pytest.fixture
def composed(rootfs: Tree, programs: Tree, image: Tree) -> Composed:
    def make(**additions: Any) -> Tree:
        warn = additions.pop("warn", pytest.fail)
        wanted = Additions(**{name: tuple(value) for name, value in additions.items()})
        return compose(rootfs, programs, RELEASE, SCRIPTS, additions=wanted, image=image, warn=warn)

    return make


@pytest.fixture
def plain(rootfs: Tree, programs: Tree) -> set[str]:
    return {path for path, _ in compose(rootfs, programs, RELEASE, SCRIPTS).walk()}


def files(tree: Tree, plain: set[str]) -> dict[str, bytes]:
    """What is in it that every initrd has not."""
    return {path: tree.read(path) for path, _ in tree.walk() if path not in plain and tree.is_file(path)}


def refused(composed: Composed, **additions: Any) -> AssembleError:
    with pytest.raises(AssembleError) as caught:
        composed(**additions)
    return caught.value


def test_nothing_is_added_of_itself(composed: Composed, plain: set[str]) -> None:
    assert files(composed(), plain) == {}
    assert not Additions().want_image
    assert not Additions(files=(AddedFile(path="/a", content=b"text"),)).want_image
    for content in (library(), b"#!/bin/sh\n"):
        assert Additions(files=(AddedFile(path="/a", content=content),)).want_image


def test_modules_are_loaded_in_their_order_after_what_they_need(
    composed: Composed, rootfs: Tree, plain: set[str]
) -> None:
    directory = f"/usr/lib/modules/{RELEASE}"
    wanted = module(depends="radio", firmware=["card/first.bin", "card/s*.bin", "card/none.bin"])
    rootfs.write(f"{directory}/kernel/my-card.ko", wanted)
    rootfs.write(f"{directory}/modules.builtin", b"kernel/tty.ko\n")
    tree = composed(modules=["my-card", "tty", "ahci"])
    always = tree.read_text("etc/livecd.modules").split()
    assert always[always.index("ext4") + 1 :] == ["radio", "my_card", "libata", "libahci", "ahci"]
    assert tree.read_text("etc/livecd.wanted").split() == ["my_card", "ahci"]
    assert "kernel/my-card.ko: kernel/drivers/radio.ko" in tree.read_text(f"{directory}/modules.dep").splitlines()
    assert files(tree, plain) == {
        "/etc/livecd.wanted": b"my_card\nahci\n",
        f"{directory}/kernel/my-card.ko": wanted,
        f"{directory}/kernel/drivers/radio.ko": module(),
        "/usr/lib/firmware/card/first.bin": b"first",
        "/usr/lib/firmware/card/second.bin.zst": b"second",
    }
    assert not composed(modules=["tty"]).exists("etc/livecd.wanted")


def test_who_asks_for_firmware_that_is_not_there_is_told(composed: Composed, rootfs: Tree) -> None:
    rootfs.write(f"/usr/lib/modules/{RELEASE}/card.ko", module(firmware=["none.bin", "card/fourth.bin"]))
    told: list[str] = []
    composed(modules=["card"], warn=told.append)
    assert told == ["the module card may ask for firmware, of which the image has none"]
    # Those that every initrd has were chosen without.
    rootfs.write(f"/usr/lib/modules/{RELEASE}/kernel/{REQUIRED[0]}.ko", module(firmware="none.bin"))
    composed()


def test_a_module_that_there_is_not(composed: Composed) -> None:
    error = refused(composed, modules=["ahci", "ra-dios"])
    assert (error.what, error.where, error.hint) == (
        "the kernel has no module ra-dios",
        Place(key="initrd.modules[1]"),
        "did you mean radio?",
    )
    assert "another kernel" in refused(composed, modules=["xyzzy"]).hint


def test_firmware_by_name_and_pattern(composed: Composed, plain: set[str]) -> None:
    directory = "/usr/lib/firmware"
    assert files(composed(firmware=["card/zero.bin"]), plain) == {f"{directory}/card/zero.bin": b"first"}
    assert files(composed(firmware=["card/second.bin", "card/third.bin"]), plain) == {
        f"{directory}/card/second.bin.zst": b"second",
        f"{directory}/updates/card/third.bin": b"third",
    }
    assert len(files(composed(firmware=["c*"]), plain)) == 4
    error = refused(composed, firmware=["card/frist.bin"])
    assert (error.where.key, error.hint) == ("initrd.firmware[0]", "did you mean card/first.bin?")
    assert refused(composed, firmware=["x/*"]).what == "the image has no firmware x/*"


def test_programs_of_the_image_with_their_libraries(composed: Composed, plain: set[str]) -> None:
    tree = composed(from_image=["/bin/tool"])
    assert set(files(tree, plain)) == {"/usr/bin/tool", f"{LIBRARIES}/libtool.so.1"}
    assert tree.at("usr/bin/tool").mode == 0o755
    assert set(files(composed(from_image=["/usr/bin/private"]), plain)) == {
        "/usr/bin/private",
        f"{LIBRARIES}/own/libown.so",
    }
    assert set(files(composed(from_image=["/usr/bin/script"]), plain)) == {"/usr/bin/script", "/usr/bin/language"}
    # It is there already.
    assert files(composed(from_image=["/usr/sbin/blkid"]), plain) == {}


def test_files_of_the_image_by_pattern(composed: Composed, plain: set[str]) -> None:
    found = {"/usr/share/terms/a/one": b"1", "/usr/share/terms/b/two": b"2"}
    assert files(composed(from_image=["/usr/share/terms/*"]), plain) == found
    assert files(composed(from_image=["/usr/share/*/on?"]), plain) == {"/usr/share/terms/a/one": b"1"}
    assert set(files(composed(from_image=["/bin/too*"]), plain)) == {"/usr/bin/tool", f"{LIBRARIES}/libtool.so.1"}
    assert refused(composed, from_image=["/gone/*"]).what == "the image has no file like /gone/*"


@pytest.mark.parametrize(
    ("path", "what", "hint"),
    [
        ("/usr/bin/tol", "the image has no /usr/bin/tol", "did you mean /usr/bin/tool?"),
        ("/usr/sbin/tool", "the image has no /usr/sbin/tool", "did you mean /usr/bin/tool?"),
        ("/xyzzy", "the image has no /xyzzy", "is its package there?"),
        ("/usr/share/terms", "/usr/share/terms is a directory", "/usr/share/terms/* is all that is in it"),
        ("/etc/secret/key", "/etc/secret/key is for some users only", "bring it with initrd.files"),
        ("/etc/s*w", "/etc/shadow is for some users only", "bring it with initrd.files"),
        ("/usr/bin/ls", "the initrd has another /usr/bin/ls of its own", "leave it out"),
    ],
)
def test_files_of_the_image_that_cannot_be(composed: Composed, image: Tree, path: str, what: str, hint: str) -> None:
    image.write("/usr/bin/ls", library(), 0o755)
    error = refused(composed, from_image=["/usr/bin/tool", path])
    assert (error.what, error.where.key) == (what, "initrd.from_image[1]")
    assert hint in error.hint


def test_a_library_or_an_interpreter_that_is_missing(composed: Composed, image: Tree) -> None:
    image.remove(f"{LIBRARIES}/libtool.so.1")
    error = refused(composed, from_image=["/usr/bin/language", "/usr/bin/tool"])
    assert isinstance(error, ElfError)
    assert error.what == "the library libtool.so.1 is missing"
    assert error.where == Place(path="/usr/bin/tool", key="initrd.from_image[1]")
    image.remove("usr/bin/language")
    error = refused(composed, from_image=["/usr/bin/script"])
    assert error.what == "the image has no /usr/bin/language, which /usr/bin/script is a script for"
    assert error.where.key == "initrd.from_image[0]"


def test_another_version_of_a_library_is_refused(composed: Composed, image: Tree) -> None:
    image.write(f"{LIBRARIES}/libc.so.6", library(soname="other"))
    what = f"the initrd has another {LIBRARIES}/libc.so.6 of its own"
    assert refused(composed, from_image=["/usr/bin/tool"]).what == what


def test_files_of_the_recipes_own(composed: Composed, plain: set[str]) -> None:
    tree = composed(
        files=[
            AddedFile(path="/etc/modprobe.d/a.conf", content=b"options a b=1\n"),
            AddedFile(path="/usr/bin/mine", content=library("libtool.so.1"), mode=0o755),
            AddedFile(path="/usr/bin/look", content=b"#!/bin/sh\n", mode=0o755),
            AddedFile(path="/usr/bin/see", link="look"),
        ]
    )
    assert set(files(tree, plain)) == {
        "/etc/modprobe.d/a.conf",
        "/usr/bin/mine",
        "/usr/bin/look",
        "/usr/bin/see",
        f"{LIBRARIES}/libtool.so.1",
    }
    assert tree.at("usr/bin/see").target == "look"
    assert (tree.at("etc/modprobe.d/a.conf").mode, tree.at("usr/bin/mine").mode) == (0o644, 0o755)


@pytest.mark.parametrize(
    "path", ["/init", "/etc/livecd.conf", "/bin/sh", "/usr/lib/livecd/log.sh", "/kernel/x", "/kernel"]
)
@pytest.mark.parametrize("link", ["", "target"])
def test_what_is_the_initrds_own_stays(composed: Composed, path: str, link: str) -> None:
    file = AddedFile(path=path, content=b"" if link else b"mine", link=link)
    error = refused(composed, files=[AddedFile(path="/a", content=b"a"), file])
    assert error.where.key == "initrd.files[1]"
    assert path in error.what


def test_too_much(composed: Composed, monkeypatch: pytest.MonkeyPatch) -> None:
    added = [AddedFile(path=f"/{name}", content=bytes(100)) for name in "ab"]
    monkeypatch.setattr("assembler.initrd.additions.LARGEST", 200)
    composed(files=added)
    monkeypatch.setattr("assembler.initrd.additions.LARGEST", 199)
    error = refused(composed, files=added)
    assert (error.what, error.why, error.where.key) == (
        "the initrd is too large",
        "more than 199 bytes",
        "initrd.files[1]",
    )


def test_every_field_counts() -> None:
    names = {field.name for field in dataclasses.fields(Additions)}
    assert names == {name.removeprefix("initrd.") for name in as_inputs(Additions())} | {"files"}


def test_a_real_program_of_the_image_runs_in_it(toolbox: Toolbox, rootfs: Tree, tmp_path: Path) -> None:
    image = real_tree(toolbox, "badblocks", "blkid", "mke2fs", "e2fsck", "debugfs")
    image.write("usr/bin/busybox", library())
    own = image.copy()
    own.remove("usr/sbin/debugfs")
    tree = compose(rootfs, own, RELEASE, SCRIPTS, additions=Additions(from_image=("/usr/sbin/debugfs",)), image=image)
    data = b"".join(cpio.write(tree))
    subprocess.run(["cpio", "-id", "--quiet", "usr/*"], input=data, cwd=tmp_path, check=True)
    (libraries,) = (tmp_path / "usr/lib").glob("*-linux-gnu")
    (loader,) = (tmp_path / "usr").glob("lib*/ld-*")
    program = [str(loader), "--inhibit-cache", "--library-path", str(libraries), str(tmp_path / "usr/sbin/debugfs")]
    done = subprocess.run([*program, "-V"], capture_output=True, check=True, env={}, text=True)
    assert "debugfs 1." in done.stderr
