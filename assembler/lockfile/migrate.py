"""A lock of a former schema as one of today's, with every package, file and image as it was. Nobody is asked."""

from dataclasses import dataclass

from assembler.lockfile import former
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import MOST_VALUES, parse_lock
from assembler.toml import bounds


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrated:
    """A lock that was read."""

    lock: Lock
    schema: int
    """Of its file."""
    left_out: tuple[str, ...]
    """What of the file is not in `lock`, in words."""


def migrate(text: str, file: str) -> Migrated:
    """The lock that `text` stands for; errors as of :func:`parse_lock`, to which `file` names it."""
    lock = parse_lock(text, file)
    data = bounds.loads(text, most=MOST_VALUES)
    schema = data["schema"]
    assert isinstance(schema, int)
    return Migrated(lock=lock, schema=schema, left_out=tuple(former.left_out(data)) if schema in former.READ else ())
