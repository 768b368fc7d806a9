"""The assembler's own tools for a workspace: pinned, proved, and laid out to be run."""

import logging
from collections.abc import Collection, Sequence
from itertools import zip_longest

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

_LOG = logging.getLogger(__name__)


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
    own = host(workspace).name
    boxes = [Box(names=BUILD, architecture=own)]
    if may_execute(recipe.rootfs):
        target = named(recipe.arch)
        boxes.append(Box(names=target.counted.packages, architecture=own))
        boxes.append(Box(names=packages(target), architecture=target.name, kept=PARTS))
    known = previous.toolboxes if previous else ()
    kept: list[LockedToolbox | None] = [
        former if upgrade is not None and former and _serves(former, box, source) else None
        for former, box in zip_longest(known[: len(boxes)], boxes)
        if box
    ]
    if any(box and _names(box).intersection(upgrade or ()) for box in kept):
        kept = [None] * len(boxes)
    missing = [box for box, former in zip(boxes, kept, strict=True) if former is None]
    made = iter(_lock(missing, source, supply, known) if missing else ())
    tools, *machine = (former or next(made, None) for former in kept)
    assert tools is not None
    emulator, guest = machine or (None, None)
    return tools, LockedMachine(emulator=emulator, guest=guest) if emulator and guest else None


def _lock(
    boxes: Sequence[Box], source: ToolSource, supply: Supply, known: Sequence[LockedToolbox]
) -> tuple[LockedToolbox, ...]:
    """The packages of `boxes`, without those of the machine when a source of the user's own does not have them."""
    try:
        return lock_boxes(boxes, source, supply, previous=known)
    except AssembleError as error:
        if source.least or boxes[-1].names == BUILD:
            raise
        needed = [box for box in boxes if box.names == BUILD]
        alone = lock_boxes(needed, source, supply, previous=known) if needed else ()
        _LOG.debug("no machine to execute scripts in: %s", error)
        return alone


def _names(tools: LockedToolbox) -> set[str]:
    return {name for package in tools.packages for name in (package.name, package.source)}


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
