"""``assemble schema``: what a recipe may say, for editors."""

import click


@click.command(short_help="Print the JSON Schema of recipes.")
def schema() -> None:
    """Print the JSON Schema (draft 2020-12) of recipe files."""
    from assembler.recipe.schema import text  # noqa: PLC0415  pydantic is slow to import, and --help needs none

    click.echo(text(), nl=False)
