"""The assembler's own tools for a workspace: pinned, proved, and laid out to be run."""

from collections.abc import Collection, Sequence
from itertools import repeat

from assembler.api.workspace import Workspace
from assembler.architecture import ARCHITECTURES, Architecture, named
from assembler.configure.executed import may_execute
from assembler.errors import AssembleError
from assembler.guest.initramfs import PARTS, packages
from assembler.lockfile.model import Lock, LockedMachine, LockedToolbox
from assembler.recipe.model import Recipe
from assembler.tools.locking import Box, lock_boxes
from assembler.tools.ready import open_pinned, open_tools
from assembler.tools.source import BUILD, ToolSource
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import outdated


def host(workspace: Workspace) -> Architecture:
    """What this machine is. Raises AssembleError when tools cannot run on it."""
    found = ARCHITECTURES.get(workspace.architecture)
    if found is None:
        machines = " or ".join(each.machine for each in ARCHITECTURES.values())
        raise AssembleError("no tools run on this machine's architecture", hint=f"use a machine of {machines}")
    return found


def lock_build_tools(
    workspace: Workspace,
    supply: Supply,
    recipe: Recipe,
    *,
    previous: Lock | None = None,
    upgrade: Collection[str] | None = None,
) -> tuple[LockedToolbox, LockedMachine | None]:
    """The tools for building `recipe` on this machine, and the machine in which scripts are executed, when any may be.

    They are those of `previous` while they serve and `upgrade` names none of them.
    `upgrade`: names of packages or source packages; None for all.
    """
    source = workspace.tool_source()
    boxes = [Box(names=BUILD, architecture=host(workspace).name)]
    if may_execute(recipe.rootfs):
        target = named(recipe.arch)
        boxes.append(Box(names=target.counted.packages, architecture=host(workspace).name))
        boxes.append(Box(names=packages(target), architecture=target.name, kept=PARTS))
    known = previous.toolboxes if previous else ()
    if upgrade is not None and len(known) == len(boxes) and all(map(_serves, known, boxes, repeat(source))):
        found = {name for box in known for package in box.packages for name in (package.name, package.source)}
        if found.isdisjoint(upgrade):
            return _as_locked(known)
    return _as_locked(lock_boxes(boxes, source, supply, previous=known))


def _as_locked(boxes: Sequence[LockedToolbox]) -> tuple[LockedToolbox, LockedMachine | None]:
    tools, *machine = boxes
    return tools, LockedMachine(emulator=machine[0], guest=machine[1]) if machine else None


def _serves(tools: LockedToolbox, box: Box, source: ToolSource) -> bool:
    known = {(archive.root, archive.suite) for archive in source.archives}
    return (
        tools.architecture == box.architecture
        and {(archive.root, archive.suite) for archive in tools.archives} <= known
        and set(box.names) <= {package.name for package in tools.packages}
        and not outdated(tools.packages, source)
    )


def open_build_tools(workspace: Workspace, tools: LockedToolbox, supply: Supply) -> Toolbox:
    """The programs of a lock's `tools`. Raises ToolTrustError when they are not proved, before any of them runs."""
    return open_tools(tools, workspace.tool_source(), supply)


def open_emulator(workspace: Workspace, architecture: Architecture, supply: Supply) -> Toolbox:
    """QEMU for machines of `architecture`, with its firmware."""
    return open_pinned(architecture.emulation.packages, workspace.architecture, workspace.tool_source(), supply)
