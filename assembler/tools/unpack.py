"""Packages laid out as a real directory, for tools that are run and boot loader files that are read. Never installed.

Ownership, set-id bits and maintainer scripts play no part, so an ordinary user can do it, and nothing that is written
comes to lie outside the directory: names were checked when the package was read; files and all directories, those of
links too, come before symbolic links, so that nothing is made through one; and links lead to nothing outside, as their
targets climb from a directory that is one, to the directory's top at most.
"""

import hashlib
import os
import posixpath
import stat
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePosixPath

from assembler.debian.deb import Deb, open_package
from assembler.errors import AssembleError, Place
from assembler.lockfile.model import LockedPackage
from assembler.store.objects import FULL, Store, sha256_of
from assembler.tree.extract import CONTRADICTIONS, lay, make_links
from assembler.tree.tar import Member

KIND = "toolbox-3"
"""What the store calls its results."""
_ROOT, _LISTING = "root", "listing"
_MERGED = frozenset({"bin", "sbin", "lib", "lib32", "lib64", "libx32"})
"""Directories of the root that are links into /usr (merged usr)."""
_LEFT_OUT = ("/usr/share/doc/", "/usr/share/man/", "/usr/share/info/", "/usr/share/locale/")


def unpacked(store: Store, packages: Sequence[LockedPackage]) -> Path:
    """The directory with the files of `packages`, made in the store when it is missing or not what was made.

    Every file is read and compared with what was written, since programs are run from there.

    Raises StoreError when a package is not in the store, DebError or TarError when one is damaged, and AssembleError
    when two of them disagree about a file.
    """
    debs = ((package.name, open_package(store, package.sha256, package.name)) for package in packages)

    def make(directory: Path) -> None:
        directory.mkdir()
        lay_out(debs, directory / _ROOT)
        (directory / _LISTING).write_text("".join(listing(directory / _ROOT)), "utf-8")

    return store.derived(KIND, key(packages), make, sound=unchanged) / _ROOT


def key(packages: Iterable[LockedPackage]) -> str:
    """What the result of `packages` is called."""
    return hashlib.sha256("\n".join(sorted(package.sha256 for package in packages)).encode()).hexdigest()


def unchanged(directory: Path) -> bool:
    """Whether a result of :func:`unpacked` is what was made: every file is read."""
    try:
        return (directory / _LISTING).read_text("utf-8") == "".join(listing(directory / _ROOT))
    except (OSError, UnicodeError):
        return False


def listing(root: Path) -> Iterator[str]:
    """What is below the directory `root`: a line for each path, with its mode, and its SHA-256 or target."""
    for directory, directories, names in os.walk(root):
        directories.sort()
        for name in sorted((*directories, *names)):
            path = Path(directory, name)
            mode = path.lstat().st_mode
            content = sha256_of(path) if stat.S_ISREG(mode) else ""
            content = str(path.readlink()) if stat.S_ISLNK(mode) else content
            yield f"{mode:o} {os.fsencode(path.relative_to(root))!r} {content!r}\n"


def lay_out(packages: Iterable[tuple[str, Deb]], directory: Path) -> None:
    """Write the files of `packages`, (name, package) each, below `directory`, which is made; usr-merged, with the links
    that this takes: text files of libraries, which the linker reads, name ``/lib``.
    """
    directory.mkdir()
    owner: dict[str, str] = {}
    links: dict[str, str] = {}
    for name, deb in packages:
        for member in deb.members:
            path = _merged(member.path)
            if path.startswith(_LEFT_OUT):
                continue
            if member.type != "5" and owner.setdefault(path, name) != name:
                raise AssembleError(
                    "two packages ship the same file",
                    where=Place(package=name, path=path),
                    why=f"{owner[path]} ships it too",
                )
            _place(deb, member, directory, path, links)
    for name in _MERGED:
        if (directory / "usr" / name).is_dir():
            (directory / name).symlink_to(f"usr/{name}")
    # Where a directory is, or has to be for another link's sake, there is no link: as when unpacking with dpkg.
    directories = {str(parent) for path in links for parent in PurePosixPath(path).parents}
    try:
        make_links(
            [
                (directory / path[1:], target)
                for path, target in sorted(links.items())
                if path not in directories and not (directory / path[1:]).is_dir()
            ]
        )
    except OSError as error:
        if error.errno not in CONTRADICTIONS:
            raise
        raise AssembleError(
            "the packages' symbolic links cannot be made",
            why=f"{error.filename2 or error.filename}: {error.strerror}",
        ) from error


def _place(deb: Deb, member: Member, directory: Path, path: str, links: dict[str, str]) -> None:
    place = directory / path[1:]
    if member.type == "2":
        if member.path[1:] not in _MERGED:
            links[path] = _relative(member)
        return
    try:
        # A hard link's target that is missing or a symbolic link is the package's fault and ends below.
        lay(member, deb.data, place, directory / _merged(member.target)[1:])
    except OSError as error:
        if error.errno in FULL:
            raise
        raise AssembleError(
            "a package's file cannot be unpacked",
            where=Place(package=deb.name, path=member.path),
            why=error.strerror or str(error),
        ) from error


def _merged(path: str) -> str:
    first = path[1:].partition("/")[0]
    return f"/usr{path}" if first in _MERGED else path


def _relative(link: Member) -> str:
    """The text for a symbolic link that leads to the same place below the directory; absolute targets mean its root."""
    target = posixpath.normpath(posixpath.join(posixpath.dirname(link.path), link.target))
    return posixpath.relpath(_merged(target), posixpath.dirname(_merged(link.path)))
