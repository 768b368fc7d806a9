"""The source of a kernel: a tarball, alone or in Debian's linux-source package, laid out as a directory."""

import re
from collections.abc import Sequence
from pathlib import Path

from assembler.debian.deb import open_package
from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.tree.compressed import DAMAGE, Window, plain
from assembler.tree.content import CHUNK, Slice, size_of, whole
from assembler.tree.extract import extract
from assembler.tree.tar import Limits, index

_KIND = "kernel-source-1"
_TARBALL = re.compile(r"/usr/src/linux-source-[^/]+\.tar\.(?:xz|gz|zst)")
_NEEDED = ("Makefile", "Kconfig", "scripts/Makefile.build")


class SourceError(AssembleError):
    """Something that is no kernel's source."""


def from_package(store: Store, sha256: str, package: str, reporter: Reporter = SILENT) -> Path:
    """The source in Debian's `package`, whose .deb the store has under `sha256`, as a directory in the store.

    Raises SourceError when it holds none, and what reading packages and archives raises.
    """
    where = Place(package=package)

    def make(directory: Path) -> None:
        deb = open_package(store, sha256, package)
        found = [member for member in deb.members if member.type == "0" and _TARBALL.fullmatch(member.path)]
        if len(found) != 1:
            raise SourceError(
                "the package has no kernel's source",
                where=where,
                why="there is not one /usr/src/linux-source-*.tar.* in it",
                hint="name a linux-source-VERSION package in kernel.package",
            )
        _lay_out(store, Slice(str(deb.data), found[0].offset, found[0].size), directory, where, reporter)

    tree = store.derived(_KIND, sha256, make)
    _check(tree, _NEEDED, where)
    return tree


def from_file(
    store: Store, sha256: str, name: str, reporter: Reporter = SILENT, *, needed: Sequence[str] = _NEEDED
) -> Path:
    """The source in a tarball, which the store has under `sha256` and errors call `name`, as a directory in the store.

    Raises SourceError when it lacks one of the files `needed`, and TarError when it is damaged.
    """
    where = Place(file=name)
    file = store.get(sha256, what=name)
    tree = store.derived(_KIND, sha256, lambda directory: _lay_out(store, whole(file), directory, where, reporter))
    _check(tree, needed, where)
    return tree


def release_of(tree: Path) -> str:
    """The version that a source's Makefile gives itself: ``6.12.117``."""
    values = dict(re.findall(r"^(VERSION|PATCHLEVEL|SUBLEVEL|EXTRAVERSION) *=[ \t]*(\S*)", _head(tree), re.MULTILINE))
    numbers = [str(values.get(name, "")) for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL")]
    return ".".join(number for number in numbers if number) + str(values.get("EXTRAVERSION", ""))


def _head(tree: Path) -> str:
    with (tree / "Makefile").open("rb") as stream:
        return stream.read(4096).decode("utf-8", "replace")


def _lay_out(store: Store, tarball: Slice, directory: Path, where: Place, reporter: Reporter) -> None:
    limits = Limits()
    with store.temporary() as archive:
        with Path(tarball.file).open("rb") as stream, archive.open("wb") as out:
            window = Window(stream, tarball.offset, size_of(tarball))
            with reporter.step("kernel source", total=tarball.size, unit="B") as step:
                source, before, total = plain(window, where), 0, 0
                try:
                    while chunk := source.read(CHUNK):
                        total += len(chunk)
                        if total > limits.unpacked:
                            raise SourceError("the source unpacks to too much", where=where)
                        out.write(chunk)
                        step.advance(stream.tell() - tarball.offset - before)
                        before = stream.tell() - tarball.offset
                except DAMAGE as error:
                    raise SourceError("the source is damaged", where=where, why=str(error)) from error
        extract(index(archive, where, limits), archive, directory, where)


def _check(tree: Path, needed: Sequence[str], where: Place) -> None:
    missing = [name for name in needed if not (tree / name).is_file()]
    if missing:
        raise SourceError("this is no kernel's source", where=where, why=f"it has no {missing[0]}")
