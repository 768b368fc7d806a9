"""What goes into a machine: its disk, and packages that dpkg takes for what they are."""

import io
import shlex
import subprocess
import tarfile
from pathlib import Path

import pytest

from assembler.configure.job import Answer, Configure, Job, Run, Shell, Step, Unpack
from assembler.debian.deb import open_package
from assembler.guest.disk import lay_out, seconds, write_package
from assembler.store.objects import Store
from assembler.tree.staging import Tree
from tests.debian.debs import deb, directory, item
from tests.support.host_commands import need

EPOCH = 1767225600
CONTROL = {"postinst": b"#!/bin/sh\nexit 0\n", "conffiles": b"/etc/odd\n"}


@pytest.fixture
def package() -> bytes:
    return deb(
        "odd", directory("./etc"), item("./etc/odd", b"odd\n"), files=CONTROL, Description="odd\n more\n .\n end"
    )


def test_a_package_that_is_written_anew_is_the_same_for_dpkg(store: Store, package: bytes, tmp_path: Path) -> None:
    dpkg = need("dpkg-deb", "dpkg")
    (tmp_path / "as-it-came").write_bytes(package)
    write_package(open_package(store, store.add(package), "odd"), tmp_path / "anew", EPOCH)

    def told(name: str, *options: str) -> bytes:
        return subprocess.run([dpkg, *options, tmp_path / name], check=True, capture_output=True).stdout

    assert told("anew", "--field") == told("as-it-came", "--field")
    assert told("anew", "--contents") == told("as-it-came", "--contents")
    for name, data in CONTROL.items():
        for each in ("anew", "as-it-came"):
            shown = subprocess.run([dpkg, "--info", tmp_path / each, name], check=True, capture_output=True).stdout
            assert shown == data, each


def test_no_time_in_it_is_later_than_the_epoch(store: Store, tmp_path: Path) -> None:
    long = f"./etc/{'long' * 40}"
    members = [
        item("./etc", type=tarfile.DIRTYPE, mode=0o755, mtime=EPOCH + 7),
        item("./etc/late", b"late" * 300, mtime=EPOCH + 1),
        item("./etc/early", b"early", mtime=EPOCH - 1),
        item("./etc/link", type=tarfile.SYMTYPE, linkname="late", mtime=EPOCH * 2),
        item(long, b"x", mtime=EPOCH + 1),
    ]
    opened = open_package(store, store.add(deb("odd", *members, files=CONTROL)), "odd")
    write_package(opened, tmp_path / "anew", EPOCH)
    dpkg = need("dpkg-deb", "dpkg")
    data = subprocess.run([dpkg, "--fsys-tarfile", tmp_path / "anew"], check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        times = {member.name: member.mtime for member in archive if member.name != "."}
    assert times == {"./etc": EPOCH, "./etc/late": EPOCH, "./etc/early": EPOCH - 1, "./etc/link": EPOCH, long: EPOCH}
    before = opened.data.read_bytes()
    changed = {number // 512 for number, (one, other) in enumerate(zip(before, data, strict=True)) if one != other}
    assert len(changed) == 4


def scripts(job: Job, tmp_path: Path) -> list[list[str]]:
    """The words of each step's script."""
    disk = lay_out(Tree(), job, tmp_path)
    return [shlex.split(disk.read_text(f"/job/{number}/script")) for number in range(len(job.steps))]


def test_what_each_step_runs(store: Store, package: bytes, tmp_path: Path) -> None:
    opened = open_package(store, store.add(package), "odd")
    run = Run(name="x", script=b"#!/bin/sh\n", environment={"A": "b c'd"}, files={"e/f": b"g"})
    job = Job(
        steps=(
            Answer(selections="a b string c\n"),
            Unpack(packages=(opened,), filters=("--path-exclude=/usr/share/doc/*",)),
            Configure(names=("odd", "libodd:amd64")),
            Configure(names=("odd",), force=True),
            run,
        ),
        epoch=EPOCH,
    )
    here = "/proc/1/root/disk/job"
    dpkg = ["exec", "dpkg", "--status-fd", "3", "--force-unsafe-io"]
    answer, unpack, configure, forced, own = scripts(job, tmp_path)
    assert answer == ["exec", "debconf-set-selections", f"{here}/0/selections"]
    assert unpack == [*dpkg, "--path-exclude=/usr/share/doc/*", "--force-depends", "--unpack", f"{here}/1/odd.deb"]
    assert configure == [*dpkg, "--configure", "odd", "libodd:amd64"]
    assert forced == [*dpkg, "--force-depends", "--configure", "odd"]
    assert own[-4:] == ["env", f"ASSEMBLE_FILES={here}/4/files", "A=b c'd", f"{here}/4/run"]


def test_what_lies_beside_it(tmp_path: Path) -> None:
    tree = Tree(mtime=EPOCH)
    tree.write("/etc/x", b"x", parents=True)
    run = Run(name="x", script=b"#!/bin/sh\n", files={"e/f": b"g"})
    disk = lay_out(tree, Job(steps=(run, Shell()), epoch=EPOCH), tmp_path)
    assert disk.at("/tree") is tree.root
    assert disk.read("/job/steps") == f"0 {seconds(run)}\n1 {seconds(Shell())}\n".encode()
    assert [(path, inode.mode) for path, inode in disk.walk("/job") if not inode.children] == [
        ("/job/0/files/e/f", 0o755),
        ("/job/0/run", 0o755),
        ("/job/0/script", 0o644),
        ("/job/1/script", 0o644),
        ("/job/1/terminal", 0o644),
        ("/job/steps", 0o644),
    ]


def test_byte_code_is_not_made_where_packages_are_configured(tmp_path: Path) -> None:
    """And nowhere else: dpkg could not replace a program that something is mounted over."""
    job = Job(steps=(Unpack(packages=()), Configure(names=("a",)), Run(name="x", script=b"")), epoch=EPOCH)
    disk = lay_out(Tree(), job, tmp_path)
    assert disk.read("/job/1/inert") == b"usr/bin/py3compile\nusr/bin/pypy3compile\n"
    assert not disk.lexists("/job/0/inert")
    assert not disk.lexists("/job/2/inert")


def test_a_step_may_take_longer_the_more_packages_it_has() -> None:
    steps: list[Step] = [Run(name="x", script=b""), Configure(names=("a",)), Configure(names=("a", "b", "c"))]
    one, few, more = map(seconds, steps)
    assert one < few < more
    assert (more - few) == 2 * (few - one)


def test_byte_code_is_made_where_the_image_has_some(tmp_path: Path) -> None:
    disk = lay_out(Tree(), Job(steps=(Configure(names=("a",), byte_code=True),), epoch=EPOCH), tmp_path)
    assert not disk.lexists("/job/0/inert")
