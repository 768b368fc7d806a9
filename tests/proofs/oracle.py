"""Compare a computed tree with what the real dpkg leaves for the same packages, path by path.

Needs root, Linux, GNU tar, chroot and unshare; dpkg is the one of the packages. See tests/proofs/reference.py. Exit
status 1 when a difference is not explained in tests/proofs/explained.toml.

    scripts/oracle RECIPE.toml|DIRECTORY_OF_DEBS|RECIPE.lock.toml [--store DIR] [--work DIR] [--reuse] [--verbose]
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path

from assembler.cli import environment
from assembler.debian.deb import Deb, open_package
from assembler.errors import AssembleError, Problems
from assembler.lockfile.toml import parse_lock
from assembler.recipe.load import load as load_recipe
from assembler.store.objects import Store, sha256_of
from tests.proofs.comparison import contents_of, entries_of_directory, entries_of_tree, judge
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


def _adopted(file: Path, store: Store) -> str:
    """The digest of a file, which is in the store from now on."""
    digest = sha256_of(file)
    if not store.has(digest):
        with store.temporary() as copy:
            shutil.copyfile(file, copy)
            store.adopt(copy, digest)
    return digest


def main() -> int:
    """Run the comparison; returns the exit status."""
    parser = arguments("oracle", __doc__)
    parser.add_argument("source", type=Path, help="a recipe, a directory of .debs, or a lock whose packages are stored")
    parser.add_argument("--store", type=Path, help="the assembler's store; default the user's")
    parser.add_argument("--work", type=Path, default=Path("/dev/shm/oracle"))
    parser.add_argument("--arch", default="amd64")
    parser.add_argument("--reuse", action="store_true", help="keep the reference of an earlier run")
    parser.add_argument("--verbose", action="store_true", help="show explained differences too")
    options = parser.parse_args()
    debs, files = load(options.source, Store(environment.read(options.store).store))
    root = options.work / "reference"
    try:
        if not (options.reuse and root.exists()):
            shutil.rmtree(root, ignore_errors=True)
            Reference(root, files, options.work / "dpkg.log").make(debs)
        start = time.process_time()
        tree, report = compute(debs, options.arch)
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
    print(f"unpacked and configured in {time.process_time() - start:.2f} CPU s")
    print("scripts:", ", ".join(f"{count} {kind}" for kind, count in report.counts().items()))
    unexplained, explained, reasons = judge(entries_of_tree(tree), entries_of_directory(root), contents_of(tree, root))
    for line in [*unexplained, *(explained if options.verbose else ())]:
        print(line)
    for reason, count in reasons.most_common():
        print(f"{count:6} explained: {reason}")
    print(f"{len(unexplained)} differences are not explained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
