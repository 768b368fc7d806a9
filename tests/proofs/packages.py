"""Compare what is answered about packages with the real dpkg and dpkg-query, question by question.

Small databases are drawn at random, and questions about them; each is answered by the assembler, and by the real
programs in a directory that they have for their root. What they print and their exit status have to be the same. What
is refused is counted. With --record the first questions, and the answers, are written to
tests/programs/data/packages.jsonl, which a quick test reads. Only root can do it.

    scripts/packages [--seed N] [--number N] [--root DIR] [--record]
"""

import json
import random
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from assembler.programs import dpkg_asked, dpkg_query
from assembler.programs.packages_known import Fixed, Known, known_by_text
from assembler.shell.evaluate import INITIAL, Shell
from assembler.shell.heads import parsed
from assembler.shell.state import State, World
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused
from assembler.tree.staging import Tree
from tests.proofs.shown_tree import lay_out_programs
from tests.support.command import ROOT, arguments
from tests.support.toolboxes import ALL, own_tools

RECORDED = ROOT / "tests" / "programs" / "data" / "packages.jsonl"
_EACH = 40
"""Questions about a database."""
_NAMES = ("bar", "foo", "foo-data", "libc6", "lib-with-a-long-name1", "zoo", "a0", "python3.13")
_OTHERS = ("gone", "mail-agent", "foo-bin", "qux")
_STATUSES = (
    "install ok installed", "install ok installed", "install ok unpacked", "install ok half-configured",
    "deinstall ok config-files", "hold ok installed", "install ok triggers-pending", "install ok triggers-awaited",
)  # fmt: skip
_VERSIONS = ("1.0", "2:1.5-3", "1.0~rc1-1", "0.9.8+dfsg-2+deb13u1", "20240101", "1.0-1~bpo1")
_ODD = (
    "", "", "1.0", "1.0-1", "1.0-1", "1:1.0", "0:1.0-1", "1.0~", "1.0~~", "1.0-0", "1.0+b1", "01.0", "1.0a",
    "1.0.10", "1.0.9", "a1",
    "1 0", " 1.0 ", "1.0-", ":1", "x:1", "1:", "<unknown>", "1.0_2", "2-1-1", "99999999999:1", "1.0-1_", "-1",
    "+1:2", "1:2:3", "~", "1.é",
)  # fmt: skip
_RELATIONS = (
    "lt", "lt", "le", "eq", "ne", "ge", "gt", "lt-nl", "le-nl", "ge-nl", "gt-nl", "<<", "<=", "=", ">=", ">>", "<",
    ">", "eq-nl", "x",
)  # fmt: skip
_FORMATS = (
    "${Package}\\n", "${Version}\\n", "${Status}\\n", "${db:Status-Status}", "${db:Status-Abbrev}|${Version}\\n",
    "${Conffiles}\\n",
    "${binary:Package} ${Status} ${Architecture}\\n", "${db:Status-Want} ${db:Status-Eflag}\\n",
    "${Package;15}|${Version;-12}|\\n",
    "${source:Package} ${source:Version}\\n", "${Nope}x\\n", "${Description}\\n",
    "${binary:Summary}\\t${Depends}\\n", "x\\n", "${version}\\n",
    "${Installed-Size}\\n", "${Package", "$x", "${Homepage}\\n", "${db-fsys:Files}", "${Maintainer}\\\\n",
    "${Section}/${Priority}\\n",
)  # fmt: skip
_PATHS = (
    "/usr/bin/foo", "/usr", "/etc/bar.conf", "/nope", "foo", "*.conf", "/usr/share/doc/zoo", "bin/zoo", "/usr/bin/*",
    "zoo.conf", "/usr/", "/.",
)  # fmt: skip


def database(rng: random.Random) -> tuple[str, dict[str, list[str]]]:
    """A status file, and the lists of files by the names that they have."""
    stanzas = []
    files: dict[str, list[str]] = {}
    for name in sorted(rng.sample(_NAMES, k=rng.randint(0, 5))):
        architecture = rng.choice(("amd64", "amd64", "all"))
        same = architecture == "amd64" and rng.random() < 0.4
        status, version = rng.choice(_STATUSES), rng.choice(_VERSIONS)
        if status.endswith("triggers-pending"):
            extra = "Triggers-Pending: x\n"
        elif status.endswith("triggers-awaited"):
            extra = "Triggers-Awaited: gone\n"
        else:
            extra = ""
        stanza = f"Package: {name}\nStatus: {status}\nPriority: optional\nSection: misc\n"
        stanza += f"Installed-Size: {rng.randint(1, 900)}\n"
        stanza += "Maintainer: A <a@b>\nArchitecture: " + architecture + "\n" + ("Multi-Arch: same\n" if same else "")
        stanza += rng.choice(("", "", f"Source: src-{name}\n", f"Source: {name}0 (9-1)\n")) + f"Version: {version}\n"
        if status.endswith(("config-files", "unpacked")):
            stanza += rng.choice(("Config-Version: 1.0\n", ""))
        if rng.random() < 0.5:
            stanza += f"Depends: {rng.choice((*_NAMES, *_OTHERS))} (>= 1), {rng.choice(_OTHERS)} | foo\n"
        if rng.random() < 0.3:
            stanza += f"Suggests: {rng.choice(_OTHERS)}\n"
        if rng.random() < 0.5:
            stanza += f"Conffiles:\n /etc/{name}.conf d41d8cd98f00b204e9800998ecf8427e\n /etc/{name}.d/x newconffile\n"
        stanza += f"Description: {rng.choice(('short', 'a description that is longer than most others are', 'x y'))}\n"
        stanza += rng.choice(("", " more\n .\n text\n")) + extra + rng.choice(("", "Homepage: http://x/\n"))
        stanzas.append(stanza)
        # What is not there has no list of files, or one of its conffiles.
        listed = ["/.", "/usr", "/usr/bin", f"/usr/bin/{name}", "/usr/share", f"/usr/share/doc/{name}"]
        files[f"{name}:amd64" if same else name] = [*listed, "/etc", f"/etc/{name}.conf"]
    return "\n".join(stanzas), files


def question(rng: random.Random) -> str:
    """A command line."""

    def one(*texts: str) -> str:
        return rng.choice(texts)

    names = (
        *_NAMES,
        *_NAMES,
        *_OTHERS,
        "none",
        "'lib*'",
        "'foo*'",
        "'*'",
        "foo:amd64",
        "bar:all",
        "foo:i386",
        "'?oo'",
        "FOO",
        "'q*'",
    )
    some = " ".join(rng.choices(names, k=rng.choice((0, 1, 1, 1, 1, 2, 3))))
    match rng.randrange(9):
        case 0 | 1 | 2:
            return f"dpkg --compare-versions {one('', '', '', '-- ')}'{one(*_ODD)}' '{one(*_RELATIONS)}' '{one(*_ODD)}'"
        case 3 | 4:
            form = one(*_FORMATS)
            how = one(f"-f='{form}'", f"-f '{form}'", f"--showformat='{form}'", f"-f'{form}'", "")
            return f"dpkg-query {one('-W ' + how, how + ' -W', '--show ' + how, '-Wf ' + repr(form))} {some}"
        case 5:
            return f"{one('dpkg-query -l', 'dpkg -l', 'dpkg --list')} {some}"
        case 6:
            return f"{one('dpkg-query -s', 'dpkg -s', 'dpkg --status')} {some}"
        case 7:
            return f"{one('dpkg-query -L', 'dpkg -L', 'dpkg --listfiles')} {some}"
        case _:
            return one(
                "dpkg --print-architecture", "dpkg --get-selections", "dpkg --print-foreign-architectures", "dpkg",
                *(f"{one('dpkg -S', 'dpkg-query --search')} '{path}'" for path in rng.sample(_PATHS, 4)),
                *(f"dpkg -S '{path}' >/dev/null" for path in rng.sample(_PATHS, 2)),
            )  # fmt: skip


def packages(status: str, files: dict[str, list[str]]) -> Fixed:
    """The database as the assembler's programs are given it."""
    found = []
    for package in known_by_text(status):
        listed = files.get(f"{package.name}:amd64", files.get(package.name, []))
        found.append(Known(package.fields, listed))
    return Fixed("amd64", found)


def answered(command: str, known: Fixed) -> tuple[int, str]:
    """Exit status and output of a question. Raises Refused."""
    programs = {**dpkg_asked.programs(known), **dpkg_query.programs(known)}
    tree, budget = Tree(), Budget()
    for name in programs:
        tree.write(f"/usr/bin/{name}", b"", 0o755, parents=True)
    output = Pipe(budget)
    state = State(
        World(tree, budget, lambda name, _path: programs.get(name)), {**INITIAL, "PATH": "/usr/bin"}, {"PATH"},
        streams={0: NOWHERE, 1: output, 2: NOWHERE},
    )  # fmt: skip
    return Shell(state).script(parsed(command)), output.data.decode("latin-1")


class Place:
    """A directory where the real programs are executed."""

    def __init__(self, root: Path, source: Path, chroot: list[str]) -> None:
        self.root, self.chroot = root, chroot
        lay_out_programs(source, root, {"dpkg", "dpkg-query", "dash"})
        self.admin = root / "var/lib/dpkg"
        for name in ("info", "updates", "triggers"):
            (self.admin / name).mkdir(parents=True)
        (self.admin / "info/format").write_text("1\n")

    def put(self, status: str, files: dict[str, list[str]]) -> None:
        """Make it the database."""
        (self.admin / "status").write_text(status)
        for path in (self.admin / "info").glob("*.list"):
            path.unlink()
        for name, paths in files.items():
            (self.admin / f"info/{name}.list").write_text("".join(f"{path}\n" for path in paths))

    def real(self, command: str) -> tuple[int, str]:
        """Exit status and output of the real programs."""
        done = subprocess.run(
            [*self.chroot, str(self.root), "/usr/bin/dash", "-c", command.encode("latin-1")],
            check=False, stdin=subprocess.DEVNULL, capture_output=True, env={"PATH": "/usr/bin", "LC_ALL": "C.UTF-8"},
        )  # fmt: skip
        return done.returncode, done.stdout.decode("latin-1")


def questions(seed: int) -> Iterator[tuple[str, dict[str, list[str]], str]]:
    """Databases and questions of a seed, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        status, files = database(rng)
        for _ in range(_EACH):
            yield status, files, question(rng).encode().decode("latin-1")


def main() -> int:
    """Compare, and tell what differs; returns the exit status."""
    parser = arguments("packages", __doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--number", type=int, default=3000)
    parser.add_argument("--root", type=Path, help="with the programs of the tree in this directory")
    parser.add_argument("--record", action="store_true", help="write what the quick test compares with")
    options = parser.parse_args()
    chroot = own_tools(ALL).command("chroot")
    source = options.root or next(path for path in Path(chroot[0]).parents if (path / "usr").is_dir())
    counts: Counter[str] = Counter()
    recorded: dict[str, list[list[object]]] = {}
    lists: dict[str, dict[str, list[str]]] = {}
    with tempfile.TemporaryDirectory() as root:
        place = Place(Path(root), source, chroot)
        before = None
        for status, files, command in islice(questions(options.seed), options.number):
            if status != before:
                place.put(status, files)
                before = status
            try:
                mine = answered(command, packages(status, files))
            except Refused as error:
                counts[f"refused: {error.what}"] += 1
                continue
            expected = place.real(command)
            counts["computed"] += 1
            lists[status] = files
            recorded.setdefault(status, []).append([command, *expected])
            if mine != expected:
                counts["different"] += 1
                print(f"--- {command}\n{status}\n  {mine[0]} {mine[1]!r}\n  {expected[0]} {expected[1]!r}")
    if options.record:
        lines = [json.dumps([status, lists[status], asked]) for status, asked in recorded.items()]
        RECORDED.write_text("".join(f"{each}\n" for each in lines))
    for text, count in sorted(counts.items()):
        print(f"{count:6} {text}")
    return 1 if counts["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
