"""The work of ``assemble rebuild``."""

import tempfile
from pathlib import Path

from assembler.api.build import opened, require_empty
from assembler.api.compare import tell
from assembler.audit.compare import compare
from assembler.audit.image import Image
from assembler.audit.rebuild import load_own, require_no_compiling, take_out
from assembler.audit.statements import rebuilt
from assembler.audit.withheld import give_back
from assembler.cli.session import Session
from assembler.image.names import ISO, REBUILT
from assembler.image.provenance import text
from assembler.layers.build import build
from assembler.store.objects import sha256_of
from assembler.tools.trust import hand_on


def rebuild_image(current: Session, path: Path, out: Path, *, offline: bool, allow_compile: bool = False) -> bool:
    """Build the image at `path` again into `out`, and tell what differs; returns whether nothing does.

    Raises ImageError before anything is fetched when that would compile a kernel and not `allow_compile`.
    """
    require_empty(out)
    image = Image(path)
    with tempfile.TemporaryDirectory(prefix="assemble-rebuild-") as name:
        directory = Path(name)
        recipe = take_out(image, directory)
        loaded = load_own(recipe, give_back(image, recipe))
        if not allow_compile:
            require_no_compiling(loaded, image)
        own = current.store()
        with (
            own.without_results() as store,
            opened(current, loaded, offline=offline, make=False, store=store) as inputs,
        ):
            hand_on(own, store.results)
            build(inputs, out, only=("livecd",))
    before, after = sha256_of(path), sha256_of(out / ISO)
    found = None if before == after else compare(path, out / ISO, reporter=current.reporter)
    document = rebuilt(image, before, after, inputs.lock, found)
    (out / REBUILT).write_bytes(text(document))
    if found is None:
        current.say(f"{path}: built again, byte by byte the same: {after}")
    else:
        tell(current, found)
        current.say(f"{path}: built again, it differs: {before} -> {after}")
    current.reporter.result(document)
    return found is None
