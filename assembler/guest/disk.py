"""The machine's disk: what goes in with it, and where.

``/tree`` is the root file system. ``/job/steps`` has a line for each step with its number and how many seconds of the
machine's it may take, and ``/job/N/script`` is the script of step N, beside which lies what it needs; ``/job/N/inert``
names programs of the tree that do nothing while it runs, ``/job/N/hidden`` those that cannot be executed. In
``/report`` the machine leaves what step N printed as ``N``. Scripts are run by the tree's /bin/sh, in the tree, from
where they see the job through the root of process 1.
"""

import shlex
from collections.abc import Iterator
from pathlib import Path

from assembler.configure.job import Answer, Configure, Job, Run, Shell, Step, Unpack
from assembler.debian.deb import Deb
from assembler.tree import tar
from assembler.tree.content import CHUNK, Content, chunks, size_of, whole
from assembler.tree.staging import Tree

TREE, JOB, REPORT = "tree", "job", "report"
"""Directories of the disk."""
SEEN = "/proc/1/root/disk/job"
"""Where scripts see the job."""
_SECONDS, _EACH = 120, 10
"""Seconds of the machine's that a step may take, and more for each package. Two databases, a web and a mail server, 57
packages, take 18 in all; a second of the machine's takes four to six."""
_DPKG = ("exec", "dpkg", "--status-fd", "3", "--force-unsafe-io")
"""dpkg tells the console what it is doing. What is not written when a machine ends is lost anyway."""
_SHELL = b"""\
cd /root
export TERM=linux PS1='in the machine: \\w # '
[ -x /bin/bash ] && exec /bin/bash --norc -i
exec /bin/sh -i
"""
_INERT = ("usr/bin/py3compile", "usr/bin/pypy3compile")
"""Programs that make byte code and nothing else. It is most of the time that packages of Python take, about a second of
the machine's for each, and not every image has it."""
_EXECUTABLE = frozenset({"preinst", "postinst", "prerm", "postrm", "config"})


def lay_out(tree: Tree, job: Job, scratch: Path) -> Tree:
    """The whole disk, with `tree` in it; packages that are to be unpacked are put together in the directory `scratch`.

    Raises OSError for a full disk.
    """
    disk = Tree(mtime=job.epoch)
    disk.root.children[TREE] = tree.root
    disk.mkdir(JOB)
    disk.mkdir(REPORT, 0o700)
    lines = []
    for number, step in enumerate(job.steps):
        lines.append(f"{number} {seconds(step)}\n")
        disk.mkdir(f"{JOB}/{number}")
        for name, content, mode in _files(number, step, job.epoch, scratch):
            disk.write(f"{JOB}/{number}/{name}", content, mode, parents=True)
    disk.write(f"{JOB}/steps", "".join(lines).encode())
    return disk


def seconds(step: Step) -> int:
    """How many seconds of the machine's a step may take."""
    match step:
        case Unpack():
            return _SECONDS + _EACH * len(step.packages)
        case Configure():
            return _SECONDS + _EACH * len(step.names)
        case _:
            return _SECONDS


def _files(number: int, step: Step, epoch: int, scratch: Path) -> Iterator[tuple[str, Content, int]]:
    """The script of a step and what it needs: names, contents and modes."""
    here = f"{SEEN}/{number}"
    match step:
        case Unpack():
            names = []
            for deb in step.packages:
                package = scratch / f"{deb.name}.deb"
                write_package(deb, package, epoch)
                names.append(f"{here}/{package.name}")
                yield package.name, whole(package), 0o644
            yield "script", _script(*_DPKG, *step.filters, "--force-depends", "--unpack", *names), 0o644
        case Configure():
            forced = ("--force-depends",) if step.force else ()
            if not step.byte_code:
                yield "inert", "".join(f"{program}\n" for program in _INERT).encode(), 0o644
            if step.hidden:
                # A name with a line feed in it is nobody's who is looked for.
                named = "".join(f"{path[1:]}\n" for path in step.hidden if "\n" not in path)
                yield "hidden", named.encode("utf-8", "surrogateescape"), 0o644
            yield "script", _script(*_DPKG, *forced, "--configure", *step.names), 0o644
        case Answer():
            yield "selections", step.selections.encode(), 0o644
            yield "script", _script("exec", "debconf-set-selections", f"{here}/selections"), 0o644
        case Shell():
            yield "terminal", b"", 0o644
            yield "script", _SHELL, 0o644
        case Run():
            yield "run", step.script, 0o755
            for path, content in step.files.items():
                yield f"files/{path}", content, 0o755
            variables = {"ASSEMBLE_FILES": f"{here}/files", **step.environment}
            exported = (f"{name}={value}" for name, value in variables.items())
            # dpkg's way to the console is none of its business.
            yield "script", b"exec 3>&-\n" + _script("exec", "env", *exported, f"{here}/run"), 0o644


def _script(*words: str) -> bytes:
    return (shlex.join(words) + "\n").encode("utf-8", "surrogateescape")


def write_package(deb: Deb, path: Path, epoch: int) -> None:
    """Write a package anew, with nothing compressed, as reading what is compressed is most of what dpkg would do.

    The same for dpkg as the package itself: its control files by what is in them, and data.tar byte for byte, but for
    times later than `epoch`. No tree has these, and programs write down what they see (mandb).
    """
    control = Tree(mtime=epoch)
    paragraph = "".join(
        f"{name}:{'' if value.startswith(chr(10)) else ' '}{value}\n" for name, value in deb.fields.items()
    )
    control.write("control", paragraph.encode("utf-8", "surrogateescape"))
    for name, data in deb.control.items():
        control.write(name, data, 0o755 if name in _EXECUTABLE else 0o644)
    members: tuple[tuple[str, Content], ...] = (
        ("debian-binary", b"2.0\n"),
        ("control.tar", b"".join(tar.write(control, latest=epoch))),
        ("data.tar", whole(deb.data)),
    )
    with path.open("wb", buffering=CHUNK) as out:
        out.write(b"!<arch>\n")
        for name, content in members:
            size = size_of(content)
            out.write(f"{name:<16}{epoch:<12}{0:<6}{0:<6}{100644:<8}{size:<10}`\n".encode())
            begin = out.tell()
            for chunk in chunks(content):
                out.write(chunk)
            out.write(b"\n" * (size % 2))
        # The last of them was data.tar.
        for offset, header in _not_later(deb, epoch):
            out.seek(begin + offset)
            out.write(header)


def _not_later(deb: Deb, epoch: int) -> Iterator[tuple[int, bytes]]:
    """The headers in data.tar whose members are later than `epoch`, made so early, and where they are."""
    with deb.data.open("rb") as data:
        for member in deb.members:
            if member.mtime > epoch:
                offset = member.offset - tar.BLOCK
                data.seek(offset)
                yield offset, tar.dated(data.read(tar.BLOCK), epoch)
