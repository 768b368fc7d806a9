"""Compare the solver with apt: the same requests on an empty system, with and without recommended packages.

The requests are the recorded cases of the unit tests, the recipe's packages, and sets of one to five packages drawn
from the main archive. Both must choose the same versions of the same packages, or both must fail. Needs the host's
``apt-get``, and a Debian mirror.

apt is asked with ``--print-uris``, which chooses as ``-s`` does but does not play the installation through; that takes
a third of the time. ``--simulate`` asks with ``-s``.
"""

import os
import random
import re
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from assembler.debian import mirrors
from assembler.debian.index import Universe
from assembler.debian.solver import solve
from assembler.errors import AssembleError
from assembler.recipe.model import Debian
from tests.debian.universes import Case, cases
from tests.support.command import ROOT, arguments

ARCHITECTURE = "amd64"
SUITES = {"trixie": "debian", "trixie-updates": "debian", "trixie-security": "debian-security"}
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
Dir::Etc::preferences "/dev/null";
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
        (directory / "sources.list").write_text("".join(f"deb {source}\n" for source in sources))
        config = directory / "apt.conf"
        config.write_text(_SETTINGS.format(directory=directory, architecture=ARCHITECTURE))
        self._environment = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C.UTF-8"}
        result = self._run("apt-get", "update", "-qq")
        if result.returncode:
            sys.exit(f"compare-solver: apt-get update failed:\n{result.stderr}")

    def _run(self, *command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, env=self._environment, text=True, capture_output=True, check=False)

    def indices(self) -> list[tuple[str, bytes]]:
        """The indices as apt reads them, in its order."""
        result = self._run("apt-get", "indextargets", "--format", "$(RELEASE) $(FILENAME)", "Created-By: Packages")
        named = (line.split(" ", 1) for line in result.stdout.splitlines())
        return [
            (archive, self._run("/usr/lib/apt/apt-helper", "cat-file", name).stdout.encode()) for archive, name in named
        ]

    def choose(self, request: Request) -> Choice:
        """What ``apt-get install`` would install for a request."""
        how = "-s" if self._simulate else "--print-uris"
        recommends = f"APT::Install-Recommends={'true' if request.recommends else 'false'}"
        result = self._run("apt-get", "install", how, "-qqy", "-o", recommends, *request.packages)
        if result.returncode:
            return Choice(frozenset(), result.stderr + result.stdout)
        pattern = _SIMULATED if self._simulate else _URI
        return Choice(frozenset("=".join(map(unquote, found)) for found in pattern.findall(result.stdout)))


def choose(universe: Universe, request: Request) -> Choice:
    """What the assembler's solver chooses for a request."""
    try:
        chosen = solve(universe, request.packages, recommends=request.recommends, essential=False)
    except AssembleError as error:
        return Choice(frozenset(), str(error))
    return Choice(frozenset(f"{candidate.name}={candidate.version}" for candidate in chosen))


def drawn(universe: Universe, count: int, seed: int) -> Iterator[Request]:
    """The recipe's request and `count` drawn ones, each twice; the same every time for the same archive."""
    recipe = tomllib.loads(RECIPE.read_text())
    packages = (*recipe["rootfs"]["packages"], recipe["kernel"]["package"], *universe.essential)
    draw = random.Random(seed)  # noqa: S311  a sample, not a secret
    names = sorted(universe.names)
    sets = [(f"set {number}", tuple(draw.sample(names, draw.randint(1, 5)))) for number in range(1, count + 1)]
    for name, wanted in [("recipe", packages), *sets]:
        for recommends in (False, True):
            yield Request(name, wanted, recommends)


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


def main() -> int:
    """Run the comparison; 0 when there is no difference."""
    parser = arguments("compare-solver", __doc__)
    parser.add_argument("--mirror", default="", help="base URL of the main archive (default: as when locking)")
    parser.add_argument("--count", type=int, default=300, help="number of drawn sets (default: %(default)s)")
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

        chosen = mirrors.choose(Debian(mirror=options.mirror), override=os.environ.get("ASSEMBLE_MIRROR", ""))
        keys = ",".join(map(str, sorted(KEYS.glob("*.asc"))))
        sources = [f"[signed-by={keys}] {chosen.bases(root)[0]} {suite} main" for suite, root in SUITES.items()]
        apt = Apt((options.directory or Path(temporary) / "apt").resolve(), sources, simulate=options.simulate)
        universe = Universe.from_indices(apt.indices(), ARCHITECTURE)
        requests = list(drawn(universe, options.count, options.seed))
        for request, theirs in zip(requests, pool.map(apt.choose, requests), strict=True):
            ours = choose(universe, request)
            results.append(same(request, ours, theirs))
            if options.verbose and ours.error and theirs.error:
                print(f"{request}\n  here: {ours.error}\n  apt: {theirs.error.strip()}", flush=True)
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
