"""``assemble show``: a recipe as it is after all that makes it up."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from assembler.cli.completion import recipes
from assembler.cli.session import options, recipe_options, session

if TYPE_CHECKING:
    from assembler.recipe.shown import Shown


@click.command(short_help="Show a recipe as it is, and where each value comes from.")
@click.argument("recipe", type=click.Path(path_type=Path), metavar="RECIPE.toml", shell_complete=recipes)
@recipe_options
@options
def show(recipe: Path, args: dict[str, str], **common: Any) -> None:
    """Print RECIPE.toml as it is after extends, profiles, tables of its architecture, and arguments.

    What is printed is a recipe again, on its own, for the directory that RECIPE.toml is in. A comment says where each
    value comes from, what it is there in place of, and what was taken away. Secrets are not shown: an argument stands
    in the place of passwords, keys and the text of private files. Nothing is locked or fetched.
    """
    with session(**common) as current:
        from assembler import api  # noqa: PLC0415  slow; --help need not wait

        result = api.show(current.recipe(recipe, args))
        # Every line is printable already, and no other escapes than those of TOML may come into it.
        if not current.json:
            click.echo(result.text, nl=False)
        current.reporter.result(_values(result.shown))


def _values(shown: "Shown") -> dict[str, Any]:
    """The recipe for programs."""
    from assembler.toml.document import dotted  # noqa: PLC0415  --help need not wait

    values = []
    for path, value in _leaves(shown.values, ()):
        origin = shown.origins[path]
        one: dict[str, Any] = {"key": dotted(path), "path": path, "value": value}
        one |= {"file": origin.spot.file, "line": origin.spot.line}
        one |= {"added": [{"file": spot.file, "line": spot.line} for spot in origin.added]} if origin.added else {}
        one |= {"arguments": origin.arguments} if origin.arguments else {}
        one |= {"given": origin.given} if origin.given else {}
        one |= {"withheld": True} if origin.withheld else {}
        values.append(one)
    replaced = [
        {"key": dotted(path), "file": spot.file, "line": spot.line, "by": {"file": by.file, "line": by.line}}
        for path, origin in shown.origins.items()
        for spot, by in zip(origin.instead, (origin.spot, *origin.instead), strict=False)
    ]
    removed = [
        {"key": dotted(one.path), "value": one.value, "file": one.spot.file, "line": one.spot.line}
        | ({"by": {"file": one.by.file, "line": one.by.line}} if one.by else {"withheld": True})
        for one in shown.lost
    ]
    return {
        "recipe": shown.file,
        "architecture": shown.architecture,
        "profiles": shown.profiles,
        "parts": [{"file": file, "table": dotted(path)} for file, path in shown.parts],
        "values": values,
        "replaced": replaced,
        "removed": removed,
    }


def _leaves(value: Any, path: tuple[str | int, ...]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Each value that has none in it, with its path."""
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    if not inside or not value:
        yield path, value
        return
    for key, item in inside:
        yield from _leaves(item, (*path, key))
