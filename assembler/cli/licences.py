"""``assemble --licences``: whose work this is, and on which terms it goes out."""

from typing import TYPE_CHECKING

import click

from assembler.carried import NOTICE
from assembler.printable import printable

if TYPE_CHECKING:
    from email.message import Message
    from importlib.metadata import PackageMetadata


def show(context: click.Context, parameter: click.Parameter, wanted: bool) -> None:  # noqa: ARG001, FBT001  as click calls it
    """Print the notice, and a line for every distribution that is installed beside; then end."""
    if not wanted:
        return
    from importlib.metadata import distributions  # noqa: PLC0415  for this alone

    click.echo(NOTICE.read_text("utf-8"))
    found = {f"{each.metadata['Name']} {each.version}": licence(each.metadata) for each in distributions()}
    for name, terms in sorted(found.items(), key=lambda pair: pair[0].lower()):
        click.echo(printable(f"{name}: {terms}"))
    context.exit()


def licence(about: "PackageMetadata | Message") -> str:
    """What the metadata of a distribution says of its licence: an SPDX expression, or a name as it calls it."""
    said = [text.rpartition("::")[2].strip() for text in _all(about, "Classifier") if text.startswith("License ::")]
    return "".join(_all(about, "License-Expression")) or "; ".join(said) or " ".join(_all(about, "License")) or "?"


def _all(about: "PackageMetadata | Message", key: str) -> list[str]:
    """The values of `key`, each on one line."""
    return [" ".join(str(value).split()) for value in about.get_all(key) or ()]
