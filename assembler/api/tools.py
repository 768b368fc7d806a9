"""The assembler's own tools, as the user's configuration has them: pinned, proved, and laid out to be run."""

from collections.abc import Collection
from datetime import UTC, datetime

from assembler.architecture import ARCHITECTURES, Architecture
from assembler.cli.configuration import read_tool_source
from assembler.cli.session import Session
from assembler.debian.mirrors import Mirrors
from assembler.errors import AssembleError
from assembler.lockfile.model import LockedToolbox
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools.locking import lock_tools
from assembler.tools.ready import open_pinned, open_tools
from assembler.tools.source import BUILD, ToolSource
from assembler.tools.supply import Supply
from assembler.tools.toolbox import Toolbox
from assembler.tools.trust import outdated


def tool_source(current: Session) -> ToolSource:
    """Where tools come from: the assembler's own source, or the one that the user's configuration names."""
    settings = current.settings
    return read_tool_source(settings.configuration, required=settings.configured)


def supply_of(current: Session, *, store: Store, transport: Transport, chosen: Mirrors) -> Supply:
    """The way to packages, as it is now."""
    now = datetime.now(UTC)
    return Supply(transport=transport, store=store, mirrors=chosen, now=now, reporter=current.reporter)


def host(current: Session) -> Architecture:
    """What this machine is. Raises AssembleError when tools cannot run on it."""
    found = ARCHITECTURES.get(current.settings.architecture)
    if found is None:
        machines = " or ".join(each.machine for each in ARCHITECTURES.values())
        raise AssembleError("no tools run on this machine's architecture", hint=f"use a machine of {machines}")
    return found


def lock_build_tools(
    current: Session,
    supply: Supply,
    *,
    previous: LockedToolbox | None = None,
    upgrade: Collection[str] | None = None,
) -> LockedToolbox:
    """The tools for building on this machine; those of `previous` while they serve and `upgrade` names none of them.

    `upgrade`: names of packages or source packages; None for all.
    """
    architecture = host(current).name
    source = tool_source(current)
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


def open_build_tools(current: Session, tools: LockedToolbox, supply: Supply) -> Toolbox:
    """The programs of a lock's `tools`. Raises ToolTrustError when they are not proved, before any of them runs."""
    return open_tools(tools, tool_source(current), supply)


def open_emulator(current: Session, architecture: Architecture, supply: Supply) -> Toolbox:
    """QEMU for machines of `architecture`, with its firmware."""
    return open_pinned(architecture.emulation.packages, current.settings.architecture, tool_source(current), supply)
