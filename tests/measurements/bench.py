"""Measure the assembler beside mmdebstrap, mksquashfs and xorriso: the same packages, the same machine, one run.

    scripts/bench [--work DIRECTORY] [--recipe RECIPE.toml] [--rounds N] [--many]

With --many, more than a thousand packages are configured, too (`many.toml` here), about 1.5 GB of which are downloaded.
Everything is downloaded beforehand. What is compared is CPU time (user and system, of a program and all it starts), as
wall time says more of what else the machine does; of several rounds the least counts. Memory is the peak of the
assembler's own process, apart from the tools that it starts. Work on a tmpfs (about 3 GB), or the disk is measured too.

Needs mmdebstrap, mksquashfs (squashfs-tools) and xorriso on PATH. As root, mmdebstrap runs in its mode "root",
otherwise in "unshare". The exit status is 1 when a figure misses its threshold.
"""

import json
import os
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from assembler.cli import environment
from assembler.debian.deb import open_package
from assembler.formats.squashfs import BLOCK_SIZE, DEFAULT_LEVELS
from assembler.lockfile.model import LockedPackage
from assembler.recipe.load import load
from assembler.store.objects import Store
from tests.measurements.cost import Cost, cheapest, measure
from tests.support.command import ROOT, arguments
from tests.support.downloads import downloads_of, lock_of, put
from tests.support.tmpfs import tmpfs

PEERS = {"mmdebstrap": "mmdebstrap", "mksquashfs": "squashfs-tools", "xorriso": "xorriso"}
"""Programs to compare with, and their Debian packages."""
MAX_RATIO = 0.4
"""CPU seconds from packages to a root file system, against mmdebstrap's."""
MAX_UNPACKED = 3.0
"""CPU seconds to a root file system from packages that the store has unpacked."""
MAX_CONFIGURE = 2.0
"""CPU seconds for configuring all packages; the indexes of the kernel's modules are kept for each kernel."""
MAX_MANY = 12.0
"""The same for a thousand packages."""
MANY = Path(__file__).with_name("many.toml")
MAX_REBUILD = 2.0
"""Seconds of wall time for a build with nothing changed."""
MAX_MEMORY = 400 << 20
"""Bytes of the assembler's own process."""


@dataclass(frozen=True)
class Row:
    """One line of the result."""

    what: str
    ours: str
    peer: str = ""
    ratio: str = ""
    limit: str = ""
    passed: bool = True


def main() -> int:
    """Measure everything, print it; the exit status."""
    parser = arguments("bench", __doc__)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/livecd.toml", help="what to build")
    parser.add_argument("--work", type=Path, help="an empty directory  [default: one below /dev/shm]")
    parser.add_argument("--many", action="store_true", help="configure more than a thousand packages, too")
    parser.add_argument("--rounds", type=int, default=2, help="how often each is measured  [default: 2]")
    options = parser.parse_args()
    missing = [f"{name} (Debian: {package})" for name, package in PEERS.items() if not shutil.which(name)]
    if missing:
        parser.error(f"not on PATH: {', '.join(missing)}")
    with tempfile.TemporaryDirectory(prefix="assemble-bench-", dir=options.work or tmpfs(3 << 30)) as name:
        bench = Bench(Path(name), options.recipe.absolute(), options.rounds)
        rows = [*bench.run(), *(bench.many() if options.many else ())]
    _print(rows)
    return 0 if all(row.passed for row in rows) else 1


def _print(rows: Sequence[Row]) -> None:
    table = [("", "assembler", "peer", "ratio", "at most", "")]
    table += [(row.what, row.ours, row.peer, row.ratio, row.limit, _verdict(row)) for row in rows]
    widths = [max(len(line[column]) for line in table) for column in range(6)]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _verdict(row: Row) -> str:
    if not row.limit:
        return ""
    return "pass" if row.passed else "FAIL"


def _seconds(cost: Cost) -> str:
    return f"{cost.cpu:.1f} CPU s, {cost.wall:.1f} s"


def _note(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Bench:
    """All measurements for one recipe, below an empty directory."""

    def __init__(self, directory: Path, recipe: Path, rounds: int) -> None:
        self.directory, self.recipe, self.rounds = directory, recipe, rounds
        self.out = directory / "out"
        self.store = directory / "store"
        self.tar = directory / "rootfs.tar"

    def run(self) -> list[Row]:
        """The rows of the result."""
        _note("download what is missing")
        self._ours("assemble", {"arguments": ["build", str(self.recipe), "--out", str(self.out), "--quiet"]})
        self.loaded = load(self.recipe)
        self.lock_path = self.loaded.lock_path
        self.lock = lock_of(self.recipe)
        self.source = environment.read().store
        names = self._mmdebstrap_names()
        return [*self._rootfs_rows(names), *self._configure_rows(), *self._image_rows(), *self._build_rows()]

    def _ours(self, task: str, parameters: dict[str, Any]) -> Cost:
        argv = [sys.executable, "-P", "-m", "tests.measurements.tasks", task, json.dumps(parameters)]
        return measure(argv, directory=self.directory)

    def _fresh_store(self) -> None:
        """A store that has the packages, and nothing that was made of them."""
        shutil.rmtree(self.store, ignore_errors=True)
        put(downloads_of(self.lock, Store(self.source)), Store(self.store))

    def many(self) -> list[Row]:
        """The row of many packages: what they take for each thousand."""
        recipe = self.directory / "many" / MANY.name
        recipe.parent.mkdir()
        shutil.copyfile(MANY, recipe)
        _note("download many packages")
        self._ours("assemble", {"arguments": ["check", str(recipe), "--quiet"]})
        cpu, number = self._configured(recipe, load(recipe).lock_path, modules=False)
        return [
            Row(
                f"configuring {number} packages, for each thousand",
                f"{1000 * cpu / number:.2f} CPU s",
                limit=f"{MAX_MANY:g} CPU s",
                passed=1000 * cpu / number <= MAX_MANY,
            )
        ]

    def _configure_rows(self) -> list[Row]:
        alone, _ = self._configured(self.recipe, self.lock_path, modules=False)
        both, _ = self._configured(self.recipe, self.lock_path, modules=True)
        return [
            Row(
                "configuring alone",
                f"{alone:.2f} CPU s",
                limit=f"{MAX_CONFIGURE:g} CPU s",
                passed=alone <= MAX_CONFIGURE,
            ),
            Row("the same, with the kernel's module indexes", f"{both:.2f} CPU s"),
        ]

    def _configured(self, recipe: Path, lock: Path, *, modules: bool) -> tuple[float, int]:
        """CPU seconds, and how many packages there are."""
        _note(f"assembler: configuring alone{' with modules' if modules else ''}")
        out = self.directory / "configure.txt"
        parameters = {"recipe": str(recipe), "lock": str(lock), "store": str(self.source), "out": str(out)}

        def once() -> Cost:
            self._ours("configure", {**parameters, "modules": modules})
            return Cost(cpu=float(out.read_text().split()[0]), wall=0)

        return cheapest(self.rounds, once).cpu, int(out.read_text().split()[1])

    def _build_rows(self) -> list[Row]:
        arguments = ["build", str(self.recipe), "--out", str(self.out), "--store", str(self.store), "--offline", "-q"]
        _note("assembler: from packages to the ISO")

        def whole() -> Cost:
            self._fresh_store()
            # Files that are in the output directory already would stay.
            shutil.rmtree(self.out, ignore_errors=True)
            return self._ours("assemble", {"arguments": arguments})

        full = cheapest(self.rounds, whole)
        _note("assembler: again, nothing changed")
        again = cheapest(3 * self.rounds, lambda: self._ours("assemble", {"arguments": arguments}))
        memory = max(full.memory, again.memory)
        limit = f"{MAX_MEMORY >> 20} MiB"
        return [
            Row("everything, from packages to the ISO", _seconds(full)),
            Row(
                "the same again, nothing changed",
                _seconds(again),
                limit=f"{MAX_REBUILD:g} s",
                passed=again.wall <= MAX_REBUILD,
            ),
            Row("peak memory", f"{memory / (1 << 20):.0f} MiB", limit=limit, passed=memory < MAX_MEMORY),
        ]

    # --- the root file system ------------------------------------------------------------------------------------

    def _mmdebstrap_names(self) -> list[str]:
        """What apt makes of the recipe's packages, without a kernel: mmdebstrap would make an initrd for that."""
        self._repository()
        self._mmdebstrap()
        with tarfile.open(self.directory / "peer.tar") as archive:
            status = archive.extractfile("./var/lib/dpkg/status")
            assert status is not None
            return [line.split()[1].decode() for line in status if line.startswith(b"Package: ")]

    def _repository(self) -> None:
        """A flat repository of the very packages, for apt."""
        directory = self.directory / "repository"
        directory.mkdir()
        store = Store(self.source)
        with (directory / "Packages").open("w") as index:
            for package in self.lock.role("rootfs"):
                index.write(self._stanza(store, package, directory))

    def _stanza(self, store: Store, package: LockedPackage, directory: Path) -> str:
        name = package.path.rpartition("/")[2]
        shutil.copyfile(store.get(package.sha256), directory / name)
        fields = dict(open_package(store, package.sha256, package.name).fields)
        fields |= {"Filename": f"./{name}", "Size": str(package.size), "SHA256": package.sha256}
        return "".join(f"{key}: {value}\n" for key, value in fields.items()) + "\n"

    def _mmdebstrap(self) -> Cost:
        recipe = self.loaded.recipe.rootfs
        out = self.directory / "peer.tar"
        out.unlink(missing_ok=True)
        argv = ["mmdebstrap", "--mode=root" if os.geteuid() == 0 else "--mode=unshare", "--variant=essential"]
        argv += ["--format=tar", f"--include={','.join(recipe.packages)}"]
        argv += ["--aptopt=APT::Install-Recommends " + ("true" if recipe.recommends else "false")]
        argv += [f"--dpkgopt=path-exclude={pattern}" for pattern in recipe.exclude]
        argv += [f"--dpkgopt=path-include={pattern}" for pattern in recipe.include]
        argv += ["", str(out), f"deb [trusted=yes] copy:{self.directory}/repository ./"]
        return measure(argv, directory=self.directory)

    def _rootfs_rows(self, names: list[str]) -> list[Row]:
        _note(f"mmdebstrap: {len(names)} packages to a root file system")
        peer = cheapest(self.rounds, self._mmdebstrap)
        wanted = {
            "recipe": str(self.recipe),
            "lock": str(self.lock_path),
            "store": str(self.store),
            "names": names,
            "out": str(self.tar),
        }
        _note("assembler: the same")

        def from_packages() -> Cost:
            self._fresh_store()
            self.tar.unlink(missing_ok=True)
            return self._ours("rootfs", wanted)

        packed = cheapest(self.rounds, from_packages)
        _note("assembler: from unpacked packages")
        unpacked = cheapest(self.rounds, lambda: self._ours("rootfs", wanted))
        ratio = packed.cpu / peer.cpu
        return [
            Row(
                f"root file system of {len(names)} packages",
                _seconds(packed),
                f"mmdebstrap {_seconds(peer)}",
                f"{ratio:.2f}",
                f"{MAX_RATIO}",
                ratio <= MAX_RATIO,
            ),
            Row(
                "the same, packages unpacked before",
                _seconds(unpacked),
                "",
                f"{unpacked.cpu / peer.cpu:.2f}",
                f"{MAX_UNPACKED:g} CPU s",
                unpacked.cpu <= MAX_UNPACKED,
            ),
        ]

    # --- images --------------------------------------------------------------------------------------------------

    def _image_rows(self) -> list[Row]:
        _note("squashfs and ISO, both")
        ours, theirs = self.directory / "ours.squashfs", self.directory / "theirs.squashfs"
        parameters = {"recipe": str(self.recipe), "lock": str(self.lock_path), "store": str(self.store)}
        parameters |= {"source": str(self.tar), "out": str(ours)}
        self._ours("squashfs", parameters)  # so that the toolbox is unpacked
        squashed = cheapest(self.rounds, lambda: self._ours("squashfs", parameters))
        argv = ["mksquashfs", "-", str(theirs), "-tar", "-noappend", "-no-progress", "-b", str(BLOCK_SIZE)]
        argv += ["-comp", "zstd", "-Xcompression-level", str(DEFAULT_LEVELS["zstd"])]

        def mksquashfs() -> Cost:
            theirs.unlink(missing_ok=True)
            return measure(argv, stdin=self.tar, directory=self.directory)

        peer = cheapest(self.rounds, mksquashfs)
        files = {
            "/live/filesystem.squashfs": str(ours),
            "/boot/vmlinuz": str(self.out / "vmlinuz"),
            "/boot/initrd.img": str(self.out / "initrd.img"),
        }
        iso = cheapest(
            self.rounds, lambda: self._ours("iso", {"files": files, "out": str(self.directory / "ours.iso")})
        )
        xorriso = cheapest(self.rounds, lambda: self._xorriso(files))
        return [
            Row(
                f"squashfs of it, zstd {DEFAULT_LEVELS['zstd']}",
                _seconds(squashed),
                f"mksquashfs {_seconds(peer)}",
                f"{squashed.cpu / peer.cpu:.2f}",
            ),
            Row("ISO of it", _seconds(iso), f"xorriso {_seconds(xorriso)}", f"{iso.cpu / xorriso.cpu:.2f}"),
        ]

    def _xorriso(self, files: dict[str, str]) -> Cost:
        out = self.directory / "theirs.iso"
        out.unlink(missing_ok=True)
        argv = ["xorriso", "-as", "mkisofs", "-quiet", "-R", "-iso-level", "3", "-V", "K8S_NODE", "-o", str(out)]
        argv += ["-graft-points", *_grafts(files.items())]
        return measure(argv, directory=self.directory)


def _grafts(files: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{path}={name}" for path, name in files]


if __name__ == "__main__":
    sys.exit(main())
