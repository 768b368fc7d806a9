"""Compare our tree with a real dpkg's for the packages in tests/proofs/breadth.toml, one by one on top of a base.

The base is the closure of recipes/livecd.toml, which dpkg installs once; each package is added to a copy of that. dpkg
runs in a machine of the assembler's or, with --chroot, in a chroot, where a package takes seconds: that needs what
scripts/oracle --chroot needs, and overlayfs, and writes docs/packages.md, in which rows of packages that were not asked
for stay. --scripts says what is judged: as scripts/oracle has it, and only "auto" is written down; --together adds
several packages at once, those that can be beside each other; --list takes packages of other lists there. Exit
status 1 when a script is unhandled or a difference is not explained; packages that a build refuses, as their scripts
make a private key, are named, and so is, with --twice, what differs between two trees that dpkg makes in chroots.

    scripts/breadth [NAME...] [--list LIST]... [--scripts auto|computed|executed] [--chroot [--twice]] [--together N]
        [--store DIR] [--work DIR] [--reuse] [--jobs N] [--verbose]
"""

import argparse
import multiprocessing
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import get_args

from assembler.audit.judge import Difference, Entry, Side, judge, reasons, side_of, unexplained
from assembler.configure.job import Execute
from assembler.configure.order import dependents, orderable
from assembler.configure.survey import UnhandledScript
from assembler.debian.deb import Deb, open_package
from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import choose
from assembler.debian.package import Candidate
from assembler.debian.solver import solve
from assembler.errors import AssembleError, Problems
from assembler.lock.resolve import locked
from assembler.lock.wanted import wanted
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import parse_lock
from assembler.recipe.load import load
from assembler.recipe.model import Scripts
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tree.staging import Tree
from tests.proofs.archive import universe
from tests.proofs.comparison import BY_NATURE, entries_of_directory, held_against, overlaid, side_of_directory
from tests.proofs.machine import executing
from tests.proofs.reference import NoReference, Reference, added, compute, copy_of, in_order
from tests.support.command import ROOT, arguments

RECIPE = ROOT / "recipes" / "livecd.toml"
PACKAGES = Path(__file__).with_name("breadth.toml")
TABLE = ROOT / "docs" / "packages.md"
_LONG = 100
"""Characters of names of packages that are in the name of a directory."""
_SHOWN = 160
"""Characters of a reason that are in the table."""
HEAD = """\
# Packages that were held against dpkg

These packages were added to the base, `recipes/livecd.toml`, by the assembler and, in a chroot, by the real dpkg, up to
18 of them at once; all paths of the two trees were compared. `scripts/breadth --chroot` does that and writes this
table; `tests/proofs/breadth.toml` says where its lists are from.

*Computed* means that every maintainer script of the package, and of what it needs, was carried out over the tree;
*executed* that dpkg configured it in a machine, with the command for which that was so. *Equal* means that no path of
the group differs, but for what is explained: `assembler/audit/explained.toml` and `assembler/configure/leftovers.py`
have the reasons.

tcpdump is in the base itself. cri-o is not in Debian.

| package | version | handled | outcome |
|---|---|---|---|
"""


@dataclass(frozen=True)
class Wish:
    """A package to try, or several at once."""

    names: tuple[str, ...]
    without: tuple[str, ...] = ()
    """Packages that are asked for in the base, but cannot be beside this one."""

    @property
    def name(self) -> str:
        """For people, and for files."""
        return "+".join(self.names)


@dataclass(frozen=True)
class Base:
    """What packages are added to."""

    debs: Sequence[Deb]
    files: Mapping[str, Path]
    explained: Collection[str]
    """The explained differences, as lines."""
    root: Path
    """The tree that dpkg made in a chroot,"""
    entries: Mapping[str, Entry]
    """what is in it,"""
    executed: Tree | None
    """and the tree that it made in a machine: either or both."""


@dataclass(frozen=True)
class Judges:
    """Who is held against whom."""

    execute: Execute
    chroot: bool
    """Whether dpkg runs in a chroot, and not in a machine."""
    scripts: Scripts
    """What is judged."""
    twice: bool
    """Whether dpkg does it twice in a chroot, to find what is another each time."""

    @property
    def machines(self) -> bool:
        """Whether all is judged as a machine makes it."""
        return self.scripts == "executed"


@dataclass(frozen=True)
class Made:
    """A tree to judge, and how it came to be, for people."""

    tree: Tree
    handled: str
    layers: str = ""
    keys: tuple[str, ...] = ()
    """The paths of private keys that scripts made."""
    executed: Mapping[str, str] = field(default_factory=dict)
    """Packages that were executed where others were computed, with the reasons."""


@dataclass(frozen=True)
class Result:
    """What became of a wish."""

    wish: Wish
    versions: Mapping[str, str]
    """Of the packages that were asked for, by name."""
    added: int
    handled: str
    layers: str
    unexplained: int | None
    explained: Mapping[str, int] = field(default_factory=dict)
    """How many differences have each reason."""
    lines: Sequence[str] = ()
    keys: Sequence[str] = ()
    """The paths of private keys, which a build refuses."""
    again: Sequence[str] = ()
    """The paths of what is another one each time."""
    executed: Mapping[str, str] = field(default_factory=dict)
    """Packages that were executed where others were computed, with the reasons."""

    def row(self) -> str:
        """A line for people."""
        found = "" if self.unexplained is None else str(self.unexplained)
        cells = (self.wish.name, self.added, self.handled, self.layers, found, sum(self.explained.values()))
        return f"| {' | '.join(map(str, cells))} |\n"

    def rows(self) -> dict[str, str]:
        """The rows of the table, by package."""
        outcome = "equal" if self.unexplained == 0 else "**different**"
        outcome = "refused: a private key" if self.keys and self.unexplained == 0 else outcome
        rows = {}
        for name in self.wish.names:
            why = self.executed.get(name, "").replace("|", "\\|")
            handled = f"executed: {why[:_SHOWN]}" if why else "computed"
            cells = (name, self.versions.get(name, ""), self.handled if self.unexplained is None else handled, outcome)
            rows[name] = f"| {' | '.join(cells)} |\n"
        return rows


class Breadth:
    """The packages of an archive, the bases, and what becomes of a package on top of one."""

    def __init__(self, store: Store, work: Path, judges: Judges, *, reuse: bool) -> None:
        self.store, self.work, self.judges, self.reuse = store, work, judges, reuse
        self.recipe = load(RECIPE).recipe
        path = work / "base.lock.toml"
        if not (reuse and path.exists()):
            command = [sys.executable, "-P", "-m", "assembler", "lock", str(RECIPE), "--out", str(path), "-q"]
            subprocess.run([*command, "--store", str(store.root)], cwd=ROOT, check=True)
        self.lock: Lock = parse_lock(path.read_text(), str(path))
        self.universe = universe(self.lock, store)

    def chosen(self, names: Sequence[str]) -> list[Candidate]:
        """What is to be installed for `names`; its files are in the store then."""
        found = solve(self.universe, names)
        packages = [locked(candidate, ["rootfs"]) for candidate in found]
        with Transport() as transport:
            mirrors = choose(self.recipe.debian)
            fetch_packages(packages, self.lock.archives, store=self.store, transport=transport, mirrors=mirrors)
        return list(found)

    @cache  # noqa: B019  there is one of these, for as long as the process
    def base(self, without: tuple[str, ...]) -> Base:
        """The base without the packages named, made by dpkg if need be."""
        role = next(role for role in wanted(self.recipe, self.recipe.arch) if role.role == "rootfs")
        found = self.chosen([package for package in role.packages if package not in without])
        files = {candidate.name: self.store.path(candidate.sha256) for candidate in found}
        debs = in_order([open_package(self.store, candidate.sha256) for candidate in found])
        directory = self.work / "-".join(["base", *without])
        root = directory / "reference"
        entries: Mapping[str, Entry] = {}
        executed: Tree | None = None
        if self.judges.machines or not self.judges.chroot:
            executed, _ = compute(debs, self.lock.architecture, mode="executed", execute=self.judges.execute)
        if self.judges.chroot:
            if not (self.reuse and (directory / "made").exists()):
                shutil.rmtree(directory, ignore_errors=True)
                directory.mkdir(parents=True)
                Reference(root, files, directory / "dpkg.log").make(debs)
                (directory / "made").touch()
            entries = entries_of_directory(root)
        base = Base(debs, files, frozenset(), root, entries, executed)
        ours = executed if self.judges.machines and executed else self._computed(debs)
        judged = judge(side_of(ours, "ours"), self._dpkgs(base))
        return replace(base, explained=frozenset(str(one) for one in judged if one.reason))

    def _computed(self, debs: Sequence[Deb]) -> Tree:
        return compute(debs, self.lock.architecture, code=self.judges.chroot)[0]

    def _dpkgs(self, base: Base) -> Side:
        """The base as dpkg made it."""
        if self.judges.chroot or base.executed is None:
            return side_of_directory(base.root, base.entries)
        return side_of(base.executed, "dpkg")

    def fit(self, wish: Wish) -> bool:
        """Whether all of the packages can be beside each other, and all of their base."""
        first = [deb.name for deb in self.base(wish.without).debs]
        try:
            found = solve(self.universe, [*first, *wish.names])
        except AssembleError:
            return False
        return {candidate.name for candidate in found}.issuperset(first)

    def attempt(self, wish: Wish) -> Result:
        """Add the package by dpkg and by the assembler, and compare."""
        base = self.base(wish.without)
        first = {deb.name: deb for deb in base.debs}
        # What the base has stays, even if the package brings another that would do.
        found = self.chosen([*first, *wish.names])
        if missing := sorted(first.keys() - {candidate.name for candidate in found}):
            raise NoReference(f"{wish.name} cannot be beside {', '.join(missing)}: say so in {PACKAGES.name}")
        more = [open_package(self.store, item.sha256) for item in found if item.name not in first]
        files = {**base.files, **{item.name: self.store.path(item.sha256) for item in found}}
        versions = {item.name: item.version for item in found if item.name in wish.names}
        debs = in_order([*base.debs, *more], first)
        try:
            made = self._made(base, debs)
            judged = self._judged(made, base, debs, files, wish)
        except Problems as problems:
            lines = [line for error in problems.errors for line in (str(error), *error.details, "")]
            where = sorted({error.where.package for error in problems.errors if isinstance(error, UnhandledScript)})
            return Result(wish, versions, len(more), f"**no**: {', '.join(where) or 'triggers'}", "", None, {}, lines)
        except AssembleError as error:
            return Result(wish, versions, len(more), "**no**: fails", "", None, {}, [str(error), *error.details])
        bad = [str(one) for one in unexplained(judged)]
        explained = [one for one in judged if one.reason and str(one) not in base.explained]
        lines = [*bad, *map(str, explained)]
        again = [one.path for one in judged if one.reason == BY_NATURE]
        return Result(
            wish,
            versions,
            len(more),
            made.handled,
            made.layers,
            len(bad),
            reasons(explained),
            lines,
            made.keys,
            again,
            made.executed,
        )

    def _made(self, base: Base, debs: Sequence[Deb]) -> Made:
        """What is judged. Raises AssembleError."""
        if self.judges.machines:
            tree, keys = self._executed(base, debs)
            return Made(tree, "executed", keys=tuple(key.where.path for key in keys))
        first = frozenset(deb.name for deb in base.debs)
        mode, execute = self.judges.scripts, self.judges.execute
        tree, report = compute(debs, self.lock.architecture, first, mode=mode, execute=execute, code=self.judges.chroot)
        own = [script for script in report.scripts if script.package not in first]
        kinds = Counter(script.handling for script in own)
        layers = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        there: dict[str, str] = {}
        for script in own:
            if script.handling == "executed":
                there.setdefault(script.package, " ".join(script.reason.split()))
        # What needs them counts as executed, too, whether or not it has a script.
        for name in sorted(there):
            for other in dependents(orderable(debs), [name]):
                there.setdefault(other, f"it needs {name}")
        handled = f"executed: {', '.join(sorted(there))}" if there else "computed"
        return Made(tree, handled, layers, tuple(key.where.path for key in report.keys), there)

    def _executed(self, base: Base, debs: Sequence[Deb]) -> tuple[Tree, tuple[AssembleError, ...]]:
        """What dpkg makes in a machine on top of the base, and private keys."""
        assert base.executed is not None
        first = {deb.name for deb in base.debs}
        return added(base.executed, debs, first, self.judges.execute)

    def _judged(
        self, made: Made, base: Base, debs: Sequence[Deb], files: Mapping[str, Path], wish: Wish
    ) -> list[Difference]:
        ours = side_of(made.tree, "ours")
        if not self.judges.chroot:
            dpkgs = side_of(self._executed(base, debs)[0], "dpkg")
            return judge(ours, dpkgs, mixed=bool(made.executed), keys=made.keys)
        with ExitStack() as copies:
            sides = []
            for number in range(1 + self.judges.twice):
                work = self.work / f"try-{wish.name[:_LONG]}-{number}"
                root, changed = copies.enter_context(copy_of(base.root, work))
                first = {deb.name for deb in base.debs}
                Reference(root, files, work / "dpkg.log").add(debs, first)
                sides.append(side_of_directory(root, overlaid(base.entries, changed, root)))
            return held_against(ours, sides, mixed=bool(made.executed), keys=made.keys)


def write_table(results: Sequence[Result]) -> None:
    """Put the rows of `results` into the table; other rows stay."""
    old = TABLE.read_text().splitlines(keepends=True) if TABLE.exists() else []
    rows = {
        line.split("|")[1].strip(): line for line in old if re.match(r"\| [a-z0-9]\S* \| \S* \| (comp|exec|\*)", line)
    }
    for result in results:
        rows.update(result.rows())
    TABLE.write_text(HEAD + "".join(rows[name] for name in sorted(rows)))


_SHARED: list[Breadth] = []
"""What the processes have from the one that they split from: it cannot be sent to them."""


def _attempt(wish: Wish) -> Result:
    try:
        return _SHARED[0].attempt(wish)
    except (AssembleError, NoReference) as error:
        details = error.details if isinstance(error, AssembleError) else ()
        return Result(wish, {}, 0, "**no reference**", "", None, {}, [str(error), *details])


def main() -> int:
    """Try the packages; returns the exit status."""
    parser = arguments("breadth", __doc__)
    parser.add_argument("names", nargs="*", help="packages to try instead of all; ones that are not listed do as well")
    parser.add_argument("--store", type=Path, default=Path("~/.cache/assembler").expanduser())
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/breadth"))
    parser.add_argument("--reuse", action="store_true", help="keep the lock and the references of an earlier run")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="show explained differences too")
    parser.add_argument("--chroot", action="store_true", help="have dpkg run in a chroot (root), not in a machine")
    parser.add_argument("--twice", action="store_true", help="with --chroot: find what is another each time")
    parser.add_argument("--scripts", choices=get_args(Scripts), default="auto", help="what is judged")
    parser.add_argument("--list", action="append", default=[], help="try the packages of this list instead")
    parser.add_argument("--together", type=int, default=1, help="so many packages are added at once")
    options = parser.parse_args()
    if options.scripts == "executed" and not options.chroot:
        parser.error("--scripts executed is for --chroot: the machine cannot judge itself")
    if options.twice and not options.chroot:
        parser.error("--twice is for --chroot: the machine makes the same each time")
    data = tomllib.loads(PACKAGES.read_text())
    listed = {table["name"]: Wish((table["name"],), tuple(table.get("without", ()))) for table in data["package"]}
    names = [*options.names, *(name for chosen in options.list for name in data["lists"][chosen])] or listed
    wishes = [listed.get(name, Wish((name,))) for name in names]
    options.work.mkdir(parents=True, exist_ok=True)
    store = Store(options.store)
    with executing(store.root) as execute:
        judges = Judges(execute, options.chroot, options.scripts, options.twice)
        breadth = Breadth(store, options.work, judges, reuse=options.reuse)
        return attempt_all(breadth, grouped(wishes, options.together, breadth.fit), options)


def grouped(wishes: Sequence[Wish], size: int, fit: Callable[[Wish], bool]) -> list[Wish]:
    """`wishes` with up to `size` of them on the same base made one, where they `fit`."""
    if size == 1:
        return list(wishes)
    groups: list[Wish] = []
    for wish in wishes:
        for number, group in enumerate(groups):
            both = Wish((*group.names, *wish.names), group.without)
            if group.without == wish.without and len(group.names) < size and fit(both):
                groups[number] = both
                break
        else:
            groups.append(wish)
    return groups


def _attempted(wishes: Sequence[Wish], jobs: int) -> Iterator[Result]:
    """What becomes of each of `wishes`, one after the other, as soon as it is known."""
    if jobs == 1:
        yield from map(_attempt, wishes)
        return
    with multiprocessing.get_context("fork").Pool(jobs, maxtasksperchild=1) as pool:
        yield from pool.imap(_attempt, wishes)


def attempt_all(breadth: Breadth, wishes: Sequence[Wish], options: argparse.Namespace) -> int:
    """Try `wishes` and tell of them; returns the exit status."""
    for wish in wishes:
        breadth.base(wish.without)  # before the processes split, which then share it
    _SHARED[:] = [breadth]
    results: list[Result] = []
    for result in _attempted(wishes, options.jobs):
        results.append(result)
        print(result.row(), end="")
        show = None if options.verbose or result.unexplained is None else result.unexplained
        print("".join(f"    {line}\n" for line in result.lines[:show]), end="")
        print("".join(f"    explained: {count}: {why}\n" for why, count in result.explained.items()), end="")
        print("".join(f"    executed: {name}: {why}\n" for name, why in sorted(result.executed.items())), end="")
        print("".join(f"    refused: makes a private key at {path}\n" for path in result.keys), end="")
        print("".join(f"    {path}: {BY_NATURE}\n" for path in result.again), end="", flush=True)
        if options.scripts == "auto" and options.chroot:
            write_table([result])
    bad = [result.wish.name for result in results if result.unexplained != 0]
    print(f"{len(results) - len(bad)} of {len(results)} equal" + (f"; not: {' '.join(bad)}" if bad else ""))
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
