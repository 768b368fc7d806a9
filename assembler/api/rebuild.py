"""Building a finished image again from what it holds."""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from assembler import __version__
from assembler.api.build import open_project, require_empty
from assembler.api.workspace import Workspace
from assembler.audit.compare import Comparison, compare
from assembler.audit.image import Image
from assembler.audit.rebuild import load_own, made_with, require_no_compiling, take_out, with_debs
from assembler.audit.statements import rebuilt
from assembler.audit.withheld import give_back
from assembler.image import libraries
from assembler.image.names import ISO, REBUILT
from assembler.image.provenance import text
from assembler.layers.build import build
from assembler.recipe.given import Arguments
from assembler.store.objects import sha256_of
from assembler.tools.trust import hand_on


@dataclass(frozen=True, slots=True, kw_only=True)
class RebuildResult:
    """An image and what was built of the same."""

    before: str
    after: str
    """SHA-256 (hex) of the image and of the one built again."""
    found: Comparison | None
    """How they differ; None when they are the same."""
    statement: Mapping[str, Any] = field(repr=False)
    """The in-toto statement of it, which is in the output directory, too."""

    @property
    def same(self) -> bool:
        """Whether both are the same, byte by byte."""
        return self.found is None


def rebuild(
    image: Path,
    out: Path,
    workspace: Workspace,
    *,
    allow_compile: bool = False,
    args: Mapping[str, str] = MappingProxyType({}),
) -> RebuildResult:
    """Build an `image` again into the empty or missing directory `out`, and compare.

    `args` has values of arguments that the image does not have; see recipe/portable.py. Raises ImageError before
    anything is fetched when that would compile a kernel and not `allow_compile`.
    """
    require_empty(out)
    opened = Image(image)
    with tempfile.TemporaryDirectory(prefix="assemble-rebuild-") as name:
        directory = Path(name)
        recipe = take_out(opened, directory)
        loaded = load_own(recipe, Arguments({**give_back(opened, recipe), **args}))
        loaded = with_debs(loaded, image.parent)
        if not allow_compile:
            require_no_compiling(loaded, opened)
        there, here = made_with(opened), {"assembler": __version__, **libraries.versions()}
        if others := libraries.others(there, here):
            workspace.reporter.warn(f"{image} may come out with other bytes: {others}")
        own = workspace.open_store()
        with (
            own.without_results() as store,
            open_project(workspace, loaded, make=False, store=store) as context,
        ):
            hand_on(own, store.results)
            build(context, out, only=("livecd",))
    before, after = sha256_of(image), sha256_of(out / ISO)
    found = None if before == after else compare(image, out / ISO, reporter=workspace.reporter)
    document = rebuilt(opened, before, after, context.lock, found, versions=(there, here))
    (out / REBUILT).write_bytes(text(document))
    return RebuildResult(before=before, after=after, found=found, statement=document)
