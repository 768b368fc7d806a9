"""Build a recipe as different people on different machines would, and see that all get the same bytes.

    scripts/reproduce [--recipe RECIPE.toml] [--pythons PYTHON ...] [--work DIRECTORY]

Each builder has a clone of this repository, an environment made by one of the --pythons (by default all from 3.11 on),
and an empty home. They differ in the user (root or nobody), the system clock (a year ahead, by libfaketime, for the
assembler), the processors (all or one), and where packages come from (the present user's store, or a copy of the mirror
on 127.0.0.1). Needs root, to be somebody else, libfaketime (Debian: faketime), and Pythons that
others may run. The exit status is 1 when anything differs. ``assemble reproduce`` varies further things.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from assembler.audit.environments import NOBODY, YEAR
from assembler.cli import environment
from assembler.store.objects import Store, sha256_of
from tests.support.command import ROOT, arguments
from tests.support.downloads import lock_of, serve_packages
from tests.support.http_server import Server, running

GIT = "/usr/bin/git"
FAKETIME = "/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1"


@dataclass(frozen=True, kw_only=True)
class Builder:
    """Somebody who builds."""

    name: str
    python: str
    user: int
    ahead: int
    """Seconds that the clock is."""
    processors: int
    download: bool
    """From the copy of the mirror, into an empty store; else the store is the present user's."""


def builders(pythons: Sequence[str]) -> list[Builder]:
    """Who builds: the plainest first, then with one difference each, then with nearly all of them and each Python."""
    plain = Builder(name="plain", python=pythons[0], user=0, ahead=0, processors=os.cpu_count() or 1, download=False)
    # Not on one processor: there, libfaketime makes threads wait for each other for minutes.
    everything = replace(plain, user=NOBODY, ahead=YEAR, download=True)
    return [
        plain,
        replace(plain, name="another user", user=NOBODY),
        replace(plain, name="a year later", ahead=YEAR),
        replace(plain, name="one processor", processors=1),
        replace(plain, name="a copy of the mirror", download=True),
        *(replace(everything, name=f"all of that with {python}", python=python) for python in pythons),
    ]


def pythons() -> list[str]:
    """The Pythons of this machine that will do, each version once."""
    found: dict[str, str] = {}
    names = ["/usr/bin/python3", *(shutil.which(f"python3.{minor}") or "" for minor in range(11, 20))]
    for name in filter(None, names):
        code = "import sys; sys.version_info >= (3, 11) and print(*sys.version_info[:3])"
        version = subprocess.run([name, "-c", code], capture_output=True, text=True, check=False).stdout
        if version:
            found.setdefault(version, name)
    return list(found.values())


def build(builder: Builder, recipe: str, work: Path, server: Server) -> dict[str, str]:
    """Build in a directory of the builder's own; returns SHA-256 by the name of each file."""
    home = work / builder.name.replace(" ", "-").replace("/", "_")
    clone, store, out = (home / name for name in ("assembler", "store", "out"))
    home.mkdir()
    subprocess.run([GIT, "clone", "--quiet", ROOT, clone], check=True)
    # The lock is not in the repository.
    shutil.copytree(ROOT / "recipes", clone / "recipes", dirs_exist_ok=True)
    if not builder.download:
        Store(environment.read().store).share(store)
    for path in (home, *home.rglob("*")):
        if path.is_dir() or not path.is_relative_to(store):
            os.chown(path, builder.user, builder.user, follow_symlinks=False)

    def run(*command: str | Path, **more: str) -> None:
        # How Python packages are found is the site's affair.
        kept = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        subprocess.run(
            command,
            cwd=clone,
            env={**kept, "HOME": str(home), "PATH": "/usr/bin:/bin", "PYTHON": builder.python, **more},
            user=builder.user,
            group=builder.user,
            extra_groups=[],
            stdout=subprocess.DEVNULL,
            check=True,
        )

    run(clone / "scripts/setup")
    clock = {"LD_PRELOAD": FAKETIME, "FAKETIME": f"+{builder.ahead}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    source = {"ASSEMBLE_MIRROR": server.url("/debian")} if builder.download else {}
    run(
        *("taskset", "--cpu-list", f"0-{builder.processors - 1}", str(clone / "scripts/assemble"), recipe, "--quiet"),
        *("--store", str(store), "--out", str(out), *([] if builder.download else ["--offline"])),
        **source,
        **(clock if builder.ahead else {}),
    )
    found = {path.name: sha256_of(path) for path in out.iterdir() if path.is_file()}
    shutil.rmtree(home)
    return found


def main() -> int:
    """Returns the exit status."""
    parser = arguments("reproduce", __doc__)
    parser.add_argument("--recipe", default="recipes/livecd.toml", help="relative to the repository")
    parser.add_argument("--pythons", nargs="+", default=pythons(), help="interpreters, the plain one first")
    parser.add_argument("--work", type=Path, help="a directory with 4 GB that all users may enter  [default: /tmp]")
    wishes = parser.parse_args()
    if os.geteuid():
        parser.error("only root can be somebody else")
    if not Path(FAKETIME).exists():
        parser.error("libfaketime is missing (Debian: faketime)")
    recipe = ROOT / wishes.recipe
    subprocess.run([ROOT / "scripts/assemble", wishes.recipe, "--quiet", "--out", "out"], cwd=ROOT, check=True)
    first: dict[str, str] = {}
    wrong = 0
    with running() as server, tempfile.TemporaryDirectory(dir=wishes.work, prefix="assemble-reproduce-") as name:
        work = Path(name)
        work.chmod(0o755)
        serve_packages(server, lock_of(recipe), Store(environment.read().store))
        for builder in builders(wishes.pythons):
            found = build(builder, wishes.recipe, work, server)
            first = first or found
            different = sorted(name for name in first.keys() | found.keys() if first.get(name) != found.get(name))
            wrong += bool(different)
            verdict = f"DIFFERENT: {', '.join(different)}" if different else f"the same {len(found)} files"
            print(f"{builder.name}: {verdict}", flush=True)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
