"""User-data: its formats, as cloud-init 25.1 tells them apart, and public keys added to it.

Specification: https://docs.cloud-init.io/, "User-data formats".
"""

import base64
import email
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from assembler.errors import Place
from assembler.recipe.document import did_you_mean
from assembler.recipe.shapes import quoted
from assembler.seed.texts import Document, SeedError, decoded, mapping, read_yaml

_JINJA = "## template: jinja"
_HEADERS = {
    "#cloud-config-archive": "text/cloud-config-archive",
    "#cloud-config-jsonp": "text/cloud-config-jsonp",
    "#cloud-config": "text/cloud-config",
    "#cloud-boothook": "text/cloud-boothook",
    "#include-once": "text/x-include-once-url",
    "#include": "text/x-include-url",
    "#part-handler": "text/part-handler",
    "#!": "text/x-shellscript",
    _JINJA: "text/jinja2",
}
"""How user-data begins, and its MIME type; a header stands before its own prefixes."""


def _is_mime(text: str) -> bool:
    start = text[:4096].lower()
    return start.startswith(("content-type:", "mime-version:", "from nobody ")) or "\nmime-version:" in start


def _header(text: str) -> str:
    """The header that `text` begins with, as cloud-init finds it; empty for none."""
    start = text.lstrip()[:64].lower()
    return next((header for header in _HEADERS if start.startswith(header)), "")


def read(data: bytes, name: str) -> tuple[list[Document], list[SeedError]]:
    """The cloud-configs in user-data, and all that cloud-init would not take of it.

    What is not known before a node starts (templates, what is included from elsewhere) is neither.
    """
    text = decoded(data, name)
    if not _is_mime(text):
        return _collected([partial(_read_part, text, name)])
    try:
        return _collected(_message(data, name))
    except RecursionError as error:
        raise SeedError("the MIME message is nested too deeply", where=Place(file=name)) from error
    except (AttributeError, LookupError, TypeError, ValueError) as error:  # what email raises for odd headers
        raise SeedError("the MIME message cannot be read", where=Place(file=name), why="of its headers") from error


def plain(data: bytes, name: str) -> dict[Any, Any] | None:
    """The cloud-config that user-data is; None for any other format. Raises SeedError for one that is none."""
    text = decoded(data, name)
    if _is_mime(text) or _header(text) != "#cloud-config":
        return None
    (document,) = _read_config(text, name)
    return mapping(document.value, name, "a cloud-config")


_Parts = Iterable[Callable[[], Sequence[Document]]]


def _collected(parts: _Parts) -> tuple[list[Document], list[SeedError]]:
    found: list[Document] = []
    errors: list[SeedError] = []
    for part in parts:
        try:
            found += part()
        except SeedError as error:
            errors.append(error)
    return found, errors


def _message(data: bytes, name: str) -> _Parts:
    message = email.message_from_bytes(data)
    if message.is_multipart() == (message.get_content_maintype() != "multipart"):
        raise SeedError(
            "the MIME message has no parts", where=Place(file=name), hint="its boundary is missing or wrong"
        )
    for part in message.walk():
        if part.is_multipart():
            continue
        payload = part.get_payload(decode=True)
        if not isinstance(payload, bytes):
            continue
        kind = part.get_content_type()
        shown = f"{name}, part {(part.get_filename() or kind)[:60]}"
        if kind in ("text/plain", "application/octet-stream", "text/x-not-multipart"):
            yield partial(_read_bytes, _read_part, payload, shown)
        elif kind == "text/cloud-config":
            yield partial(_read_bytes, _read_config, payload, shown)


def _read_bytes(read_text: Callable[[str, str], list[Document]], data: bytes, name: str) -> list[Document]:
    return read_text(decoded(data, name), name)


def _read_part(text: str, name: str) -> list[Document]:
    header = _require_header(text, name)
    if header == _JINJA:
        # The rest is a template: before it is filled in, only its header can be told.
        _require_header(text.lstrip().partition("\n")[2], name, line=2)
    elif header == "#!" and text.split("\n", 1)[0].endswith("\r"):
        raise SeedError(
            "the script's lines end with CR LF",
            where=Place(file=name, line=1),
            why="its interpreter would not be found",
            hint="save it with Unix line ends",
        )
    elif header == "#cloud-config":
        return _read_config(text, name)
    elif header == "#cloud-config-archive":
        return _read_archive(text, name)
    return []


def _read_archive(text: str, name: str) -> list[Document]:
    """The cloud-configs in a cloud-config-archive: a list of texts, or of mappings with ``type`` and ``content``."""
    items = read_yaml(text, name).value
    if not isinstance(items, list):
        raise SeedError("a cloud-config-archive is a YAML list", where=Place(file=name))
    found: list[Document] = []
    for index, item in enumerate(items):
        content = item.get("content") if isinstance(item, dict) else item
        kind = item.get("type") if isinstance(item, dict) else None
        if isinstance(content, str) and (kind == "text/cloud-config" or _header(content) == "#cloud-config"):
            found += _read_config(content, f"{name}, item {index + 1}")
    return found


def _require_header(text: str, name: str, line: int = 1) -> str:
    header = _header(text)
    if header:
        return header
    first = text.strip().split("\n", 1)[0].strip()
    if first.startswith("\ufeff"):
        hint = "save it without a byte order mark"
    else:
        near = did_you_mean(first.replace("# ", "#"), _HEADERS)
        hint = near or "begin with #cloud-config for YAML, with #! for a script"
    raise SeedError(f"{quoted(first)} is no header that cloud-init knows", where=Place(file=name, line=line), hint=hint)


def _read_config(text: str, name: str) -> list[Document]:
    document = read_yaml(text, name)
    if document.value is None:
        raise SeedError("the cloud-config is empty", where=Place(file=name), hint="write {} below its header")
    mapping(document.value, name, "a cloud-config")
    return [document]


def with_keys(data: bytes, keys: Sequence[str], name: str) -> bytes:
    """User-data that also gives root these keys.

    They become further lines of a cloud-config where that says the same, and a second MIME part everywhere else.
    """
    if not keys:
        return data
    text = data.decode()
    addition: dict[str, Any] = {"ssh_authorized_keys": list(keys), "disable_root": False}
    config = plain(data, name)
    if config is None:
        return _multipart(data, addition)
    if config.get("disable_root", False):
        raise SeedError(
            "disable_root keeps root from logging in with the keys that it is given",
            where=Place(file=name, key="disable_root"),
            hint="remove it, or cloudinit.ssh_authorized_keys from the recipe",
        )
    if not config:
        return f"#cloud-config\n{lines(addition)}".encode()
    if not addition.keys() & config.keys():
        longer = text + ("" if text.endswith("\n") else "\n") + lines(addition)
        try:
            # Keys only: comparing values that are full of aliases could take forever.
            if [*(plain(longer.encode(), name) or ())] == [*config, *addition]:
                return longer.encode()
        except SeedError:
            pass  # a flow mapping, or one that ends with "..."
    return _multipart(data, addition)


def lines(config: Mapping[str, Any]) -> str:
    """A mapping as YAML lines; its values as JSON, which YAML contains."""
    found = []
    for key, value in config.items():
        if isinstance(value, list):
            found += [f"{key}:", *(f"  - {json.dumps(item)}" for item in value)]
        else:
            found.append(f"{key}: {json.dumps(value)}")
    return "\n".join(found) + "\n"


def _multipart(data: bytes, addition: Mapping[str, Any]) -> bytes:
    """A MIME message (RFC 2046) of user-data as it is and a cloud-config that is merged into it."""
    text = data.decode()
    first = data if _is_mime(text) else _part(_HEADERS[_header(text)], data)
    # Lists are put after those that are there already; cloud-init would replace them.
    merge = "Merge-Type: list(append)+dict(recurse_list)+str()\n"
    second = _part("text/cloud-config", f"#cloud-config\n{lines(addition)}".encode(), merge)
    boundary = "=" + hashlib.sha256(first + second).hexdigest()[:32]
    head = f'Content-Type: multipart/mixed; boundary="{boundary}"\nMIME-Version: 1.0\n'
    mark = f"\n--{boundary}"
    return b"".join((head.encode(), f"{mark}\n".encode(), first, f"{mark}\n".encode(), second, f"{mark}--\n".encode()))


def _part(kind: str, data: bytes, headers: str = "") -> bytes:
    head = f'Content-Type: {kind}; charset="utf-8"\nMIME-Version: 1.0\nContent-Transfer-Encoding: base64\n{headers}\n'
    return head.encode() + base64.encodebytes(data)
