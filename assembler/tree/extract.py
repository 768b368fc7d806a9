"""Laying out an archive as real directories and files, for sources that programs of the host read.

Nothing comes to lie outside the directory, whatever the archive says, and no link leads out of it: names were checked
when it was indexed; files and all directories, those of links too, are made before the first symbolic link, so that
nothing is written through one; and a link's target climbs only at its beginning, from a directory that is one, and no
higher than the top. Owners, times, device nodes and set-id bits play no part.
"""

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from assembler.errors import Place
from assembler.tree.content import Slice, chunks
from assembler.tree.tar import Member, TarError

CONTRADICTIONS = frozenset(
    {
        *(errno.EEXIST, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EINVAL),
        *(errno.EPERM, errno.EMLINK, errno.EILSEQ),  # a hard link to a directory, or too many; a name that is no UTF-8
    }
)
"""Errors that an archive is to blame for, and not the host."""


def extract(members: Iterable[Member], archive: Path, directory: Path, where: Place) -> None:
    """Write the `members` of the uncompressed tar `archive` below `directory`, which is made, without the one
    directory that all of them lie in.

    Raises TarError, which calls the archive `where`, when they do not, or when members contradict one another; OSError
    when the disk is full.
    """
    directory.mkdir()
    links: list[tuple[Path, Member]] = []
    top = ""
    for member in members:
        first, _, rest = member.path[1:].partition("/")
        top = top or first
        if first != top:
            raise TarError("the archive has more than one directory at its top", where=where, why=f"{top}, {first}")
        if not rest:
            if member.type != "5":
                raise TarError("the archive has a file at its top", where=where, why=member.path)
            continue
        if member.type == "2":
            _check_target(rest, member, where)
            links.append((directory / rest, member))
            continue
        try:
            lay(member, archive, directory / rest, directory / member.target[1:].removeprefix(f"{top}/"))
        except OSError as error:
            raise _own(error, member.path, where) from error
    try:
        make_links([(place, member.target) for place, member in links])
    except OSError as error:
        raise _own(error, str(error.filename2 or error.filename), where) from error


def _own(error: OSError, path: str, where: Place) -> Exception:
    """What to raise: `error` itself unless the archive is to blame for it."""
    if error.errno not in CONTRADICTIONS:
        return error
    return TarError("the archive contradicts itself", where=where, why=f"{path}: {error.strerror}")


def _check_target(path: str, member: Member, where: Place) -> None:
    names = [name for name in member.target.split("/") if name not in {"", "."}]
    climbs = next((number for number, name in enumerate(names) if name != ".."), len(names))
    if member.target.startswith("/") or ".." in names[climbs:] or climbs > path.count("/"):
        raise TarError(
            "a symbolic link leads out of the archive", where=where, why=f"{member.path} leads to {member.target}"
        )


def make_links(links: Sequence[tuple[Path, str]]) -> None:
    """Make symbolic links, (place, target) each, and the directories that they lie in.

    No link may be there yet. All directories come before the first link, so no link is made through another one. Raises
    OSError, with one of `CONTRADICTIONS` when a place is taken, say.
    """
    for place, _ in links:
        place.parent.mkdir(parents=True, exist_ok=True)
    for place, target in links:
        place.symlink_to(target)


def lay(member: Member, archive: Path, place: Path, target: Path) -> None:
    """Make the file, directory or hard link (to `target`) `member` of the tar `archive` at `place`, with its parents.

    Owners, times and all of the mode but whether it can be executed play no part, and no other kinds are made. Raises
    OSError.
    """
    match member.type:
        case "5":
            place.mkdir(parents=True, exist_ok=True)
        case "0":
            place.parent.mkdir(parents=True, exist_ok=True)
            with place.open("xb") as out:
                out.writelines(chunks(Slice(str(archive), member.offset, member.size)))
            place.chmod(0o755 if member.mode & 0o111 else 0o644)
        case "1":
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(target, place, follow_symlinks=False)
        case _:
            pass  # no source and no tool has a reason for a device node or a pipe
