"""What a path and an owner in an archive may be: what Linux can hold, so that no reader of strangers' bytes takes more.

Linux has no limit of its own for the depth of a path but its length; here it is bounded as well, since whoever goes
through a tree spends time and memory by level. The deepest path in Debian has about 40.
"""

from assembler.errors import AssembleError, Place

PATH_MAX = 4096
"""Bytes of the longest path or target of a symbolic link, with the NUL at its end (limits.h)."""
NAME_MAX = 255
"""Bytes of the longest name in a directory."""
MAX_DEPTH = 256
"""Names in the longest path."""
MAX_OWNER = (1 << 32) - 2
"""The largest number of a user or group: 32 bits, and the largest of those means "unchanged" to chown(2)."""
MAX_MAJOR, MAX_MINOR = (1 << 12) - 1, (1 << 20) - 1
"""The largest numbers of a device (linux/kdev_t.h)."""
_SHORT = NAME_MAX // 4
"""No path of so few characters reaches any of the limits."""


def unfit(path: str) -> str:
    """Why no file system of Linux has `path`, or it is deeper than `MAX_DEPTH`; empty when it is fine."""
    if len(path) <= _SHORT:
        return ""
    raw = path.encode("utf-8", "surrogateescape")
    if len(raw) >= PATH_MAX:
        return f"a path of {len(raw)} bytes, and the longest has {PATH_MAX - 1}"
    if len(raw) > NAME_MAX:
        names = raw.split(b"/")
        if len(names) - 1 > MAX_DEPTH:
            return f"a path of {len(names) - 1} names, and the deepest has {MAX_DEPTH}"
        if (longest := max(map(len, names))) > NAME_MAX:
            return f"a name of {longest} bytes, and the longest has {NAME_MAX}"
    return ""


def check_owner(number: int, where: Place, error: type[AssembleError]) -> int:
    """`number` when a user or group can have it. Raises `error` otherwise: in an image it would be another one's."""
    if not 0 <= number <= MAX_OWNER:
        raise error(
            "an owner's number does not fit into 32 bits", where=where, why=f"{number} is not within 0 to {MAX_OWNER}"
        )
    return number
