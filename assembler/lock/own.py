"""The packages that a recipe brings itself: .debs by name, which are installed, and directories of them.

Nobody signs these. Each is a part of the recipe by its digest, and what it says of itself is read from its own control
file: so they are indexed here as archives are by their keepers, and chosen from in the same way.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from assembler.debian import local
from assembler.debian.deb import DebError, control_of
from assembler.debian.fetch import missing
from assembler.debian.index import Universe
from assembler.debian.mirrors import Mirrors
from assembler.debian.preferences import Listing
from assembler.debian.requests import Request
from assembler.errors import AssembleError, Place, Problems
from assembler.kubernetes.parts import packages
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import LockedPackage
from assembler.reading import UnreadableError
from assembler.recipe.model import DebianPackage, Recipe
from assembler.recipe.names import FILE_PATH
from assembler.store.download import UNKNOWN, Download
from assembler.store.objects import Store
from assembler.store.transport import Transport


@dataclass(frozen=True, slots=True)
class OwnIndex:
    """What a directory has, or a single .deb."""

    id: str
    """What messages call it; no archive of a lock can be called so."""
    text: bytes = field(repr=False)
    """Its Packages (deb822)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Given:
    """A single .deb."""

    key: str
    """Of the recipe."""
    index: OwnIndex
    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPackages:
    """All that a recipe brings itself."""

    architecture: str = ""
    """Of the image."""
    directories: tuple[OwnIndex, ...] = ()
    given: tuple[_Given, ...] = ()
    urls: Mapping[str, str] = field(default_factory=dict)
    """Addresses by SHA-256, for those that have one."""

    def indices(self, architecture: str) -> list[OwnIndex]:
        """Those to choose from for an `architecture`. Single .debs are for the image alone."""
        single = [each.index for each in self.given] if architecture == self.architecture else []
        return [*self.directories, *single]

    @property
    def names(self) -> tuple[str, ...]:
        """The packages that are installed because they are given."""
        return tuple(each.name for each in self.given)

    def owns(self, archive: str) -> bool:
        """Whether `archive` is an index of these, and none of an archive."""
        return any(archive == index.id for index in self.indices(self.architecture))

    def prefer(self, universe: Universe, requests: Sequence[Request]) -> None:
        """Have the single .debs be the candidates in `universe`, whatever pins say.

        Raises LockError when one of `requests` is for another version.
        """
        for each in self.given:
            for asked in requests:
                same = not asked.release and fnmatchcase(each.version, asked.version)
                if asked.name.partition(":")[0] == each.name and not (asked.plain or same):
                    raise LockError(
                        f"it is {each.name} {each.version}, and rootfs.packages has '{asked.text}'",
                        where=Place(key=each.key),
                        hint="ask for one of them",
                    )
            (own,) = (offer for offer in universe.versions(each.name) if offer.candidate.sha256 == each.sha256)
            universe.choose(own)


NOTHING = OwnPackages()


Brought = Mapping[str, frozenset[tuple[str, str]]]
"""The .debs of a recipe by SHA-256: what each may be called in a lock, and its address; one of the two is empty."""


def brought(recipe: Recipe) -> Brought:
    """The .debs that `recipe` brings, single ones and those in directories."""
    pairs = [
        *((sha256, (name, "")) for archive in recipe.debian.archives for name, sha256 in archive.files.items()),
        *((deb.sha256, ("" if deb.url else deb.path.rpartition("/")[2], deb.url)) for deb in recipe.debian.debs),
    ]
    found: dict[str, frozenset[tuple[str, str]]] = {}
    for sha256, names in pairs:
        found[sha256] = found.get(sha256, frozenset()) | {names}
    return found


def called(package: LockedPackage) -> tuple[str, str]:
    """How a `package` of the recipe's own is named, as in `Brought`."""
    return ("", package.url) if package.url else (package.path, "")


def own_packages(recipe: Recipe, *, store: Store, transport: Transport, mirrors: Mirrors) -> OwnPackages:
    """What `recipe` brings itself, of which single .debs are in `store` afterwards.

    Raises LockError or TransportError with the recipe's key: when a file is missing, or is no package of the image; and
    Problems for several such.
    """
    debian = recipe.debian
    if not (debian.debs or any(archive.files for archive in debian.archives)):
        return NOTHING
    _obtain(debian.debs, store=store, transport=transport, mirrors=mirrors)
    errors: list[AssembleError] = []
    given: list[_Given] = []
    directories: list[OwnIndex] = []
    for index, deb in enumerate(debian.debs):
        try:
            given.append(_single(recipe, deb, f"debian.debs[{index}].{'url' if deb.url else 'path'}", store, mirrors))
            _require_one(given)
        except AssembleError as error:
            errors.append(error)
    for index, archive in enumerate(debian.archives):
        stanzas = []
        where = Place(key=f"debian.archives[{index}].path")
        for name, sha256 in archive.files.items():
            try:
                fields, size = _control(sha256, name, where, store, mirrors)
            except AssembleError as error:
                errors.append(error)
                continue
            if not archive.architectures or fields["Architecture"] in archive.architectures:
                stanzas.append(_stanza(fields, name, size, sha256))
        if archive.files:
            directories.append(OwnIndex(_called(archive.path), "\n".join(stanzas).encode()))
    if errors:
        raise errors[0] if len(errors) == 1 else Problems(errors)
    return OwnPackages(
        architecture=recipe.arch,
        directories=tuple(directories),
        given=tuple(given),
        urls={deb.sha256: deb.url for deb in debian.debs if deb.url},
    )


def _called(path: str) -> str:
    """The id of what a recipe names by `path`."""
    return path if path.startswith(("/", ".")) else f"./{path}"


def _obtain(debs: Sequence[DebianPackage], *, store: Store, transport: Transport, mirrors: Mirrors) -> None:
    """See to it that single .debs are in `store`, of whatever size."""
    files = mirrors.local.debs if mirrors.local else {}
    for index, deb in enumerate(debs):
        key = f"debian.debs[{index}].{'url' if deb.url else 'path'}"
        urls = (deb.url,) if deb.url else (files[deb.sha256].absolute().as_uri(),) if deb.sha256 in files else ()
        if store.sound(deb.sha256):
            continue
        if not urls:
            raise missing({(deb.path, deb.sha256)}, Place(key=key))
        item = Download(
            digest=deb.sha256,
            size=UNKNOWN,
            urls=urls,
            name=urls[0].rpartition("/")[2],
            hint=f"check {key}",
            trusted_by="the recipe",
            mismatch_hint="the file changed just now: try again" if deb.path else f"check debian.debs[{index}].sha256",
        )
        try:
            if deb.url:
                transport.learn(store, [item])
            else:
                local.download([item], store=store, transport=transport, mirrors=mirrors)
        except AssembleError as error:
            error.where = Place(key=key)
            raise


def _single(recipe: Recipe, deb: DebianPackage, key: str, store: Store, mirrors: Mirrors) -> _Given:
    where = Place(key=key)
    fields, size = _control(deb.sha256, deb.url or deb.path, where, store, mirrors)
    name, version, architecture = (fields[field] for field in ("Package", "Version", "Architecture"))
    if architecture not in {recipe.arch, "all"}:
        raise LockError(
            f"{name} is of architecture {architecture}, but the image is of {recipe.arch}",
            where=where,
            hint="an image has packages of one architecture; give the package's file for that",
        )
    if recipe.kubernetes is not None and name in packages(recipe.kubernetes)[1]:
        raise LockError(
            f"the Kubernetes layer takes {name} from elsewhere",
            where=where,
            hint='leave one of the two out, or have that layer take the package with source = "debian"',
        )
    called = _file_name(deb, fields)
    return _Given(
        key=key,
        index=OwnIndex(deb.url or _called(deb.path), _stanza(fields, called, size, deb.sha256).encode()),
        name=name,
        version=version,
        sha256=deb.sha256,
    )


def _file_name(deb: DebianPackage, fields: Mapping[str, str]) -> str:
    """What a lock calls a single .deb: as its file, or its address ends, or as Debian would."""
    name = deb.path.rpartition("/")[2] or unquote(urlsplit(deb.url).path).rpartition("/")[2]
    if re.fullmatch(FILE_PATH, name):
        return name
    version = fields["Version"]
    return f"{fields['Package']}_{version.partition(':')[2] or version}_{fields['Architecture']}.deb"


def _require_one(given: Sequence[_Given]) -> None:
    *before, last = given
    for other in before:
        if other.name == last.name and other.sha256 != last.sha256:
            raise LockError(
                f"another .deb of {last.name} is given, too",
                where=Place(key=last.key),
                why=f"that is version {other.version}, and this {last.version}",
                hint="leave one of them out",
            )


def _control(sha256: str, name: str, where: Place, store: Store, mirrors: Mirrors) -> tuple[Mapping[str, str], int]:
    """The control fields of the .deb with that digest, and its size in bytes. `name` is for errors."""
    with _opened(sha256, name, where, store, mirrors) as stream:
        try:
            size = stream.seek(0, 2)
            stream.seek(0)
            return control_of(stream, where)[0], size
        except AssembleError as error:
            why = f"{name}: {error.why}" if error.why else name
            raise DebError(error.what, where=where, why=why, hint="is it a .deb, and whole?") from error
        except OSError as error:
            raise LockError("a package cannot be read", where=where, why=f"{name}: {error.strerror}") from error


@contextmanager
def _opened(sha256: str, name: str, where: Place, store: Store, mirrors: Mirrors) -> Iterator[BinaryIO]:
    """The .deb with that digest: in the store, or as it is here."""
    if store.has(sha256):
        with store.get(sha256).open("rb") as stream:
            yield stream
        return
    here = mirrors.local
    if here is None or sha256 not in here.debs:
        raise missing({(name, sha256)}, where)
    try:
        with here.reach.opened(here.debs[sha256]) as stream:
            yield stream
    except UnreadableError as error:
        raise LockError(f"the package {error.what}", where=where, why=error.why) from error


def _stanza(fields: Mapping[str, str], filename: str, size: int, sha256: str) -> str:
    """What an index would have of a package."""
    ours = {"Filename": filename, "Size": str(size), "SHA256": sha256}
    theirs = {name: value for name, value in fields.items() if name.lower() not in map(str.lower, ours)}
    lines = (f"{name}: {value}\n" for name, value in (theirs | ours).items())
    return "".join(lines).encode("utf-8", "replace").decode()


def listing(index: OwnIndex) -> Listing:
    """What preferences may ask of `index`: as of an archive of files that has no Release."""
    return Listing(id=index.id)


def differs(package: LockedPackage, own: Brought, *, store: Store, mirrors: Mirrors) -> str:
    """How `package`, which is in `store`, differs from what a recipe brings, its `own`; empty when it is that.

    Raises LockError or DebError when it cannot be read.
    """
    if called(package) not in own.get(package.sha256, ()):
        return f"it brings no {package.url or package.path} with SHA-256 {package.sha256}"
    fields, size = _control(package.sha256, package.path, Place(package=package.name), store, mirrors)
    source, _, version = fields.get("Source", package.name).partition(" ")
    there = {
        "name": fields["Package"],
        "version": fields["Version"],
        "architecture": fields["Architecture"],
        "source": source,
        "source_version": version.strip(" ()") or fields["Version"],
        "size": size,
    }
    return "; ".join(
        f"{key} is {getattr(package, key)}, the package says {value}"
        for key, value in there.items()
        if getattr(package, key) != value
    )
