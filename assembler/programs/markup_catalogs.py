"""update-xmlcatalog(8) and update-catalog(8): the catalogs by which XML and SGML programs find DTDs on the disk.

Files come out as the programs write them with ``--sort``; of the list of SGML catalogs no ``.old`` copy is kept.
"""

import posixpath
import re
from collections.abc import Sequence

from assembler.programs.options import UsageError, parse_options
from assembler.tree.staging import Tree

XML_DATA, XML = "/var/lib/xml-core", "/etc/xml"
SGML, SUPER = "/etc/sgml", "/var/lib/sgml-base/supercatalog"
_SUPER_HEAD = (
    "--\n"
    "## This file is created by update-catalog with update-super.\n"
    "## Please see update-catalog(8) for how to modify this file.\n"
    "--\n"
)
# Comments and blanks, literals, other tokens (OASIS TR 9401, as update-catalog reads it).
_TOKEN = re.compile(r"(?:\s+|--.*?--)+|'.*?'|\".*?\"|\S+", re.DOTALL)


def update_xmlcatalog(tree: Tree, arguments: Sequence[str]) -> bool:
    """A command line of update-xmlcatalog with ``--add``; False is exit status 1. Raises UsageError for ``--del``."""
    options, words = parse_options(
        arguments, "add del root verbose sort package= local= file= type= id=", program="update-xmlcatalog"
    )
    if "add" not in options or "del" in options or words:
        raise UsageError("update-xmlcatalog is called in a way not known here", why=" ".join(arguments))
    kind, name = options.get("type", ""), options.get("id")
    if kind not in {"public", "system", "uri"} or name is None:
        return False
    package, local, file = options.get("package"), options.get("local"), options.get("file")
    if "root" in options or package is not None:
        delegate = "delegateURI" if kind == "uri" else f"delegate{kind.capitalize()}"
        start = "uriStartString" if kind == "uri" else f"{kind}IdStartString"
        key = f'{delegate} {start}="{name}"'
        if "root" in options:
            target, data, catalog = f"{XML}/{package}.xml", f"{XML_DATA}/catalog", f"{XML}/catalog"
            allowed = package is not None and local is None and file is None
        else:
            target, data, catalog = local or "", f"{XML_DATA}/{package}", f"{XML}/{package}.xml"
            allowed = local is not None and file is None
        entry = f'catalog="file://{target}"'
    elif local is not None:
        key = f'{kind} {"name" if kind == "uri" else f"{kind}Id"}="{name}"'
        target, data, catalog = file or "", f"{XML_DATA}/{local.replace('/', '_')}", local
        entry, allowed = f'uri="{file}"', file is not None
    else:
        return False
    return allowed and tree.is_file(target) and _add(tree, data, catalog, key, entry)


def _add(tree: Tree, data: str, catalog: str, key: str, entry: str) -> bool:
    entries: dict[str, str] = {}
    for line in tree.read_text(data).splitlines() if tree.is_file(data) else []:
        found, value, *_ = [*line.split(">"), ""]
        entries[found.removeprefix("<")] = value.removeprefix("<")
    if entries.setdefault(key, entry) != entry:
        return False
    ordered = sorted(entries.items(), key=lambda item: item[0].encode("utf-8", "surrogateescape"))
    if tree.is_file(catalog):
        tree.rename(catalog, f"{catalog}.old")
    _write(tree, data, "".join(f"<{found}><{value}>\n" for found, value in ordered))
    head, foot = (tree.read_text(f"/usr/share/xml-core/catalog.{part}") for part in ("header", "footer"))
    _write(tree, catalog, head + "".join(f"<{found} {value}/>\n" for found, value in ordered) + foot)
    return True


def update_catalog(tree: Tree, arguments: Sequence[str]) -> None:
    """``update-catalog --update-super``: list the catalogs in ``/etc/sgml``. Raises UsageError for all else."""
    if [word for word in arguments if word != "--quiet"] != ["--update-super"]:
        raise UsageError("update-catalog is called in a way not known here", why=" ".join(arguments))
    paths = [f"{SGML}/{name}" for name in sorted(tree.names(SGML)) if re.fullmatch(r"[^.].*\.cat", name)]
    lines = "".join(f"CATALOG {path}\n" for path in paths if _is_complete(tree, path))
    _write(tree, SUPER, _SUPER_HEAD + lines)


def _is_complete(tree: Tree, path: str) -> bool:
    """Whether all catalogs that an SGML catalog refers to are there."""
    if not tree.is_file(path):
        return False
    base, previous = posixpath.dirname(path), ""
    for token in _TOKEN.findall(tree.read_text(path)):
        if not previous:
            previous = token.lower() if token.lower() in {"base", "catalog"} else ""
            continue
        if token[0].isspace() or token.startswith("--"):
            continue
        text = token[1:-1] if len(token) > 1 and token[0] == token[-1] and token[0] in "'\"" else token
        if previous == "base":
            base = text
        elif not tree.is_file(text if text.startswith("/") else f"{base}/{text}"):
            return False
        previous = ""
    return True


def _write(tree: Tree, path: str, text: str) -> None:
    tree.write(path, text.encode("utf-8", "surrogateescape"), 0o644)
