"""All that lies in a store: kinds, sizes, last use."""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from assembler.store import kinds
from assembler.store.holds import alone
from assembler.store.objects import Store
from assembler.store.scratch import abandoned


@dataclass(frozen=True, slots=True)
class Item:
    """Something in a store that is removed as a whole, or not at all."""

    kind: str
    """For people, as :mod:`assembler.store.kinds` has it."""
    path: Path
    size: int
    """Bytes of its files, each counted once."""
    used: int
    """When it was used last, in nanoseconds since 1970."""


@dataclass(frozen=True, slots=True)
class Usage:
    """All items of a kind."""

    kind: str
    number: int
    size: int
    """Bytes."""
    oldest: int
    """When the one was used last that nobody has used for the longest time, in nanoseconds since 1970."""
    newest: int
    """The same of the last one."""


def inventory(store: Store) -> tuple[Item, ...]:
    """All that could be removed from `store`; what vanishes meanwhile is not there. Nothing of it counts as used."""
    return tuple(item for item in _items(store.root) if item is not None)


def by_kind(items: Iterable[Item]) -> tuple[Usage, ...]:
    """The same by kind, the largest first."""
    found: dict[str, list[Item]] = {}
    for item in items:
        found.setdefault(item.kind, []).append(item)
    usages = (
        Usage(
            kind,
            len(each),
            sum(item.size for item in each),
            min(item.used for item in each),
            max(item.used for item in each),
        )
        for kind, each in found.items()
    )
    return tuple(sorted(usages, key=lambda usage: (-usage.size, usage.kind)))


def _items(root: Path) -> Iterator[Item | None]:
    objects = [path for path in _in(root / "objects", levels=2) if not path.is_symlink() and path.is_file()]
    names = kinds.of_objects(objects)
    yield from (_item(names.get(path.name, kinds.FILES), path) for path in objects)
    for directory in _in(root / "derived"):
        yield from (_item(kinds.of_result(directory.name), path) for path in _in(directory))
    for path in _in(root / "ccache"):
        yield _item(kinds.CACHE, path, inside=True)
    for name, kind in (("downloads", kinds.PARTIAL), ("logs", kinds.LOGS), ("uses", kinds.USES)):
        yield from (_item(kind, path) for path in _in(root / name))
    yield from (_item(kinds.TEMPORARY, path) for path in abandoned(root / "tmp"))
    kernel = root / "tmp" / "kernel"
    if kernel.is_dir() and _is_free(root / "locks" / "kernel-objects"):
        yield _item(kinds.TEMPORARY, kernel)


def _is_free(lock: Path) -> bool:
    """Whether there is a lock, and nobody has it."""
    with suppress(OSError):
        if lock.exists():
            with alone(lock) as free:
                return free
    return False


def _in(directory: Path, levels: int = 1) -> Iterator[Path]:
    """What is in a directory, sorted; nothing when it is none."""
    try:
        found = sorted(directory.iterdir())
    except OSError:
        return
    for path in found:
        if levels > 1:
            yield from _in(path, levels - 1)
        else:
            yield path


def _item(kind: str, path: Path, *, inside: bool = False) -> Item | None:
    """An item with its size. With `inside`, it is used when a file in it is, as nobody marks it as a whole."""
    with suppress(OSError):
        used, size, seen = path.lstat().st_mtime_ns, 0, set()
        for status in _files(path):
            if (status.st_dev, status.st_ino) not in seen:
                seen.add((status.st_dev, status.st_ino))
                size += status.st_size
            if inside:
                used = max(used, status.st_mtime_ns)
        return Item(kind, path, size, used)
    return None


def _files(path: Path) -> Iterator[os.stat_result]:
    """The regular files that `path` is, or that are below it."""
    status = path.lstat()
    if stat.S_ISREG(status.st_mode):
        yield status
    elif stat.S_ISDIR(status.st_mode):
        for top, _, names in os.walk(path):
            for name in names:
                with suppress(OSError):
                    found = os.lstat(os.path.join(top, name))  # noqa: PTH118  of some hundred thousand files
                    if stat.S_ISREG(found.st_mode):
                        yield found
