"""The work of ``assemble check``."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from assembler.api.lock import choose_mirrors, require_lock
from assembler.cli.session import Session
from assembler.configure.report import ScriptReport
from assembler.debian.fetch import fetch_packages
from assembler.errors import Problems
from assembler.layers import rootfs
from assembler.recipe.load import load


def check_recipe(current: Session, path: Path, args: dict[str, str], *, locked: bool, offline: bool) -> None:
    """Tell how the scripts of the packages in the recipe at `path` are taken care of.

    Raises Problems with all that would stop a build.
    """
    loaded = load(path, args, project=current.project, allow_read=current.allow_read)
    store = current.store()
    chosen = choose_mirrors(current, loaded.recipe)
    with loaded.discreet(), current.transport(offline=offline) as transport:
        make = not (locked or offline)
        lock = require_lock(current, loaded, store=store, transport=transport, chosen=chosen, make=make)
        packages = lock.role("rootfs")
        fetch_packages(packages, lock.archives, store=store, transport=transport, mirrors=chosen)
    with loaded.discreet():
        checked = rootfs.check(
            loaded.recipe.rootfs,
            packages,
            files={name: file.data for name, file in loaded.files.items()},
            architecture=lock.architecture,
            epoch=lock.source_date_epoch,
            store=store,
            jobs=current.settings.jobs,
            reporter=current.reporter,
        )
    for line in _table(checked.scripts):
        current.say(line)
    scripted = {script.package for script in checked.scripts}
    counts = Counter(script.handling for script in checked.scripts)
    counted = ", ".join(f"{count} {handling}" for handling, count in sorted(counts.items()))
    current.say(f"{len(checked.packages)} packages, {len(scripted)} with scripts: {counted}")
    current.reporter.result(
        {"packages": sorted(checked.packages), "scripts": [_values(script) for script in checked.scripts]}
    )
    if checked.problems:
        with loaded.discreet():
            raise Problems(checked.problems)


def _table(scripts: Sequence[ScriptReport]) -> Iterator[str]:
    """A line a script: package, script, handling, how or why."""
    wide = max((len(script.package) for script in scripts), default=0)
    for script in sorted(scripts, key=lambda script: script.package):
        how = f"{script.rule}: {script.reason}" if script.rule else ", ".join(dict.fromkeys(script.tools))
        if script.triggers:
            how = f"{how} (by {', '.join(script.triggers)})".lstrip()
        yield f"{script.package:{wide}}  {script.script:9}  {script.handling:10}  {how}".rstrip()


def _values(script: ScriptReport) -> dict[str, Any]:
    """A script for programs: what is empty is left out."""
    return {key: value for key, value in asdict(script).items() if value}
