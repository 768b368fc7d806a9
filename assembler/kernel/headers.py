"""What modules are compiled against (``/lib/modules/RELEASE/build``): Debian's linux-headers-* packages, laid out, or
what is kept of a kernel that was compiled here.
"""

import os
from pathlib import Path

from assembler.errors import Place
from assembler.kernel import results
from assembler.kernel.elf import sections
from assembler.kernel.external import Against, ModulesError

_MAKEFILE = "Makefile"


def of_packages(root: Path, release: str, own: Path) -> Against:
    """The headers of Debian's kernel `release` in `root`, where its linux-headers-* and linux-kbuild-* packages are.

    Their makefile names directories of a running system: one that names those in `root` takes its place in the
    directory `own`, which is made. Raises ModulesError when they are of another kernel.
    """
    build = root / "usr/src" / f"linux-headers-{release}"
    makefile, source = build / _MAKEFILE, (root / "usr/lib/modules" / release / "source").resolve()
    if not makefile.is_file() or not source.is_relative_to(root.resolve()) or not source.is_dir():
        raise ModulesError(
            f"the lock has no headers of Linux {release}",
            hint="lock again: kernel and headers are of different versions",
        )
    text = makefile.read_text("utf-8").replace(" /usr/", f" {root}/usr/")
    return _laid(build, source, release, own, text)


def of_objects(build: Path, source: Path, release: str, own: Path) -> Against:
    """The same for a kernel `release` compiled from `source`, of which `build` is what `keep` kept.

    Raises ModulesError when nothing was kept.
    """
    if not build.is_dir():
        raise ModulesError(
            "the kernel takes no modules",
            where=Place(key="kernel.modules"),
            why="its configuration lacks CONFIG_MODULES",
            hint="add kernel/modules.config to kernel.fragments",
        )
    return _laid(build, source, release, own, f"include {source}/{_MAKEFILE}\n")


def _laid(build: Path, source: Path, release: str, own: Path, makefile: str) -> Against:
    own.mkdir()
    for each in build.iterdir():
        if each.name != _MAKEFILE:
            (own / each.name).symlink_to(each)
    (own / _MAKEFILE).write_text(makefile, "utf-8")
    return Against(release=release, objects=own, tree=source, reach=(build,))


_KEPT = (
    ".config",
    "Module.symvers",
    "include",
    "scripts",
    "tools/objtool/objtool",
    "tools/bpf/resolve_btfids/resolve_btfids",
)
_LARGEST_TYPES, _LARGEST_IMAGE = 64 << 20, 4 << 30
"""Bytes."""
_LEFT = (".o", ".a", ".cmd", ".d")


def keep(objects: Path, architecture: str, directory: Path) -> None:
    """Copy what modules are compiled against out of `objects`, where a kernel was compiled, into the new `directory`.

    `architecture` is the kernel's name of it, that of the directory below ``arch``. Raises OSError.
    """
    for name in (*_KEPT, f"arch/{architecture}/include", f"arch/{architecture}/module.lds"):
        source, target = objects / name, directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            results.copy_all(objects, name, target, lambda file: Path(file).suffix in _LEFT)
        elif os.path.lexists(source):
            results.copy(objects, name, target)
    image = objects / "vmlinux"
    # The types of modules (BTF) are told as what they have beyond the kernel's: pahole and resolve_btfids read these
    # from a file of that name.
    if types := sections(
        results.read(objects, image.name, _LARGEST_IMAGE), {".BTF": _LARGEST_TYPES}, Place(file=str(image))
    ):
        (directory / image.name).write_bytes(types[".BTF"])
