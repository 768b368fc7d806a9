"""What must be known of a tool before it runs: a chain from its bytes up to a signature by a key of its source.

A lock's word is not enough, as whoever writes a lock would decide what runs on the machine that builds. The chain goes
from a package's SHA-256 to an index, from that to an archive's InRelease, and from that to a signature (SecureApt).
It is looked for in this order:

1. what the lock names: its InRelease and indices, from the store, the mirrors or a snapshot;
2. what the source's archives have signed now: a package that is still in them with the same digest is as good.

Everything that was ever in an archive has been signed, with names that packages no longer go by. So where a source has
least versions, only packages that have one are looked for in what a lock names; of others, only what is signed now
counts.

What is proved is noted in the store, under a digest of all that was claimed and of who may sign: the same claim is not
followed again there. So a store that was filled once proves without a network. Whoever can write to the store could
write such notes: one that others can write to proves nothing (:attr:`Store.trusted`).
"""

import json
import logging
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

from assembler.debian.indices import choose_indices
from assembler.debian.keyring import trusted
from assembler.debian.release import fetch_release
from assembler.debian.version import version_key
from assembler.errors import AssembleError
from assembler.lock.trust import differs, listings, source_of, unproved
from assembler.lockfile.model import LockedPackage, LockedToolbox
from assembler.store.objects import Store
from assembler.tools.source import BUILD, ToolSource
from assembler.tools.supply import Supply

_LOG = logging.getLogger(__name__)

_KIND = "proved-tools-1"


class ToolTrustError(AssembleError):
    """Tools that must not run: nobody who is trusted has signed them, or they are too old."""


@dataclass(frozen=True, slots=True)
class ProvedTools:
    """Packages that may be run. Made by :func:`prove` alone."""

    packages: tuple[LockedPackage, ...]
    architecture: str


def prove(tools: LockedToolbox, source: ToolSource, supply: Supply) -> ProvedTools:
    """Follow every package of `tools` up to a signature that `source` trusts.

    Raises ToolTrustError, with all that was tried, when one cannot be followed or is older than its least version;
    StoreError when the disk is full.
    """
    if old := outdated(tools.packages, source):
        raise ToolTrustError(
            "the lock has tools that are too old to be run", details=old, hint="run `assemble lock` to lock newer ones"
        )

    claim = _claim(tools, source)
    _LOG.debug("tools: %d packages, as %s says", len(tools.packages), claim)

    def follow(path: Path) -> None:
        _LOG.debug("tools: followed up to signatures of %s", ", ".join(each.id for each in source.archives))
        with supply.reporter.step("prove", total=len(tools.packages), unit="items") as step:
            tried, left = _as_locked(tools, source, supply)
            step.advance(len(tools.packages) - len(left))
            if left:
                more, left = _as_signed_now(left, tools.architecture, source, supply)
                tried += more
        if left:
            _LOG.debug("tools: not proved: %s", "; ".join(tried))
            raise ToolTrustError(
                f"nobody who is trusted has signed {left[0].name} {left[0].version}, which would run on this machine",
                why=f"nor {len(left) - 1} more of the lock's tools" if left[1:] else "",
                details=tried,
                hint=f"run `assemble lock --upgrade-package {BUILD[0]}`, which takes all tools again; if the lock is "
                "from somebody else, do not trust it",
            )
        path.write_text(json.dumps({"packages": len(tools.packages), "followed": f"{supply.now:%Y-%m-%dT%H:%M:%SZ}"}))

    store = supply.store
    if store.trusted:
        store.derived(_KIND, claim, follow)
    if not store.trusted:  # which may have shown only when the note was looked at
        with store.temporary() as path:
            follow(path)
    _LOG.debug("tools: trusted")
    return ProvedTools(tools.packages, tools.architecture)


def hand_on(store: Store, results: Path) -> None:
    """Have what was proved in `store` count with the results in `results`, too, a directory that is made if missing.

    What was proved by what the archives had then cannot be proved again without a network. Raises OSError.
    """
    if not store.trusted:
        return
    for directory in (results, results / _KIND):
        directory.mkdir(mode=0o700, exist_ok=True)
    for note in (store.results / _KIND).glob("*"):
        copy = results / _KIND / note.name
        with suppress(FileNotFoundError):  # somebody prunes the store just now
            copy.write_bytes(note.read_bytes())
            copy.chmod(0o644)


def outdated(packages: Iterable[LockedPackage], source: ToolSource) -> list[str]:
    """Those of `packages` that are older than `source` allows, in words."""
    return [
        f"{package.name} {package.version} is older than {source.least[package.name]}"
        for package in packages
        if package.name in source.least and version_key(package.version) < version_key(source.least[package.name])
    ]


def _claim(tools: LockedToolbox, source: ToolSource) -> str:
    """A digest of what `tools` says, and of who may sign it."""
    signers = [sorted(certificate.fingerprint for certificate in trusted(archive)) for archive in source.archives]
    text = json.dumps([asdict(tools), source.sources, signers], sort_keys=True)
    return sha256(text.encode()).hexdigest()


def _as_locked(tools: LockedToolbox, source: ToolSource, supply: Supply) -> tuple[list[str], list[LockedPackage]]:
    """What was tried in vain by the lock's own words, and the packages that remain."""
    known = {locked.id for locked in tools.archives}
    left = [package for package in tools.packages if package.archive not in known]
    tried = [f"{package.name} is of no archive of the lock" for package in left]
    if source.least:
        others = [package for package in tools.packages if package.name not in source.least and package not in left]
        tried += [f"{package.name} has no least version, so only what is signed now counts" for package in others]
        left += others
    for locked in tools.archives:
        packages = [each for each in tools.packages if each.archive == locked.id and each not in left]
        own = source_of(locked, source.archives)
        if own is None:
            tried.append(f"{locked.id} ({locked.root} {locked.suite}) is none of the assembler's own archives")
            left += packages
            continue
        if not packages:
            continue
        try:
            broken = unproved(locked, packages, own, **supply.means, now=supply.now)
        except AssembleError as error:
            tried.append(str(error))
            left += packages
            continue
        tried += [f"{link.key}: {link.what}: {link.why}" for link in broken]
        left += dict.fromkeys(package for link in broken for package in link.packages)
    return tried, left


def _as_signed_now(
    packages: Sequence[LockedPackage], architecture: str, source: ToolSource, supply: Supply
) -> tuple[list[str], list[LockedPackage]]:
    """The same by what the archives have now."""
    tried: list[str] = []
    left = list(packages)
    for archive in source.archives:
        if not left:
            break
        try:
            release = fetch_release(archive, mirrors=supply.mirrors, transport=supply.transport, now=supply.now)
            indices = choose_indices(release, archive, architecture)
            listed = listings(archive.id, archive, release, indices, left, **supply.means)
        except AssembleError as error:
            tried.append(f"{archive.id} as it is now: {error}")
            continue
        left = [package for package in left if differs(package, listed)]
        tried.append(f"{archive.id} as it is now does not have {', '.join(package.name for package in left)} so")
    return tried, left
