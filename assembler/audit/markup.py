"""Texts and numbers as HTML. Nothing in a name can add markup, hide, or turn the direction of writing."""

from html import escape

from assembler.image.names import ISO_INITRD, ISO_SQUASHFS
from assembler.printable import printable

MINUS = "\N{MINUS SIGN}"


def text(raw: str) -> str:
    """`raw` as it is to be read."""
    return escape(printable(raw))


def path(raw: str) -> str:
    """A path that is broken behind slashes when the line is too short; inside a tree, without the tree's own name."""
    for tree in (ISO_SQUASHFS, ISO_INITRD):
        raw = raw.removeprefix(f"{tree}!")
    return text(raw).replace("/", "/<wbr>")


def size(number: int) -> str:
    """Bytes, with two digits or more."""
    if number < 1000:
        return f"{number} B"
    value = float(number)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.5 or unit == "GB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def growth(before: int, now: int) -> str:
    """The difference of two sizes, with its sign."""
    return ("+" if now >= before else MINUS) + size(abs(now - before))


def pair(old: str, new: str) -> str:
    """What was and what is; either may be nothing."""
    parts = [f"<{tag}>{text(each)}</{tag}>" for tag, each in (("del", old), ("ins", new)) if each]
    return " → ".join(parts)


def count(number: int, one: str, many: str = "") -> str:
    """``1 path``, ``2 paths``."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"
