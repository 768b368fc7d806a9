"""Compare the programs that work on text with the real ones: grep, sed and mawk, call by call.

Calls are drawn at random over a few small files, their options, scripts and regular expressions weighted as maintainer
scripts have them (`text_draws.py`). Each is carried out by the assembler on a tree in memory and by the real program in
a directory. Output, exit status and what is left in the directory, with modes, owners and names of the same file, have
to be the same. What is refused is counted. With --record the first calls, and what became of them, are written to
tests/programs/data/text.jsonl, which a quick test reads. The real ones are those of the tests' toolbox, or with --root
those of a directory with Debian's tree, of another release.

    scripts/text [--seed N] [--number N] [--program NAME] [--root DIR] [--record]
"""

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from functools import partial
from pathlib import Path

from assembler.programs import awk, grep, sed
from assembler.shell.process import Process, Program
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused, Stream
from assembler.tree.content import read
from assembler.tree.staging import Inode, Kind, Tree
from tests.proofs.text_draws import Call, drawn
from tests.proofs.text_pools import TEXTS
from tests.support.command import ROOT, arguments
from tests.support.toolboxes import ALL, of_tree, own_tools

RECORDED = ROOT / "tests" / "programs" / "data" / "text.jsonl"
PROGRAMS: Mapping[str, Program] = {**grep.PROGRAMS, **sed.PROGRAMS, **awk.PROGRAMS}
_SECONDS = 10
_BUDGET = 1 << 20
"""Less than scripts have, as drawn ones often do not come to an end."""


@dataclass(frozen=True)
class Result:
    """What became of a call. Text has a character for each byte."""

    status: int
    output: str
    files: dict[str, str]
    """What is otherwise than before, a line for each path; nothing for what is gone."""


def _inodes(call: Call) -> dict[str, Inode]:
    one = Inode(Kind.FILE, 0o640, 7, 8, content=TEXTS[call.one].encode())
    two = Inode(Kind.FILE, 0o644, 0, 0, content=TEXTS[call.two].encode())
    return {
        "one": one,
        "two": two,
        "hard": two,
        "link": Inode(Kind.SYMLINK, 0o777, target="one"),
        "d": Inode(Kind.DIR, 0o755),
        "d/three": Inode(Kind.FILE, 0o2755, 7, 7, content=TEXTS[call.one].encode()),
        "d/link": Inode(Kind.SYMLINK, 0o777, target="../two"),
        "dangling": Inode(Kind.SYMLINK, 0o777, target="nowhere"),
    }


def _told(kind: str, mode: int, owner: str, content: str) -> str:
    return f"{kind} {mode:04o} {owner} {content}"


def _tree(tree: Tree) -> dict[str, str]:
    found: dict[str, str] = {}
    first: dict[int, str] = {}
    for path, inode in tree.walk("/w"):
        name = path.removeprefix("/w/")
        if path == "/w":
            continue
        if inode.kind is Kind.FILE and first.setdefault(id(inode), name) != name:
            found[name] = f"as {first[id(inode)]}"
            continue
        content = inode.target if inode.kind is Kind.SYMLINK else read(inode.content).decode("latin-1")
        found[name] = _told(inode.kind.name, inode.mode, f"{inode.uid}:{inode.gid}", content)
    return found


def _directory(root: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    first: dict[int, str] = {}
    for place in sorted(root.rglob("*")):
        name = str(place.relative_to(root))
        about = place.lstat()
        kind, content = "DIR", ""
        if place.is_symlink():
            kind, content = "SYMLINK", str(place.readlink())
        elif not place.is_dir():
            if first.setdefault(about.st_ino, name) != name:
                found[name] = f"as {first[about.st_ino]}"
                continue
            kind, content = "FILE", place.read_bytes().decode("latin-1")
        found[name] = _told(kind, about.st_mode & 0o7777, f"{about.st_uid}:{about.st_gid}", content)
    return found


def _changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    return {name: after.get(name, "") for name in sorted({*before, *after}) if before.get(name) != after.get(name)}


def ours(call: Call) -> Result:
    """What the assembler makes of a call. Raises Refused."""
    tree = Tree()
    tree.mkdir("w")
    for name, inode in _inodes(call).items():
        tree.put(f"w/{name}", inode)
    budget = Budget(output=_BUDGET)
    source, output = Pipe(budget), Pipe(budget)
    source.data += TEXTS[call.source].encode()
    streams: dict[int, Stream] = {0: source, 1: output, 2: NOWHERE}
    process = Process(tree, list(call.words), {"LC_ALL": call.locale}, "/w", 0o022, streams, budget)
    before = _tree(tree)
    status = PROGRAMS[call.program](process)
    return Result(status, output.data.decode("latin-1"), _changes(before, _tree(tree)))


def real(call: Call, command: Sequence[str]) -> Result | None:
    """What the real program makes of it; None when it does not come to an end."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "w")
        root.mkdir(mode=0o755)
        made: dict[int, Path] = {}
        for name, inode in _inodes(call).items():
            place = root / name
            if id(inode) in made:
                place.hardlink_to(made[id(inode)])
                continue
            made[id(inode)] = place
            if inode.kind is Kind.SYMLINK:
                place.symlink_to(inode.target)
                continue
            if inode.kind is Kind.DIR:
                place.mkdir()
            else:
                place.write_bytes(read(inode.content))
            os.chown(place, inode.uid, inode.gid)
            place.chmod(inode.mode)
        before = _directory(root)
        try:
            done = subprocess.run(
                [*command, *(os.fsdecode(word.encode("latin-1")) for word in call.words)],
                cwd=root, env={"PATH": "/usr/bin:/bin", "LC_ALL": call.locale}, timeout=_SECONDS, umask=0o022,
                input=TEXTS[call.source].encode(), capture_output=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return None
        return Result(done.returncode, done.stdout.decode("latin-1"), _changes(before, _directory(root)))


def commands(root: Path | None = None) -> dict[str, list[str]]:
    """How the real programs are started, those of the tree in `root` if it is given."""
    command_of = partial(of_tree, root) if root else own_tools(ALL).command
    found = {"grep": command_of("grep"), "sed": command_of("sed")}
    # Those are scripts around it.
    found |= {"egrep": [*found["grep"], "-E"], "fgrep": [*found["grep"], "-F"]}
    found["awk"] = found["mawk"] = command_of("mawk") if root else own_tools(["mawk"]).command("mawk")
    return found


def calls(seed: int, number: int, program: str = "") -> Iterator[Call]:
    """Calls of a seed."""
    rng = random.Random(seed)  # noqa: S311  the same each time
    for _ in range(number):
        yield drawn(rng, program)


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("text", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--program", default="", help="this one alone")
    parser.add_argument("--root", type=Path, help="with the programs of the tree in this directory")
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    programs = commands(options.root)
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    for call in calls(options.seed, options.number, options.program):
        try:
            found = ours(call)
        except Refused as error:
            counts[f"{call.program}: refused: {error.what}"] += 1
            continue
        expected = real(call, programs[call.program])
        if expected is None:
            counts[f"{call.program}: not to be compared"] += 1
            continue
        counts[f"{call.program}: computed"] += 1
        recorded.append(json.dumps([*astuple(call), expected.status, expected.output, expected.files]))
        if found != expected:
            counts["different"] += 1
            print(f"--- different\n{call}\n--- {found}\n--- really {expected}\n")
    if options.record:
        RECORDED.write_text("".join(f"{each}\n" for each in recorded))
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
