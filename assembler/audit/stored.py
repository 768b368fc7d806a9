"""Verifying a store: objects against their digests, and what was laid out of them against what it is made of."""

import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from assembler.debian.deb import open_package
from assembler.errors import AssembleError, Place
from assembler.kernel import source
from assembler.kubernetes import archive
from assembler.progress import SILENT, Reporter
from assembler.store.inventory import Item
from assembler.store.objects import Store, sha256_of
from assembler.tools.unpack import unchanged
from assembler.tree.content import equal, whole

Check = Callable[[Path], bool]
"""Whether a result is as it was made, by what it says of itself."""
Remake = Callable[[Store, str], object]
"""Make a result in a store of the object with a digest."""


@dataclass(frozen=True, slots=True)
class Damage:
    """Something in a store that is not what it should be."""

    item: Item
    why: str


@dataclass(frozen=True, slots=True)
class StoreFindings:
    """What was found of a store."""

    objects: int
    """Those that were read."""
    results: int
    """Those that were compared."""
    unknown: int
    """Results that nothing but making them again could tell of, which a build does."""
    damaged: tuple[Damage, ...]


def verify_store(
    store: Store, items: Iterable[Item], checks: Mapping[str, Check], reporter: Reporter = SILENT
) -> StoreFindings:
    """Look at the objects and results among `items`, all that `store` has.

    Results of a package or an archive are made once more and compared; `checks` are for results that say themselves
    what they are, by the first word of their kind.
    """
    everything = list(items)
    objects = [item for item in everything if item.path.is_relative_to(store.root / "objects")]
    results = [item for item in everything if item.path.is_relative_to(store.root / "derived")]
    checks = {"toolbox": unchanged, **checks}
    damaged: list[Damage] = []
    wrong: set[str] = set()
    unknown = 0
    with reporter.step("verify", total=sum(item.size for item in (*objects, *results)), unit="B") as step:
        for item in objects:
            step.note(item.path.name)
            if why := _of_object(store, item.path):
                damaged.append(Damage(item, why))
                wrong.add(item.path.name)
            step.advance(item.size)
        for item in results:
            step.note(item.kind)
            found = None if item.path.name in wrong else _of_result(store, item.path, checks)
            if found is None:
                unknown += 1
            elif found:
                damaged.append(Damage(item, found))
            step.advance(item.size)
    return StoreFindings(len(objects), len(results) - unknown, unknown, tuple(damaged))


def _of_object(store: Store, path: Path) -> str:
    """What is wrong with an object, or nothing."""
    try:
        if path != store.path(path.name):
            return "it is not where an object of its name belongs"
        return "" if (found := sha256_of(path)) == path.name else f"its SHA-256 is {found}"
    except FileNotFoundError:  # somebody prunes the store just now
        return ""
    except OSError as error:
        return error.strerror or str(error)


def _of_result(store: Store, path: Path, checks: Mapping[str, Check]) -> str | None:
    """What is wrong with a result, or nothing; None when it cannot be told."""
    kind = path.parent.name
    name = kind.rpartition("-")[0]
    check = checks.get(name) or checks.get(name.partition("-")[0])
    if check is not None:
        return "" if check(path) or not path.exists() else "it is not what was made"
    remake = _REMADE.get(name)
    if remake is None or not store.has(path.name):
        return None
    with store.without_results() as fresh:
        try:
            remake(fresh, path.name)
        except (AssembleError, FileNotFoundError):
            return None
        made = fresh.results / kind / path.name
        if not made.exists():  # it is of another version of the assembler
            return None
        other = next(_differences(made, path), "")
    return other if path.exists() else ""


def _unpacked(store: Store, digest: str) -> object:
    return open_package(store, digest)


def _source(store: Store, digest: str) -> object:
    with store.get(digest).open("rb") as stream:
        package = stream.read(8) == b"!<arch>\n"
    if package:
        return source.from_package(store, digest, digest)
    return source.from_file(store, digest, digest, needed=())


def _archive(store: Store, digest: str) -> object:
    return archive.members(store, digest, {}, Place(file=digest))


_REMADE: Mapping[str, Remake] = {"unpacked": _unpacked, "kernel-source": _source, "archive": _archive}
"""By the name of a kind, without its version."""


def _differences(right: Path, path: Path) -> Iterator[str]:
    """What differs between two trees: paths, kinds, whether files are executable, targets and bytes."""
    expected, there = (dict(_walk(each)) for each in (right, path))
    for name in sorted(expected.keys() | there.keys()):
        shown = name or path.name
        if name not in there:
            yield f"{shown} is missing"
        elif name not in expected:
            yield f"{shown} should not be there"
        elif expected[name] != there[name] or not _same_bytes(right / name, path / name):
            yield f"{shown} is not what was made"


def _walk(top: Path) -> Iterator[tuple[str, tuple[int, str]]]:
    """Paths below `top`, itself included, with what they are and where a link leads."""
    pending = [top]
    while pending:
        path = pending.pop()
        try:
            mode = path.lstat().st_mode
            target = str(path.readlink()) if stat.S_ISLNK(mode) else ""
            if stat.S_ISDIR(mode):
                pending += [Path(entry.path) for entry in os.scandir(path)]
        except OSError:
            continue
        executable = mode & stat.S_IXUSR if stat.S_ISREG(mode) else 0
        yield ("" if path == top else str(path.relative_to(top))), (stat.S_IFMT(mode) | executable, target)


def _same_bytes(one: Path, other: Path) -> bool:
    """Whether two paths of the same kind have the same bytes, if they are regular files."""
    if not stat.S_ISREG(one.lstat().st_mode):
        return True
    try:
        return equal(whole(one), whole(other))
    except OSError:
        return False
