"""Reading single files out of an ISO."""

import io
from collections.abc import Iterable
from pathlib import Path

from assembler.errors import AssembleError, Place


def read_files(iso: Path, paths: Iterable[str]) -> dict[str, bytes]:
    """Those of `paths` (absolute, Rock Ridge names) that are files in `iso`, with their bytes.

    Raises AssembleError when `iso` cannot be read or is none.
    """
    from pycdlib import pycdlib, pycdlibexception  # noqa: PLC0415  slow to load, and few runs need it

    image = pycdlib.PyCdlib()
    files = {}
    try:
        with iso.open("rb") as stream:
            image.open_fp(stream)
            for path in paths:
                data = io.BytesIO()
                try:
                    image.get_file_from_iso_fp(data, rr_path=path)
                except pycdlibexception.PyCdlibInvalidInput:
                    continue
                files[path] = data.getvalue()
            image.close()
    except OSError as error:
        raise AssembleError(
            "the ISO cannot be read", where=Place(file=str(iso)), why=error.strerror or str(error)
        ) from error
    except pycdlibexception.PyCdlibException as error:
        raise AssembleError("this is no ISO", where=Place(file=str(iso)), why=str(error)) from error
    return files
