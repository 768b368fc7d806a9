"""Licences of packages, from their machine-readable copyright files (DEP 5, copyright format 1.0)."""

import re
from collections.abc import Callable, Iterable

from assembler.debian.documents import LARGEST_COPYRIGHT, copyright_licences
from assembler.errors import AssembleError, Place
from assembler.tree.content import size_of
from assembler.tree.staging import Kind, Tree

MOST_LINES = 1_000_000
"""Lines of all copyright files of an image, which take half a minute; those of 243 packages have 70 000."""
_FORMAT = b"copyright-format/1.0"
_KNOWN = {
    "agpl-3": "AGPL-3.0-only", "agpl-3+": "AGPL-3.0-or-later",
    "apache-2.0": "Apache-2.0", "artistic": "Artistic-1.0-Perl", "artistic-2.0": "Artistic-2.0",
    "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause", "bsd-4-clause": "BSD-4-Clause",
    "bsl-1.0": "BSL-1.0", "cc0-1.0": "CC0-1.0", "curl": "curl", "expat": "MIT", "mit": "MIT",
    "gfdl-1.2+": "GFDL-1.2-or-later", "gfdl-1.3": "GFDL-1.3-only", "gfdl-1.3+": "GFDL-1.3-or-later",
    "gpl-1": "GPL-1.0-only", "gpl-1+": "GPL-1.0-or-later", "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only", "gpl-3+": "GPL-3.0-or-later", "isc": "ISC",
    "lgpl-2": "LGPL-2.0-only", "lgpl-2+": "LGPL-2.0-or-later", "lgpl-2.1": "LGPL-2.1-only",
    "lgpl-2.1+": "LGPL-2.1-or-later", "lgpl-3": "LGPL-3.0-only", "lgpl-3+": "LGPL-3.0-or-later",
    "mpl-1.1": "MPL-1.1", "mpl-2.0": "MPL-2.0", "psf-2": "PSF-2.0", "unicode": "Unicode-TOU", "x11": "X11",
    "zlib": "Zlib",
}  # fmt: skip
"""SPDX identifiers by short names of Debian's, in lower case, as far as both mean the same text."""


def licences(tree: Tree, read: Callable[[str], bytes], packages: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The short names of the licences of each of `packages` that says so in a form for machines, sorted.

    `read` gives the bytes of a file of `tree` by its path. Raises AssembleError when they are too much to be read.
    """
    found = {}
    lines = 0
    for name in packages:
        path = f"/usr/share/doc/{name}/copyright"
        inode = tree.get(path, follow=True)
        if inode is not None and inode.kind is Kind.FILE and size_of(inode.content) <= LARGEST_COPYRIGHT:
            data = read(path)
            lines += data.count(b"\n")
            if lines > MOST_LINES:
                why = f"they have more than {MOST_LINES} lines"
                raise AssembleError("the packages' copyright files are too large", where=Place(path=path), why=why)
            names = short_names(data)
            if names:
                found[name] = names
    return found


def short_names(copyright_file: bytes) -> tuple[str, ...]:
    """The licences that the files of a package are under; none when the file is not machine-readable."""
    if _FORMAT not in copyright_file[:400]:
        return ()
    names: set[str] = set()
    for line in copyright_licences(copyright_file) or ():
        parts = re.split(r" (?:and|or) |,", line, flags=re.IGNORECASE)
        names |= {name for part in parts if (name := re.sub(r"(?:^| )with .*", "", part, flags=re.IGNORECASE).strip())}
    return tuple(sorted(names))


def spdx(name: str) -> str:
    """The SPDX identifier of a short name; ``LicenseRef-debian-NAME`` when there is none that surely means the same."""
    known = _KNOWN.get(name.lower().removesuffix(".0") if name.lower() not in _KNOWN else name.lower())
    return known or "LicenseRef-debian-" + re.sub(r"[^A-Za-z0-9.-]+", "-", name).strip("-")
