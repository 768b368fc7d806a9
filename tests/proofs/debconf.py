"""Compare debconf over the tree with the real one: packages with templates, config scripts and maintainer scripts that
are drawn at random, weighted as those of Debian are.

Each draw has two packages that may ask the same questions, perhaps with answers given before, and configures them by
the front end, the first perhaps twice. What the commands give back, what is in RET, the exit statuses and the files of
the database have to be the same. What is refused is counted. With --record short draws, and what debconf made of them,
are written to tests/programs/data/debconf.jsonl, which a quick test reads.

    scripts/debconf [--root DIRECTORY] [--lines] [--seed N] [--number N] [--record]

`DIRECTORY` is where a package debconf was unpacked with ``dpkg-deb -x``; without, the one of this machine is run.
"""

import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from assembler.programs.debconf import FRONTEND, Debconf, escape, frontend, set_selections
from assembler.programs.debconf_database import Database, Store
from assembler.programs.debconf_questions import Run
from assembler.programs.debconf_session import ConfModule
from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import parsed
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Refused
from assembler.tree.staging import Tree
from tests.proofs.debconf_packages import LIBRARY, PLACE, Draw, draws, sessions
from tests.support.command import ROOT, arguments
from tests.support.host_commands import need

RECORDED = ROOT / "tests" / "programs" / "data" / "debconf.jsonl"
_TELLING = """
t() {
    code=0
    "$@" || code=$?
    printf "%s|%s|%s\\n" "${0##*/}" "$code" "$RET" >>"${0%/*}/log"
}
"""
_SHORT = 2000
"""Characters of a recorded draw."""
_DIED = 127
"""The status of debconf-communicate without an answer, and of Perl."""
_DATABASE = ("config", "passwords", "templates")
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "HOME": "/root", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
}  # fmt: skip
CONFIGURATION = """\
Config: configdb
Templates: templatedb

Name: config
Driver: File
Mode: 644
Reject-Type: password
Filename: /var/cache/debconf/config.dat

Name: passwords
Driver: File
Mode: 600
Backup: false
Required: false
Accept-Type: password
Filename: /var/cache/debconf/passwords.dat

Name: configdb
Driver: Stack
Stack: config, passwords

Name: templatedb
Driver: File
Mode: 644
Filename: /var/cache/debconf/templates.dat
"""
_DRIVER = """
use strict;
BEGIN { unshift @INC, "$ARGV[0]/usr/share/perl5"; }
use Debconf::Db; use Debconf::Template; use Debconf::Question; use Debconf::AutoSelect qw(:all);
use Debconf::FrontEnd::Noninteractive;
use Debconf::Element::Noninteractive::Boolean;
use Debconf::Element::Noninteractive::Multiselect; use Debconf::Element::Noninteractive::Note;
use Debconf::Element::Noninteractive::Password; use Debconf::Element::Noninteractive::Progress;
use Debconf::Element::Noninteractive::Select; use Debconf::Element::Noninteractive::String;
use Debconf::Element::Noninteractive::Text; use Debconf::Format::822; use Debconf::DbDriver::Stack;
use Debconf::DbDriver::File; use Getopt::Long;
$| = 1;
while (my $job = <STDIN>) {
    chomp $job;
    my ($input, $output, @words) = split /\\t/, $job;
    my $child = fork;
    if (!$child) {
        setpgrp;
        open STDIN, '<', $input or die;
        open STDOUT, '>', $output or die;
        open STDERR, '>&', \\*STDOUT or die;
        @ARGV = @words[1 .. $#words];
        $0 = $words[0];
        do $words[0];
        die $@ if $@;
        exit 0;
    }
    $SIG{ALRM} = sub { kill 'KILL', -$child };
    alarm 10;
    waitpid $child, 0;
    my $status = $?;
    alarm 0;
    print(($status & 127 ? 1000 + ($status & 127) : $status >> 8), "\\n");
}
"""
"""One interpreter that has read debconf starts a copy of itself for each run."""


@dataclass(frozen=True)
class Result:
    """What became of a draw."""

    statuses: Sequence[int]
    log: str
    database: Mapping[str, str]


# --- over the tree ---------------------------------------------------------------------------------------------------


def with_library(text: str, library: str) -> str:
    """A script with debconf's library in it."""
    return text.replace(LIBRARY, library + _TELLING)


def computed(draw: Draw, library: str) -> Result:
    """What the assembler makes of a draw, with `library` for debconf's own. Raises Refused."""
    tree = tree_for(draw, library)
    statuses = carried(tree, draw.steps)
    log = tree.read(f"{PLACE}/log").decode("latin-1") if tree.is_file(f"{PLACE}/log") else ""
    database = {name: tree.read(f"/var/cache/debconf/{name}.dat").decode("latin-1") for name in _DATABASE}
    return Result(statuses, log, database)


def tree_for(draw: Draw, library: str) -> Tree:
    """A tree with debconf's programs and what is drawn."""
    tree = Tree()
    tree.write("/etc/debconf.conf", CONFIGURATION.encode(), parents=True)
    tree.mkdir("/var/cache", parents=True)
    for program in (FRONTEND, "/usr/bin/debconf-escape", "/usr/bin/debconf-set-selections"):
        tree.write(program, b"", 0o755, parents=True)
    for name, text in draw.files.items():
        tree.write(f"{PLACE}/{name}", with_library(text, library).encode("latin-1"), 0o755, parents=True)
    return tree


def carried(tree: Tree, steps: Sequence[Sequence[str]]) -> list[int]:
    """The exit status of each step. Raises Refused."""
    debconf = Debconf()
    programs = {
        "debconf-escape": escape, "debconf-set-selections": set_selections(debconf), "frontend": frontend(debconf),
    }  # fmt: skip
    statuses = []
    for program, *words in steps:
        name = {"select": "/usr/bin/debconf-set-selections"}.get(program, FRONTEND)
        text = " ".join(map(shlex.quote, [name, *([] if program == "select" else [program]), *words]))
        world = World(tree, Budget(), lambda base, _path: programs.get(base))
        state = State(
            world, {**INITIAL, **ENVIRONMENT}, set(ENVIRONMENT), streams={0: NOWHERE, 1: NOWHERE, 2: NOWHERE},
            directory=PLACE,
        )  # fmt: skip
        statuses.append(Shell(state).script(parsed(text)))
    return statuses


def _shown() -> None:
    raise Refused("an error message stands between the answers")


def answered(draw: Draw) -> Result:
    """What the assembler answers to lines. Raises Refused."""
    database = Database(Store(), Store(), Store())
    files = {f"{PLACE}/{name}": text for name, text in draw.files.items()}
    module = ConfModule(Run(database, load=files.get, tells=_shown), "a")
    lines = [f"X_LOADTEMPLATEFILE {PLACE}/a.templates", *draw.files["lines"].split("\n")[:-1]]
    log = "".join(f"{module.answer(line)}\n" for line in lines)
    module.finish()
    stores = (database.config, database.passwords, database.templates)
    return Result((), log, {name: store.save() or "" for name, store in zip(_DATABASE, stores, strict=True)})


# --- really ----------------------------------------------------------------------------------------------------------


class Real:
    """The real debconf, in a directory of its own."""

    def __init__(self, root: Path, directory: Path) -> None:
        self.root, self.directory = root, directory
        self.library = (root / "usr/share/debconf/confmodule").read_bytes().decode("latin-1")
        (directory / "cache").mkdir()
        (directory / "driver").write_text(_DRIVER)
        configuration = CONFIGURATION.replace("/var/cache/debconf", str(directory / "cache"))
        (directory / "rc").write_text(configuration.replace("\n\n", "\nAdmin-Email: \n\n", 1))
        environment = {**ENVIRONMENT, "DEBCONF_SYSTEMRC": str(directory / "rc")}
        environment["PATH"] = f"{root / 'usr/bin'}:/usr/bin:/bin"
        self.process = subprocess.Popen(
            [need("perl", "perl"), str(directory / "driver"), str(root)], env=environment, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, cwd="/",
        )  # fmt: skip

    def run(self, program: str, *words: str, source: str = os.devnull) -> int:
        """The exit status of one of debconf's programs."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = "\t".join((source, str(self.directory / "output"), str(self.root / program), *words))
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def _laid_out(self, draw: Draw) -> Path:
        place = self.directory / "w"
        for directory in (place, self.directory / "cache"):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        for name, text in draw.files.items():
            (place / name).write_bytes(with_library(text, self.library).encode("latin-1"))
            (place / name).chmod(0o755)
        return place

    def answers(self, draw: Draw) -> Result | None:
        """What debconf answers to lines; None when it dies."""
        place = self._laid_out(draw)
        lines = f"X_LOADTEMPLATEFILE {place}/a.templates\n{draw.files['lines'].replace(f'{PLACE}/', f'{place}/')}"
        (place / "lines").write_bytes(lines.encode("latin-1"))
        status = self.run("usr/bin/debconf-communicate", "a", source=str(place / "lines"))
        log = (self.directory / "output").read_bytes().decode("latin-1")
        return None if status >= _DIED else Result((), log.replace(str(place), PLACE), self._database())

    def _database(self) -> dict[str, str]:
        return {name: (self.directory / f"cache/{name}.dat").read_bytes().decode("latin-1") for name in _DATABASE}

    def result(self, draw: Draw) -> Result | None:
        """What debconf makes of a draw; None when it does not come to an end."""
        place = self._laid_out(draw)
        statuses = []
        for step in draw.steps:
            words = [word.replace(PLACE, str(place), 1) for word in step]
            if step[0] == "select":
                statuses.append(self.run("usr/bin/debconf-set-selections", *words[1:]))
            else:
                statuses.append(self.run("usr/share/debconf/frontend", *words))
            if statuses[-1] == 1000 + signal.SIGKILL:
                return None
        log = (place / "log").read_bytes().decode("latin-1") if (place / "log").exists() else ""
        return Result(statuses, log.replace(str(place), PLACE), self._database())

    def end(self) -> None:
        """Have it end."""
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()


def differences(found: Result, expected: Result) -> Iterator[str]:
    """What differs, a line each."""
    if found.statuses != expected.statuses:
        yield f"--- statuses {found.statuses}, really {expected.statuses}"
    pairs = {"log": (found.log, expected.log)}
    pairs.update({name: (found.database[name], expected.database[name]) for name in _DATABASE})
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            left, right = ours.split("\n"), theirs.split("\n")
            at = next(
                (n for n, (a, b) in enumerate(zip(left, right, strict=False)) if a != b), min(len(left), len(right))
            )
            yield f"--- {name}, line {at + 1}: {left[at : at + 3]}\n    really {right[at : at + 3]}"


def digests(result: Result) -> dict[str, str]:
    """What the files of the database hash to; the beginning of SHA-256."""
    return {name: hashlib.sha256(text.encode("latin-1")).hexdigest()[:16] for name, text in result.database.items()}


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("debconf", __doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--lines", action="store_true", help="lines of the protocol alone, without scripts")
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    # Debconf waits for the disk whenever it writes.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        real = Real(options.root.resolve(), Path(name))
        for draw in islice((sessions if options.lines else draws)(options.seed), options.number):
            try:
                found = answered(draw) if options.lines else computed(draw, real.library)
            except Refused as error:
                counts[f"refused: {error.what}"] += 1
                continue
            expected = real.answers(draw) if options.lines else real.result(draw)
            if expected is None:
                counts["different"] += 1
                print("--- debconf does not come to an end", json.dumps(draw.files, indent=1), sep="\n")
                continue
            counts["computed"] += 1
            recorded.append(
                json.dumps(
                    [draw.files, draw.steps, expected.statuses, expected.log, digests(expected)], ensure_ascii=False
                )
            )
            if found != expected:
                counts["different"] += 1
                print(
                    "--- different", *(f"=== {name}\n{text}" for name, text in draw.files.items()), draw.steps, sep="\n"
                )
                print(*differences(found, expected), "", sep="\n")
        real.end()
    if options.record:
        RECORDED.write_text("".join(f"{each}\n" for each in recorded if len(each) < _SHORT))
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
