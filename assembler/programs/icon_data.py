"""What a file NAME.icon says of an icon: the group ``Icon Data`` of the Icon Theme Specification 0.13, as the
gtk-update-icon-cache of GTK 3.24 and 4.18 to 4.24 reads it (load_icon_data() of updateiconcache.c).

Files are taken in a plain form only; all others are refused.
"""

import re
from dataclasses import dataclass

from assembler.shell.streams import Refused

_RECTANGLE = re.compile(r"(?:[0-9]{1,5},){3}[0-9]{1,5},?")
_POINTS = re.compile(r"[0-9]{1,5},[0-9]{1,5}(?:\|[0-9]{1,5},[0-9]{1,5})*")
_NAME = re.compile(r"DisplayName(?:\[([A-Za-z]{2,3}(?:_[A-Z]{2})?(?:@[A-Za-z]+)?)\])?")
_MAX_NUMBER = 0xFFFF
_MAX_TEXT = 1000
"""Bytes of a name; GTK finds a cache with more than 1,023 invalid."""


@dataclass(frozen=True, slots=True)
class IconData:
    """What a file says."""

    rectangle: tuple[int, ...] = ()
    """Where text may be: two corners, or nothing."""
    points: tuple[int, ...] = ()
    """Where emblems may be: each two numbers."""
    names: tuple[bytes, ...] = ()
    """Languages (``C`` for none), each followed by what the icon is called in it."""


def icon_data(content: bytes, path: str) -> IconData:
    """What the file at `path` says. Raises Refused."""
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise Refused("an .icon file with text that is not UTF-8", why=path) from error
    lines = [line for line in text.split("\n") if line and not line.startswith("#")]
    pairs = [line.partition("=") for line in lines[1:]]
    keys = [key for key, _, _ in pairs]
    if lines[:1] != ["[Icon Data]"] or len(set(keys)) != len(keys) or "\0" in text:
        raise Refused("an unusual .icon file", why=path)
    rectangle: tuple[int, ...] = ()
    points: tuple[int, ...] = ()
    names: list[bytes] = []
    for key, is_pair, value in pairs:
        name = _NAME.fullmatch(key)
        if not is_pair or not value or value != value.lstrip() or "\\" in value or "\r" in value:
            raise Refused("an unusual .icon file", why=path)
        if name and len(value.encode()) < _MAX_TEXT:
            names += [(name.group(1) or "C").encode(), value.encode()]
        elif key == "EmbeddedTextRectangle" and _RECTANGLE.fullmatch(value):
            rectangle = _numbers(value)
        elif key == "AttachPoints" and _POINTS.fullmatch(value):
            points = _numbers(value)
        else:
            raise Refused("an unusual .icon file", why=path)
    if max((0, *rectangle, *points)) > _MAX_NUMBER:
        raise Refused("an unusual .icon file", why=path)
    return IconData(rectangle, points, tuple(names))


def _numbers(value: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall("[0-9]+", value)))
