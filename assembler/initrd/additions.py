"""What a recipe puts into the initrd besides what every initrd has: modules, firmware, programs and other files."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from assembler.errors import AssembleError, Place
from assembler.initrd.libraries import closure, wanted
from assembler.initrd.modules import Kernel, Module, normal
from assembler.kernel.elf import MAGIC, ElfError
from assembler.kernel.module import ModuleError
from assembler.patterns import fixed_part, pattern_to_regex
from assembler.recipe.document import did_you_mean
from assembler.tree.content import read, size_of
from assembler.tree.staging import Kind, Tree

FIRMWARE = "/usr/lib/firmware"
LARGEST = 512 << 20
"""Bytes of all files of an initrd; one that is larger would not be read when an image is verified."""
_PACKED = (".zst", ".xz")
"""What the kernel looks for, too (CONFIG_FW_LOADER_COMPRESS)."""
_KERNELS = "/kernel/"
"""What lies there is for the kernel itself, which looks for it in front of the initrd."""


class InitrdError(AssembleError):
    """An initramfs that cannot be composed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AddedFile:
    """A file that the recipe brings."""

    path: str
    content: bytes = b""
    link: str = ""
    """The target, for a symbolic link."""
    mode: int = 0o644


@dataclass(frozen=True, slots=True, kw_only=True)
class Additions:
    """The recipe's table ``initrd``, each list in its order, by which errors name its entries."""

    modules: tuple[str, ...] = ()
    """Names of modules."""
    firmware: tuple[str, ...] = ()
    """Names and patterns of files below `FIRMWARE` of the image."""
    from_image: tuple[str, ...] = ()
    """Paths and patterns of files of the image."""
    files: tuple[AddedFile, ...] = ()

    @property
    def want_image(self) -> bool:
        """Whether something of the image's root file system may be needed."""
        programs = any(each.content.startswith((MAGIC, b"#!")) for each in self.files)
        return bool(self.modules or self.firmware or self.from_image or programs)


def require_modules(kernel: Kernel, names: Iterable[str]) -> None:
    """Raise ModuleError when `names`, the recipe's ``initrd.modules``, are not all modules of `kernel`."""
    for index, name in enumerate(names):
        if normal(name) not in kernel.names:
            near = did_you_mean(normal(name), kernel.names)
            hint = near or "another kernel package may have it, as the one for all machines"
            where = Place(key=f"initrd.modules[{index}]")
            raise ModuleError(f"the kernel has no module {name}", where=where, hint=hint)


def add(tree: Tree, image: Tree, additions: Additions, modules: Iterable[Module]) -> list[str]:
    """Put `additions` into `tree`, an initrd, out of `image`, a root file system; `modules` are those added.

    Returns the names of modules that ask for firmware of which `image` has none. Raises InitrdError, and ElfError for
    libraries that are missing.
    """
    adding = _Adding(tree, image)
    firmware = _Firmware(image)
    lacking = []
    for module in modules:
        found = [path for name in module.firmware for path in firmware.find(name)]
        for path in found:
            adding.copy(path, Place(path=path))
        if module.firmware and not found:
            lacking.append(module.name)
    for index, name in enumerate(additions.firmware):
        where = Place(key=f"initrd.firmware[{index}]")
        paths = firmware.find(name)
        if not paths:
            hint = did_you_mean(name, firmware.names) or "add the firmware-* package that has it to rootfs.packages"
            raise InitrdError(f"the image has no firmware {name}", where=where, hint=hint)
        for path in paths:
            adding.copy(path, where)
    for index, pattern in enumerate(additions.from_image):
        where = Place(key=f"initrd.from_image[{index}]")
        for path in _matching(image, pattern, where):
            adding.copy(path, where)
    for index, file in enumerate(additions.files):
        adding.bring(file, Place(key=f"initrd.files[{index}]"))
    return lacking


class _Firmware:
    """The firmware of an image by the names that modules know it by."""

    def __init__(self, image: Tree) -> None:
        self._paths: dict[str, list[str]] = {}
        for path, _ in image.walk(FIRMWARE) if image.is_dir(FIRMWARE) else ():
            if image.is_file(path):
                name = path.removeprefix(f"{FIRMWARE}/").removeprefix("updates/")
                for ending in _PACKED:
                    name = name.removesuffix(ending)
                self._paths.setdefault(name, []).append(path)

    @property
    def names(self) -> Iterable[str]:
        return self._paths.keys()

    def find(self, name: str) -> list[str]:
        """The files called so, or like the pattern `name`."""
        if found := self._paths.get(name):
            return found
        if not _is_pattern(name):
            return []
        like = pattern_to_regex(name)
        return [path for each, paths in self._paths.items() if like.match(each) for path in paths]


def _is_pattern(text: str) -> bool:
    return fixed_part(text) != text


def _matching(image: Tree, pattern: str, where: Place) -> list[str]:
    """The files of `image` that a path or a pattern stands for."""
    if not _is_pattern(pattern):
        if image.is_file(pattern):
            return [pattern]
        if image.is_dir(pattern):
            what, hint = f"{pattern} is a directory", f"{pattern.rstrip('/')}/* is all that is in it"
        else:
            what, hint = f"the image has no {pattern}", _near(image, pattern)
        raise InitrdError(what, where=where, hint=hint)
    like = pattern_to_regex(pattern)
    fixed = fixed_part(pattern).rpartition("/")[0] or "/"
    walked = image.walk(fixed) if image.is_dir(fixed) else iter(())
    # Below what a link leads to, walking tells other paths than the pattern's.
    there = image.resolve(fixed, follow=True)
    paths = [fixed + path.removeprefix(there) if there != "/" else path for path, _ in walked]
    found = [path for path in paths if like.match(path) and image.is_file(path)]
    if not found:
        raise InitrdError(f"the image has no file like {pattern}", where=where, hint="* matches / as well")
    return found


def _near(image: Tree, path: str) -> str:
    """A question for what is called nearly like the file `path`, which is not there."""
    directory, _, name = path.rpartition("/")
    elsewhere = next((each for each, _ in image.walk() if each.endswith(f"/{name}") and image.is_file(each)), "")
    if elsewhere:
        return f"did you mean {elsewhere}?"
    return did_you_mean(path, [f"{directory}/{each}" for each in image.names(directory)]) or "is its package there?"


class _Adding:
    """Files on their way into an initrd."""

    def __init__(self, tree: Tree, image: Tree) -> None:
        self._tree = tree
        self._image = image
        self._left = LARGEST

    def copy(self, path: str, where: Place) -> None:
        """Put the image's file `path` there, and all that it needs to run."""
        self._copy(path, where)
        self._complete(path, self._image.read(path), self._image.at(path, follow=True).mode, where)

    def bring(self, file: AddedFile, where: Place) -> None:
        """The same for a file of the recipe's own."""
        if file.link:
            self._clear(file.path, where)
            self._tree.symlink(file.link, file.path, parents=True)
            return
        self._put(file.path, file.content, file.mode, where)
        self._complete(file.path, file.content, file.mode, where)

    def _complete(self, path: str, data: bytes, mode: int, where: Place) -> None:
        """Put what a file needs to run there."""
        try:
            needed = list(self._needs(path, data, mode, where))
        except ElfError as error:
            error.where = replace(error.where, key=where.key)
            raise
        for each in needed:
            self._copy(each, where)

    def _needs(self, path: str, data: bytes, mode: int, where: Place) -> Iterator[str]:
        """What a file needs of the image: libraries and loader of an object, the interpreter of a script."""
        if data.startswith(MAGIC) and not path.endswith((".ko", ".o")):
            yield from closure(self._image, wanted(self._image, path, data, own=True), own=True)
        elif data.startswith(b"#!") and mode & 0o111:
            words = data.partition(b"\n")[0][2:].decode("utf-8", "surrogateescape").split()
            if not words or self._tree.is_file(words[0]):
                return
            if not self._image.is_file(words[0]):
                what = f"the image has no {words[0]}, which {path} is a script for"
                raise InitrdError(what, where=where, hint="is its package there?")
            yield from closure(self._image, words[:1], own=True)

    def _copy(self, path: str, where: Place) -> None:
        if secret := self._hidden(path):
            raise InitrdError(
                f"{path} is for some users only",
                where=where,
                why=f"{secret} may not be read by all, and the initrd can be read by everybody who has the medium",
                hint="if it is no secret, bring it with initrd.files",
            )
        inode = self._image.at(path, follow=True)
        if (size := size_of(inode.content)) > LARGEST:
            raise InitrdError(f"{path} is too large", where=where, why=f"{size} bytes; at most {LARGEST} go in")
        self._put(path, read(inode.content), 0o755 if inode.mode & 0o111 else 0o644, where)

    def _hidden(self, path: str) -> str:
        """What on the way to a file of the image keeps others from reading it; nothing when they may."""
        real = self._image.resolve(path, follow=True)
        if not self._image.at(real).mode & 0o004:
            return real
        while real := real.rpartition("/")[0]:
            if not self._image.at(real).mode & 0o001:
                return real
        return ""

    def _clear(self, path: str, where: Place) -> None:
        """Raise InitrdError when the initrd has something at `path`, or nothing can be there."""
        real = self._tree.resolve(path)
        if self._tree.lexists(real):
            raise InitrdError(f"the initrd has another {path} of its own", where=where, hint="leave it out")
        if f"{real}/".startswith(_KERNELS):
            raise InitrdError(f"nothing can be at {path} of an initrd", where=where, why="it is for the kernel itself")

    def _put(self, path: str, data: bytes, mode: int, where: Place) -> None:
        there = self._tree.get(path)
        if there is not None and there.kind is Kind.FILE and read(there.content) == data:
            return
        self._clear(path, where)
        self._left -= len(data)
        if self._left < 0:
            raise InitrdError("the initrd is too large", where=where, why=f"more than {LARGEST} bytes")
        self._tree.write(path, data, mode, parents=True)


def as_inputs(additions: Additions) -> Mapping[str, object]:
    """What counts of `additions`, by names for people."""
    lists = {f"initrd.{name}": getattr(additions, name) for name in ("modules", "firmware", "from_image")}
    return {**lists, **{f"initrd.files {each.path}": each for each in additions.files}}
