"""``assemble schema``: what a recipe may say, for editors and for people."""

import click


@click.command(short_help="Print the JSON Schema of recipes, or their reference.")
@click.option("--reference", is_flag=True, help="Print the reference in Markdown instead: every key with an example.")
def schema(*, reference: bool) -> None:
    """Print the JSON Schema (draft 2020-12) of recipe files."""
    from assembler.recipe import reference as page  # noqa: PLC0415  pydantic is slow to import, and --help needs none
    from assembler.recipe import schema as document  # noqa: PLC0415

    click.echo(page.reference() if reference else document.text(), nl=False)
