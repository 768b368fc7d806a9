"""Build packages drawn at random from Debian's releases, several to a machine; what fails is tried in a real chroot.

For each release, N packages are drawn from main (amd64), the same every time for the same archive: those with a preinst
or postinst of their own, as the others prove little. They are put on top of a small base in groups, a package that
cannot be beside another in another group, and each group is built as anybody's recipe is, with ``scripts = "auto"``.
What fails is tried alone, and then by the real dpkg in a chroot (root). The smallest group of each release is compared
with what dpkg makes in a chroot, path by path. Exit status 1 when a package fails only here, or a difference is not
explained.

Left out are packages that cannot be beside the base, kernels (a recipe has one), and, to be kind to the mirror, those
that bring more than a given size along.

    scripts/draws [RELEASE...] [--number N] [--group N] [--seed N] [--largest MIB] [--compare N] [--store DIR]
        [--work DIR]
"""

import json
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count, islice, pairwise
from pathlib import Path
from typing import Literal

from assembler.api import RecipeFile, Workspace, check
from assembler.api.build import open_project
from assembler.audit.judge import Difference, judge, side_of, unexplained
from assembler.configure.identity import SharedKeyError
from assembler.configure.report import ScriptReport
from assembler.configure.survey import SCRIPTS
from assembler.debian.deb import open_package, read_control
from assembler.debian.package import Candidate
from assembler.debian.solver import solve
from assembler.errors import AssembleError, Place, Problems
from assembler.layers import rootfs
from assembler.layers.context import BuildContext
from assembler.lock.resolve import locked
from assembler.lockfile.model import LockedPackage
from assembler.releases import RELEASES
from assembler.store.objects import Store
from tests.proofs.archive import sources, universe
from tests.proofs.comparison import side_of_directory
from tests.proofs.reference import EPOCH, NoReference, Reference, compute, in_order
from tests.support.command import arguments

BASE = ("systemd", "systemd-sysv", "udev", "dbus", "login")
"""What every image has, besides essential packages and"""
KERNEL = "linux-image-cloud-amd64"
BATCH = 40
"""Packages that are fetched at a time to see whether they have scripts."""
LINES = 30
"""Of an error or a log, that are shown."""

Kind = Literal["computed", "executed", "refused: a key", "fails in a chroot too", "FAILS ONLY HERE"]


@dataclass(frozen=True)
class Verdict:
    """What became of a package."""

    package: str
    kind: Kind
    why: str = ""
    """The line that decided that it is executed, or what went wrong."""
    lines: Sequence[str] = ()
    """What else there is to say of that."""


@dataclass
class Drawn:
    """Packages of a release, and what was passed over for them."""

    packages: list[Candidate] = field(default_factory=list)
    looked_at: int = 0
    """With these."""
    large: list[str] = field(default_factory=list)
    """Bring too much along."""
    impossible: list[str] = field(default_factory=list)
    """Cannot be installed beside the base."""


class Release:
    """A release, and recipes of its packages."""

    def __init__(self, name: str, store: Path, work: Path) -> None:
        self.name, self.work = name, work / name
        self.workspace = Workspace(store=store)
        self.store = Store(store)
        shutil.rmtree(self.work, ignore_errors=True)
        self.work.mkdir(parents=True)
        self._numbers = count()
        with self.project(()) as project:
            self.universe = universe(project.lock, self.store)
            self.base = {package.name for package in project.lock.role("rootfs")}

    def recipe(self, names: Sequence[str]) -> RecipeFile:
        """A recipe of the base and of the packages named, without a lock."""
        name = f"draw-{next(self._numbers)}"
        path = self.work / f"{name}.toml"
        path.write_text(
            f"name = '{name}'\nepoch = {EPOCH}\n[debian]\nsources = '''\n{sources(self.name)}'''\n"
            f"[kernel]\npackage = '{KERNEL}'\n[rootfs]\nscripts = 'auto'\npackages = {json.dumps([*BASE, *names])}\n"
        )
        return RecipeFile(path=path)

    @contextmanager
    def project(self, names: Sequence[str]) -> Iterator[BuildContext]:
        """The base and the packages named, as they are built."""
        with open_project(self.workspace, self.recipe(names).load(), make=True) as context:
            yield context

    def closure(self, *names: str) -> list[Candidate]:
        """What the packages bring along. Raises AssembleError when they cannot be beside each other, or the base."""
        found = solve(self.universe, [*BASE, KERNEL, *names])
        return [candidate for candidate in found if candidate.name not in self.base]

    def draw(self, number: int, seed: int, largest: int, among: Sequence[str] | None = None) -> Drawn:
        """Draw packages, of all or `among` some, those that bring at most `largest` bytes along."""
        drawn = Drawn()
        known = self.universe.names if among is None else among
        names = sorted(name for name in known if not name.startswith("linux-image-"))
        random.Random(seed).shuffle(names)  # noqa: S311  a sample, not a secret
        candidates = (self.universe.candidate(name) for name in names if name not in self.base)
        small = (candidate for candidate in candidates if candidate and candidate.size <= largest)
        with self.project(()) as project:
            while batch := list(islice(small, BATCH)):
                project.means.fetch([locked(candidate, ["rootfs"]) for candidate in batch])
                for candidate in batch:
                    if len(drawn.packages) == number:
                        return drawn
                    drawn.looked_at += 1
                    if self._has_scripts(candidate):
                        self._take(drawn, candidate, largest)
        return drawn

    def _has_scripts(self, candidate: Candidate) -> bool:
        file = self.store.path(candidate.sha256)
        _, control = read_control(file, Place(package=candidate.name))
        if control.keys() & set(SCRIPTS):
            return True
        file.unlink()
        return False

    def _take(self, drawn: Drawn, candidate: Candidate, largest: int) -> None:
        try:
            brings = sum(other.size for other in self.closure(candidate.name))
        except AssembleError:
            drawn.impossible.append(candidate.name)
            return
        if brings > largest:
            drawn.large.append(candidate.name)
        else:
            drawn.packages.append(candidate)

    def grouped(self, names: Sequence[str], size: int) -> list[list[str]]:
        """`names` in groups of at most `size`, each in the first one in which it can be beside the others."""
        groups: list[list[str]] = []
        for name in names:
            for group in groups:
                if len(group) < size and self._possible(*group, name):
                    group.append(name)
                    break
            else:
                groups.append([name])
        return groups

    def _possible(self, *names: str) -> bool:
        try:
            self.closure(*names)
        except AssembleError:
            return False
        return True

    def built(self, names: Sequence[str]) -> dict[str, list[ScriptReport]]:
        """Build the packages together; returns how the scripts of all packages are handled.

        Raises AssembleError when anything of it fails.
        """
        recipe = self.recipe(names)
        checked = check(recipe, self.workspace)
        if checked.problems:
            raise Problems(checked.problems)
        with open_project(self.workspace, recipe.load(), make=False) as project:
            rootfs.layer(project).compose()
        scripts: dict[str, list[ScriptReport]] = {}
        for script in checked.scripts:
            scripts.setdefault(script.package, []).append(script)
        return scripts

    def verdicts(self, names: Sequence[str]) -> Iterator[Verdict]:
        """What becomes of each package, as they are built together as far as they can be."""
        try:
            scripts = self.built(names)
        except AssembleError as error:
            if len(names) == 1:
                yield self._failed(names[0], error)
                return
            to_blame = self._to_blame(names, error)
            rest = [name for name in names if name not in to_blame]
            if rest and to_blame:
                yield from self.verdicts(rest)
            for name in to_blame or names:
                yield from self.verdicts([name])
        except Exception:  # noqa: BLE001  which is a defect: this is to tell of all that there are
            if len(names) == 1:
                yield Verdict(names[0], "FAILS ONLY HERE", "a defect", traceback.format_exc().splitlines())
                return
            for name in names:
                yield from self.verdicts([name])
        else:
            for name in names:
                real = [script for script in scripts.get(name, ()) if script.handling == "executed"]
                yield Verdict(name, "executed" if real else "computed", real[0].reason if real else "")

    def _to_blame(self, names: Sequence[str], error: AssembleError) -> list[str]:
        """Those of `names` that bring along what failed; none when that is not told."""
        errors = error.errors if isinstance(error, Problems) else (error,)
        failed = {one.where.package.partition(" ")[0] for one in errors} - {""}
        return [name for name in names if failed & {candidate.name for candidate in self.closure(name)}]

    def _failed(self, name: str, error: AssembleError) -> Verdict:
        errors = error.errors if isinstance(error, Problems) else (error,)
        lines = [line for one in errors for line in (str(one), *one.details[-LINES:])]
        if all(isinstance(one, SharedKeyError) for one in errors):
            return Verdict(name, "refused: a key", ", ".join(one.where.path for one in errors))
        try:
            with self.chroot([name]):
                return Verdict(name, "FAILS ONLY HERE", str(errors[0]), lines)
        except NoReference as found:
            return Verdict(name, "fails in a chroot too", str(found), lines)

    @contextmanager
    def chroot(self, names: Sequence[str]) -> Iterator[Path]:
        """A directory where the real dpkg has installed the packages and the base. Raises NoReference."""
        root, log = self.work / "chroot", self.work / "dpkg.log"
        with self.project(names) as project:
            packages = project.lock.role("rootfs")
            project.means.fetch(packages)
        debs = in_order([open_package(self.store, package.sha256) for package in packages])
        try:
            Reference(root, {package.name: self.store.path(package.sha256) for package in packages}, log).make(debs)
            yield root
        except NoReference as error:
            raise NoReference(_told(log) or str(error)) from error
        finally:
            shutil.rmtree(root)

    def compared(self, names: Sequence[str]) -> list[Difference]:
        """How the packages as they are built differ from what the real dpkg makes in a chroot."""
        with self.project(names) as project:
            packages: Sequence[LockedPackage] = project.lock.role("rootfs")
            debs = in_order([open_package(self.store, package.sha256) for package in packages])
            execute = project.means.execute(rootfs.machine(project))
            tree, report = compute(debs, project.lock.architecture, mode="auto", execute=execute)
        with self.chroot(names) as root:
            mixed = "executed" in report.counts()
            return judge(side_of(tree, "auto"), side_of_directory(root), mixed=mixed)


def _told(log: Path) -> str:
    """What dpkg says of the packages that it could not install, but for those that wait for others."""
    lines = log.read_text("utf-8", "replace").splitlines()
    found = [
        f"{line.removeprefix('dpkg: error processing ')} {why.strip()}"
        for line, why in pairwise(lines)
        if line.startswith("dpkg: error processing ") and "dependency problems" not in why
    ]
    return "; ".join(found)


def _show(release: Release, verdict: Verdict, versions: Mapping[str, str]) -> None:
    about = f"{release.name} {verdict.package} {versions[verdict.package]}: {verdict.kind}"
    print(f"{about}: {verdict.why}" if verdict.why else about)
    print("".join(f"    {line}\n" for line in verdict.lines), end="", flush=True)


def prove(release: Release, *, number: int, size: int, seed: int, largest: int, compare: int) -> bool:
    """Draw, build and tell of it; returns whether nothing fails only here, and all differences are explained."""
    drawn = release.draw(number, seed, largest)
    versions = {candidate.name: candidate.version for candidate in drawn.packages}
    found: list[Verdict] = []
    built: list[list[str]] = []
    for group in release.grouped(list(versions), size):
        begun = time.monotonic()
        print(f"{release.name}, together: {' '.join(group)}", flush=True)
        verdicts: list[Verdict] = []
        for verdict in release.verdicts(group):
            _show(release, verdict, versions)
            verdicts.append(verdict)
        found += verdicts
        built.append([verdict.package for verdict in verdicts if verdict.kind in {"computed", "executed"}])
        print(f"{release.name}, took {time.monotonic() - begun:.0f} s", flush=True)
    _sum_up(release, drawn, found)
    smallest = sorted(filter(None, built), key=lambda group: len(release.closure(*group)))
    equal = [_compare(release, group) for group in smallest[:compare]]
    return all(equal) and not any(verdict.kind == "FAILS ONLY HERE" for verdict in found)


def _compare(release: Release, group: Sequence[str]) -> bool:
    """Hold a group against a chroot, and tell of it; returns whether all differences are explained."""
    differences = release.compared(group)
    bad = unexplained(differences)
    print(f"{release.name}, beside a chroot: {' '.join(group)}")
    print(f"{release.name}, {len(differences) - len(bad)} differences are explained, {len(bad)} are not")
    print("".join(f"    {one}\n" for one in bad), end="", flush=True)
    return not bad


def _sum_up(release: Release, drawn: Drawn, found: Collection[Verdict]) -> None:
    counts = Counter(verdict.kind for verdict in found)
    print(f"{release.name}: {len(found)} packages:", ", ".join(f"{many} {kind}" for kind, many in counts.items()))
    for kind in counts.keys() - {"computed", "executed"}:
        print(f"  {kind}:", *sorted(verdict.package for verdict in found if verdict.kind == kind))
    print(f"  {drawn.looked_at} were looked at for them. Too large:", *drawn.large, "- not beside the base:", end=" ")
    print(*drawn.impossible, flush=True)


def main() -> int:
    """Draw from the releases; returns the exit status."""
    parser = arguments("draws", __doc__)
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help=f"of {', '.join(RELEASES)}; all of them if none")
    parser.add_argument("--number", type=int, default=60, help="packages of each release (default: %(default)s)")
    parser.add_argument("--group", type=int, default=15, help="packages that are built together (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=20261130, help="of the draws (default: %(default)s)")
    parser.add_argument("--largest", type=int, default=200, help="MiB that a package brings (default: %(default)s)")
    parser.add_argument("--compare", type=int, default=1, help="groups to compare, the smallest (default: %(default)s)")
    parser.add_argument("--store", type=Path, default=Path("~/.cache/assembler").expanduser())
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/draws"))
    options = parser.parse_args()
    if unknown := sorted(set(options.releases) - RELEASES.keys()):
        parser.error(f"no release: {', '.join(unknown)}")
    well = [
        prove(
            Release(name, options.store, options.work),
            number=options.number,
            size=options.group,
            seed=options.seed,
            largest=options.largest << 20,
            compare=options.compare,
        )
        for name in options.releases or RELEASES
    ]
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
