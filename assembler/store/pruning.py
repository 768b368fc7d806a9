"""Removing from a store what nobody needs: by age, by size, by what is to be kept, and never what a build has in use.

What is removed is first moved aside, to where things are made, and that is one step for each thing. Whoever is killed
in the midst leaves behind what the next build removes.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from assembler.progress import SILENT, Reporter
from assembler.store import kinds
from assembler.store.holds import NOBODY, alone, removing
from assembler.store.inventory import Item
from assembler.store.objects import Store

_AT_ONCE = 64
"""Things that are moved aside while nobody may begin to use anything."""


@dataclass(frozen=True, slots=True)
class Pruned:
    """What came of removing."""

    removed: tuple[Item, ...]
    held: tuple[Item, ...]
    """What is still there, as a running build has it in use, or has used it meanwhile."""


def plan(
    items: Iterable[Item],
    *,
    unused_since: int | None = None,
    size: int | None = None,
    kept: Collection[Path] = (),
    held_since: int = NOBODY,
) -> tuple[Item, ...]:
    """Which of `items` to remove, those first that nobody has used for the longest time.

    :param unused_since: what was used before this time, in nanoseconds since 1970, goes.
    :param size: of the rest as much goes as it takes until no more than so many bytes are left.
    :param kept: paths of what stays in any case; when it is all that is given, everything else goes.
    :param held_since: what was used after this time stays in any case, too.

    What killed builds have left goes in any case.
    """

    def stays(item: Item) -> bool:
        return item.path in kept or (item.used >= held_since and item.kind != kinds.TEMPORARY)

    everything = sorted(items, key=lambda item: (item.used, str(item.path)))
    left = sum(item.size for item in everything)
    chosen = []
    for item in everything:
        if stays(item):
            continue
        if (
            item.kind == kinds.TEMPORARY
            or (unused_since is None and size is None)
            or (unused_since is not None and item.used < unused_since)
        ):
            chosen.append(item)
            left -= item.size
    if size is not None:
        gone = set(chosen)
        for item in everything:
            if left <= size:
                break
            if not stays(item) and item not in gone:
                chosen.append(item)
                left -= item.size
    return tuple(sorted(chosen, key=lambda item: (item.used, str(item.path))))


def prune(store: Store, items: Sequence[Item], reporter: Reporter = SILENT) -> Pruned:
    """Remove `items` from `store`, but what is in use or was used after they were listed. Raises StoreError."""
    removed: list[Item] = []
    held: list[Item] = []
    with reporter.step("prune", total=sum(item.size for item in items), unit="B") as step:
        for start in range(0, len(items), _AT_ONCE):
            # Removing what killed builds have left is what making room for this begins with.
            with store.temporary() as aside, store.writing():
                aside.mkdir()
                with removing(store.root / "holds") as since:
                    for number, item in enumerate(items[start : start + _AT_ONCE]):
                        gone = _moved(store.root, item, aside / str(number), since)
                        (removed if gone else held).append(item)
            step.advance(sum(item.size for item in items[start : start + _AT_ONCE]))
    return Pruned(tuple(removed), tuple(held))


def _moved(root: Path, item: Item, aside: Path, since: int) -> bool:
    """Move `item` aside unless it has been used since; whether it is gone."""
    with _taken(root, item) as free:
        try:
            used = item.path.lstat().st_mtime_ns
            if not free or used >= since or used > item.used:
                return False
            try:
                item.path.rename(aside)
            except PermissionError:  # a directory that its owner may not write to
                item.path.chmod(0o700)
                item.path.rename(aside)
        except FileNotFoundError:
            pass
    return True


@contextmanager
def _taken(root: Path, item: Item) -> Iterator[bool]:
    """Hold the lock of what is written to, not only used; yields whether that is possible."""
    if item.kind == kinds.PARTIAL:
        name = f"download-{item.path.name}"
    elif item.kind == kinds.CACHE or item.path == root / "tmp" / "kernel":
        name = "kernel-objects"
    else:
        yield True
        return
    with alone(root / "locks" / name) as free:
        yield free
