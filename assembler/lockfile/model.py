"""The lock: every input of an image by digest, and nothing that names a host. Plain values; see lockfile/toml.py."""

from dataclasses import dataclass

SCHEMA = 4
"""Version of the lock's own format."""

IN_IMAGE = ("rootfs", "kernel-source", "modules", "initrd", "boot")
"""What a package is wanted for: in the image; the source of a kernel that is compiled; that of modules; in the initrd;
boot loader files. All of these, or what is made of them, are in the image."""

COMPILING = ("headers", "compiler")
"""What modules for the archives' own kernel are compiled with: its headers; the compiler that made it and all that goes
with that, for the build machine."""

ROLES = (*IN_IMAGE, *COMPILING)

TOOLS = "tools"
"""The role of the packages of `LockedToolbox`, which are run while building."""

FILE_ROLES = ("kernel", "modules", "kubernetes", "rootfs")
"""What an upstream file is wanted for: the source of a kernel; that of modules; in the image's Kubernetes layer; as a
file of its root file system."""

LEARNED = ("recipe", "known", "publisher", "first-use")
"""How a digest was learned: the recipe says it; the assembler comes with it; from a checksum file of the publisher when
locking; or it is what the server sent when locking, trusted on first use."""


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
    """With a slash at its end: the directory of a flat archive."""
    components: tuple[str, ...]
    inrelease_sha256: str
    """Of InRelease; of Release when `signature_sha256` is given."""
    date: str
    """RFC 3339, UTC."""
    valid_until: str
    """RFC 3339, UTC; empty when the Release has none."""
    signed_by: tuple[str, ...]
    """Fingerprints of the certificates with a good signature."""
    indices: tuple[LockedIndex, ...]
    signature_sha256: str = ""
    """Of Release.gpg, where the signature is beside the Release; empty where it is within."""

    @property
    def signed(self) -> tuple[str, ...]:
        """The digests of what is signed, and of the signature beside it."""
        return (self.inrelease_sha256, *filter(None, (self.signature_sha256,)))


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
    """Pool path below the root of its archive; the name of a file that the recipe brings, or its path there in a
    directory."""
    archive: str
    """`LockedArchive.id`; empty for one that the recipe brings itself, which is trusted by its digest there."""
    roles: tuple[str, ...]
    """Sorted subset of `ROLES`, or `TOOLS` alone."""
    why: str
    """``requested``, ``essential``, or ``for NAME``: a package that needs it and is itself nearest to a request."""
    url: str = ""
    """The address that the recipe has of one that it brings itself; empty for its files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedToolbox:
    """The programs that run on the build machine: packages from the assembler's own source, whatever archives the
    recipe has. A claim until :mod:`assembler.tools.trust` has proved it.
    """

    architecture: str
    """Debian architecture of the build machine."""
    archives: tuple[LockedArchive, ...]
    packages: tuple[LockedPackage, ...]
    """With the role `TOOLS`, sorted by (name, architecture, version)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedMachine:
    """What the machine is made of in which scripts are executed, from the source of the tools."""

    emulator: LockedToolbox
    """Run on the build machine."""
    guest: LockedToolbox
    """A kernel and busybox for the image's architecture, run in there alone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A file from its publisher: a program, or an archive of some, or source code."""

    name: str
    """Unique in the lock: ``kubelet``."""
    version: str
    """The publisher's; empty when nobody says."""
    url: str
    """The publisher's address, even when a mirror served it."""
    size: int
    """Bytes."""
    sha256: str
    learned: str
    """How `sha256` was learned, one of `LEARNED`."""
    witness: str
    """With ``publisher``: the address of the checksum file; otherwise empty."""
    role: str
    """One of `FILE_ROLES`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedVersion:
    """A version that nobody wrote into the recipe: of Kubernetes, or of something that goes with it."""

    name: str
    """``kubernetes`` for the release itself, ``etcd``, ``containerd``."""
    version: str
    """As its publisher writes it: ``1.37.2``, ``v1.14.6``, ``3.7.0-0``."""
    learned: str
    """How it was learned: ``recipe``, ``known`` (the assembler's own table) or ``publisher``."""
    witness: str = ""
    """With ``publisher``: the address that said so; otherwise empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """A container image for one platform. Its manifest names everything else of it by digest."""

    name: str
    """As a node asks for it, with tag or digest: ``registry.k8s.io/pause:3.10.2``."""
    platform: str
    """Of the OCI image specification: ``linux/amd64``."""
    index: str
    """SHA-256 of what the name stood for: a list of manifests by platform, or the manifest itself."""
    manifest: str
    """SHA-256 of the platform's manifest."""
    size: int
    """Bytes of that manifest."""
    learned: str
    """``recipe`` when the name has a digest, ``first-use`` when the registry resolved its tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTool:
    """A program of the machine that locked, which a kernel is compiled with, or a library of the assembler that writes
    formats. Only its version is known.
    """

    name: str
    """As it is called: ``aarch64-linux-gnu-gcc``; a library as its distribution is: ``zstandard``."""
    version: str
    """As it tells: ``12.2.0-14+deb12u1``."""


FIRST_ACCOUNT, LAST_ACCOUNT = 100, 59999
"""Numbers of users and groups that are given one after the other; those around them are the same on every Debian system
(Debian policy 9.2.2).
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedAccounts:
    """Numbers that users and groups of the image keep, whatever else comes into it."""

    users: tuple[tuple[str, int], ...] = ()
    """Names and numbers, from `FIRST_ACCOUNT` to `LAST_ACCOUNT`, sorted; no number twice, but where accounts share it.
    Some may be of accounts that the image no longer has."""
    groups: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedOutput:
    """A file that building makes."""

    name: str
    """Its name in the output directory: ``node.iso``."""
    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLayer:
    """Something that the outputs were made of, so that a difference can be told where it begins."""

    name: str
    """A step of the build: ``rootfs.tree``, ``livecd.initrd``."""
    sha256: str
    """Of the file that it made, or over the digests of several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBuild:
    """What a build was seen to make: outputs and layers sorted by name."""

    recipe_sha256: str
    """Of all that went into the layers (recipe, its files, packages and other things by digest) but the assembler's own
    code, and secrets; another recipe may make other outputs from the same lock."""
    secrets: str = ""
    """Of passwords and private files that went in: a salt and a slow hash, see audit/recorded.py; empty for none."""
    assembler: str
    """Version of the assembler that built."""
    outputs: tuple[LockedOutput, ...]
    layers: tuple[LockedLayer, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedTools:
    """All that runs on the build machine, from the assembler's own source."""

    tools: LockedToolbox
    machine: LockedMachine | None = None
    """None when nothing of the image may be executed, and in older locks."""
    toolchain: LockedToolbox | None = None
    """What a kernel is compiled with; None when none is, or with the host's programs."""

    @property
    def by_purpose(self) -> dict[str, LockedToolbox]:
        """Those that there are: ``tools``, ``emulator``, ``guest``, ``toolchain``."""
        machine = {"emulator": self.machine.emulator, "guest": self.machine.guest} if self.machine else {}
        return {"tools": self.tools, **machine, **({"toolchain": self.toolchain} if self.toolchain else {})}

    @property
    def toolboxes(self) -> tuple[LockedToolbox, ...]:
        """Those that there are."""
        return tuple(self.by_purpose.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock(LockedTools):
    """A whole lock: packages sorted by (name, architecture, version), archives by id, everything else by name."""

    assembler: str
    """Version of the assembler that made the lock."""
    recipe_sha256: str
    """Digest of those parts of the parsed recipe (canonical JSON) that decide what is locked, so that comments and line
    ends do not matter."""
    source_date_epoch: int
    architecture: str
    archives: tuple[LockedArchive, ...]
    packages: tuple[LockedPackage, ...]
    """Of the image."""
    kubernetes: tuple[LockedVersion, ...] = ()
    """What the recipe's version of Kubernetes stands for; empty without such a layer, and in older locks."""
    files: tuple[LockedFile, ...] = ()
    images: tuple[LockedImage, ...] = ()
    host_tools: tuple[LockedTool, ...] = ()
    """The host's programs with which a kernel was to be compiled where it was locked; empty with locked ones."""
    libraries: tuple[LockedTool, ...] = ()
    """The libraries of the assembler that write formats, as they were when the lock was made or its outputs were
    recorded: see image/libraries.py. Empty in a lock of an older schema, which says nothing of them."""
    accounts: LockedAccounts = LockedAccounts()
    """Of the image; empty until somebody records what is built."""
    build: LockedBuild | None = None
    """What was built from it; None until somebody records that. Not in the copy of the lock that an image holds."""

    @property
    def build_architecture(self) -> str:
        """Debian architecture of the machine that builds."""
        return self.tools.architecture

    def role(self, role: str) -> tuple[LockedPackage, ...]:
        """The packages wanted for `role`."""
        return tuple(package for package in self.packages if role in package.roles)

    def files_for(self, role: str) -> tuple[LockedFile, ...]:
        """The upstream files wanted for `role`."""
        return tuple(file for file in self.files if file.role == role)
