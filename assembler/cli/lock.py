"""``assemble lock``: fix what goes into an image."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import Session, network_options, options, recipe_options, session

if TYPE_CHECKING:
    from assembler.api import CheckedLock, LockResult, MigratedLock


@click.command(short_help="Lock a recipe to what the archives have now.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write the lock here.  [default: NAME.lock.toml beside the recipe]",
)
@click.option(
    "--upgrade", is_flag=True, help="Take everything as the archives have it now, not only what the recipe newly wants."
)
@click.option(
    "--upgrade-package",
    "packages",
    multiple=True,
    metavar="NAME",
    help="Take this package, and all from its source package, as the archives have it now; all else stays as it is "
    "locked. May be repeated.",
)
@click.option(
    "--diff",
    is_flag=True,
    help="Show what would change in the lock, and the changelogs of packages in the store, and write nothing.",
)
@click.option(
    "--effects",
    is_flag=True,
    help="With --diff: take the packages, too, and say which scripts of upgraded ones do something else than before.",
)
@click.option(
    "--check", is_flag=True, help="Fail unless there is a lock that fits the recipe; write nothing, ask nobody."
)
@click.option(
    "--prove",
    is_flag=True,
    help="Check, and follow each package from the lock through the archive's index up to its signature.",
)
@click.option(
    "--migrate",
    is_flag=True,
    help="Rewrite a lock of an older format as one of today's, with every package as it was; ask nobody.",
)
@recipe_options
@network_options
@options
def lock(
    recipe: Path,
    out: Path | None,
    packages: tuple[str, ...],
    args: dict[str, str],
    *,
    upgrade: bool,
    diff: bool,
    effects: bool,
    check: bool,
    prove: bool,
    migrate: bool,
    offline: bool,
    store: Path | None,
    jobs: int | None,
    **common: Any,
) -> None:
    """Fix every package that RECIPE.toml needs, by version and SHA-256.

    Building then gives the same bytes until the lock is upgraded. When there is a lock, what it has stays, and what the
    recipe newly wants is taken from the archives as they were then.
    """
    if (check or prove) and (upgrade or packages or diff):
        raise click.UsageError(
            "--check and --prove only look at the lock: leave out --upgrade, --upgrade-package and --diff"
        )
    if effects and not diff:
        raise click.UsageError("--effects says more of what --diff shows: give both")
    if upgrade and packages:
        raise click.UsageError("--upgrade takes all packages, --upgrade-package some: give one of them")
    if migrate and (check or prove or upgrade or packages or diff):
        raise click.UsageError("--migrate changes the format of the lock and nothing else: give it alone")
    with session(store=store, jobs=jobs, **common) as current:
        from assembler import api  # noqa: PLC0415  half a second that --help need not wait

        named, workspace = current.recipe(recipe, args), current.workspace(offline=offline)
        if migrate:
            _tell_migrated(current, api.migrate_lock(named, out=out))
        elif check or prove:
            _tell_checked(current, api.check_lock(named, workspace, out=out, prove=prove), prove=prove)
        else:
            wanted = api.LockOptions(upgrade=upgrade, packages=packages, write=not diff, effects=effects)
            _tell(current, api.lock(named, workspace, wanted, out=out))


def _tell(current: Session, locked: "LockResult") -> None:
    from assembler.configure.effects import described  # noqa: PLC0415  --help need not wait
    from assembler.lock.changes import describe  # noqa: PLC0415  --help need not wait

    if locked.written:
        current.say(str(locked.path))
    if locked.previous or not locked.written:
        for line in describe(locked.changes) or ["nothing changes"]:
            current.say(line)
    for script in locked.scripts:
        current.say(f"{script.package} {script.script}: {_handled(script.handling)}")
        for sign, effects in (("-", script.gone), ("+", script.new)):
            for effect in effects:
                current.say(f"  {sign} {described(effect)}")
    result: dict[str, Any] = {
        "lock": str(locked.path),
        "written": locked.written,
        "packages": len(locked.lock.packages),
        "changes": dataclasses.asdict(locked.changes),
    }
    if locked.scripts:
        result["scripts"] = [dataclasses.asdict(script) for script in locked.scripts]
    current.reporter.result(result)


def _handled(handling: tuple[str, str]) -> str:
    before, after = (each or "not there" for each in handling)
    return "does something else" if before == after else f"{before} -> {after}"


def _tell_checked(current: Session, checked: "CheckedLock", *, prove: bool) -> None:
    if prove:
        current.say(f"{checked.proved} packages proved up to the signatures of {checked.archives} archives")
    current.say(f"{checked.path} fits the recipe")
    current.reporter.result(
        {"lock": str(checked.path), "packages": len(checked.lock.packages), "proved": checked.proved}
    )


def _tell_migrated(current: Session, moved: "MigratedLock") -> None:
    from assembler.lockfile.model import SCHEMA  # noqa: PLC0415  --help need not wait

    if moved.written:
        count = len(moved.lock.packages)
        current.say(f"{moved.path}: from schema {moved.schema} to {SCHEMA}, with {count} packages as before")
    else:
        current.say(f"{moved.path} is of schema {SCHEMA} already")
    for what in moved.left_out:
        current.say(f"left out: {what}")
    current.reporter.result(
        {"lock": str(moved.path), "written": moved.written, "schema": moved.schema, "left_out": list(moved.left_out)}
    )
