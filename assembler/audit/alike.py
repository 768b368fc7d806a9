"""What is the same in two files though their bytes differ: of the files that dpkg and scripts keep for themselves."""

import re
from collections.abc import Mapping

_FIXED = range(100, 60000)
"""Numbers that are given one after the other; all others are the same on every Debian system (Debian policy 9.2.2)."""
_DIGITS = 11
"""More than a number of 32 bits has."""
_DEBCONF = re.compile(r"/var/cache/debconf/(config|passwords|templates)\.dat")


def normalised(path: str, data: bytes) -> bytes:
    """The content of a file without what no two runs of dpkg have in common: the order of a hash table, the day."""
    if path == "/var/lib/dpkg/diversions":
        lines = data.splitlines()
        if len(lines) % 3:
            return data
        return repr(sorted(zip(lines[::3], lines[1::3], lines[2::3], strict=True))).encode()
    if path == "/var/lib/dpkg/statoverride":
        return b"".join(sorted(data.splitlines(keepends=True)))
    if path == "/etc/mdadm/mdadm.conf":
        return re.sub(rb"(?m)auto-generated on .*? by", b"auto-generated on DATE by", data)
    if path == "/etc/shadow":
        # The day of the last change is the day of the run.
        return re.sub(rb"(?m)^([^:]*:[^:]*):[0-9]+:", rb"\1:DAY:", data)
    return data


def names(data: bytes) -> dict[int, str]:
    """The names of the accounts in passwd(5) or group(5), by their numbers; of several with one number the first."""
    found: dict[int, str] = {}
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        account, _, number, *_ = [*line.split(":"), "", "", ""]
        if number.isdecimal() and len(number) < _DIGITS:
            found.setdefault(int(number), account)
    return found


def name(number: int, known: Mapping[int, str]) -> str:
    """An account's name where its number is one of those that are given one after the other."""
    return known.get(number, str(number)) if number in _FIXED else str(number)


_NUMBERED: Mapping[str, Mapping[int, int]] = {
    "/etc/passwd": {2: 0, 3: 1},
    "/etc/group": {2: 1},
    "/etc/shadow": {},
    "/etc/gshadow": {},
}
"""Files of accounts, and which of their fields are numbers: of users (0) or groups (1)."""


def by_name(path: str, data: bytes, users: Mapping[int, str], groups: Mapping[int, str]) -> object:
    """The content of a file of accounts with names instead of numbers, in no order; other files as they are."""
    if path not in _NUMBERED:
        return data
    lines = []
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        row = line.split(":")
        for field, of in _NUMBERED[path].items():
            if field < len(row) and row[field].isdecimal() and len(row[field]) < _DIGITS:
                row[field] = name(int(row[field]), (users, groups)[of])
        lines.append(tuple(row))
    return sorted(lines)


_LISTS = frozenset({"/var/lib/ucf/hashfile", "/var/lib/ucf/registry", "/var/lib/dpkg/triggers/File"})
"""Files to which each package adds lines of its own when it is configured or unpacked; their order means nothing to
ucf and dpkg."""


def reordered(path: str, left: bytes, right: bytes) -> bool:
    """Whether this is a list to which packages add, and both have the same lines."""
    return path in _LISTS and sorted(left.splitlines()) == sorted(right.splitlines())


_MAN_INDEX = "/var/cache/man/index.db"
_FIELDS = 8
"""Tabs in an entry of man's index, at least."""


def fewer_pages(path: str, left: bytes, right: bytes) -> bool:
    """Whether these are man's index, and all entries of `left` are in `right`, which may have older ones besides.

    A page that is there as a link (B) may be known to `right` by what another says of itself (C): the link was not
    there yet.
    """

    def entries(data: bytes) -> set[bytes]:
        return {piece for piece in data.split(b"\0") if piece.count(b"\t") >= _FIELDS}

    def page(entry: bytes) -> tuple[list[bytes], bytes]:
        _, *where, kind = entry.split(b"\t")[:6]
        return where, kind

    theirs = entries(right)
    named = [where for where, kind in map(page, theirs) if kind == b"C"]
    missing = [page(entry) for entry in entries(left) - theirs]
    return path == _MAN_INDEX and bool(left) and all(kind == b"B" and where in named for where, kind in missing)


def fewer_answers(path: str, left: bytes, right: bytes) -> bool:
    """Whether these are databases of debconf's, and all that `left` has is in `right`, owned by the same or more."""
    if not _DEBCONF.fullmatch(path):
        return False
    known = dict(map(_entry, right.split(b"\n\n")))
    ours = dict(map(_entry, left.split(b"\n\n")))
    return all(lines in known and owners <= known[lines] for lines, owners in ours.items() if lines)


def _entry(stanza: bytes) -> tuple[tuple[bytes, ...], frozenset[bytes]]:
    """The lines of an entry of debconf's, and its owners apart."""
    lines = stanza.strip(b"\n").split(b"\n")
    owners = [line.removeprefix(b"Owners: ") for line in lines if line.startswith(b"Owners: ")]
    others = tuple(line for line in lines if line and not line.startswith(b"Owners: "))
    return others, frozenset(owner for line in owners for owner in line.split(b", "))
