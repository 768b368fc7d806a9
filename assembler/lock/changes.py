"""What differs between two locks, in the terms of people who review one: source packages, their packages, versions."""

from collections.abc import Mapping
from dataclasses import dataclass

from assembler.lockfile.model import Lock, LockedPackage


@dataclass(frozen=True, slots=True, kw_only=True)
class PackageChange:
    """A package that differs; a version is empty where the package is not."""

    name: str
    architecture: str
    old: str
    new: str
    why: str
    """Of the new one, or of the old one when it is gone: see `LockedPackage.why`."""
    bytes_only: bool
    """Whether the version is the same and the file is not, which no archive should ever do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChange:
    """A source package of which something differs; several versions of one are separated by commas."""

    source: str
    old: str
    new: str
    packages: tuple[PackageChange, ...]
    changelog: tuple[str, ...] = ()
    """Lines of its changelog on the versions between, as far as they are known: see `lock/changelogs.py`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveChange:
    """An archive that differs; a date (RFC 3339) is empty where the archive is not."""

    id: str
    old: str
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FileChange:
    """An upstream file or a container image that differs; empty where it is not."""

    name: str
    old: str
    """Version if there is one, and digest."""
    new: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """All that differs, sorted by name."""

    archives: tuple[ArchiveChange, ...]
    sources: tuple[SourceChange, ...]
    files: tuple[FileChange, ...]
    other: Mapping[str, tuple[object, object]]
    """Old and new value of single fields, by name."""

    def __bool__(self) -> bool:
        return bool(self.archives or self.sources or self.files or self.other)


def changes(old: Lock | None, new: Lock) -> Changes:
    """What `new` has otherwise than `old`; everything, when there is no old one.

    Packages are compared by version and bytes. Not compared: roles, reasons, compilers, records of builds.
    """
    archives: dict[str, list[tuple[str, str]]] = {}
    for side, lock in enumerate((old, new)):
        for archive in lock.archives if lock else ():
            archives.setdefault(archive.id, [("", ""), ("", "")])[side] = archive.date, archive.inrelease_sha256
    fields = ("recipe_sha256", "source_date_epoch", "architecture", "build_architecture")
    other = {
        field: (getattr(old, field) if old else None, getattr(new, field))
        for field in fields
        if old is None or getattr(old, field) != getattr(new, field)
    }
    other |= _versions(old, new) | _kubernetes(old, new)
    return Changes(
        archives=tuple(
            ArchiveChange(id=name, old=before[0], new=after[0])
            for name, (before, after) in sorted(archives.items())
            if before != after
        ),
        sources=_sources(old, new),
        files=_files(old, new),
        other=other,
    )


def _versions(old: Lock | None, new: Lock) -> dict[str, tuple[object, object]]:
    """Libraries whose version differs; an old lock that names none says nothing of them."""
    if old is None or not old.libraries:
        return {}
    before, after = ({one.name: one.version for one in lock.libraries} for lock in (old, new))
    return {
        f"library {name}": (before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _kubernetes(old: Lock | None, new: Lock) -> dict[str, tuple[object, object]]:
    """What Kubernetes stands for and what goes with it, as far as that is not among the files."""
    before, after = (
        {each.name: f"{each.version} ({each.learned})" for each in (lock.kubernetes if lock else ())}
        for lock in (old, new)
    )
    return {
        "Kubernetes" if name == "kubernetes" else f"{name} of Kubernetes": (before.get(name), after.get(name))
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    }


def _files(old: Lock | None, new: Lock) -> tuple[FileChange, ...]:
    before, after = _upstream(old), _upstream(new)
    return tuple(
        FileChange(name=name, old=before.get(name, ""), new=after.get(name, ""))
        for name in sorted(before.keys() | after.keys())
        if before.get(name) != after.get(name)
    )


def _upstream(lock: Lock | None) -> dict[str, str]:
    files = {file.name: f"{file.version} sha256:{file.sha256}".strip() for file in (lock.files if lock else ())}
    return files | {image.name: f"sha256:{image.manifest}" for image in (lock.images if lock else ())}


def _sources(old: Lock | None, new: Lock) -> tuple[SourceChange, ...]:
    before, after = _by_source(old), _by_source(new)
    found = []
    for source in sorted(before.keys() | after.keys()):
        packages = _packages(before.get(source, {}), after.get(source, {}))
        if packages:
            was, now = (
                ", ".join(sorted({package.source_version for each in side.values() for package in each}))
                for side in (before.get(source, {}), after.get(source, {}))
            )
            found.append(SourceChange(source=source, old=was, new=now, packages=packages))
    return tuple(found)


_Group = Mapping[tuple[str, str], list[LockedPackage]]
"""Packages by name and architecture; usually one each."""


def _by_source(lock: Lock | None) -> dict[str, dict[tuple[str, str], list[LockedPackage]]]:
    found: dict[str, dict[tuple[str, str], list[LockedPackage]]] = {}
    for package in lock.packages if lock else ():
        key = package.name, package.architecture
        found.setdefault(package.source, {}).setdefault(key, []).append(package)
    return found


def _packages(before: _Group, after: _Group) -> tuple[PackageChange, ...]:
    found = []
    for key in sorted(before.keys() | after.keys()):
        was, now = before.get(key, []), after.get(key, [])
        if {(each.version, each.sha256) for each in was} == {(each.version, each.sha256) for each in now}:
            continue
        versions = [", ".join(package.version for package in side) for side in (was, now)]
        found.append(
            PackageChange(
                name=key[0],
                architecture=key[1],
                old=versions[0],
                new=versions[1],
                why=(now or was)[0].why,
                bytes_only=versions[0] == versions[1],
            )
        )
    return tuple(found)


def describe(found: Changes) -> list[str]:
    """`found` in lines for people: a source package with its versions, and below it its packages."""
    lines = [
        f"archive {change.id}: {change.old or 'new'} -> {change.new or 'no longer used'}" for change in found.archives
    ]
    for source in found.sources:
        lines.append(f"{source.source} {_arrow(source.old, source.new)}")
        for package in source.packages:
            note = "  other bytes, same version!" if package.bytes_only else ""
            why = f"  ({package.why})" if not package.old or not package.new else ""
            lines.append(f"  {package.name}:{package.architecture} {_arrow(package.old, package.new)}{why}{note}")
        lines += (f"    {line}".rstrip() for line in source.changelog)
    lines += [f"{change.name} {_arrow(change.old, change.new)}" for change in found.files]
    # The digest of the recipe tells people nothing; what follows from it is above.
    lines += [
        f"{name.replace('_', ' ')}: {_shown(old)} -> {new}"
        for name, (old, new) in found.other.items()
        if name != "recipe_sha256"
    ]
    return lines


def _shown(value: object) -> object:
    return "none" if value is None else value


def _arrow(old: str, new: str) -> str:
    if not old:
        return f"{new} added"
    return f"{old} -> {new}" if new else f"{old} removed"
