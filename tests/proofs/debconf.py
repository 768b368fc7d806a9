"""Compare debconf over the tree with the real one: packages with templates, config scripts and maintainer scripts that are
drawn at random, weighted as those of Debian are.

Each draw has two packages that may ask the same questions, perhaps with answers given before, and configures them by the
front end, the first perhaps twice. What the commands give back, what is in RET, the exit statuses and the files of the
database have to be the same. What is refused is counted. With --record the first draws, and what debconf made of them, are
written to tests/programs/data/debconf.jsonl, which a quick test reads.

    scripts/debconf [--root DIRECTORY] [--seed N] [--number N] [--record]

`DIRECTORY` is where a package debconf was unpacked with ``dpkg-deb -x``; without, the one of this machine is run.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from assembler.programs.debconf import Debconf, escape, frontend, set_selections
from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import is_script, parsed
from assembler.shell.process import Process, Program
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Refused
from assembler.tree.content import read
from assembler.tree.staging import Tree
from tests.support.command import ROOT, arguments
from tests.support.host_commands import need

RECORDED = ROOT / "tests" / "programs" / "data" / "debconf.jsonl"
_DATABASE = ("config", "passwords", "templates")
_PLACE = "/w"
"""Where the packages' files are in the tree."""
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
use Debconf::Element::Noninteractive::Boolean; use Debconf::Element::Noninteractive::Error;
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
class Draw:
    """Packages and what is done with them."""

    files: Mapping[str, str]
    """By name; each character is a byte."""
    steps: Sequence[Sequence[str]]
    """Calls: ``select FILE``, or a script and its arguments."""


@dataclass(frozen=True)
class Result:
    """What became of a draw."""

    statuses: Sequence[int]
    log: str
    database: Mapping[str, str]


# --- packages --------------------------------------------------------------------------------------------------------

_SAY = 'say() { printf "%s|%s|%s\\n" "${0##*/}" "$1" "$RET" >>"${0%/*}/log"; }\n'
_NAMES = ("one", "two", "flag", "list", "several", "secret", "message", "words")


@dataclass
class Maker:
    """Draws packages."""

    rng: random.Random
    questions: list[str] = field(default_factory=list)

    def one(self, *texts: str) -> str:
        return self.rng.choice(texts)

    def often(self, share: float) -> bool:
        return self.rng.random() < share

    def value(self) -> str:
        return self.one(
            "true", "false", "true", "false", "", "red", "green", "blue", "red, blue", "a b  c", "x\\ny", "b\\\\s", "a\\, b", "1",
            "${colour}", "é", "0", "  x ", "=", "a: b", "none", "/etc/x.conf", "-n", "ab\\", "none, all", "a = b",
        )  # fmt: skip

    def template(self, name: str) -> str:
        kind = self.rng.choices(
            ("select", "boolean", "string", "multiselect", "note", "password", "text", "error", "title"),
            (5, 6, 6, 3, 2, 3, 1, 2, 0.3),
        )[0]
        lines = [f"Template: {name}", f"Type: {kind}"]
        if kind in {"select", "multiselect"} or self.often(0.03):
            choices = self.one(
                "red, green, blue", "${choices}", "${choices}", "red", "a\\, b, red", "none, ${choices}, all", "", "green, \\${x}, red",
                "red,green", "0, 1", "two words, red",
            )  # fmt: skip
            lines.append(f"Choices: {choices}")
            if self.often(0.3):
                lines.append("Choices-de.UTF-8: rot, grün, blau")
            if self.often(0.1):
                lines.append("Choices-C: red, green, blue")
        if self.often(0.7):
            lines.append(f"Default: {self.value()}{self.one('', '', ' ')}")
        if self.often(0.05):
            lines.append("Default-en: english")
        if self.often(0.1):
            lines.append("Default-de.UTF-8: deutsch")
        lines.append("Description: " + self.one("What about ${colour}?", "Short", "Configure \\\\n now?", "Ünder"))
        for _ in range(self.rng.choice((0, 0, 1, 2, 4))):
            text = self.one("Some text about it.", ".", "  indented ${colour}", "more \\n of it  ", " x", "", "ende")
            lines.append(f" {text}")
        if self.often(0.3):
            lines.append("Description-de.UTF-8: Was ist mit ${colour}?\n Etwas Text.")
        if self.often(0.05):
            lines.append("Description-en: In English\n And more.")
        return "\n".join(lines) + "\n"

    def package(self, name: str) -> dict[str, str]:
        own = [f"{name}/{one}" for one in self.rng.sample(_NAMES, self.rng.randint(1, 5))]
        if self.often(0.4):
            own.append("shared/q")
        if self.often(0.05):
            own.append("debconf/priority")
        files = {f"{name}.templates": "\n".join(map(self.template, own)) + self.one("", "", "", "\n")}
        self.questions += own
        if self.often(0.75):
            files[f"{name}.config"] = self.script(config=True)
        files[f"{name}.postinst"] = self.script(config=False)
        return files

    # --- scripts -----------------------------------------------------------------------------------------------------

    def script(self, *, config: bool) -> str:
        lines = ["#!/bin/sh", self.one("set -e", "", ""), '. "${0%/*}/confmodule"', _SAY]
        safe = "" if self.often(0.7) else "|| true"
        if self.often(0.7):
            lines.append(self.told("db_version 2.0"))
        if self.often(0.5):
            lines.append(
                self.told(f"db_capb {self.one('backup', 'escape', 'backup escape', 'escape', '', 'multiselect')}")
            )
        for _ in range(self.rng.randint(1, 14)):
            lines.append(self.command(config=config, safe=safe))
        if config and self.often(0.7):
            lines.append(self.told("db_go"))
        if self.often(0.6 if not config else 0.05):
            lines.append("db_stop")
            if self.often(0.3):
                lines.append("echo after")
        if self.often(0.1):
            lines.append(f"exit {self.one('0', '1', '3')}")
        return "\n".join(lines) + "\n"

    def told(self, command: str) -> str:
        return f"code=0; {command} || code=$?; say $code"

    def question(self) -> str:
        if self.often(0.05):
            return self.one("no/such", "x", "debconf/priority", "new/made", "b/two", "a/one")
        return self.rng.choice([*self.questions, *self.questions, "new/made"])

    def quoted(self, value: str) -> str:
        return "'" + value + "'"

    def command(self, *, config: bool, safe: str) -> str:  # noqa: ARG002  one shape for all
        question = self.question
        value = self.quoted(self.value())
        weights: list[tuple[float, str]] = [
            (10 if config else 2, f"db_input {self.one('low', 'medium', 'medium', 'high', 'high', 'critical')} {question()}"),
            (6 if config else 2, "db_go"),
            (8, f"db_get {question()}"),
            (6, f"db_set {question()} {value}"),
            (2, f"db_set {question()} {self.one('two words', 'true', '', value + ' ' + value)}"),
            (3, f"db_subst {question()} {self.one('choices', 'choices', 'colour', 'x', 'a=b')} {self.one(value, 'red, green', chr(39) + 'red, green, a' + chr(92) * 2 + ', b' + chr(39), 'none', '')}"),
            (3, f"db_fset {question()} {self.one('seen', 'seen', 'seen', 'isdefault', 'own')} {self.one('true', 'false', 'maybe', '')}"),
            (3, f"db_fget {question()} {self.one('seen', 'seen', 'isdefault', 'own')}"),
            (2, f"db_reset {question()}"),
            (2, f"db_metaget {question()} {self.one('choices', 'description', 'value', 'owners', 'type', 'default', 'template', 'extended_description', 'Choices-C', 'priority', 'choices-de.utf-8', 'Description-de.UTF-8', 'name', 'default-de')}"),
            (2, f"db_register {question()} {self.one('new/made', 'new/other', question())}"),
            (2, f"db_unregister {question()}"),
            (1, f"db_{self.one('beginblock', 'endblock')}"),
            (1, f"db_title {value}"),
            (1, f"db_settitle {question()}"),
            (0.3, "db_clear"),
            (0.2, "db_purge"),
            (0.5, f"db_info {self.one('', question())}"),
            (0.5, f"db_progress {self.one('START 0 3', 'start 0 10', 'START 5 1', 'START 0')} {question()}"),
            (0.3, f"db_progress {self.one('SET 1', 'STEP 1', 'INFO ' + question(), 'STOP', 'frob', '')}"),
            (0.5, f"db_version {self.one('1.0', '2', '2.1', '3', '', '2.0 3')}"),
            (0.5, f"db_capb {self.one('backup', 'escape', '', 'backup multiselect escape')}"),
            (0.5, f"_db_cmd {self.one(f'EXIST {question()}', f'VISIBLE low {question()}', 'FROB x', chr(34) * 2, 'EXIST', 'VISIBLE x', 'previous_module', f'input high {question()}')}"),
            (0.5, f'db_x_loadtemplatefile "${{0%/*}}/{self.one("more.templates", "more.templates", "nothing", "a.templates")}" {self.one("", "", "owner")}'),
            (0.3, f"db_data {self.one('new/data', question())} {self.one('type', 'type', 'description')} {self.one('string', 'select', 'boolean')}"),
            (0.5, f"db_{self.one('get', 'set', 'input low', 'subst', 'fset', 'fget', 'metaget', 'register', 'unregister', 'reset', 'go', 'input', 'purge', 'clear', 'settitle')} {self.one('', question(), question() + ' a b c')}"),
            (0.3, f"db_text {self.one('low', 'high')} {question()}"),
            (0.2, f"db_input urgent {question()}"),
        ]  # fmt: skip
        return self.told(self.rng.choices([text for _, text in weights], [weight for weight, _ in weights])[0])

    def selections(self) -> str:
        lines = []
        for _ in range(self.rng.randint(1, 4)):
            owner = self.one("a", "b", "other")
            kind = self.one("string", "boolean", "select", "password", "multiselect", "seen", "string", "error", "note")
            question = self.question()
            value = self.one("true", "false") if kind == "seen" else self.value()
            lines.append(
                self.one(*[f"{owner} {question} {kind} {value}"] * 6, f"{owner}\t{question}  {kind}", "# note", owner)
            )
        return "\n".join(lines) + self.one("\n", "\n", "")


def drawn(rng: random.Random) -> Draw:
    """Two packages."""
    maker = Maker(rng)
    files = {**maker.package("a"), **maker.package("b"), "more.templates": maker.template("more/x")}
    maker.questions.append("more/x")
    steps = [["a.postinst", "configure", ""], ["b.postinst", "configure", ""]]
    if rng.random() < 0.3:
        files["selections"] = maker.selections()
        steps.insert(rng.choice((0, 0, 0, 1)), ["select", "selections"])
    if rng.random() < 0.2:
        steps.append(["a.postinst", "configure", "1.0"])
    return Draw({name: text.encode().decode("latin-1") for name, text in files.items()}, steps)


def draws(seed: int) -> Iterator[Draw]:
    """Those of a seed, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        yield drawn(rng)


# --- over the tree ---------------------------------------------------------------------------------------------------


def computed(draw: Draw, library: str, environment: Mapping[str, str] = ENVIRONMENT) -> Result:
    """What the assembler makes of a draw, with `library` for debconf's own. Raises Refused."""
    tree, debconf = Tree(), Debconf()
    for path, text in {"/etc/debconf.conf": CONFIGURATION, f"{_PLACE}/confmodule": library}.items():
        tree.write(path, text.encode("latin-1"), parents=True)
    tree.mkdir("/var/cache", parents=True)
    tree.write("/usr/bin/debconf-escape", b"", 0o755, parents=True)
    for name, text in draw.files.items():
        tree.write(f"{_PLACE}/{name}", text.encode("latin-1"), 0o755)
    statuses = []
    for step in draw.steps:
        process = Process(tree, [], dict(environment), "/", 0o022, {}, Budget())
        if step[0] == "select":
            process.arguments = [f"{_PLACE}/{step[1]}"]
            statuses.append(set_selections(debconf)(process))
        else:
            process.arguments = [f"{_PLACE}/{step[0]}", *step[1:]]
            statuses.append(frontend(debconf, carried)(process))
    log = tree.read(f"{_PLACE}/log").decode("latin-1") if tree.is_file(f"{_PLACE}/log") else ""
    database = {name: tree.read(f"/var/cache/debconf/{name}.dat").decode("latin-1") for name in _DATABASE}
    return Result(statuses, log, database)


def carried(path: str, process: Process) -> int:
    """Carry out a script of the tree. Raises Refused."""

    def program(name: str, _place: str) -> Program | None:
        return {"debconf-escape": escape}.get(name)

    inode = process.tree.at(path, follow=True)
    if not is_script(inode):
        raise Refused("no script for sh", why=path)
    state = State(
        World(process.tree, process.budget, program), {**INITIAL, **process.environment}, set(process.environment), name=path,
        arguments=list(process.arguments), streams={2: NOWHERE, **process.streams}, directory="/",
    )  # fmt: skip
    return Shell(state).script(parsed(read(inode.content).decode("latin-1")))


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

    def run(self, program: str, *words: str) -> int:
        """The exit status of one of debconf's programs."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        line = "\t".join((os.devnull, str(self.directory / "output"), str(self.root / program), *words))
        self.process.stdin.write(f"{line}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())

    def result(self, draw: Draw) -> Result | None:
        """What debconf makes of a draw; None when it does not come to an end."""
        place = self.directory / "w"
        for directory in (place, self.directory / "cache"):
            shutil.rmtree(directory, ignore_errors=True)
            directory.mkdir()
        for name, text in {**draw.files, "confmodule": self.library}.items():
            (place / name).write_bytes(text.encode("latin-1"))
            (place / name).chmod(0o755)
        statuses = []
        for step in draw.steps:
            if step[0] == "select":
                statuses.append(self.run("usr/bin/debconf-set-selections", str(place / step[1])))
            else:
                statuses.append(self.run("usr/share/debconf/frontend", str(place / step[0]), *step[1:]))
            if statuses[-1] == 1000 + signal.SIGKILL:
                return None
        log = (place / "log").read_bytes().decode("latin-1") if (place / "log").exists() else ""
        database = {name: (self.directory / f"cache/{name}.dat").read_bytes().decode("latin-1") for name in _DATABASE}
        return Result(statuses, log.replace(str(place), _PLACE), database)

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


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("debconf", __doc__)
    parser.add_argument("--root", type=Path, default=Path("/"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=1000)
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    recorded: list[str] = []
    with tempfile.TemporaryDirectory() as name:
        real = Real(options.root.resolve(), Path(name))
        for draw in islice(draws(options.seed), options.number):
            try:
                found = computed(draw, real.library)
            except Refused as error:
                counts[f"refused: {error.what}"] += 1
                continue
            expected = real.result(draw)
            if expected is None:
                counts["different"] += 1
                print("--- debconf does not come to an end", json.dumps(draw.files, indent=1), sep="\n")
                continue
            counts["computed"] += 1
            result = [expected.statuses, expected.log, expected.database]
            recorded.append(json.dumps([draw.files, draw.steps, *result]))
            if found != expected:
                counts["different"] += 1
                print(
                    "--- different", *(f"=== {name}\n{text}" for name, text in draw.files.items()), draw.steps, sep="\n"
                )
                print(*differences(found, expected), "", sep="\n")
        real.end()
    if options.record:
        RECORDED.write_text("".join(f"{each}\n" for each in recorded))
    for name, count in sorted(counts.items()):
        print(f"{count:6} {name}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
