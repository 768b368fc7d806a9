"""Pinning the assembler's own tools: which packages of their source, by digest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assembler.lock.resolve import Resolved, resolve_packages
from assembler.lock.wanted import Wanted
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import TOOLS, LockedToolbox
from assembler.tools.source import ToolSource
from assembler.tools.supply import Supply
from assembler.tools.trust import outdated


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """Packages that go together."""

    names: tuple[str, ...]
    architecture: str
    """Of what runs them."""
    kept: tuple[str, ...] = ()
    """What the names of those begin with that are needed; all that they depend on when this is empty."""


def lock_boxes(
    boxes: Sequence[Box], source: ToolSource, supply: Supply, *, previous: Sequence[LockedToolbox] = ()
) -> tuple[LockedToolbox, ...]:
    """The packages of each of `boxes`, and what they depend on.

    `previous`: what an earlier lock has; archives may not be older than that saw them. Raises AssembleError of many
    kinds: SourcesError, TransportError, SignatureError, ReleaseError, SolverError, and LockError when the source has
    only versions that are too old.
    """
    former = Resolved(
        archives=tuple({archive: None for box in previous for archive in box.archives}),
        packages=tuple({package: None for box in previous for package in box.packages}),
    )
    chosen = resolve_packages(
        source.archives,
        [
            Wanted(role=f"{TOOLS}-{number}", packages=box.names, architecture=box.architecture)
            for number, box in enumerate(boxes)
        ],
        **supply.means,
        now=supply.now,
        previous=former if previous else None,
        reporter=supply.reporter,
    )
    found = []
    for number, box in enumerate(boxes):
        packages = tuple(
            replace(package, roles=(TOOLS,))
            for package in chosen.packages
            if f"{TOOLS}-{number}" in package.roles and package.name.startswith(box.kept or "")
        )
        found.append(LockedToolbox(architecture=box.architecture, archives=chosen.archives, packages=packages))
    if old := [line for box in found for line in outdated(box.packages, source)]:
        raise LockError(
            "the archives have only old versions of the tools that build",
            details=old,
            hint="the mirror is behind: choose another with ASSEMBLE_MIRROR",
        )
    return tuple(found)


def lock_tools(names: Sequence[str], architecture: str, source: ToolSource, supply: Supply) -> LockedToolbox:
    """As :func:`lock_boxes`, of one box."""
    return lock_boxes([Box(names=tuple(names), architecture=architecture)], source, supply)[0]
