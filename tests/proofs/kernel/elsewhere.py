"""A kernel where another distribution is, by an ordinary user: the same bytes as here.

A chroot is the other machine: Debian's smallest with Python, from another release, and so with another C library,
Python and coreutils. Out of it goes what may help a compiler: perl, awk and all else but a shell, coreutils, sed,
grep and Python. There the checkout sets itself up as on any machine, and compiles.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from assembler.store.objects import sha256_of
from tests.support.command import ROOT

_INCLUDED = "python3,python3-venv,ca-certificates"
_KEPT = ("coreutils", "dash", "grep", "libc-bin", "sed")
"""Packages whose programs stay, besides Python's."""
_ABSENT = ("cc", "gcc", "make", "flex", "bison", "bc", "perl", "pkg-config", "awk", "git", "tar")
_SETTINGS = ("etc/resolv.conf", "etc/hosts", "etc/pip.conf", "etc/ssl/certs/ca-certificates.crt")
"""Of this host: how names are found, and where packages of Python are."""
_VARIABLES = ("PIP_CERT", "PIP_INDEX", "PIP_DEFAULT_TIMEOUT", "ASSEMBLE_MIRROR", "http_proxy", "https_proxy")
_USER = "1234"
_HOME = "home/builder"
_CHECKOUT = f"{_HOME}/assembler"
_IN_CHROOT = """\
set -eu
mount -t proc proc "$1/proc"
mount --rbind /dev "$1/dev"
mount -t tmpfs -o mode=1777 tmpfs "$1/tmp"
chroot=$1 user=$2 home=$3
shift 3
exec chroot --userspec="$user:$user" --groups= "$chroot" env -i "HOME=/$home" PATH=/usr/bin:/bin "$@"
"""


def compare(release: str, architectures: Sequence[str], work: Path | None) -> bool:
    """Compile the tests' tiny kernel here and in a chroot of Debian's `release`, below the directory `work`, and print
    the digests; returns whether they are the same. Raises CalledProcessError. Only root can do this, with debootstrap.
    """
    same = True
    with _chroot(release, work) as chroot:
        for architecture in architectures:
            here = _compiled([sys.executable, "-P", "-m", "tests.proofs.kernel.tiny", architecture, "--jobs", "2"])
            script = f"exec scripts/module tests.proofs.kernel.tiny {architecture} --jobs 3"
            same &= _same(here, _compiled(_inside(chroot, script)), architecture)
    return same


def build(release: str, recipe: str, out: Path, work: Path | None) -> bool:
    """Build `recipe`, a path in the checkout, in a chroot as `compare` does, by the lock that is beside it here, and
    hold all that comes of it against what is in the directory `out`. Returns and raises as `compare` does.
    """
    lock = Path(recipe).with_suffix(".lock.toml")
    with _chroot(release, work) as chroot:
        shutil.copyfile(ROOT / lock, chroot / _CHECKOUT / lock)
        _run(_inside(chroot, f"exec scripts/assemble {recipe} --out out"))
        return _same(_digests(out), _digests(chroot / _CHECKOUT / "out"), recipe)


def _digests(directory: Path) -> dict[str, str]:
    return {path.name: sha256_of(path) for path in directory.iterdir() if path.is_file()}


def _same(here: Mapping[str, str], there: Mapping[str, str], what: str) -> bool:
    """Whether both have the same; prints each digest of `what`."""
    for key in sorted(here.keys() | there.keys()):
        first, second = here.get(key, ""), there.get(key, "")
        print(f"{what} {key}: {first}" + (f", but {second} there" if first != second else ""), flush=True)
    return here == there


@contextmanager
def _chroot(release: str, work: Path | None) -> Iterator[Path]:
    """The other machine, while the context lasts."""
    with tempfile.TemporaryDirectory(prefix="assemble-elsewhere-", dir=work) as name:
        chroot = Path(name) / release
        _run(["debootstrap", "--variant=minbase", f"--include={_INCLUDED}", release, chroot])
        _strip(chroot)
        _furnish(chroot)
        yield chroot


def _run(command: Sequence[str | Path]) -> None:
    subprocess.run(command, check=True)


def _strip(chroot: Path) -> None:
    """Remove all programs but the few that every machine has."""
    info = chroot / "var/lib/dpkg/info"
    lists = [path for path in info.glob("*.list") if path.stem.partition(":")[0] in _KEPT or "python3" in path.stem]
    kept = {"sh", *(Path(line).name for path in lists for line in path.read_text().splitlines())}
    for directory in ("usr/bin", "usr/sbin"):
        for program in (chroot / directory).iterdir():
            if program.name not in kept:
                program.unlink()
    for name in _ABSENT:
        assert not shutil.which(name, path=f"{chroot}/usr/bin:{chroot}/usr/sbin"), name
    assert not any((chroot / "usr/include").glob("*"))


def _furnish(chroot: Path) -> None:
    """Give it this host's settings, a user, and the checkout."""
    for name in _SETTINGS:
        if Path("/", name).exists():
            (chroot / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(Path("/", name), chroot / name)
    for name, line in (("passwd", f"builder:x:{_USER}:{_USER}::/{_HOME}:/bin/sh"), ("group", f"builder:x:{_USER}:")):
        with (chroot / "etc" / name).open("a") as database:
            print(line, file=database)
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z"]
    files = subprocess.run(command, cwd=ROOT, check=True, capture_output=True).stdout.decode().split("\0")
    for file in filter(None, files):
        target = chroot / _CHECKOUT / file
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / file, target, follow_symlinks=False)
    for path in ((chroot / _HOME), *(chroot / _HOME).rglob("*")):
        os.chown(path, int(_USER), int(_USER), follow_symlinks=False)


def _inside(chroot: Path, script: str) -> list[str]:
    """What runs a script in the chroot's checkout, as the user; what is mounted for that goes with it."""
    settings = [f"{key}={value}" for key, value in os.environ.items() if key.startswith(_VARIABLES)]
    outer = ["unshare", "--mount", "sh", "-c", _IN_CHROOT, "sh", str(chroot), _USER, _HOME, *settings]
    return [*outer, "sh", "-c", f"cd ~/assembler && {script}"]


def _compiled(command: Sequence[str]) -> dict[str, str]:
    """What `tiny` prints."""
    done = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    found = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(found, dict)
    return found
