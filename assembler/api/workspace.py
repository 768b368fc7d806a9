"""What work is done with: plain values that a caller chooses, and that the command line takes from the environment."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from assembler.debian import mirrors
from assembler.debian.mirrors import Mirrors
from assembler.machine import host_architecture, processors
from assembler.progress import SILENT, Reporter
from assembler.recipe.debs import LocalFiles
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.model import Recipe, Scripts
from assembler.store.objects import PATIENCE, Store
from assembler.store.routes import Routes
from assembler.store.transport import Transport
from assembler.tools.source import ToolSource, built_in
from assembler.tools.supply import Supply


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Where results are kept, how the network is reached, what this machine gives, and who is told of progress."""

    store: Path
    """The directory of the content-addressed store, absolute; it is made when it is missing."""
    trust_store: bool = False
    """Whether everybody who can write to the store is trusted."""
    patience: float = PATIENCE
    """Seconds that what another build holds in the store is waited for."""
    offline: bool = False
    """Whether only what the store has is used, and no connection opened."""
    mirror: str = ""
    """Base address of a Debian archive in place of the recipe's mirrors; empty for these."""
    snapshots: tuple[str, ...] = ()
    """Base addresses of archives of what Debian's archives once held; empty for the built-in one."""
    routes: Callable[[], Routes] = Routes
    """How addresses are rewritten, and the logins for them; called when a connection is about to be possible."""
    tool_source: Callable[[], ToolSource] = built_in
    """Where the tools that build come from; called when it is about them."""
    search: str = os.defpath
    """Where the compilers of a kernel and the host's QEMU are looked for, as in `PATH`."""
    jobs: int = field(default_factory=processors)
    """Processors to use."""
    architecture: str = field(default_factory=host_architecture)
    """Debian's name for this machine's architecture; empty when no tools run on it."""
    reporter: Reporter = SILENT
    """Who is told of progress."""

    def open_store(self, *, looks_on: bool = False) -> Store:
        """The store; raises StoreError when others could have changed it, unless they are trusted.

        With `looks_on`, nothing of it counts as used.
        """
        return Store(
            self.store, reporter=self.reporter, trust=self.trust_store, patience=self.patience, looks_on=looks_on
        )

    def transport(self) -> Transport:
        """The way to the network; raises what `routes` raises."""
        if self.offline:
            return Transport(offline=True, reporter=self.reporter)
        return Transport(reporter=self.reporter, routes=self.routes())

    def mirrors(self, recipe: Recipe, local: LocalFiles | None = None) -> Mirrors:
        """The mirrors for `recipe`, of which packages may be in `local` files."""
        return mirrors.choose(recipe.debian, override=self.mirror, snapshots=self.snapshots, local=local)

    def supply(self, *, store: Store, transport: Transport, chosen: Mirrors) -> Supply:
        """The way to packages for tools, as it is now."""
        now = datetime.now(UTC)
        return Supply(transport=transport, store=store, mirrors=chosen, now=now, reporter=self.reporter)


@dataclass(frozen=True, slots=True, kw_only=True)
class RecipeFile:
    """A recipe to be read, and what it is given."""

    path: Path
    args: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Values of its arguments by name. Those of `assembler.recipe.given.Arguments` that are not `open` are secrets,
    and in no error."""
    profiles: tuple[str, ...] = ()
    """Names of its profiles that count, in their order."""
    project: Path | None = None
    """The directory below which it may read files; None for the one that it is in."""
    allow_read: tuple[Path, ...] = ()
    """Files and directories that it may read, too."""
    scripts: Scripts | None = None
    """What becomes of maintainer scripts, as if the recipe's ``rootfs.scripts`` said so; None for what it says."""

    def load(self) -> LoadedRecipe:
        """The recipe, complete. Raises Problems with everything that is wrong in it."""
        return load(
            self.path,
            self.args,
            profiles=self.profiles,
            project=self.project,
            allow_read=self.allow_read,
            scripts=self.scripts,
        )
