"""The work of ``assemble RECIPE.toml``."""

import dataclasses
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import click

from assembler import __version__
from assembler.api.lock import choose_mirrors, require_lock
from assembler.api.tools import open_build_tools, supply_of
from assembler.audit.recorded import Mismatch, mismatches, record, same_inputs
from assembler.cli.session import Session
from assembler.debian.fetch import fetch_packages
from assembler.errors import AssembleError, Place
from assembler.image.manifest import Layers
from assembler.layers.build import build, former
from assembler.layers.explain import explain
from assembler.layers.inputs import Inputs
from assembler.layers.plan import plan
from assembler.layers.selection import selected
from assembler.layers.step import secrets_sha256
from assembler.lock.files import fetch_files
from assembler.lock.trust import prove_packages
from assembler.lockfile.model import LockedBuild
from assembler.lockfile.toml import format_lock, write_lock
from assembler.oci.locking import fetch_images
from assembler.recipe.builtin import PREFIX
from assembler.recipe.document import did_you_mean
from assembler.recipe.given import Arguments
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.model import Recipe
from assembler.store.objects import Store

KNOWN_PASSWORD = "root"  # noqa: S105  the one that everybody knows
"""The default root password of the recipes that come with the assembler."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What is to be built, as the user wants it."""

    recipe: str
    args: dict[str, str]
    out: Path
    only: tuple[str, ...]
    skip: tuple[str, ...]
    """Names of layers."""
    locked: bool
    offline: bool
    record: bool = False
    no_compile: bool = False
    """Whether a recipe whose kernel is compiled is refused."""


def build_recipe(current: Session, wishes: Wishes) -> None:
    """Build a recipe, locking it first when it has no lock."""
    out = wishes.out
    loaded = _loaded(current, wishes)
    if wishes.no_compile and loaded.recipe.kernel.source == "vanilla":
        raise AssembleError(
            "the recipe has its kernel compiled, which --no-compile rules out",
            where=Place(file=wishes.recipe, key="kernel.source"),
            hint="leave --no-compile out when you trust whoever wrote the recipe and its lock",
        )
    _warn_of_password(current, loaded.recipe, wishes.args)
    with opened(current, loaded, offline=wishes.offline, make=not (wishes.locked or wishes.offline)) as inputs:
        manifest = build(inputs, out, only=wishes.only, skip=wishes.skip)
    whole = not wishes.only and not wishes.skip
    if wishes.record:
        write_lock(loaded.lock_path, dataclasses.replace(inputs.lock, build=record(manifest.layers, secrets(inputs))))
    elif whole and inputs.lock.build is not None:
        recorded, made = inputs.lock.build, manifest.layers
        same = same_inputs(recorded, made, secrets(inputs))
        _compare_recorded(current, recorded if same else None, made, loaded.lock_path, strict=wishes.locked)
    files: list[dict[str, Any]] = []
    for artifact in manifest.artifacts:
        files.append({"path": str(out / artifact.name), "size": artifact.size, "sha256": artifact.sha256})
        current.say(f"{artifact.sha256}  {out / artifact.name}")
    current.reporter.result({"files": files, "manifest": str(out / "manifest.json")})


def require_empty(out: Path) -> None:
    """Raise AssembleError when something is in the directory `out` already."""
    if out.is_dir() and any(out.iterdir()):
        raise AssembleError(
            "the directory for what is built is not empty",
            where=Place(file=str(out)),
            hint="name another with --out, so that nothing of a former build is taken for a new one",
        )


def secrets(inputs: Inputs) -> str:
    """The digest of all secrets that go into a build, for comparing only."""
    return secrets_sha256(plan(inputs))


def _compare_recorded(
    current: Session, recorded: LockedBuild | None, made: Layers, lock: Path, *, strict: bool
) -> None:
    """Tell when a build did not make what the lock has recorded of the same; with `strict`, raise AssembleError."""
    if recorded is None:
        current.reporter.info("the outputs that the lock has recorded are of another recipe or other arguments")
        return
    found = mismatches(recorded, made)
    if not found:
        current.reporter.info("the outputs are those that the lock has recorded")
        return
    lines = list(explained(found))
    if recorded.assembler != __version__:
        lines.append(f"recorded by assembler {recorded.assembler}; this is {__version__}")
    if strict:
        raise AssembleError(
            "what was built is not what the lock has recorded",
            where=Place(file=str(lock), key="build"),
            details=lines,
            hint="assemble audit tells whether building is at fault; --record takes the new outputs for good",
        )
    for line in lines:
        current.reporter.warn(line)


def explained(other: Iterable[Mismatch]) -> Iterable[str]:
    """Mismatches as lines for people."""
    for one in other:
        files = f" ({', '.join(one.outputs)})" if one.outputs else ""
        if not one.step:
            yield f"recorded in the lock, and not made{files}"
        else:
            cause = "differs from what the lock has recorded" if one.begins else "differs as what it is made of does"
            yield f"{one.step}{files} {cause}"


def explain_recipe(current: Session, wishes: Wishes) -> None:
    """Say what building would make anew and why. Needs the recipe's lock, and makes nothing."""
    with opened(current, _loaded(current, wishes), offline=True, make=False) as inputs:
        steps = plan(inputs)
        layers = selected(steps, wishes.only, wishes.skip)
        found = explain(steps, former(inputs, wishes.out), wishes.out, inputs.store, layers)
    width = max(len(one.step.label) for one in found)
    for one in found:
        current.say(f"{one.step.label:{width}}  {_STATES[one.state]}")
        for reason in one.reasons[:_SHOWN]:
            current.say(f"{'':{width}}    {reason}")
        if len(one.reasons) > _SHOWN:
            current.say(f"{'':{width}}    and {len(one.reasons) - _SHOWN} more")
    current.reporter.result(
        {"steps": [{"step": one.step.label, "state": one.state, "reasons": one.reasons} for one in found]}
    )


_SHOWN = 12
"""Reasons that are shown for a step."""
_STATES = {
    "unchanged": "unchanged",
    "stored": "taken from the store",
    "make": "made anew",
    "idle": "not asked for",
}


def _loaded(current: Session, wishes: Wishes) -> LoadedRecipe:
    _not_a_command(wishes.recipe)
    return load(Path(wishes.recipe), wishes.args, project=current.project, allow_read=current.allow_read)


@contextmanager
def opened(
    current: Session, loaded: LoadedRecipe, *, offline: bool, make: bool, store: Store | None = None
) -> Iterator[Inputs]:
    """The recipe with its lock, which is made when it is missing and `make` says so; `store` by default the user's."""
    settings, reporter = current.settings, current.reporter
    store = store or current.store()
    chosen = choose_mirrors(current, loaded.recipe)
    with loaded.discreet(), current.transport(offline=offline) as transport:
        lock = require_lock(current, loaded, store=store, transport=transport, chosen=chosen, make=make)
        yield Inputs(
            loaded=loaded,
            lock=lock,
            lock_text=format_lock(dataclasses.replace(lock, build=None)).encode(),
            store=store,
            fetch=lambda packages: fetch_packages(
                packages, lock.archives, store=store, transport=transport, mirrors=chosen
            ),
            prove=lambda packages: prove_packages(
                packages,
                lock.archives,
                loaded.recipe,
                file=str(loaded.lock_path),
                transport=transport,
                store=store,
                mirrors=chosen,
                now=datetime.now(UTC),
                reporter=reporter,
            ),
            toolbox=cache(
                lambda: open_build_tools(
                    current, lock.tools, supply_of(current, store=store, transport=transport, chosen=chosen)
                )
            ),
            fetch_files=lambda files: fetch_files(files, store=store, transport=transport),
            fetch_images=lambda images: fetch_images(images, store=store, transport=transport),
            search=settings.search,
            jobs=settings.jobs,
            reporter=reporter,
        )


def _not_a_command(name: str) -> None:
    """Raise AssembleError when `name` is rather a command's with a typo."""
    if "/" in name or name.startswith(PREFIX) or Path(name).suffix or os.path.exists(name):  # noqa: PTH110  False for a name that is none
        return
    context = click.get_current_context().find_root()
    commands = context.command.list_commands(context) if isinstance(context.command, click.Group) else []
    raise AssembleError(
        f"there is neither a command nor a recipe {name}",
        hint=did_you_mean(name, commands) or "assemble --help lists the commands; recipes end in .toml",
    )


def _warn_of_password(current: Session, recipe: Recipe, args: dict[str, str]) -> None:
    password = recipe.rootfs.root_password
    shown = args.open if isinstance(args, Arguments) else frozenset(args)
    for name in sorted(shown):
        # A hash may be guessed where it is seen, too.
        if args[name] == password not in {KNOWN_PASSWORD, "!"}:
            how = f"--arg-file {name}=FILE"
            current.reporter.warn(f"root's password is on the command line, which every user here can see: use {how}")
    if password != KNOWN_PASSWORD:
        return
    how = "--arg-file ROOT_PASSWORD=FILE" if "ROOT_PASSWORD" in recipe.args else "rootfs.root_password"
    current.reporter.warn(f"root's password is {KNOWN_PASSWORD!r}, which everybody knows: change it with {how}")
