"""Taking out of a directory what programs of a stranger have made there: regular files, and no link is followed."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

from assembler.kernel.work import MakeError
from assembler.reading import UnreadableError, opened

_CHUNK = 1 << 20


def read(top: Path, name: str, most: int) -> bytes:
    """The file `name` below `top`, of `most` bytes at most. Raises MakeError when it is no such file."""
    try:
        with opened(top.resolve() / name) as stream:
            data = stream.read(most + 1)
    except UnreadableError as error:
        raise _odd(name, error.why) from error
    if len(data) > most:
        raise _odd(name, f"it has more than {most} bytes")
    return data


def copy(top: Path, name: str, target: Path) -> None:
    """Write the file `name` below `top` to `target`, which is made, executable if that is. Raises as `read`."""
    try:
        with opened(top.resolve() / name) as stream, target.open("xb") as out:
            while data := stream.read(_CHUNK):
                out.write(data)
            os.fchmod(out.fileno(), 0o755 if os.fstat(stream.fileno()).st_mode & 0o100 else 0o644)
    except UnreadableError as error:
        raise _odd(name, error.why) from error


def copy_all(top: Path, name: str, target: Path, left: Callable[[str], bool]) -> None:
    """The same for all files of the directory `name` below `top`, but those whose name is `left` out.

    What is neither a file nor a directory is left out, too. Raises as `read`.
    """
    here = top.resolve()
    for inner in Path(name).parents:
        _require_directory(here / inner, name)
    _require_directory(here / name, name)
    for at, directories, files, _ in os.fwalk(here / name):
        below = Path(at).relative_to(here / name)
        (target / below).mkdir(parents=True)
        for file in files:
            path = f"{name}/{below}/{file}"
            if not left(file) and stat.S_ISREG(os.lstat(here / path).st_mode):
                copy(here, path, target / below / file)
        directories[:] = [each for each in directories if not (Path(at) / each).is_symlink()]


def _require_directory(path: Path, name: str) -> None:
    if not stat.S_ISDIR(path.lstat().st_mode):
        raise _odd(name, "it is no directory")


def _odd(name: str, why: str) -> MakeError:
    return MakeError("what was compiled is not what it should be", why=f"{name}: {why}")
