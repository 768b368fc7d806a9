"""Finding out, when locking, which release of Kubernetes a recipe stands for and what goes with it.

The table (release.py) has what was known when this version of the assembler was made. What came later is asked of the
publisher: the newest patch of a minor version, the images that kubeadm wants (constants.py), and whether there is a
crictl of that minor version. The other parts are those that go with the nearest minor version in the table. The lock
says of each how it was learned, and everything after locking takes it from there.
"""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from assembler.architecture import DEFAULT
from assembler.errors import AssembleError, Place
from assembler.kubernetes.constants import FILE, NAMES, constants
from assembler.kubernetes.parts import PARTS
from assembler.kubernetes.release import COMPANIONS, Line, Release, known_minors, lines, minor_of, number, release
from assembler.lockfile.model import LockedVersion
from assembler.progress import SILENT, Reporter
from assembler.store.download import NotFoundError, TransportError
from assembler.store.transport import Transport

KUBERNETES = "kubernetes"
"""The name of the release itself among locked versions."""
STABLE = "https://dl.k8s.io/release/stable-{minor}.txt"
SOURCE = f"https://raw.githubusercontent.com/kubernetes/kubernetes/v{{version}}/{FILE}"
_KEY = "kubernetes.version"
_NUMBER = "(?:0|[1-9][0-9]{0,8})"
_TEXT = 1 << 20
"""Bytes of an answer at most; constants.go has 40 kB."""


def find(
    version: str, *, transport: Transport, held: Sequence[LockedVersion] = (), reporter: Reporter = SILENT
) -> tuple[LockedVersion, ...]:
    """What a recipe's `version` of Kubernetes stands for, and the versions of all that goes with it, sorted by name.

    Of a minor version the newest patch is taken; what `held` says of a release that still fits stays as it is. When the
    publisher does not answer, the newest patch that the table knows is taken, with a warning. Raises AssembleError when
    nothing is known of `version`, and what has to be asked is not to be had or not understood.
    """
    minor = minor_of(version)
    named = LockedVersion(name=KUBERNETES, version=version, learned="recipe") if version != minor else None
    before = next((each for each in held if each.name == KUBERNETES), None)
    if before and (own := named or before).version == before.version:
        kept = _sorted([own, *(each for each in held if each is not before)])
        if not any(not_allowed(version, kept)):
            return kept
    line = lines().get(minor)
    if number(minor) < min(map(number, lines())):
        release(version)  # says so
    own = named or _newest(minor, line, transport, reporter)
    return _sorted([own, *_images(own.version, line, transport), *_companions(minor, line, transport)])


def _sorted(found: Sequence[LockedVersion]) -> tuple[LockedVersion, ...]:
    return tuple(sorted(found, key=lambda each: each.name))


def _newest(minor: str, line: Line | None, transport: Transport, reporter: Reporter) -> LockedVersion:
    """The newest patch of `minor`, by its publisher or by the table, whichever is newer."""
    url = STABLE.format(minor=minor)
    known = LockedVersion(name=KUBERNETES, version=line.newest, learned="known") if line else None
    try:
        text = transport.get(url, limit=_TEXT, name=f"the newest Kubernetes {minor}").decode("ascii", "replace")
    except TransportError as error:
        if known is None:
            raise _unknown(minor, error) from error
        reporter.warn(
            f"which patch of Kubernetes {minor} is the newest could not be asked ({error.why}): "
            f"{known.version} is taken, the newest that is known here"
        )
        return known
    if not (said := re.fullmatch(rf"v({re.escape(minor)}\.(?:0|[1-9][0-9]?))\s*", text)):
        raise AssembleError(
            f"the answer to which patch of Kubernetes {minor} is the newest is not understood",
            where=Place(key=_KEY),
            why=f"{url} says {text[:40]!r}",
            hint=f"look at what is there, or name a patch of {minor} in the recipe",
        )
    if known is not None and number(known.version) >= number(said[1]):
        return known
    return LockedVersion(name=KUBERNETES, version=said[1], learned="publisher", witness=url)


def _unknown(version: str, error: TransportError) -> AssembleError:
    """The error for a release that the table does not have and its publisher does not tell of."""
    missing = isinstance(error, NotFoundError)
    return AssembleError(
        f"nothing is known of Kubernetes {version}" + ("" if missing else ", and its publisher could not be asked"),
        where=Place(key=_KEY),
        why=error.why,
        hint=f"{'' if missing else f'{error.hint}; '}known here: {known_minors()}",
    )


def _images(version: str, line: Line | None, transport: Transport) -> Iterator[LockedVersion]:
    """The images that kubeadm `version` wants beside its own."""
    if known := _known_images(version, line):
        yield from (LockedVersion(name=name, version=known[name], learned="known") for name in NAMES)
        return
    url = SOURCE.format(version=version)
    try:
        text = transport.get(url, limit=_TEXT, name=f"the source of kubeadm {version}").decode("utf-8", "replace")
    except TransportError as error:
        raise _unknown(version, error) from error
    for name, tag in constants(text, version, url).items():
        yield LockedVersion(name=name, version=tag, learned="publisher", witness=url)


def _known_images(version: str, line: Line | None) -> Mapping[str, str]:
    return line.constants(version) if line and number(version) <= number(line.newest) else {}


def _companions(minor: str, line: Line | None, transport: Transport) -> Iterator[LockedVersion]:
    """The other parts; crictl is of Kubernetes' own minor version, where there is one."""
    nearest = line or next(iter(lines().values()))
    for name in COMPANIONS:
        if name == "crictl" and line is None and (found := _crictl(minor, transport)):
            yield found
        else:
            yield LockedVersion(name=name, version=nearest.companions[name], learned="known")


def _crictl(minor: str, transport: Transport) -> LockedVersion | None:
    for url in _crictl_sums(f"{minor}.0"):
        try:
            transport.get(url, limit=_TEXT, name="the checksums of crictl")
        except TransportError:
            continue
        return LockedVersion(name="crictl", version=f"{minor}.0", learned="publisher", witness=url)
    return None


def _crictl_sums(version: str) -> tuple[str, ...]:
    """Where the checksums of crictl `version` are; every architecture has them."""
    part = next(part for part in PARTS if part.name == "crictl")
    return part.checksums_of(part.url.format(version=version, arch=DEFAULT.oci))


def _missing(found: Collection[str]) -> str:
    return ", ".join(name for name in (KUBERNETES, *COMPANIONS, *NAMES) if name not in found)


def locked_release(version: str, locked: Sequence[LockedVersion]) -> Release:
    """The release that a lock has for the `version` of its recipe; by the table, when the lock has none.

    Raises AssembleError when the lock does not have all of it.
    """
    if not locked:
        return release(version)
    found = {each.name: each.version for each in locked}
    if missing := _missing(found):
        raise AssembleError(
            f"the lock does not say which {missing} goes with Kubernetes {version}",
            where=Place(key=_KEY),
            hint="run `assemble lock`",
        )
    return Release(version=found.pop(KUBERNETES), with_it=found)


def not_allowed(version: str, locked: Sequence[LockedVersion]) -> Iterator[tuple[str, str, str]]:
    """What a lock has that does not fit the recipe's `version`: the lock's key, what is wrong, and why.

    Which patch of a minor version it has, and which versions of the other parts, its writer may decide, as long as they
    are their publishers'.
    """
    found = {each.name: each for each in locked}
    if missing := _missing(found):
        yield "kubernetes", f"it does not say which {missing} goes with it", ""
        return
    own = found.pop(KUBERNETES)
    fits = own.version == version if own.learned == "recipe" else minor_of(own.version) == version
    if not fits or not re.fullmatch(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}", own.version):
        yield f"kubernetes.{KUBERNETES}", "it is not the recipe's", f"that is {version}"
        return
    witnesses: dict[str, tuple[str, ...]] = {KUBERNETES: (STABLE.format(minor=version),)}
    witnesses |= {name: (SOURCE.format(version=own.version),) for name in NAMES}
    witnesses["crictl"] = _crictl_sums(found["crictl"].version)
    known = _known_images(own.version, lines().get(minor_of(own.version)))
    for each in locked:
        key = f"kubernetes.{each.name}"
        if each.name not in {KUBERNETES, *COMPANIONS, *NAMES}:
            yield key, "no part of Kubernetes is called that", ""
        elif each.witness and each.witness not in witnesses.get(each.name, ()):
            yield key, "its publisher says it elsewhere", ", ".join(witnesses.get(each.name, ()))
        elif known.get(each.name, each.version) != each.version:
            yield key, "the assembler says another one", known[each.name]
        elif each.name in NAMES and each.learned == "known" and not known:
            yield key, "the assembler does not say what it is", ""
