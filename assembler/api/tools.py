"""The assembler's own tools for a workspace: pinned, proved, and laid out to be run."""

import logging
from collections.abc import Collection, Mapping, Sequence

from assembler.api.workspace import Workspace
from assembler.architecture import ARCHITECTURES, Architecture, named
from assembler.configure.executed import may_execute
from assembler.errors import AssembleError
from assembler.guest.initramfs import PARTS, packages
from assembler.lock.compilers import packages as compilers_for
from assembler.lockfile.model import Lock, LockedMachine, LockedToolbox, LockedTools
from assembler.recipe.model import Recipe
from assembler.tools.locking import Box, lock_boxes
from assembler.tools.ready import open_pinned, open_tools
from assembler.tools.source import BUILD, ToolSource
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import outdated

_LOG = logging.getLogger(__name__)
_MACHINE = frozenset({"emulator", "guest"})


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
) -> LockedTools:
    """The tools for building `recipe` on this machine.

    They are those of `previous` while they serve and `upgrade` names none of them.
    `upgrade`: names of packages or source packages; None for all.
    """
    source = workspace.tool_source()
    own = host(workspace).name
    target = named(recipe.arch)
    boxes = {"tools": Box(names=BUILD, architecture=own)}
    if recipe.kernel.source == "vanilla" and recipe.kernel.toolchain == "locked":
        compilers = compilers_for(target, named(own), modules=bool(recipe.kernel.modules))
        boxes["toolchain"] = Box(names=compilers, architecture=own)
    if may_execute(recipe.rootfs):
        boxes["emulator"] = Box(names=target.counted.packages, architecture=own)
        boxes["guest"] = Box(names=packages(target), architecture=target.name, kept=PARTS)
    former = previous.by_purpose if previous else {}
    kept = {
        purpose: former[purpose]
        for purpose, box in boxes.items()
        if upgrade is not None and purpose in former and _serves(former[purpose], box, source)
    }
    if any(_names(box).intersection(upgrade or ()) for box in kept.values()):
        kept = {}
    missing = {purpose: box for purpose, box in boxes.items() if purpose not in kept}
    made = kept | (_lock(missing, source, supply, tuple(former.values())) if missing else {})
    emulator, guest = made.get("emulator"), made.get("guest")
    machine = LockedMachine(emulator=emulator, guest=guest) if emulator and guest else None
    return LockedTools(tools=made["tools"], machine=machine, toolchain=made.get("toolchain"))


def _lock(
    boxes: Mapping[str, Box], source: ToolSource, supply: Supply, known: Sequence[LockedToolbox]
) -> dict[str, LockedToolbox]:
    """The packages of `boxes`, without those of the machine when a source of the user's own does not have them."""

    def locked(wanted: Mapping[str, Box]) -> dict[str, LockedToolbox]:
        made = lock_boxes(tuple(wanted.values()), source, supply, previous=known) if wanted else ()
        return dict(zip(wanted, made, strict=True))

    try:
        return locked(boxes)
    except AssembleError as error:
        if source.least or boxes.keys().isdisjoint(_MACHINE):
            raise
        alone = locked({purpose: box for purpose, box in boxes.items() if purpose not in _MACHINE})
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
