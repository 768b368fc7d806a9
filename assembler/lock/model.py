"""The lock: every input of an image by digest, and nothing that names a host. Plain values; see lock/toml.py."""

from dataclasses import dataclass

SCHEMA = 1
"""Version of the lock's own format."""

ROLES = ("rootfs", "initrd", "boot", "tools", "vm")
"""What a package is wanted for: in the image; in the initrd; boot loader files (target architecture); tools run while
building and QEMU (build architecture)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedIndex:
    """A Packages index of a suite."""

    path: str
    """As the Release file lists it: ``main/binary-amd64/Packages.xz``."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedArchive:
    """A suite of an archive, as it was when locking."""

    id: str
    """Unique in the lock: the suite's name, ``trixie-security``."""
    root: str
    """``debian``, ``debian-security``, or the URI from the recipe."""
    suite: str
    components: tuple[str, ...]
    inrelease_sha256: str
    date: str
    """RFC 3339, UTC."""
    valid_until: str
    """RFC 3339, UTC; empty when the Release has none."""
    signed_by: tuple[str, ...]
    """Fingerprints of the certificates with a good signature."""
    indices: tuple[LockedIndex, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedPackage:
    """A binary package."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    size: int
    sha256: str
    path: str
    """Pool path below the root of its archive."""
    archive: str
    """`LockedArchive.id`."""
    roles: tuple[str, ...]
    """Sorted subset of `ROLES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedOutput:
    """A file that building makes."""

    name: str
    """Its name in the output folder: ``node.iso``."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A whole lock: packages sorted by (name, architecture, version), archives by id, outputs by name."""

    recipe_sha256: str
    """Digest of the parsed recipe (canonical JSON), so that comments and line ends do not matter."""
    source_date_epoch: int
    architecture: str
    build_architecture: str
    archives: tuple[LockedArchive, ...]
    packages: tuple[LockedPackage, ...]
    outputs: tuple[LockedOutput, ...] = ()
    """What was built from it; empty until somebody records that."""

    def archive(self, name: str) -> LockedArchive:
        """The archive with the id `name`, which must be there."""
        return next(archive for archive in self.archives if archive.id == name)

    def role(self, role: str) -> tuple[LockedPackage, ...]:
        """The packages wanted for `role`."""
        return tuple(package for package in self.packages if role in package.roles)
