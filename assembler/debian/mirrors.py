"""Where an archive is fetched from. The lock does not say, so that it is the same everywhere; this decides anew.

In order: the recipe, `ASSEMBLE_MIRROR`, the host's own apt sources, a built-in default. All of them are kept, since
the next one is asked when one fails: what is fetched is signed or locked, so it does not matter who sends it.
"""

import logging
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from assembler.addresses import without_logins
from assembler.debian.deb822 import Deb822Error
from assembler.debian.documents import paragraphs
from assembler.errors import AssembleError
from assembler.recipe.debs import LocalFiles

_LOG = logging.getLogger(__name__)

MAIN, SECURITY = "debian", "debian-security"
BUILT_IN = {MAIN: "http://ftp.debian.org/debian", SECURITY: "http://security.debian.org/debian-security"}
SNAPSHOTS = ("http://snapshot.debian.org/archive", "https://snapshot-cloudflare.debian.org/archive")
"""Archives of what Debian's archives once held, in order of preference."""
MISMATCH_HINT = (
    "do not trust this mirror: it, or something on the way to it, damages or changes files; "
    "ASSEMBLE_MIRROR names another"
)
"""What to do about a mirror that sends something else than it should."""
SNAPSHOT_LAG = timedelta(hours=12)
"""snapshot.debian.org looks at the archive every six hours, some time after the archive has changed, and answers with
what it saw last before a given time: half a day later it surely has what a Release lists."""

_PLAIN = "/~+:@!$&'()*,;="
"""What stands in the path of an address as itself, besides letters, digits and ``-._``."""
_BASE = re.compile(r"https?://[^/\s]+(/[^\s?#]*)?")
_ONE_LINE = re.compile(r"deb\s+(?:\[[^\]]*\]\s+)?(\S+)\s+(\S+)\s+(.*)")


@dataclass(frozen=True, slots=True)
class Mirrors:
    """Base addresses by root of an archive, in order of preference, without a slash at the end."""

    roots: Mapping[str, tuple[str, ...]]
    snapshots: tuple[str, ...] = SNAPSHOTS
    """Where older states of Debian's archives are."""
    local: LocalFiles | None = None
    """Where on this machine packages of the recipe are; None for nowhere."""

    def bases(self, root: str) -> tuple[str, ...]:
        """Where the archive `root` of a lock may be: its mirrors, or itself when it is an address."""
        here = self.local.archives.get(root) if self.local else None
        return (here.absolute().as_uri(),) if here else self.roots.get(root, (root,))

    def snapshot(self, root: str, date: datetime) -> tuple[str, ...]:
        """Base addresses of snapshots that have all that `root` had at `date` (UTC); none when nobody keeps any."""
        if root not in BUILT_IN:
            return ()
        return tuple(f"{base}/{root}/{date + SNAPSHOT_LAG:%Y%m%dT%H%M%SZ}" for base in self.snapshots)


class Wishes(Protocol):
    """What a recipe says of mirrors: base addresses, or nothing."""

    @property
    def mirror(self) -> str:
        """Of the main archive."""
        ...

    @property
    def mirror_security(self) -> str:
        """Of the security archive."""
        ...


def choose(
    debian: Wishes,
    *,
    override: str = "",
    snapshots: Sequence[str] = (),
    host: Path | None = Path("/"),
    local: LocalFiles | None = None,
) -> Mirrors:
    """The mirrors for a recipe.

    :param override: the value of `ASSEMBLE_MIRROR`, base address of a main archive; empty for none.
    :param snapshots: the value of `ASSEMBLE_SNAPSHOT`, base addresses that are asked before the built-in ones.
    :param host: root of the file system whose apt sources are looked at; None for none.
    :param local: where on this machine packages of the recipe are.
    :raises AssembleError: when the recipe, `override` or `snapshots` name no http or https address.
    """
    main: list[str] = []
    security: list[str] = []
    if debian.mirror_security:
        security.append(_base(debian.mirror_security, "debian.mirror_security"))
    for text, name in ((debian.mirror, "debian.mirror"), (override, "ASSEMBLE_MIRROR")):
        if text:
            base = _base(text, name)
            main.append(base)
            security += _sibling(base)
    on_host = list(_host_bases(host)) if host else []
    for root, bases in ((MAIN, main), (SECURITY, security)):
        bases += [base for kind, base in on_host if kind == root]
        bases.append(BUILT_IN[root])
    found = Mirrors(
        {MAIN: tuple(dict.fromkeys(main)), SECURITY: tuple(dict.fromkeys(security))},
        snapshots=tuple(dict.fromkeys((*(_base(base, "ASSEMBLE_SNAPSHOT") for base in snapshots), *SNAPSHOTS))),
        local=local,
    )
    for name, known in (*found.roots.items(), ("snapshots", found.snapshots)):
        _LOG.debug("mirrors of %s, in this order: %s", name, ", ".join(map(without_logins, known)))
    return found


def _base(text: str, name: str) -> str:
    base = text.rstrip("/")
    if not _BASE.fullmatch(base):
        raise AssembleError(
            f"{name} is not an http or https address", why=without_logins(text), hint=f"as {BUILT_IN[MAIN]}"
        )
    return base


def _sibling(base: str) -> list[str]:
    """Where the security archive would be beside a mirror of the main one."""
    return [f"{base}-security"] if base.endswith(f"/{MAIN}") else []


def _host_bases(root: Path) -> Iterator[tuple[str, str]]:
    """The roots of Debian archives, and their addresses, that apt on a host is told to use, of whatever suite."""
    apt = root / "etc/apt"
    try:
        files = [apt / "sources.list", *sorted((apt / "sources.list.d").glob("*"))]
    except OSError:
        return
    for file in files:
        try:
            text = file.read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if file.suffix == ".list":
            found = _one_line(text)
        elif file.suffix == ".sources":
            found = _deb822(text)
        else:
            continue
        for uri, components in found:
            base = uri.rstrip("/")
            name = base.rpartition("/")[2]
            # Third parties have archives at .../debian too, but seldom one that is divided as Debian's is.
            if name in BUILT_IN and "main" in components and _BASE.fullmatch(base):
                yield name, base


def _one_line(text: str) -> Iterator[tuple[str, list[str]]]:
    """Address and components of every entry in the one-line style of sources.list(5)."""
    for line in text.splitlines():
        if match := _ONE_LINE.fullmatch(line.partition("#")[0].strip()):
            yield match[1], match[3].split()


def _deb822(text: str) -> Iterator[tuple[str, list[str]]]:
    """Address and components of every enabled stanza; what follows a wrong line is left out, since it is not ours."""
    try:
        for paragraph in paragraphs(text):
            words = {name: field.words for name, field in paragraph.items()}
            enabled = " ".join(words.get("enabled", ("yes",))).lower() not in {"no", "false", "0", "off"}
            if enabled and "deb" in words.get("types", ()):
                for uri in words.get("uris", ()):
                    yield uri, list(words.get("components", ()))
    except Deb822Error:
        return


def join(base: str, *parts: str) -> str:
    """The address of the path of `parts` below `base`, quoted (RFC 3986 3.3): names of files may have percent signs."""
    path = posixpath.normpath("/".join(part.strip("/") for part in parts))
    return base if path == "." else f"{base}/{quote(path, safe=_PLAIN)}"
