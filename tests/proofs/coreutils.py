"""Compare the programs that work on files with the real ones of coreutils, command by command.

Commands are drawn at random over a small tree with links, set-ID bits and owners; each is carried out by the assembler
on a tree in memory and by the real program on the same tree in a directory, as root and with the umask of maintainer
scripts or another. What is left has to be the same: kinds, modes, owners, contents, links, names of the same file, and
whether a time is new; and so has the exit status. What is not understood is counted. With --record the first
commands, and what became of them, are written to tests/programs/data/coreutils.jsonl, which a quick test reads. With
--root the programs are those of a directory with Debian's tree, of another release.

    scripts/coreutils [--seed N] [--number N] [--root DIR] [--record]
"""

import json
import os
import random
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

from assembler.programs.commands import COMMANDS
from assembler.programs.context import ExecutionContext
from assembler.programs.options import UsageError
from assembler.tree.staging import Inode, Kind, Tree
from tests.support.command import ROOT, arguments
from tests.support.toolboxes import ALL, of_tree, own_tools

RECORDED = ROOT / "tests" / "programs" / "data" / "coreutils.jsonl"
OLD, NEW = 1_000_000_000, 1_700_000_000
"""Times, in seconds, of what was there and of what is made."""
_PLACES = (
    "a", "b", "x", "su", "sg", "sgn", "la", "ld", "dang", "h1", "h2", "d", "d/f", "d/sub", "d/sub/g", "d/l", "s",
    "s/in", "w", "e", "none", "none/x", "new", "d/new", "s/new", "ld/new", "e/new", "a/x", "d/.", "ld/", "d/", "e/",
    "new/", "la/", "./a", "d/..", "d//f",
)  # fmt: skip
_MODES = (
    "755", "644", "0", "600", "2755", "4711", "1777", "07777", "00755", "0700", "+x", "+w", "-w", "u+s", "g+s", "g-s",
    "u=rwx,go=rx", "u=rwx,g=rx,o=", "go-rwx", "a+X", "u+X", "=r", "a=", "g=u", "o=g-w", "+t", "-t", "a-w", "ug+rw",
    "u+x,g-w", "u-s", "=", "+", "go=u-w", "u=rws", "o+t", "-x", "u=g,g=o",
)  # fmt: skip
_OWNERS = (
    "7", "7:8", ":8", "7:", "man", "man:mail", ":mail", "man:", "nobody7", "man:none", "0:0", "man.mail", "root", ":",
    "4294967294", "12:none", "+7:+8", "+6",
)  # fmt: skip
_WITH_REFERENCE = frozenset({"chmod", "chown", "chgrp"})
_GROUPS = ("8", "mail", "none", "0")
_UMASKS = ("000", "002", "007", "027", "077", "0177", "026")
_OPTIONS: Mapping[str, tuple[str, ...]] = {
    "mkdir": (
        "-p",
        "-m 700",
        "-m 2755",
        "-m 00755",
        "-m u=rwx,go=",
        "-v",
        "-pm 1777",
        "-m g+w",
        "-m =rwx",
        "-m u+x,o-r",
        "-m go-w",
        "-pm a+rwx",
    ),
    "rmdir": ("--ignore-fail-on-non-empty", "-v", "-p", "-p --ignore-fail-on-non-empty"),
    "rm": ("-f", "-r", "-rf", "-d", "-R"),
    "touch": ("-c",),
    "ln": ("-s", "-f", "-sf", "-n", "-sfn", "-T", "-sfT", "-sr", "-snf", "-v"),
    "cp": ("-a", "-p", "-r", "-d", "-f", "-n", "-T", "-P", "-L", "-rp", "-rd", "-aT", "-R"),
    "mv": ("-f", "-n", "-T", "-v"),
    "install": (
        "-d",
        "-D",
        "-m 644",
        "-m 4755",
        "-o man",
        "-g mail",
        "-p",
        "-T",
        "-d -m 2770",
        "-d -o man",
        "-g none",
        "-m u+rw,g+r",
        "-m -w",
        "-d -m g+w",
        "-d -m g+s",
        "-d -m u=rwx,o+t",
        "-m g=u",
    ),
    "chmod": ("-R", "-v", "-f"),
    "chown": ("-R", "-h", "-f", "-v"),
    "chgrp": ("-R", "-h"),
}


def start() -> Tree:
    """The tree on which commands are carried out."""
    tree = Tree(mtime=OLD)

    def file(path: str, text: str, mode: int, uid: int = 0, gid: int = 0) -> Inode:
        return tree.put(path, Inode(Kind.FILE, mode, uid, gid, OLD, content=text.encode()))

    def directory(path: str, mode: int, uid: int = 0, gid: int = 0) -> None:
        tree.put(path, Inode(Kind.DIR, mode, uid, gid, OLD))

    for path, mode, uid, gid in (
        ("d", 0o755, 0, 0), ("d/sub", 0o700, 5, 6), ("s", 0o2775, 0, 50), ("w", 0o1777, 3, 3), ("e", 0o755, 0, 0),
    ):  # fmt: skip
        directory(path, mode, uid, gid)
    file("a", "a", 0o644)
    file("b", "b", 0o600, 7, 7)
    file("x", "x", 0o755)
    file("su", "su", 0o4755)
    file("sg", "sg", 0o2755, 0, 9)
    file("sgn", "sgn", 0o2644, 0, 9)
    file("d/f", "f", 0o640, 4, 4)
    file("d/sub/g", "g", 0o666)
    file("s/in", "in", 0o4711, 2, 2)
    tree.put("h2", file("h1", "h", 0o644))
    for path, target in (("la", "a"), ("ld", "d"), ("dang", "nowhere"), ("d/l", "../a")):
        tree.put(path, Inode(Kind.SYMLINK, 0o777, mtime=OLD, target=target))
    return tree


def accounts(tree: Tree) -> Tree:
    """`tree` with users and groups, which the real programs take from the machine."""
    tree.mkdir("etc")
    tree.write("etc/passwd", b"root:x:0:0::/root:/bin/sh\nman:x:6:12::/:/bin/sh\n")
    tree.write("etc/group", b"root:x:0:\nman:x:12:\nmail:x:8:\n")
    return tree


def drawn(rng: random.Random) -> str:
    """A command line."""
    name = rng.choice(sorted(_OPTIONS))
    words = [name]
    for _ in range(rng.choice((0, 0, 1, 1, 1, 2))):
        words += rng.choice(_OPTIONS[name]).split()
    if name in _WITH_REFERENCE and rng.random() < 1 / 6:
        words.append(f"--reference={rng.choice(_PLACES)}")
    elif name == "chmod":
        words.append(rng.choice(_MODES))
    elif name == "chown":
        words.append(rng.choice(_OWNERS))
    elif name == "chgrp":
        words.append(rng.choice(_GROUPS))
    words += rng.choices(_PLACES, k=rng.choice((1, 2, 2, 2, 3)))
    before = f"umask {rng.choice(_UMASKS)} && " if rng.random() < 1 / 4 else ""
    return before + shlex.join(words)


def understood(command: str) -> tuple[int, str, list[str]]:
    """The umask, the program and its arguments."""
    *umask, line = command.removeprefix("umask ").split(" && ")
    name, *words = shlex.split(line)
    return int(umask[0], 8) if umask else 0o022, name, words


def lay_out(tree: Tree, root: Path) -> None:
    """Put `tree` into an empty directory, with owners and times."""
    names: dict[int, Path] = {}
    for path, inode in tree.walk():
        place = root / path[1:]
        if inode.kind is Kind.DIR:
            place.mkdir(exist_ok=True)
        elif id(inode) in names:
            place.hardlink_to(names[id(inode)])
            continue
        elif inode.kind is Kind.SYMLINK:
            place.symlink_to(inode.target)
        else:
            place.write_bytes(tree.read(path))
        names[id(inode)] = place
        os.chown(place, inode.uid, inode.gid, follow_symlinks=False)
        if inode.kind is not Kind.SYMLINK:
            place.chmod(inode.mode)
    for path, _ in tree.walk():
        os.utime(root / path[1:], (OLD, OLD), follow_symlinks=False)


def seen(root: Path) -> dict[str, str]:
    """What is in a directory: a line for each path."""
    found: dict[str, str] = {}
    first: dict[int, str] = {}
    for here, directories, files in os.walk(root):
        for name in (*directories, *files):
            place = Path(here, name)
            path, about = str(place.relative_to(root)), place.lstat()
            if place.is_symlink():
                what = f"-> {os.readlink(place)}"  # noqa: PTH115  pathlib tidies it
            elif place.is_dir():
                what = "dir"
            else:
                what = place.read_text()
            found[path] = line(what, about.st_mode & 0o7777, about.st_uid, about.st_gid, int(about.st_mtime))
            if not place.is_dir() or place.is_symlink():
                first[about.st_ino] = min(path, first.get(about.st_ino, path))
    for path in found:
        about = (root / path).lstat()
        if first.get(about.st_ino, path) != path:
            found[path] = f"as {first[about.st_ino]}"
    return found


def line(what: str, mode: int, uid: int, gid: int, mtime: int) -> str:
    """A path as both sides tell of it. Times of directories follow what is in them, on a disk."""
    when = "" if what == "dir" else " old" if mtime == OLD else " new"
    shown = "" if what.startswith("-> ") else f" {mode:04o}"
    return f"{what}{shown} {uid}:{gid}{when}"


def computed(tree: Tree) -> dict[str, str]:
    """The same of a tree, but for the accounts."""
    found: dict[str, str] = {}
    first: dict[int, str] = {}
    listed = sorted(
        (path[1:], inode) for path, inode in tree.walk() if path != "/" and not (path + "/").startswith("/etc/")
    )
    for path, inode in listed:
        if inode.kind is not Kind.DIR and first.setdefault(id(inode), path) != path:
            found[path] = f"as {first[id(inode)]}"
            continue
        kinds = {Kind.DIR: "dir", Kind.SYMLINK: f"-> {inode.target}"}
        what = kinds[inode.kind] if inode.kind in kinds else tree.read(path).decode()
        found[path] = line(what, inode.mode, inode.uid, inode.gid, inode.mtime)
    return found


def ours(command: str) -> tuple[int, dict[str, str]] | None:
    """Exit status and what is left of the assembler's program; None when the command is not understood."""
    umask, name, words = understood(command)
    tree = accounts(start())
    tree.mtime = NEW
    action = COMMANDS[name](words)
    if action is None:
        return None
    try:
        status = action(ExecutionContext(tree, "amd64", umask=umask))
    except UsageError:
        return None
    return status, computed(tree)


def changed(after: Mapping[str, str]) -> dict[str, str]:
    """What is otherwise than at the start; nothing for what is gone."""
    before = computed(start())
    return {path: after.get(path, "") for path in sorted({*before, *after}) if before.get(path) != after.get(path)}


def real(command: str, programs: Mapping[str, list[str]]) -> tuple[int, dict[str, str]]:
    """The same of the real program."""
    umask, name, words = understood(command)
    with tempfile.TemporaryDirectory() as root:
        lay_out(start(), Path(root))
        done = subprocess.run(
            [*programs[name], *words],
            cwd=root,
            check=False,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            umask=umask,
            env={"PATH": "/none", "LC_ALL": "C"},
        )
        found = seen(Path(root))
        # Whoever is not root may have left what nobody can read.
        shutil.rmtree(root, ignore_errors=True)
        Path(root).mkdir(exist_ok=True)
    return done.returncode, found


def cases(seed: int, number: int) -> Iterator[str]:
    """Command lines."""
    rng = random.Random(seed)  # noqa: S311  the same each time
    for _ in range(number):
        yield drawn(rng)


def main() -> int:
    """Compare; returns the exit status."""
    parser = arguments("coreutils", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--root", type=Path, help="with the programs of the tree in this directory")
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    command_of = partial(of_tree, options.root) if options.root else own_tools(ALL).command
    programs = {name: command_of(name) for name in _OPTIONS}
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    for command in cases(options.seed, options.number):
        mine = ours(command)
        name = understood(command)[1]
        if mine is None:
            counts[f"{name}: not understood"] += 1
            continue
        status, left = real(command, programs)
        counts[f"{name}: understood"] += 1
        recorded.append(json.dumps([command, status, changed(left)]))
        if mine != (status, left):
            counts["different"] += 1
            print(f"{command}\n    status {mine[0]}, really {status}")
            for path, text in changed(mine[1]).items():
                if text != left.get(path, ""):
                    print(f"    {path}: {text or 'gone'}, really {left.get(path, 'gone')}")
            for path, text in changed(left).items():
                if path not in changed(mine[1]):
                    print(f"    {path}: as before, really {text or 'gone'}")
    if options.record:
        RECORDED.write_text("".join(f"{each}\n" for each in recorded))
    for text, count in sorted(counts.items()):
        print(f"{count:6} {text}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
