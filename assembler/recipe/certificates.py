"""Certificates that a recipe names as files: their text takes the place of the name, as a part of the recipe."""

import base64
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from assembler.errors import AssembleError
from assembler.reading import Reach
from assembler.recipe.builtin import located
from assembler.recipe.document import RecipeError, read_bytes
from assembler.recipe.names import BEGIN, FINGERPRINT
from assembler.toml.document import Node, place
from assembler.toml.positions import Path as KeyPath

MAX_CERTIFICATES = 1 << 18
"""Bytes of a file with certificates; Debian's own keyring has 90 kB."""
_END = "-----END PGP PUBLIC KEY BLOCK-----"
_FINGERPRINTS = re.compile(rf"[\s,]*{FINGERPRINT}(?:[\s,]+{FINGERPRINT})*[\s,]*")


def put_in_place(root: Node, data: dict[str, Any], reach: Reach, outside: set[str]) -> list[AssembleError]:
    """Put the text of certificates into `data`, the values of `root`, wherever it names a file with some.

    Names of files outside of the project are added to `outside`. Returns what is wrong, each with its place.
    """
    errors: list[AssembleError] = []
    for key, table in _tables(data):
        name, where = table["signed_by"], place(root, key)
        try:
            file = located(name, Path(where.file).parent, where)
            content, own = read_bytes(file, limit=MAX_CERTIFICATES, where=where, what="the certificate", reach=reach)
        except RecipeError as error:
            errors.append(error)
            continue
        if not own:
            outside |= {str(file), name}
        text = _armored(content)
        if not text:
            errors.append(RecipeError("the file has no certificate in it", where=where, why=f"it is {name}"))
        table["signed_by"] = text
    return errors


def leave_out(data: dict[str, Any]) -> None:
    """Take the names of files with certificates out of `data`, plain values of a recipe."""
    for _, table in list(_tables(data)):
        del table["signed_by"]


def names(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """The key path and name of every file with certificates."""
    return ((key, table["signed_by"]) for key, table in _tables(data))


def _tables(data: dict[str, Any]) -> Iterator[tuple[KeyPath, dict[str, Any]]]:
    """The tables of archives whose `signed_by` is the name of a file, each with that key's path."""
    debian = data.get("debian")
    archives = debian.get("archives") if isinstance(debian, dict) else None
    for index, table in enumerate(archives if isinstance(archives, list) else ()):
        name = table.get("signed_by") if isinstance(table, dict) else None
        if isinstance(name, str) and name.strip() and BEGIN not in name and not _FINGERPRINTS.fullmatch(name):
            yield ("debian", "archives", index, "signed_by"), table


def _armored(content: bytes) -> str:
    """The certificates of a file in ASCII armor (RFC 9580 6.2); nothing when there are none."""
    if BEGIN.encode() in content:
        text = content.decode("ascii", "replace").replace("\r\n", "\n")
        return text[text.index(BEGIN) :].rstrip() + "\n"
    # A packet's first byte has its highest bit set (RFC 9580 4.2), and that of a public key is number 6.
    if not content or content[0] not in {0x98, 0x99, 0x9A, 0xC6}:
        return ""
    lines = textwrap.wrap(base64.b64encode(content).decode(), 64)
    return "\n".join([BEGIN, "", *lines, _END]) + "\n"
