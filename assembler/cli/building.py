"""The work of ``assemble RECIPE.toml``."""

import dataclasses
from pathlib import Path
from typing import Any

import click

from assembler.cli.locking import choose_mirrors, require_lock
from assembler.cli.session import Session
from assembler.debian.fetch import fetch_packages
from assembler.errors import AssembleError
from assembler.layers.build import build
from assembler.layers.inputs import Inputs
from assembler.lock.files import fetch_files
from assembler.lock.images import fetch_images
from assembler.lock.toml import format_lock
from assembler.recipe.document import did_you_mean
from assembler.recipe.load import load
from assembler.recipe.model import Recipe
from assembler.store.objects import Store

KNOWN_PASSWORD = "root"  # noqa: S105  the one that everybody knows
"""The default root password of the recipes that come with the assembler."""


def build_recipe(current: Session, name: str, args: dict[str, str], out: Path, *, locked: bool, offline: bool) -> None:
    """Build the recipe in the file `name` into `out`, locking it first when it has no lock."""
    _not_a_command(name)
    loaded = load(Path(name), args)
    _warn_of_password(current, loaded.recipe)
    settings, reporter = current.settings, current.reporter
    store = Store(settings.store)
    chosen = choose_mirrors(current, loaded.recipe)
    with current.transport(offline=offline) as transport:
        make = not (locked or offline)
        lock = require_lock(current, loaded, store=store, transport=transport, chosen=chosen, make=make)
        inputs = Inputs(
            loaded=loaded,
            lock=lock,
            lock_text=format_lock(dataclasses.replace(lock, build=None)).encode(),
            store=store,
            fetch=lambda packages: fetch_packages(packages, lock, store=store, transport=transport, mirrors=chosen),
            fetch_files=lambda files: fetch_files(files, store=store, transport=transport),
            fetch_images=lambda images: fetch_images(images, store=store, transport=transport),
            search=settings.search,
            jobs=settings.jobs,
            reporter=reporter,
        )
        manifest = build(inputs, out)
    files: list[dict[str, Any]] = []
    for artifact in manifest.artifacts:
        files.append({"path": str(out / artifact.name), "size": artifact.size, "sha256": artifact.sha256})
        current.say(f"{artifact.sha256}  {out / artifact.name}")
    reporter.result({"files": files, "manifest": str(out / "manifest.json")})


def _not_a_command(name: str) -> None:
    """Raise AssembleError when `name` is rather a command's with a typo."""
    if "/" in name or Path(name).suffix or Path(name).exists():
        return
    context = click.get_current_context().find_root()
    commands = context.command.list_commands(context) if isinstance(context.command, click.Group) else []
    raise AssembleError(
        f"there is neither a command nor a recipe {name}",
        hint=did_you_mean(name, commands) or "assemble --help lists the commands; recipes end in .toml",
    )


def _warn_of_password(current: Session, recipe: Recipe) -> None:
    if recipe.rootfs.root_password != KNOWN_PASSWORD:
        return
    how = "--arg ROOT_PASSWORD=..." if "ROOT_PASSWORD" in recipe.args else "rootfs.root_password"
    current.reporter.warn(f"root's password is {KNOWN_PASSWORD!r}, which everybody knows: change it with {how}")
