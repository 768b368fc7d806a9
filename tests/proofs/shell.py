"""Compare the shell that scripts are carried out with, with a real dash, program by program.

Programs are drawn at random by a grammar that is weighted as maintainer scripts are; each is carried out by the
assembler on a tree in memory, and by dash in an empty directory. What they print, their exit status and the files that
they leave have to be the same. What is refused is counted.

    scripts/shell [--seed N] [--number N]
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NoReturn

from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import parsed
from assembler.shell.process import Process
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused
from assembler.tree.staging import Inode, Kind, Tree
from tests.proofs.shell_programs import drawn
from tests.support.command import arguments
from tests.support.toolboxes import ALL, of_tree, own_tools

_ARGUMENTS = ("configure", "", "a b", "*.c")
_FILES = {
    "one": "first line\nsecond  line\n\ttabbed\n",
    "two.c": "x=1\ny='a b'\n",
    "d/three.c": "no newline",
    "d/.hidden": "",
}
_SECONDS = 5


@dataclass(frozen=True)
class Result:
    """What became of a program."""

    status: int
    output: str
    files: dict[str, str]


# --- both ways -------------------------------------------------------------------------------------------------------


def evaluated(text: str, *, bash: bool = False) -> Result:
    """What the assembler makes of a program, for bash or not. Raises Refused."""
    tree, budget = Tree(), Budget()
    for path, content in _FILES.items():
        tree.write(f"/Q0/{path}", content.encode(), parents=True)
    tree.write("/usr/bin/cat", b"", 0o755, parents=True)
    tree.root.children = _Root(tree.root.children)
    output = Pipe(budget)
    world = World(tree, budget, lambda name, _path: {"cat": _cat}.get(name))
    variables = {**INITIAL, "PATH": "/usr/bin", "HOME": "/nowhere"}
    state = State(
        world, variables, {"PATH", "HOME"}, arguments=list(_ARGUMENTS), name="script",
        streams={0: NOWHERE, 1: output, 2: NOWHERE}, directory="/Q0", bash=bash,
    )  # fmt: skip
    status = Shell(state).script(parsed(text))
    files = {
        path.removeprefix("/Q0/"): tree.read(path).decode("latin-1")
        for path, inode in tree.walk("/Q0")
        if inode.kind is Kind.FILE
    }
    return Result(status, output.data.decode("latin-1"), files)


class _Root(dict[str, Inode]):
    """The root directory, where a real shell would see that of this machine."""

    def __iter__(self) -> NoReturn:
        raise Refused("a pattern that looks at the root directory")


def _cat(process: Process) -> int:
    status = 0
    for name in process.arguments or ["-"]:
        if name == "-":
            process.print(process.read().decode("latin-1"))
        elif process.tree.is_file(process.place(name)):
            process.print(process.tree.read(process.place(name)).decode("latin-1"))
        else:
            if process.complains:
                raise Refused("a message of cat is read")
            status = 1
    return status


def real(text: str, dash: Sequence[str]) -> Result | None:
    """What dash makes of a program; None when it does not come to an end, or says what this machine is like."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for path, content in _FILES.items():
            (directory / path).parent.mkdir(exist_ok=True)
            (directory / path).write_text(content)
        script = Path(f"{name}.sh")
        script.write_bytes(text.encode("latin-1"))
        # A session of its own, all of which ends: what a program has started may go on for ever.
        with subprocess.Popen(
            [*dash, str(script), *_ARGUMENTS], cwd=directory, env={"PATH": "/usr/bin", "HOME": "/nowhere"},
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True,
        ) as process:  # fmt: skip
            try:
                output, _ = process.communicate(timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                return None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                script.unlink()
        files = {
            str(path.relative_to(directory)): path.read_bytes().decode("latin-1")
            for path in sorted(directory.rglob("*"))
            if path.is_file()
        }
    # A pattern that came to look at the root of this machine.
    return None if b"/proc" in output else Result(process.returncode, output.decode("latin-1"), files)


def differences(found: Result, expected: Result) -> Iterator[str]:
    """What differs, a line each."""
    if found.status != expected.status:
        yield f"--- status {found.status}, really {expected.status}"
    if found.output != expected.output:
        yield f"--- prints {found.output!r}\n    really {expected.output!r}"
    for path in sorted(found.files.keys() | expected.files.keys()):
        if found.files.get(path) != expected.files.get(path):
            yield f"--- {path}: {found.files.get(path)!r}\n    really {expected.files.get(path)!r}"


def programs(seed: int) -> Iterator[str]:
    """Programs of a seed, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        yield drawn(rng).encode("utf-8").decode("latin-1")


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("shell", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--root", type=Path, help="with the dash of the tree in this directory, of another release")
    options = parser.parse_args()
    dash = of_tree(options.root, "dash") if options.root else own_tools(ALL).command("dash")
    counts: Counter[str] = Counter()
    for text in islice(programs(options.seed), options.number):
        expected = real(text, dash)
        if expected is None:
            counts["not to be compared"] += 1
            continue
        try:
            found = evaluated(text)
        except Refused as error:
            counts[f"refused: {error.what}"] += 1
            continue
        counts["evaluated"] += 1
        if found != expected:
            counts["different"] += 1
            print(f"--- different\n{text}", *differences(found, expected), "", sep="\n")
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
