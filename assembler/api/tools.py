"""The assembler's own tools for a workspace: pinned, proved, and laid out to be run."""

from collections.abc import Collection

from assembler.api.workspace import Workspace
from assembler.architecture import ARCHITECTURES, Architecture
from assembler.errors import AssembleError
from assembler.lockfile.model import LockedToolbox
from assembler.tools.locking import lock_tools
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
    *,
    previous: LockedToolbox | None = None,
    upgrade: Collection[str] | None = None,
) -> LockedToolbox:
    """The tools for building on this machine; those of `previous` while they serve and `upgrade` names none of them.

    `upgrade`: names of packages or source packages; None for all.
    """
    architecture = host(workspace).name
    source = workspace.tool_source()
    if previous and upgrade is not None and _serves(previous, architecture, source):
        names = {name for package in previous.packages for name in (package.name, package.source)}
        if names.isdisjoint(upgrade):
            return previous
    return lock_tools(BUILD, architecture, source, supply, previous=previous)


def _serves(tools: LockedToolbox, architecture: str, source: ToolSource) -> bool:
    known = {(archive.root, archive.suite) for archive in source.archives}
    return (
        tools.architecture == architecture
        and {(archive.root, archive.suite) for archive in tools.archives} <= known
        and set(BUILD) <= {package.name for package in tools.packages}
        and not outdated(tools.packages, source)
    )


def open_build_tools(workspace: Workspace, tools: LockedToolbox, supply: Supply) -> Toolbox:
    """The programs of a lock's `tools`. Raises ToolTrustError when they are not proved, before any of them runs."""
    return open_tools(tools, workspace.tool_source(), supply)


def open_emulator(workspace: Workspace, architecture: Architecture, supply: Supply) -> Toolbox:
    """QEMU for machines of `architecture`, with its firmware."""
    return open_pinned(architecture.emulation.packages, workspace.architecture, workspace.tool_source(), supply)
