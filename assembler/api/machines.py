"""The machine in which packages are configured: its parts out of a lock, proved."""

from functools import cache

from assembler.api.tools import open_build_tools
from assembler.api.workspace import Workspace
from assembler.architecture import named
from assembler.configure.job import Job, NoMachineError
from assembler.debian.deb import open_package
from assembler.debian.fetch import fetch_packages
from assembler.guest.execute import Executor, Parts
from assembler.guest.initramfs import compose
from assembler.lockfile.model import LockedMachine, LockedToolbox
from assembler.tools.ready import open_tools
from assembler.tools.source import of_user
from assembler.tools.supply import Supply
from assembler.tools.trust import prove
from assembler.tree.changes import Changes
from assembler.tree.staging import Tree
from assembler.vm.finding import in_toolbox


class Machine:
    """A locked machine and the tools for its disk, fetched, proved and put together when it is first needed.

    Each method raises, when that comes, ToolTrustError when it cannot be proved, TransportError when it cannot be had,
    and NoMachineError when the lock has none; and what :class:`Executor` raises.
    """

    def __init__(
        self, workspace: Workspace, locked: tuple[LockedToolbox, LockedMachine] | None, supply: Supply
    ) -> None:
        self._workspace, self._locked, self._supply = workspace, locked, supply
        self._parts = cache(self._open)

    def __call__(self, tree: Tree, job: Job) -> Changes:
        """What `job` makes of `tree`."""
        return self._executor(job)(tree, job)

    def attach(self, tree: Tree, job: Job) -> None:
        """Have it done with this process's terminal as the console."""
        self._executor(job).attach(tree, job)

    def printed(self, tree: Tree, job: Job) -> bytes:
        """What the last step of it prints."""
        return self._executor(job).printed(tree, job)

    def _executor(self, job: Job) -> Executor:
        return Executor(parts=self._parts(job.epoch), store=self._supply.store, reporter=self._supply.reporter)

    def _open(self, epoch: int) -> Parts:
        workspace, supply = self._workspace, self._supply
        if self._locked is None:
            raise NoMachineError(
                "the lock has no machine, and scripts have to be executed",
                why="it is an old one, or the source of the tools has no QEMU",
                hint='run `assemble lock`; or say scripts = "computed" in [rootfs] to have them refused',
            )
        tools, machine = self._locked
        target = named(machine.guest.architecture)
        emulators = open_tools(machine.emulator, workspace.tool_source(), supply)
        # Nothing of it runs on this machine, so that an old version is as good as a new one.
        guest = prove(machine.guest, of_user(workspace.tool_source().sources), supply)
        fetch_packages(guest.packages, machine.guest.archives, **supply.means)
        debs = [open_package(supply.store, package.sha256, package.name) for package in guest.packages]
        made_by = {package.name: package for box in (tools, machine.emulator) for package in box.packages}
        return Parts(
            architecture=target,
            emulator=in_toolbox(target, emulators),
            toolbox=open_build_tools(workspace, tools, supply),
            start=compose(debs, target, epoch),
            identity={name: f"{package.version} {package.sha256}" for name, package in sorted(made_by.items())},
            firmware=emulators.root / target.counted.firmware if target.counted.firmware else None,
        )
