"""Laying out an archive as real folders and files, for sources that programs of the host read.

Nothing comes to lie outside the folder, whatever the archive says: names were checked when it was indexed, no file is
written through a symbolic link, as links are made last, and where a link leads is only ever text. Owners, times, device
nodes and set-id bits play no part.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from assembler.errors import Place
from assembler.tree.content import Slice, chunks
from assembler.tree.tar import Member, TarError


def extract(members: Iterable[Member], archive: Path, folder: Path, where: Place) -> None:
    """Write the `members` of the uncompressed tar `archive` below `folder`, which is made, without the one folder that
    all of them lie in.

    Raises TarError, which calls the archive `where`, when they do not, or when members contradict one another; OSError
    when the disk is full.
    """
    folder.mkdir()
    links: list[tuple[Path, Member]] = []
    top = ""
    for member in members:
        first, _, rest = member.path[1:].partition("/")
        top = top or first
        if first != top:
            raise TarError("the archive has more than one folder at its top", where=where, why=f"{top}, {first}")
        if not rest:
            if member.type != "5":
                raise TarError("the archive has a file at its top", where=where, why=member.path)
            continue
        if member.type == "2":
            links.append((folder / rest, member))
            continue
        try:
            lay(member, archive, folder / rest, folder / member.target[1:].removeprefix(f"{top}/"))
        except (FileExistsError, FileNotFoundError, NotADirectoryError) as error:
            raise TarError(
                "the archive contradicts itself", where=where, why=f"{member.path}: {error.strerror}"
            ) from error
    for place, member in links:
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            place.symlink_to(member.target)
        except FileExistsError as error:
            raise TarError("the archive has a name twice", where=where, why=member.path) from error


def lay(member: Member, archive: Path, place: Path, target: Path) -> None:
    """Make the file, folder or hard link (to `target`) `member` of the tar `archive` at `place`, with its parents.

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
