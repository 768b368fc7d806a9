"""Pinning the assembler's own tools: which packages of their source, by digest."""

from collections.abc import Sequence

from assembler.lock.resolve import Resolved, resolve_packages
from assembler.lock.wanted import Wanted
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import TOOLS, LockedToolbox
from assembler.tools.source import ToolSource
from assembler.tools.supply import Supply
from assembler.tools.trust import outdated


def lock_tools(
    names: Sequence[str],
    architecture: str,
    source: ToolSource,
    supply: Supply,
    *,
    previous: LockedToolbox | None = None,
) -> LockedToolbox:
    """The packages `names`, and what they depend on, for a build machine of `architecture`.

    `previous`: what an earlier lock has; archives may not be older than that saw them. Raises AssembleError of many
    kinds: SourcesError, TransportError, SignatureError, ReleaseError, SolverError, and LockError when the source has
    only versions that are too old.
    """
    chosen = resolve_packages(
        source.archives,
        [Wanted(role=TOOLS, packages=tuple(names), architecture=architecture)],
        **supply.means,
        now=supply.now,
        previous=Resolved(archives=previous.archives, packages=previous.packages) if previous else None,
        reporter=supply.reporter,
    )
    if old := outdated(chosen.packages, source):
        raise LockError(
            "the archives have only old versions of the tools that build",
            details=old,
            hint="the mirror is behind: choose another with ASSEMBLE_MIRROR",
        )
    return LockedToolbox(architecture=architecture, archives=chosen.archives, packages=chosen.packages)
