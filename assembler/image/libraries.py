"""The libraries that decide bytes of outputs: another version of one may write others.

Those that only read are not among them, but for the one that finds the licences for the SBOMs; nor are the tools of the
lock, which are pinned by their digests. Of Python itself nothing is: its zlib, lzma and bz2 only decompress here, and
archives for others are compressed by the lock's pigz.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata

from assembler.errors import AssembleError

ZSTD = ("libzstd", "zstandard")
"""What compresses the initrd, disks, tar.zst and the listings of contents: the library, and its binding."""
ISO = ("pycdlib",)
"""What lays out ISO 9660."""
PURL = ("packageurl-python",)
"""What writes the names of components in provenance and SBOMs."""
SBOM = (*PURL, "cyclonedx-python-lib", "license-expression", "py-serializable", "python-debian", "spdx-tools")
"""What writes SBOMs, and what reads the licences in them out of copyright files."""
LIBRARIES = tuple(sorted((*ZSTD, *ISO, *SBOM)))


@cache
def versions() -> Mapping[str, str]:
    """The version of each of `LIBRARIES`, as it is installed here. Raises AssembleError for one that tells none."""
    return {name: _libzstd() if name == "libzstd" else _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError as error:
        raise AssembleError(
            f"the version of the library {name} cannot be told",
            why="it is installed without its metadata, and other versions may write other bytes",
            hint="install it with pip or the system's packages",
        ) from error


def _libzstd() -> str:
    # zstandard may bring its own or use the system's.
    import zstandard  # noqa: PLC0415  not where only other versions are asked for

    return ".".join(map(str, zstandard.ZSTD_VERSION))


def differences(there: Mapping[str, str], here: Mapping[str, str], where: str) -> dict[str, str]:
    """How versions `here` differ from those that `where` ("the lock") names: a sentence by the library's name.

    Nothing when it names none at all, as locks of older schemas do.
    """
    if not there:
        return {}
    return {
        name: f"{name} is {here.get(name, 'not used')} here, {there.get(name, 'not named')} in {where}"
        for name in sorted({*there, *here})
        if there.get(name) != here.get(name)
    }


def others(there: Mapping[str, str], here: Mapping[str, str]) -> str:
    """How the versions that an image was made with differ from those `here`; empty when they do not.

    Both have the assembler's own among them. One that an image does not name is one that was not written down.
    """
    if not there:
        return "it does not say which assembler made it"
    texts = [text for name, text in differences(there, here, "the image").items() if name in there]
    if unnamed := sorted(here.keys() - there.keys()):
        texts.append(f"it does not name the version of {listed(unnamed)} that it was made with")
    return "; ".join(texts)


def listed(words: Iterable[str]) -> str:
    """`words` as a list in a sentence."""
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last
