"""The machine in which packages are configured: its parts out of a lock, proved."""

from functools import cache

from assembler.api.tools import open_build_tools
from assembler.api.workspace import Workspace
from assembler.architecture import named
from assembler.configure.job import Execute, Job, NoMachineError
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


def executor(workspace: Workspace, locked: tuple[LockedToolbox, LockedMachine] | None, supply: Supply) -> Execute:
    """What has jobs done in a `locked` machine, with the tools for its disk.

    It is fetched, proved and put together for the first of them.
    Raises, when that comes, ToolTrustError when it cannot be proved, TransportError when it cannot be had, and
    NoMachineError when the lock has none.
    """

    @cache
    def parts(epoch: int) -> Parts:
        if locked is None:
            raise NoMachineError(
                "the lock has no machine, and scripts have to be executed",
                why="it is an old one, or the source of the tools has no QEMU",
                hint='run `assemble lock`; or say scripts = "computed" in [rootfs] to have them refused',
            )
        tools, machine = locked
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
            start=compose(debs, epoch),
            identity={name: f"{package.version} {package.sha256}" for name, package in sorted(made_by.items())},
            firmware=emulators.root / target.counted.firmware if target.counted.firmware else None,
        )

    def execute(tree: Tree, job: Job) -> Changes:
        return Executor(parts=parts(job.epoch), store=supply.store, reporter=supply.reporter)(tree, job)

    return execute
