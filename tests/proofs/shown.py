"""Compare the programs that print about files and text with the real ones, command by command.

Commands are drawn at random, weighted as maintainer scripts use them, over a small tree with links, odd names and
odd bytes; each is carried out by the assembler on a tree in memory, and by the real dash and the real program in a
directory that they have for their root. What they print, their exit status and the files that they leave have to be
the same. What is refused is counted. With --record the first commands, and what became of them, are written to
tests/programs/data/shown.jsonl, which a quick test reads. Only root can do it.

    scripts/shown [--seed N] [--number N] [--only PROGRAM] [--root DIR] [--record]

With --root the programs are those of a directory with Debian's tree, of another release: bookworm's differ a little.
"""

import json
import random
import re
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import islice
from pathlib import Path

from assembler.programs import (
    accounts_shown,
    calculating,
    calling,
    digests,
    finding,
    lines,
    listing,
    paths,
    sorting,
    stating,
    surroundings,
    temporary,
    translating,
)
from assembler.programs.adapted import adapted
from assembler.programs.context import ExecutionContext
from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import parsed
from assembler.shell.process import Program
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused
from assembler.tree.staging import Tree
from tests.proofs.shown_calculations import drawn
from tests.proofs.shown_commands import name_of
from tests.proofs.shown_tree import NEW, computed, lay_out, lay_out_programs, seen, start
from tests.support.command import ROOT, arguments
from tests.support.toolboxes import ALL, own_tools

RECORDED = ROOT / "tests" / "programs" / "data" / "shown.jsonl"


def _without_logger(programs: dict[str, Program]) -> dict[str, Program]:
    return {name: program for name, program in programs.items() if name != "logger"}


PROGRAMS: dict[str, Program] = {
    **lines.PROGRAMS,
    **paths.PROGRAMS,
    **temporary.PROGRAMS,
    **stating.PROGRAMS,
    **_without_logger(surroundings.PROGRAMS),
    **accounts_shown.PROGRAMS,
    **calculating.PROGRAMS,
    **calling.PROGRAMS,
    **digests.PROGRAMS,
    **finding.PROGRAMS,
    **listing.PROGRAMS,
    **sorting.PROGRAMS,
    **translating.PROGRAMS,
}
_CALLED = ("rm", "chmod")
"""Programs of others that those here call."""
_ENVIRONMENT = {"PATH": "/usr/bin", "HOME": "/root", "LC_ALL": "C.UTF-8"}
_SECONDS = 5
_START = computed(start())


@dataclass(frozen=True)
class Result:
    """What became of a command."""

    status: int
    output: str
    files: dict[str, str]


@cache
def _with_programs() -> Tree:
    tree = start()
    for name in (*PROGRAMS, *_CALLED):
        tree.write(f"/usr/bin/{name}", b"", 0o755, parents=True)
    return tree


def evaluated(command: str) -> Result:
    """What the assembler makes of a command. Raises Refused."""
    tree, budget = _with_programs().copy(), Budget()
    tree.mtime = NEW
    context = ExecutionContext(tree, "amd64")
    output = Pipe(budget)

    def program(name: str, _path: str) -> Program | None:
        return adapted(name, context) if name in _CALLED else PROGRAMS.get(name)

    world = World(tree, budget, program)
    variables = {**INITIAL, **_ENVIRONMENT, "PWD": "/w"}
    state = State(
        world, variables, {*_ENVIRONMENT, "PWD"}, streams={0: NOWHERE, 1: output, 2: NOWHERE}, directory="/w",
    )  # fmt: skip
    status = Shell(state).script(parsed(command))
    return Result(status, output.data.decode("latin-1"), changed(computed(tree)))


def changed(after: dict[str, str]) -> dict[str, str]:
    """What is otherwise than at the start; nothing for what is gone."""
    return {path: after.get(path, "") for path in sorted({*_START, *after}) if _START.get(path) != after.get(path)}


class Place:
    """A directory where the real programs are executed."""

    def __init__(self, root: Path, source: Path, chroot: list[str]) -> None:
        self.root = root
        self.chroot = chroot
        lay_out_programs(source, root, {*PROGRAMS, *_CALLED, "dash"})
        lay_out(root)
        root.chmod(0o755)

    def real(self, command: str) -> Result:
        """What the real programs make of a command."""
        done = subprocess.run(
            [*self.chroot, str(self.root), "/usr/bin/dash", "-c", f"cd /w\n{command}".encode("latin-1")],
            check=False, stdin=subprocess.DEVNULL, capture_output=True, umask=0o022, env=_ENVIRONMENT, timeout=_SECONDS,
        )  # fmt: skip
        files = changed(seen(self.root))
        if files:
            lay_out(self.root)
        return Result(done.returncode, done.stdout.decode("latin-1"), files)


_RANDOM = re.compile(r"(?<![A-Za-z0-9])(tmp|x|y|foo|t)\.[A-Za-z0-9]{3,12}(?![A-Za-z0-9])")


def settled(command: str, result: Result) -> Result:
    """The same without names that are random."""
    if "mktemp" not in command:
        return result

    def plain(text: str) -> str:
        return _RANDOM.sub(
            lambda match: match.group(1) + "." + "?" * (len(match.group()) - len(match.group(1)) - 1), text
        )

    return Result(
        result.status, plain(result.output), {plain(path): plain(what) for path, what in result.files.items()}
    )


def commands(seed: int, only: str = "") -> Iterator[str]:
    """Commands of a seed, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        yield drawn(rng, only).encode("utf-8").decode("latin-1")


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("shown", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--only", default="", help="one program")
    parser.add_argument("--root", type=Path, help="with the programs of the tree in this directory")
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    toolbox = own_tools(ALL)
    chroot = toolbox.command("chroot")
    source = options.root or next(path for path in Path(chroot[0]).parents if (path / "usr").is_dir())
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    with tempfile.TemporaryDirectory() as root:
        place = Place(Path(root), source, chroot)
        for command in islice(commands(options.seed, options.only), options.number):
            name = name_of(command)
            try:
                mine = settled(command, evaluated(command))
            except Refused as error:
                counts[f"{name}: refused"] += 1
                if options.only:
                    counts[f"  {error.what}"] += 1
                continue
            expected = settled(command, place.real(command))
            counts[f"{name}: computed"] += 1
            recorded.append(json.dumps([command, expected.status, expected.output, expected.files]))
            if mine != expected:
                counts["different"] += 1
                print(f"--- {command}\n  {mine.status} {mine.output!r}\n  {expected.status} {expected.output!r}")
                if mine.files != expected.files:
                    print(f"  {mine.files}\n  {expected.files}")
    if options.record:
        RECORDED.write_text("".join(f"{each}\n" for each in recorded))
    for text, count in sorted(counts.items()):
        print(f"{count:6} {text}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
