"""Compare a computed tree with what the real dpkg leaves for the same packages, path by path.

dpkg is that of the packages. It runs in a machine of the assembler's or, with --chroot, in a chroot (root, Linux, GNU
tar, chroot, unshare and ip); see tests/proofs/reference.py. --scripts says what is judged: a tree that is computed, one
where what cannot be is executed in a machine (auto), or one where all is, which only a chroot can judge (executed).
Private keys that scripts make, with which a build is refused, are named, and so is, with --twice, what differs between
two trees that dpkg makes in chroots one after the other. Exit status 1 when a difference is not
explained: see assembler/audit/explained.toml and assembler/configure/leftovers.py.

    scripts/oracle RECIPE.toml|DIRECTORY_OF_DEBS|RECIPE.lock.toml [--release NAME] [--scripts computed|auto|executed]
        [--chroot] [--twice] [--store DIR] [--work DIR] [--reuse] [--verbose]

With --release the recipe is taken with the archives of another release than its own, as they are now.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import get_args

from assembler.audit.judge import Difference, Side, reasons, side_of, unexplained
from assembler.cli import environment
from assembler.configure.job import Execute
from assembler.configure.report import Report
from assembler.debian.deb import Deb, open_package
from assembler.errors import AssembleError, Problems
from assembler.lockfile.toml import parse_lock
from assembler.recipe.load import load as load_recipe
from assembler.recipe.model import Scripts
from assembler.releases import RELEASES
from assembler.store.objects import Store, sha256_of
from tests.proofs.archive import sources
from tests.proofs.comparison import BY_NATURE, held_against, side_of_directory
from tests.proofs.machine import executing
from tests.proofs.reference import NoReference, Reference, compute, in_order
from tests.support.command import arguments


def load(source: Path, store: Store) -> tuple[list[Deb], dict[str, Path]]:
    """The packages of a recipe, a directory or a lock, in the order in which they are unpacked, and their files by
    name.

    A recipe is locked if it is not, and its packages are fetched.
    """
    if source.suffix == ".toml" and not source.name.endswith(".lock.toml"):
        command = [sys.executable, "-P", "-m", "assembler", "check", str(source), "--quiet", "--store", str(store.root)]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        source = load_recipe(source).lock_path
    if source.is_dir():
        digests = [_adopted(file, store) for file in sorted(source.glob("*.deb"))]
    else:
        digests = [package.sha256 for package in parse_lock(source.read_text(), str(source)).role("rootfs")]
    opened = [(open_package(store, digest), digest) for digest in digests]
    return in_order([deb for deb, _ in opened]), {deb.name: store.path(digest) for deb, digest in opened}


def of_release(recipe: Path, release: str, work: Path) -> Path:
    """A new recipe in `work` that is `recipe` with the archives of another release. It has no lock."""
    made = work / f"{recipe.stem}-{release}.toml"
    work.mkdir(parents=True, exist_ok=True)
    made.with_suffix(".lock.toml").unlink(missing_ok=True)
    extended = json.dumps(str(recipe.resolve()))
    made.write_text(f"name = '{made.stem}'\nextends = {extended}\n[debian]\nsources = '''\n{sources(release)}'''\n")
    return made


def _adopted(file: Path, store: Store) -> str:
    """The digest of a file, which is in the store from now on."""
    digest = sha256_of(file)
    if not store.has(digest):
        with store.temporary() as copy:
            shutil.copyfile(file, copy)
            store.adopt(copy, digest)
    return digest


def _made(debs: list[Deb], arch: str, mode: Scripts, execute: Execute, *, code: bool = False) -> tuple[Side, Report]:
    """A tree of the assembler's and how scripts were handled, which is printed with what it took."""
    start = time.monotonic(), time.process_time()
    tree, report = compute(debs, arch, mode=mode, execute=execute, code=code)
    took = f"{time.monotonic() - start[0]:.0f} s, {time.process_time() - start[1]:.2f} CPU s without the machine"
    print(f"{mode} in {took}:", ", ".join(f"{count} {kind}" for kind, count in report.counts().items()))
    return side_of(tree, mode), report


def _judged(options: argparse.Namespace) -> tuple[list[Difference], Report]:
    """How what is judged differs from what dpkg made, and how its scripts were handled.

    Raises AssembleError, NoReference.
    """
    store = Store(environment.read(options.store).store)
    debs, files = load(options.source, store)
    roots = [options.work / name for name in ("reference", "again")] if options.twice else [options.work / "reference"]
    for root in roots if options.chroot else ():
        if not (options.reuse and root.exists()):
            shutil.rmtree(root, ignore_errors=True)
            Reference(root, files, options.work / f"{root.name}.log").make(debs)
    with executing(store.root) as execute:
        code = options.chroot and options.scripts != "executed"
        ours, report = _made(debs, options.arch, options.scripts, execute, code=code)
        sides = [side_of_directory(root) for root in roots] if options.chroot else []
        dpkgs = sides or [_made(debs, options.arch, "executed", execute)[0]]
        keys = [key.where.path for key in report.keys]
        mixed = options.scripts == "auto" and "executed" in report.counts()
        return held_against(ours, dpkgs, mixed=mixed, keys=keys), report


def main() -> int:
    """Run the comparison; returns the exit status."""
    parser = arguments("oracle", __doc__)
    parser.add_argument("source", type=Path, help="a recipe, a directory of .debs, or a lock whose packages are stored")
    parser.add_argument("--release", choices=RELEASES, help="take the recipe with the archives of this release")
    parser.add_argument("--chroot", action="store_true", help="have dpkg run in a chroot (root), not in a machine")
    parser.add_argument("--twice", action="store_true", help="with --chroot: find what is another each time")
    parser.add_argument("--scripts", choices=get_args(Scripts), default="computed", help="what is judged")
    parser.add_argument("--store", type=Path, help="the assembler's store; default the user's")
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/oracle"))
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--reuse", action="store_true", help="keep the reference of an earlier run")
    parser.add_argument("--verbose", action="store_true", help="show explained differences too")
    options = parser.parse_args()
    if options.scripts == "executed" and not options.chroot:
        parser.error("--scripts executed is for --chroot: the machine cannot judge itself")
    if options.twice and not options.chroot:
        parser.error("--twice is for --chroot: the machine makes the same each time")
    if options.release:
        if options.source.is_dir() or options.source.name.endswith(".lock.toml"):
            parser.error("--release is for a recipe")
        options.work /= options.release
        options.source = of_release(options.source, options.release, options.work)
    try:
        found, report = _judged(options)
    except Problems as problems:
        for error in problems.errors:
            print(error, *error.details, sep="\n")
        return 1
    except AssembleError as error:
        print(error, *error.details, sep="\n")
        return 1
    except NoReference as error:
        print(error)
        return 1
    bad = unexplained(found)
    for line in [*bad, *((one for one in found if one.reason) if options.verbose else ())]:
        print(line)
    for one in found:
        if one.reason == BY_NATURE and not options.verbose:
            print(f"{one.path}: {BY_NATURE}")
    for reason, count in reasons(found).most_common():
        print(f"{count:6} explained: {reason}")
    for key in report.keys:
        print(f"refused: {key}")
    print(f"{len(bad)} differences are not explained")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
