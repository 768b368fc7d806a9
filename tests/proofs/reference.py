"""What the real dpkg leaves for some packages, and what the assembler makes of them.

dpkg and the maintainer scripts run in a machine of the assembler's, or in a chroot (root, Linux, dpkg, tar, ip and
unshare), with the packages in the order of the assembler. Nothing outside the chroot's directory is written to.
"""

import os
import shutil
import stat
import subprocess
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from assembler.configure import identity, leftovers
from assembler.configure.engine import Settings, configure, executing_the_rest
from assembler.configure.executed import Execution, Failed, chosen, laid_out
from assembler.configure.job import Configure, Execute, Job, Unpack, refuse
from assembler.configure.order import configure_order, orderable, stages, unpack_order
from assembler.configure.report import Report
from assembler.debian.deb import Deb
from assembler.debian.unpack import unpack
from assembler.errors import AssembleError
from assembler.layers.byte_code import NONE, ByteCode, compiler, version
from assembler.recipe.model import Scripts
from assembler.tools.source import BUILD
from assembler.tree.staging import Tree
from tests.support.toolboxes import locked, own_tools

EPOCH = 1767225600
ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "DEBIAN_FRONTEND": "noninteractive",
    "DEBCONF_NONINTERACTIVE_SEEN": "true",
    "LC_ALL": "C.UTF-8",
    "HOME": "/root",
    "SOURCE_DATE_EPOCH": str(EPOCH),
}
DEVICES = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
"""As in the machine: assembler/guest/init."""


class NoReference(Exception):
    """dpkg failed; the message names the command and its log."""


def in_order(debs: Collection[Deb], first: Collection[str] = ()) -> list[Deb]:
    """`debs` in the order in which they are unpacked, those that `first` names before the others."""
    by_name = {deb.name: deb for deb in debs}
    return [by_name[name] for name in unpack_order(orderable(debs), first)]


def compute(
    debs: Sequence[Deb],
    arch: str,
    first: frozenset[str] = frozenset(),
    *,
    mode: Scripts = "computed",
    execute: Execute = refuse,
    code: bool = False,
) -> tuple[Tree, Report]:
    """The tree as the assembler makes it, and what it says of the scripts. `execute` has a machine do what `mode` does
    not compute; `code`: whether byte code is made, as in the chroot. Raises AssembleError, Problems.
    """
    packages = unpack(Tree(EPOCH), debs, latest=EPOCH)
    made = byte_code(debs) if code else NONE
    settings = Settings(EPOCH, arch, first=first, python=made.version, fill=made.fill)

    def attempt(failed: Failed) -> tuple[Tree, Report]:
        names, early = chosen(packages, arch, (), {}, mode, failed=failed)
        there = tuple(deb for deb in debs if deb.name in early)
        execution = Execution(execute=execute, names=names, unpack=there, refuse_keys=False) if names else None
        tree = Tree(EPOCH)
        unpack(tree, laid_out(debs, early) if names else debs, latest=EPOCH)
        return tree, configure(tree, packages, replace(settings, execution=execution))

    return executing_the_rest(attempt, mode)


def byte_code(debs: Sequence[Deb]) -> ByteCode:
    """The byte code of an image of these packages, as builds have it made."""
    store, lock = locked(set())
    found = version(((deb.name, deb.fields["Version"]) for deb in debs), lock.tools)
    return ByteCode(found, compiler(store, lambda: own_tools(BUILD), found)) if found else NONE


def added(
    base: Tree, debs: Sequence[Deb], first: Collection[str], execute: Execute
) -> tuple[Tree, tuple[AssembleError, ...]]:
    """`base`, where those of `debs` that are in `first` are installed, after a machine has installed the others; and
    the private keys that scripts made there, with which a build would be refused.
    """
    unpacked = tuple(deb for deb in debs if deb.name not in first)
    order = tuple(name for name in configure_order(orderable(debs), first) if name not in first)
    changes = execute(base, Job(steps=(Unpack(packages=unpacked), Configure(names=order)), epoch=EPOCH))
    shipped = {member.path for deb in unpacked for member in deb.members}
    changes = leftovers.without(changes, shipped)
    tree = base.copy()
    changes.apply(tree)
    leftovers.take_lists(tree, changes.put)
    return tree, tuple(identity.shared_keys(changes, shipped))


class Reference:
    """A directory in which dpkg installs packages; `files` are their .debs by name, `log` takes what is printed."""

    def __init__(self, root: Path, files: Mapping[str, Path], log: Path) -> None:
        self.root, self.files, self.log = root, files, log

    def make(self, debs: Sequence[Deb]) -> None:
        """Install `debs` into the directory, which does not exist yet: essential ones first. Raises NoReference."""
        root = self.root
        for directory in ("usr/bin", "usr/sbin", "usr/lib", "usr/lib64", "proc"):
            (root / directory).mkdir(parents=True)
        for alias in ("bin", "sbin", "lib", "lib64"):
            (root / alias).symlink_to(f"usr/{alias}")
        essential, rest = stages(orderable(debs))
        by_name = {deb.name: deb for deb in debs}
        for name in essential:
            # Enough to start the dpkg in there, which then installs all of it.
            options = ["-C", str(root), "--keep-directory-symlink", "--xattrs", "--numeric-owner"]
            subprocess.run(["tar", *options, "-xpf", str(by_name[name].data)], check=True)
        for directory in ("info", "updates", "triggers", "alternatives", "parts"):
            (root / "var/lib/dpkg" / directory).mkdir(parents=True, exist_ok=True)
        for name in ("status", "available"):
            (root / "var/lib/dpkg" / name).touch()
        self.log.unlink(missing_ok=True)
        self._install(debs, essential, "--force-depends")
        self._install(debs, rest)

    def add(self, debs: Sequence[Deb], first: Collection[str]) -> None:
        """Install those of `debs` that are not in `first`, which has been installed. Raises NoReference."""
        self._install(debs, stages(orderable(debs), first)[-1])

    def _install(self, debs: Sequence[Deb], names: Sequence[str], *force: str) -> None:
        """Install those of `debs` that are in `names`, which is the order in which dpkg is told to configure them."""
        policy, directory = self.root / "usr/sbin/policy-rc.d", self.root / "debs"
        # Nothing may start. runit-helper, which starts nothing without runit, would not even make its link when told.
        policy.write_text("#!/bin/sh\ngrep -qs runit-helper /proc/$PPID/cmdline && exit 0\nexit 101\n")
        policy.chmod(0o755)
        directory.mkdir()
        paths = []
        for deb in debs:
            if deb.name in names:
                shutil.copyfile(self.files[deb.name], directory / f"{deb.name}.deb")
                paths.append(f"/debs/{deb.name}.deb")
        with self._devices():
            start = f"@{int(time.time()) - 1}"
            # The assembler unpacks all before it configures any, so Pre-Depends are not configured yet.
            self._in_chroot("dpkg", "--force-depends", "--unpack", *paths)
            # Nothing is later than the epoch, as in the assembler's trees: mandb writes down the times of its pages.
            late = ("find", "/", "-xdev", "-newermt", f"@{EPOCH}", "-newerct", start)
            self._in_chroot(*late, "-exec", "touch", "-h", "-d", f"@{EPOCH}", "{}", "+")
            self._in_chroot("dpkg", "--configure", *force, *names)
        shutil.rmtree(directory)
        policy.unlink()

    @contextmanager
    def _devices(self) -> Iterator[None]:
        """What a machine has in /dev, but for terminals."""
        made = [self.root / "dev" / name for name in (*DEVICES, *LINKS)]
        shared = self.root / "dev" / "shm"
        shared.mkdir(parents=True, exist_ok=True)
        shared.chmod(0o1777)
        for path, (major, minor) in zip(made, DEVICES.values(), strict=False):
            os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(major, minor))
            path.chmod(0o666)
        for path, target in zip(made[len(DEVICES) :], LINKS.values(), strict=True):
            path.symlink_to(target)
        yield
        for path in made:
            path.unlink()
        shutil.rmtree(shared)

    def _in_chroot(self, *command: str) -> None:
        root = str(self.root)
        isolated = ["unshare", "--mount", "--uts", "--pid", "--fork", "--net", f"--mount-proc={root}/proc"]
        isolated += ["sh", "-c", 'hostname localhost && ip link set lo up && exec chroot "$@"', "sh", root]
        with self.log.open("a") as log:
            result = subprocess.run([*isolated, *command], env=ENVIRONMENT, stdout=log, stderr=log, check=False)
        if result.returncode:
            raise NoReference(f"{' '.join(command[:3])} failed with status {result.returncode}; see {self.log}")


@contextmanager
def copy_of(root: Path, work: Path) -> Iterator[tuple[Path, Path]]:
    """A copy of a tree that can be written to, and the directory of what is changed in it; gone afterwards, unless
    something failed.
    """
    shutil.rmtree(work, ignore_errors=True)
    merged, upper, internal = (work / name for name in ("merged", "upper", "internal"))
    for directory in (merged, upper, internal):
        directory.mkdir(parents=True)
    options = f"lowerdir={root},upperdir={upper},workdir={internal},redirect_dir=off,metacopy=off,index=off"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, str(merged)], check=True)
    failed = True
    try:
        yield merged, upper
        failed = False
    finally:
        subprocess.run(["umount", str(merged)], check=True)
        if not failed:
            shutil.rmtree(work)
