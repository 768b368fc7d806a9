"""Which Debian packages a kernel, and modules from outside it, are compiled with: see kernel/locked_tools.py."""

from assembler.architecture import Architecture
from assembler.releases import DEFAULT

_PACKAGES = (
    "bash", "bc", "bison", "bzip2", "ccache", "coreutils", "cpio", "dash", "diffutils", "dwarves", "findutils", "flex",
    "gcc", "grep", "gzip", "hostname", "libc6-dev", "libelf-dev", "libssl-dev", "lz4", "m4", "make", "mawk", "perl",
    DEFAULT.python, "python3-minimal", "sed", "tar", "xz-utils", "zlib1g-dev", "zstd",
)  # fmt: skip
_OF_MODULES = (
    "bash", "bc", "bzip2", "coreutils", "dash", "diffutils", "file", "findutils", "grep", "gzip", "hostname",
    "libc6-dev", "libelf-dev", "m4", "make", "mawk", "pahole", "patch", "perl", "python3-minimal", "sed", "tar",
    "xz-utils", "zstd",
)  # fmt: skip


def packages(target: Architecture, host: Architecture, *, modules: bool = False) -> tuple[str, ...]:
    """The Debian packages that a kernel for `target` is compiled with on `host`, and `modules` from outside it."""
    return (*_PACKAGES, *(("file", "patch") if modules else ()), *_cross("gcc", target, host))


def for_modules(target: Architecture, host: Architecture, compiler: str) -> tuple[str, ...]:
    """Those that modules are compiled with for a kernel that the package `compiler` made: ``gcc-14``."""
    return (*_OF_MODULES, compiler, *_cross(compiler, target, host))


def _cross(compiler: str, target: Architecture, host: Architecture) -> tuple[str, ...]:
    return () if target == host else (f"{compiler}-{target.triplet.replace('_', '-')}",)
