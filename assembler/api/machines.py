"""The machine in which packages are configured: its parts, pinned and proved."""

from assembler.api.tools import open_emulator
from assembler.api.workspace import Workspace
from assembler.architecture import named
from assembler.debian.deb import open_package
from assembler.guest.execute import Executor, Parts
from assembler.guest.initramfs import compose, packages
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.vm.finding import in_toolbox


def open_executor(workspace: Workspace, architecture: str, toolbox: Toolbox, supply: Supply, epoch: int) -> Executor:
    """What has jobs done for images of `architecture`."""
    target = named(architecture)
    emulators = open_emulator(workspace, target, supply)
    from assembler.tools.ready import guest_packages

    locked = guest_packages(packages(target), architecture, workspace.tool_source(), supply)
    debs = [
        open_package(supply.store, package.sha256, package.name)
        for package in locked
        if package.name == "busybox-static" or package.name.startswith("linux-image-6")
    ]
    firmware = emulators.root / target.counted.firmware if target.counted.firmware else None
    return Executor(
        parts=Parts(
            architecture=target,
            emulator=in_toolbox(target, emulators),
            toolbox=toolbox,
            start=compose(debs, epoch),
            identity={"root": emulators.root.parent.name},
            firmware=firmware,
        ),
        store=supply.store,
        reporter=workspace.reporter,
    )
