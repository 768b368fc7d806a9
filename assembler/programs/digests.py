"""md5sum, sha1sum, sha256sum and their kin, and checking what they say, after GNU coreutils 9.1 to 9.7."""

import hashlib
import re
from functools import partial

from assembler.programs.inputs import MAX_LINES, Failure, content_of, file_of, look, options_of
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused
from assembler.tree.content import chunks, size_of

_ALGORITHMS = {"md5sum": "md5", "sha1sum": "sha1", "sha224sum": "sha224", "sha256sum": "sha256", "sha384sum": "sha384",
               "sha512sum": "sha512"}  # fmt: skip


def digest(process: Process, algorithm: str) -> int:
    """Print digests of files, or check them (``-c``, with ``--status``, ``--quiet``)."""
    options, names = options_of(process, "b|binary t|text c|check status quiet w|warn strict ignore-missing")
    if {"b", "t"} <= options.keys():
        raise Refused("digests of text and of bytes")
    if "c" in options:
        if {"b", "t", "strict", "w"} & options.keys() or {"status", "quiet"} <= options.keys():
            raise Refused("checking digests with other options")
        return _check(process, algorithm, options, names)
    if options.keys() - {"b", "t"}:
        process.complain("an option for checking, without it")
        return 1
    status = 0
    for name in names or ["-"]:
        if re.search(r"[\\\n\r]", name):
            raise Refused("the digest of a file with an odd name", why=name)
        try:
            found = _digest(process, name, algorithm)
        except Failure as error:
            process.complain(str(error))
            status = 1
        else:
            process.print(f"{found} {'*' if 'b' in options else ' '}{name}\n")
    return status


def _digest(process: Process, name: str, algorithm: str) -> str:
    hasher = hashlib.new(algorithm, usedforsecurity=False)
    if name == "-":
        hasher.update(content_of(process, name))
        return hasher.hexdigest()
    inode = file_of(process, name)
    if inode is not None:
        process.budget.spend(size_of(inode.content) >> 3)
        for chunk in chunks(inode.content):
            hasher.update(chunk)
    return hasher.hexdigest()


def _check(process: Process, algorithm: str, options: dict[str, str], names: list[str]) -> int:
    size = hashlib.new(algorithm, usedforsecurity=False).digest_size * 2
    status = 0
    for name in names or ["-"]:
        try:
            text = content_of(process, name).decode("latin-1")
        except Failure as error:
            process.complain(str(error))
            status = 1
            continue
        if text.count("\n") > MAX_LINES:
            raise Refused("many digests to check")
        lines = [line for line in text.split("\n") if line and not line.startswith("#")]
        right = looked_at = 0
        for line in lines:
            match = re.fullmatch(rf"([0-9a-fA-F]{{{size}}}) [ *]([^\\\r]+)", line)
            if match is None or match.group(2) == "-":
                raise Refused("a line that is no digest of a file", why=line[:200])
            if "ignore-missing" in options and _is_missing(process, match.group(2)):
                continue
            looked_at += 1
            right += _is_right(process, algorithm, match.group(1).lower(), match.group(2), options)
        if not lines:
            process.complain(f"{name}: no properly formatted checksum lines found")
        if right < looked_at:
            process.complain("computed checksums did not match")
        if lines and not looked_at:
            process.complain(f"{name}: no file was verified")
        if not looked_at or right < looked_at:
            status = 1
    return status


def _is_missing(process: Process, name: str) -> bool:
    """Whether there is nothing of that name (ENOENT)."""
    return look(process, name).error == "ENOENT"


def _is_right(process: Process, algorithm: str, wanted: str, name: str, options: dict[str, str]) -> bool:
    """Check a file, and say so."""
    try:
        right = _digest(process, name, algorithm) == wanted
        said = "OK" if right else "FAILED"
    except Failure as error:
        process.complain(str(error))
        right, said = False, "FAILED open or read"
    if "status" not in options and not (right and "quiet" in options):
        process.print(f"{name}: {said}\n")
    return right


PROGRAMS: dict[str, Program] = {name: partial(digest, algorithm=algorithm) for name, algorithm in _ALGORITHMS.items()}
"""Programs by name."""
