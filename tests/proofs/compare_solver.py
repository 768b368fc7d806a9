"""Compare the solver with apt: the same requests on an empty system, with and without recommended packages.

The requests are the recorded cases of the unit tests, the recipe's packages, and sets of one to five packages drawn
from the main archive with its updates and backports; some are asked for in a version or from a suite. Then the same
with drawn preferences, and some with drawn .debs in files, as ``apt-get install ./tool.deb``. Both must choose the
same versions of the same packages, or both must fail. Needs the host's ``apt-get`` and ``dpkg-deb``, and a Debian
mirror.

apt is asked with ``--print-uris``, which chooses as ``-s`` does but does not play the installation through; that takes
a third of the time. ``--simulate`` asks with ``-s``.
"""

import argparse
import os
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from assembler.debian import mirrors
from assembler.debian.index import Universe
from assembler.debian.indices import listing
from assembler.debian.keyring import shipped
from assembler.debian.preferences import Listing, Pin, Policy
from assembler.debian.relations import FIELDS
from assembler.debian.release import read_release
from assembler.debian.requests import Request as Asked
from assembler.debian.requests import choose
from assembler.debian.solver import solve
from assembler.debian.sources import archives, parse_sources
from assembler.errors import AssembleError
from assembler.lock.own import NOTHING, OwnPackages
from assembler.lockfile.model import LockedIndex
from assembler.recipe.model import Debian
from assembler.releases import RELEASES
from tests.debian.universes import Case, cases
from tests.proofs import solver_debs
from tests.support.command import ROOT, arguments

ARCHITECTURE = "amd64"
SUITES = {"{}": "debian", "{}-updates": "debian", "{}-backports": "debian", "{}-security": "debian-security"}
RECIPE = ROOT / "recipes/livecd.toml"
KEYS = ROOT / "assembler/debian/keys"
SEED = 13

# Inst mc (3:4.8.33-1 Debian:13.1/stable [amd64])
_SIMULATED = re.compile(r"^Inst (\S+) \((\S+)", re.MULTILINE)
# 'http://host/pool/main/m/mc/mc_4.8.33-1_amd64.deb' mc_3%3a4.8.33-1_amd64.deb 551108 SHA256:...
_URI = re.compile(r"^'[^']*' ([^_ ]+)_([^_ ]+)_[^_ ]+\.deb ", re.MULTILINE)

_SETTINGS = """\
Dir::State "{directory}";
Dir::State::Lists "{directory}/lists";
Dir::State::status "{directory}/status";
Dir::Cache "{directory}/cache";
Dir::Etc "{directory}";
Dir::Etc::sourcelist "{directory}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::main "/dev/null";
Dir::Etc::preferences "{directory}/preferences";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
#clear APT::Architectures;
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "";
APT::Solver "internal";
Acquire::Languages "none";
Debug::NoLocking "true";
"""


@dataclass(frozen=True)
class Request:
    """What both are asked for."""

    name: str
    packages: tuple[str, ...]
    recommends: bool

    def __str__(self) -> str:
        return f"{self.name} {'with' if self.recommends else 'without'} recommends: {' '.join(self.packages)}"


@dataclass(frozen=True)
class Choice:
    """What one of them chose: ``name=version`` of each package, or why it could not."""

    packages: frozenset[str]
    error: str = ""


class Apt:
    """The host's apt on an empty system in `directory`, with sources of its own."""

    def __init__(self, directory: Path, sources: Iterable[str], *, simulate: bool = False) -> None:
        self._simulate = simulate
        for part in ("lists/partial", "cache/archives/partial"):
            (directory / part).mkdir(parents=True, exist_ok=True)
        (directory / "status").touch()
        (directory / "preferences").touch()
        self._directory = directory
        (directory / "sources.list").write_text("".join(f"deb {source}\n" for source in sources))
        config = directory / "apt.conf"
        config.write_text(_SETTINGS.format(directory=directory, architecture=ARCHITECTURE))
        self._environment = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
        result = self._run("apt-get", "update", "-qq")
        if result.returncode:
            sys.exit(f"compare-solver: apt-get update failed:\n{result.stderr}")

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._environment, text=True, capture_output=True, check=False)

    def indices(self) -> tuple[list[tuple[str, bytes]], tuple[Listing, ...]]:
        """The indices as apt reads them, in its order, and what their archives say of themselves."""
        fields = "$(RELEASE) $(COMPONENT) $(FILENAME)"
        result = self._run("apt-get", "indextargets", "--format", fields, "Created-By: Packages")
        texts, listings = [], []
        for line in result.stdout.splitlines():
            suite, component, name = line.split(" ", 2)
            texts.append((suite, self._run("/usr/lib/apt/apt-helper", "cat-file", name).stdout.encode()))
            (signed,) = (self._directory / "lists").glob(f"*_dists_{suite}_InRelease")
            release = read_release(signed.read_bytes(), shipped(), now=datetime.now(UTC), name=suite)
            (archive,) = archives(parse_sources(f"Types: deb\nSuites: {suite}\nComponents: {component}\n"))
            index = LockedIndex(path=f"{component}/binary-{ARCHITECTURE}/Packages", size=0, sha256="")
            listings.append(listing(release, archive, index))
        return texts, tuple(listings)

    def prefer(self, pins: Sequence[Pin]) -> None:
        """Have `pins` as preferences from now on."""
        records = (f"Package: {' '.join(pin.names)}\nPin: {pin.what}\nPin-Priority: {pin.priority}\n\n" for pin in pins)
        (self._directory / "preferences").write_text("".join(records))

    def choose(self, request: Request, *files: Path) -> Choice:
        """What ``apt-get install`` would install for a request, and .debs in `files`."""
        how = "-s" if self._simulate else "--print-uris"
        recommends = f"APT::Install-Recommends={'true' if request.recommends else 'false'}"
        result = self._run("apt-get", "install", how, "-qqy", "-o", recommends, *request.packages, *map(str, files))
        if result.returncode:
            return Choice(frozenset(), result.stderr + result.stdout)
        pattern = _SIMULATED if self._simulate else _URI
        return Choice(frozenset("=".join(map(unquote, found)) for found in pattern.findall(result.stdout)))


def chosen(universe: Universe, request: Request, own: OwnPackages = NOTHING) -> Choice:
    """What the assembler's solver chooses for a request, and the recipe's `own` packages, which are in the universe.

    The universe is good for no other request after that.
    """
    asked = [Asked.of(package) for package in request.packages]
    names = [*(each.name for each in asked), *own.names]
    try:
        choose(universe, asked, requested=names, recommends=request.recommends)
        own.prefer(universe, asked)
        found = solve(universe, names, recommends=request.recommends, essential=False)
    except AssembleError as error:
        return Choice(frozenset(), str(error))
    return Choice(frozenset(f"{candidate.name}={candidate.version}" for candidate in found))


def drawn(universe: Universe, count: int, draw: random.Random) -> Iterator[Request]:
    """The recipe's request and `count` drawn ones, each twice; the same every time for the same archive."""
    recipe = tomllib.loads(RECIPE.read_text())
    packages = (*recipe["rootfs"]["packages"], recipe["kernel"]["package"], *universe.essential)
    names = sorted(universe.names)
    later = sorted(name for name in names if _suites(universe, name) & BACKPORTS and len(universe.offers(name)) > 1)
    sets = []
    for number in range(1, count + 1):
        wanted = [_narrowed(universe, name, draw) for name in draw.sample(names, draw.randint(1, 5))]
        if number % 3 == 0:  # few are there
            wanted[0] = f"{draw.choice(later)}/{draw.choice(sorted(BACKPORTS))}"
        sets.append((f"set {number}", tuple(wanted)))
    for name, asked in [("recipe", packages), *sets]:
        for recommends in (False, True):
            yield Request(name, asked, recommends)


def _suites(universe: Universe, name: str) -> set[str]:
    return {each.codename for offer in universe.offers(name) for each in universe.listings_of(offer)}


def _narrowed(universe: Universe, name: str, draw: random.Random) -> str:
    """`name`, sometimes with a version or a suite that has it."""
    offers = universe.offers(name)
    kind = draw.random()
    if kind < 0.1 and offers:
        return f"{name}={draw.choice(offers).version}"
    if kind < 0.2 and offers:
        return f"{name}/{draw.choice(sorted(_suites(universe, name)))}"
    return name


BACKPORTS: frozenset[str] = frozenset(f"{release}-backports" for release in RELEASES)


def preferences(universe: Universe, release: str, draw: random.Random) -> tuple[Pin, ...]:
    """Some pins, of every kind."""
    names = sorted(universe.names)
    whats = (
        f"release n={release}-backports", "release a=*-backports", f"release n={release}", "release v=1?.*",
        "release o=Debian", "release l=Debian-Security", "release o=Debian Backports", "release c=main", "version 1.*",
        "version *bpo*", "version *+deb*", "release *",
    )  # fmt: skip
    pins = []
    for _ in range(draw.randint(1, 8)):
        kind = draw.random()
        stem = draw.choice(names)
        if kind < 0.25:
            wanted: tuple[str, ...] = ("*",)
        elif kind < 0.6:
            wanted = (f"{stem[: draw.randint(1, 4)]}*",)
        elif kind < 0.8:
            wanted = (f"src:{stem[:3]}*",)
        else:
            wanted = tuple(draw.sample(names, 200))
        general = [what for what in whats if not what.startswith("version")]
        what = draw.choice(general if "*" in wanted else whats)
        pins.append(Pin(wanted, what, draw.choice((-1, 1, 50, 100, 101, 400, 500, 501, 990, 1001))))
    return tuple(pins)


def same(request: Request, ours: Choice, theirs: Choice) -> bool:
    """Whether two choices are the same; if not, prints how they differ."""
    if ours.packages == theirs.packages and bool(ours.error) == bool(theirs.error):
        return True
    print(f"DIFFERENT {request}")
    for who, choice, other in (("only here", ours, theirs), ("only apt", theirs, ours)):
        if choice.error:
            print(f"  {who} an error: {choice.error.strip()}")
        elif more := sorted(choice.packages - other.packages):
            print(f"  {who}: {' '.join(more)}")
    return False


def compare_case(case: Case, directory: Path) -> bool:
    """Ask apt for a recorded case; whether the record is true."""
    sources = []
    for number, data in enumerate(case.indices):
        archive = directory / f"archive-{number}"
        archive.mkdir(parents=True)
        (archive / "Packages").write_bytes(data)
        sources.append(f"[trusted=yes] file:{archive} ./")
    request = Request(case.rule, case.wanted, case.recommends)
    theirs = Apt(directory, sources).choose(request)
    recorded = frozenset(name if "=" in name else f"{name}=1" for name in case.chosen)
    return same(request, Choice(recorded, case.error), theirs)


def _fresh(universe: Universe) -> Universe:
    """The same, without what was chosen for a request; to read it anew takes seconds."""
    found = copy(universe)
    found._offers, found._providers = {}, {}  # what refers to each other
    return found


def _compared(release: str, directory: Path, pool: ThreadPoolExecutor, options: argparse.Namespace) -> Iterator[bool]:
    """Compare drawn requests on the archives of a release, without pins and with as many lists of them as asked for."""
    known = mirrors.choose(Debian(mirror=options.mirror), override=os.environ.get("ASSEMBLE_MIRROR", ""))
    keys = ",".join(map(str, sorted(KEYS.glob("*.asc"))))
    places = {suite.format(release): root for suite, root in SUITES.items()}
    sources = [f"[signed-by={keys}] {known.bases(root)[0]} {suite} main" for suite, root in places.items()]
    apt = Apt(directory, sources, simulate=options.simulate)
    texts, listings = apt.indices()
    draw = random.Random(f"{release} {options.seed}")  # noqa: S311  a sample, not a secret
    plain = Universe.from_indices(texts, ARCHITECTURE, policy=Policy(listings))
    for number in range(options.pins + 1):
        pins = preferences(plain, release, draw) if number else ()
        apt.prefer(pins)
        requests = list(drawn(plain, options.count // (options.pins if number else 1), draw))
        universe = Universe.from_indices(texts, ARCHITECTURE, policy=Policy(listings, pins))
        failed = 0
        for request, answer in zip(requests, pool.map(apt.choose, requests), strict=True):
            theirs = answer
            ours = chosen(_fresh(universe), request)
            if theirs.error and not ours.error and any("/" in package for package in request.packages):
                # apt stops at the first need that no candidate meets and the suite does not either, even when others
                # meet it later; so it is asked whether all of it can be installed.
                theirs = apt.choose(Request(request.name, tuple(sorted(ours.packages)), request.recommends))
            good = same(request, ours, theirs)
            failed += not good
            yield good
            if options.verbose and ours.error and theirs.error:
                print(f"{request}\n  here: {ours.error}\n  apt: {theirs.error.strip()}", flush=True)
        if failed:
            print(f"{failed} with {release} and", *pins, sep="\n  ", flush=True)
    apt.prefer(())
    yield from _with_debs(apt, plain, options.debs, draw)


def _with_debs(apt: Apt, plain: Universe, count: int, draw: random.Random) -> Iterator[bool]:
    """Compare `count` drawn requests with .debs in files, each twice."""
    texts, listings = apt.indices()
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        for number, asked in enumerate(solver_debs.drawn(plain, count, directory, draw), 1):
            own = asked.own(directory / "store", ARCHITECTURE)
            universe = solver_debs.universe_with(texts, listings, own, ARCHITECTURE)
            for recommends in (False, True):
                request = Request(f"debs {number}", asked.packages, recommends)
                good = same(request, chosen(_fresh(universe), request, own), apt.choose(request, *asked.debs))
                if not good:
                    for deb in asked.debs:
                        fields = ("Package", "Version", "Architecture", *FIELDS, "Provides")
                        told = subprocess.run(["dpkg-deb", "-f", str(deb), *fields], check=True, capture_output=True)
                        print(f"  {deb.name}:", *told.stdout.decode().splitlines(), sep="\n    ")
                yield good


def main() -> int:
    """Run the comparison; 0 when there is no difference."""
    parser = arguments("compare-solver", __doc__)
    parser.add_argument("--mirror", default="", help="base URL of the main archive (default: as when locking)")
    parser.add_argument("--count", type=int, default=300, help="number of drawn sets (default: %(default)s)")
    parser.add_argument("--pins", type=int, default=5, help="number of drawn preferences (default: %(default)s)")
    parser.add_argument("--debs", type=int, default=40, help="number of drawn sets of .debs (default: %(default)s)")
    parser.add_argument("--release", nargs="+", choices=RELEASES, default=["trixie", "bookworm"])
    parser.add_argument("--seed", type=int, default=SEED, help="of the draw (default: %(default)s)")
    parser.add_argument("--directory", type=Path, help="keep apt's files here, to start faster next time")
    parser.add_argument("--simulate", action="store_true", help="let apt play the installation through")
    parser.add_argument("--verbose", action="store_true", help="show requests that both refuse, and why")
    options = parser.parse_args()
    results: list[bool] = []
    with tempfile.TemporaryDirectory() as temporary, ThreadPoolExecutor(2) as pool:
        recorded = cases()
        directories = [Path(temporary) / f"case-{number}" for number in range(len(recorded))]
        results += pool.map(compare_case, recorded, directories)

        for release in options.release:
            directory = (options.directory or Path(temporary) / "apt").resolve() / release
            results += _compared(release, directory, pool, options)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
