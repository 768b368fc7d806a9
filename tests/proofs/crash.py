"""Kill builds at random moments, and see that the next one makes the same bytes, and the store has nothing wrong.

    scripts/crash [--work DIRECTORY] [--recipe RECIPE.toml] [--number 100] [--kills 4] [--pairs 4] [--disks 4] [--seed
    1]

Everything is downloaded beforehand; what is built goes into a store of its own. A round removes all results of former
builds or some of them, and in every fifth round downloads, too, which a server on 127.0.0.1 has. It starts a build,
kills it with SIGKILL after a random CPU time, once with all that it started, once alone, and starts it again, up to
--kills times. After each, all objects in the store must have the bytes that their names say, and all results those of
an undisturbed build. The last build of a round is left alone, but for orphans that may still be at work: it must make
the same files as ever and leave nothing behind. Every fourth round builds all, the others leave out the layer rootfs,
as its files take long.

Then pairs of builds at the same time share the store. In the end stores lie on disks that get full at random moments
(this needs root): the build must say so, and succeed when the disk has grown.

Works on a tmpfs when it has room (about 4 GB). The exit status is 1 when anything was wrong.
"""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

from assembler.cli import environment
from assembler.store.objects import Store, sha256_of
from tests.proofs.processes import adopt, children, kill_orphans, reap, watch
from tests.support.command import ROOT, arguments
from tests.support.downloads import downloads_of, lock_of, put, serve_packages
from tests.support.http_server import Server, running
from tests.support.tmpfs import tmpfs

ROOM = 4 << 30
"""Bytes that a run needs at most."""
DOWNLOADS_EVERY = 5
"""Rounds, one of which downloads."""
WHOLE_EVERY = 4
ORPHANS_END = 60.0
"""Seconds in which what a killed build has started must have ended."""


def main() -> int:
    """Returns the exit status."""
    parser = arguments("crash", __doc__)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes/livecd.toml", help="what to build")
    parser.add_argument("--work", type=Path, help="an empty directory  [default: one below /dev/shm]")
    parser.add_argument("--number", type=int, default=100, help="builds that are killed  [default: 100]")
    parser.add_argument("--kills", type=int, default=4, help="times that a round kills a build  [default: 4]")
    parser.add_argument("--pairs", type=int, default=4, help="pairs of builds at the same time  [default: 4]")
    parser.add_argument("--disks", type=int, default=4, help="stores on a disk that is too small  [default: 4]")
    parser.add_argument("--seed", type=int, default=1, help="of all that is random  [default: 1]")
    wishes = parser.parse_args()
    if wishes.disks and os.geteuid():
        parser.error("only root may mount a small disk: leave that out with --disks 0")
    adopt()
    with (
        tempfile.TemporaryDirectory(prefix="assemble-crash-", dir=wishes.work or tmpfs(ROOM)) as name,
        running() as server,
    ):
        return Crash(Path(name), wishes.recipe.absolute(), server, wishes.seed).run(
            wishes.number, wishes.kills, wishes.pairs, wishes.disks
        )


def _say(text: str) -> None:
    print(text, flush=True)


# --- what a build leaves ---------------------------------------------------------------------------------------------


def _tree(directory: Path) -> str:
    """A digest of all that a file or directory holds: names, kinds, links and bytes."""
    state = hashlib.sha256()
    for path in sorted([directory, *directory.rglob("*")]):
        state.update(f"{path.relative_to(directory)}\0".encode())
        if path.is_symlink():
            state.update(f"l{path.readlink()}\0".encode())
        elif path.is_file():
            state.update(f"f{sha256_of(path)}\0".encode())
    return state.hexdigest()


def _results(store: Store) -> dict[str, str]:
    """Digests of the derived results in a store, by kind and key, but for notes of what was proved: they say when."""
    made = [path for path in store.results.glob("*/*") if not path.parent.name.startswith("proved-tools-")]
    return {str(path.relative_to(store.results)): _tree(path) for path in made}


def _files(directory: Path) -> dict[str, str]:
    """Digests of all files in an output directory, hidden ones included."""
    return {str(path.relative_to(directory)): sha256_of(path) for path in directory.rglob("*") if path.is_file()}


def _remove(path: Path) -> None:
    """Remove a file, or a directory with all that it holds."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()


def _wrong_objects(store: Store) -> Iterator[str]:
    for path in (store.root / "objects").rglob("*"):
        if path.is_file() and (path != store.path(path.name) or sha256_of(path) != path.name):
            yield f"the object {path.name} is wrong"


def _differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(before.keys() | now.keys()):
        if name not in now:
            yield f"{name} is missing"
        elif name not in before:
            yield f"{name} should not be there"
        elif before[name] != now[name]:
            yield f"{name} has other bytes"


# --- the rounds ------------------------------------------------------------------------------------------------------


class Crash:
    """All rounds for one recipe, below an empty directory."""

    def __init__(self, directory: Path, recipe: Path, server: Server, seed: int) -> None:
        self.directory, self.recipe, self.server = directory, recipe, server
        self.chance = random.Random(seed)  # noqa: S311  to be repeatable, not secret
        self.store = Store(directory / "store")
        self.log = directory / "log"
        self.files: dict[bool, dict[str, str]] = {}
        """Digests of the files of an undisturbed build, by whether it is a whole one."""
        self.seconds: dict[bool, float] = {}
        """CPU seconds that it takes, nothing being there but downloads."""
        self.results: dict[str, str] = {}
        self.downloads: dict[str, Path] = {}
        """Where the user's store has what is downloaded, by digest."""
        self.room = 0
        """Bytes of the results that an ISO needs."""
        self.failures = 0

    def run(self, number: int, kills: int, pairs: int, disks: int) -> int:
        """The exit status."""
        self._prepare()
        began = time.monotonic()
        killed = rounds = 0
        while killed < number:
            killed += self._round(rounds, min(kills, number - killed))
            rounds += 1
        for index in range(pairs):
            self._pair(index)
        for index in range(disks):
            self._disk(index)
        minutes = (time.monotonic() - began) / 60
        _say(
            f"{killed} killed builds, {rounds} that carried on, {pairs} pairs and {disks} full disks "
            f"in {minutes:.0f} minutes: "
            f"{self.failures or 'no'} failures"
        )
        return 1 if self.failures else 0

    def _prepare(self) -> None:
        """Learn what undisturbed builds make."""
        source, out = environment.read().store, self.directory / "first"
        # As the user would, so that the lock and all downloads are there.
        self._finish(self._start(out, whole=True, store=source, offline=False, variables={}), "the first build")
        lock, here = lock_of(self.recipe), Store(source)
        self.downloads = downloads_of(lock, here)
        serve_packages(self.server, lock, here)
        put(self.downloads, self.store)
        for whole in (False, True):
            self._forget()
            process = self._begin(whole=whole)
            self.seconds[whole] = watch(process)
            self._finish(process, "an undisturbed build")
            self.files[whole] = _files(self.out)
            self.room = self.room or _used(self.store.results)
        self.results = _results(self.store)
        self._tell("the user's store and an empty one", _differences(_files(out), self.files[True]))
        shutil.rmtree(out)
        _say(
            f"undisturbed: {self.seconds[True]:.0f} CPU s, {len(self.files[True])} files; without rootfs "
            f"{self.seconds[False]:.0f} CPU s, {len(self.files[False])} files; {len(self.results)} results"
        )

    @property
    def out(self) -> Path:
        """Where builds put their files."""
        return self.directory / "out"

    def _start(
        self, out: Path, *, whole: bool, store: Path, offline: bool, variables: Mapping[str, str]
    ) -> "subprocess.Popen[bytes]":
        argv = [sys.executable, "-P", "-m", "assembler", "build", str(self.recipe)]
        argv += ["--out", str(out), "--store", str(store), "--quiet"]
        argv += [*([] if whole else ["--skip", "rootfs"]), *(["--offline"] if offline else [])]
        with self.log.open("ab") as log:
            return subprocess.Popen(
                argv, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=os.environ | variables
            )

    def _begin(
        self, *, whole: bool, offline: bool = True, out: Path | None = None, store: Store | None = None
    ) -> "subprocess.Popen[bytes]":
        self.log.unlink(missing_ok=True)
        variables = {
            "ASSEMBLE_MIRROR": self.server.url("/debian"),
            "no_proxy": "127.0.0.1",
            # So that nobody else is asked.
            "http_proxy": "http://127.0.0.1:9",
            "https_proxy": "http://127.0.0.1:9",
        }
        place = (store or self.store).root
        return self._start(out or self.out, whole=whole, store=place, offline=offline, variables=variables)

    def _finish(self, process: "subprocess.Popen[bytes]", what: str) -> None:
        """Wait for a build that must succeed."""
        if process.wait():
            self._tell(what, [f"exit status {process.returncode}: {self.log.read_text(errors='replace')[-2000:]}"])

    def _build(self, *, whole: bool, offline: bool = True) -> None:
        self._finish(self._begin(whole=whole, offline=offline), "a build")

    def _tell(self, what: str, wrong: Iterator[str] | list[str]) -> None:
        for text in wrong:
            self.failures += 1
            _say(f"FAILURE: {what}: {text}")

    def _forget(self, *, some: bool = False, downloads: bool = False) -> None:
        """Remove the outputs, and all or some of the results and the downloads."""
        shutil.rmtree(self.out, ignore_errors=True)
        for path in self.store.results.glob("*/*"):
            if not some or self.chance.random() < 1 / 2:
                _remove(path)
        if downloads:
            for digest in self.downloads:
                if not some or self.chance.random() < 1 / 2:
                    self.store.path(digest).unlink(missing_ok=True)

    def _round(self, index: int, wanted: int) -> int:
        """Begin a build up to `wanted` times, kill it each time, and let the last succeed; how many were killed."""
        whole, some = index % WHOLE_EVERY == 0, self.chance.random() < 1 / 2
        downloads = index % DOWNLOADS_EVERY == DOWNLOADS_EVERY - 1
        _say(
            f"round {index}: {'a whole build' if whole else 'an ISO'}{', downloading' if downloads else ''}, "
            f"{'some' if some else 'all'} results removed"
        )
        self._forget(some=some, downloads=downloads)
        # Downloads come first.
        left, killed = self.seconds[whole] / (4 if downloads else 1), 0
        while killed < wanted:
            process = self._begin(whole=whole, offline=not downloads)
            moment = self.chance.uniform(0, left)
            spent = watch(process, moment)
            process.kill()
            if not process.wait():  # it was quicker
                if killed:
                    break
                left = spent
                self._forget(some=some, downloads=downloads)
                continue
            if process.returncode != -signal.SIGKILL:
                self._finish(process, f"round {index}")
                break
            killed += 1
            alone = self.chance.random() < 1 / 2
            if not alone:
                kill_orphans()
            _say(f"    killed {'alone' if alone else 'with all it started'} after {spent:.1f} s: {self._left()}")
            self._check(f"round {index}", self.store)
            # What the killed build has done need not be done again, but every build has to start.
            left = max(left - moment, left / 2)
        self._build(whole=whole, offline=not downloads)
        self._tell(f"round {index}", _differences(self.files[whole], _files(self.out)))
        self._look(f"round {index}", self.store)
        return killed

    def _left(self) -> str:
        """What a killed build has left, in words."""
        unfinished, incoming = (len(list((self.store.root / name).glob("*"))) for name in ("tmp", "downloads"))
        results = len(list(self.store.results.glob("*/*")))
        return f"{results} results, {unfinished} unfinished, {incoming} partial downloads, {reap()} orphans"

    def _check(self, what: str, store: Store) -> None:
        """See that all that counts in a store is right."""
        self._tell(what, _wrong_objects(store))
        results = _results(store)
        # Some results only a whole build needs.
        self._tell(what, _differences({name: self.results.get(name, "") for name in results}, results))

    def _look(self, what: str, store: Store) -> None:
        """See that a store after a build that was not killed is as it should be, and nothing runs any more."""
        self._check(what, store)
        for directory in ("tmp", "downloads"):
            self._tell(what, [f"{path} was left" for path in (store.root / directory).glob("*")])
        end = time.monotonic() + ORPHANS_END
        while reap() and time.monotonic() < end:
            time.sleep(0.05)
        self._tell(what, [f"process {child} still runs" for child in children(os.getpid())])
        kill_orphans()

    def _pair(self, index: int) -> None:
        """Two builds at the same time."""
        whole, downloads, what = index % 2 == 0, index % 4 > 1, f"pair {index}"
        self._forget(downloads=downloads)
        outs = [self.directory / name for name in ("one", "two")]
        seen = len(self.server.seen)
        processes = [self._begin(whole=whole, offline=not downloads, out=out) for out in outs]
        for process, out in zip(processes, outs, strict=True):
            self._finish(process, what)
            self._tell(what, _differences(self.files[whole], _files(out)))
            shutil.rmtree(out, ignore_errors=True)
        self._look(what, self.store)
        fetched = [path for path, _ in self.server.seen[seen:]]
        self._tell(what, [f"{path} was fetched twice" for path in sorted(set(fetched)) if fetched.count(path) > 1])
        _say(f"{what}: {'whole' if whole else 'ISO'}, {len(fetched)} downloads")

    def _disk(self, index: int) -> None:
        """A store on a disk that is too small, and then is not."""
        what, place = f"disk {index}", self.directory / "disk"
        place.mkdir(exist_ok=True)
        free = round(self.room * self.chance.uniform(0.02, 0.95))
        downloads = sum(path.stat().st_size for path in self.downloads.values())
        shutil.rmtree(self.out, ignore_errors=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={downloads + free}", "tmpfs", place], check=True)
        try:
            store = Store(place / "store")
            put(self.downloads, store)
            process = self._begin(whole=False, store=store)
            process.wait()
            said = self.log.read_text(errors="replace")
            if process.returncode != 1 or "the disk of the store is full" not in said:
                self._tell(what, [f"exit status {process.returncode}: {said}"])
            error = [line for line in said.splitlines() if "error:" in line]
            self._look(what, store)
            self._tell(what, [f"{path} is there" for path in self.out.glob("*")])
            subprocess.run(["mount", "-o", f"remount,size={ROOM}", place], check=True)
            self._finish(self._begin(whole=False, store=store), what)
            self._tell(what, _differences(self.files[False], _files(self.out)))
            self._look(what, store)
        finally:
            subprocess.run(["umount", place], check=True)
        _say(f"{what}: full after {free >> 20} of {self.room >> 20} MiB of results: {' '.join(error)}")


def _used(directory: Path) -> int:
    """Bytes on the disk."""
    return sum(path.lstat().st_blocks * 512 for path in directory.rglob("*"))


if __name__ == "__main__":
    sys.exit(main())
