"""Notes of what was used for something: all objects and results of a build, by a name for what was built.

So somebody who prunes a store can keep what was made of a lock, which nothing else tells. A note is of one version of
the assembler: another one makes its results anew, and the note forgets those before.
"""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from assembler.hostfile import HostFileError, read_own
from assembler.store.objects import Store, StoreError

_LARGEST = 64 << 20
"""Bytes of a note; a build uses some thousands of things."""


def note_uses(store: Store, name: str, version: str) -> None:
    """Add what `store` was used for so far to the note `name` of `version`, both file names.

    A store that cannot be written to knows nothing of it later.
    """
    if store.hold is None:
        return
    used = {_relative(path, store.root) for path in store.hold.used} - {""}
    path = store.root / "uses" / name
    with suppress(StoreError), store.locked(f"uses-{name}", what="notes"):
        before = [line for line in _lines(path, version) if (store.root / line).exists()]
        text = "\n".join([version, *sorted(used.union(before))]) + "\n"
        with store.temporary() as made, store.writing():
            made.write_text(text, "utf-8", errors="surrogateescape")
            made.replace(path)


def noted_uses(root: Path, names: Iterable[str]) -> frozenset[Path]:
    """What the notes `names` in the store below `root` say, and they themselves, as absolute paths."""
    found: set[Path] = set()
    for name in names:
        path = root / "uses" / name
        found |= {root / line for line in _lines(path)} | {path}
    return frozenset(found)


def _lines(path: Path, version: str = "") -> list[str]:
    """The paths in a note, if it is of `version`; of any when that is empty."""
    try:
        first, *lines = read_own(path, _LARGEST).decode("utf-8", "surrogateescape").splitlines()
    except (HostFileError, ValueError):
        return []
    return [line for line in lines if line] if version in {"", first} else []


def _relative(path: Path, root: Path) -> str:
    """The path of an object or result below the store's root; empty for what is elsewhere, and soon forgotten."""
    if not path.is_relative_to(root):
        return ""
    relative = path.relative_to(root)
    return str(relative) if relative.parts[0] in {"objects", "derived"} else ""
