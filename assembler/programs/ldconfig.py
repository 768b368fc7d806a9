"""ldconfig(8) of glibc 2.36 to 2.43 with Debian's patches: links to libraries, and ``/etc/ld.so.cache``.

Followed: elf/ldconfig.c of glibc, local-ldconfig-multiarch.diff and local-ldconfig-ignore-ld.so.diff of Debian. Its
auxiliary cache (``/var/cache/ldconfig/aux-cache``) has numbers and times of inodes and is not made. What depends on the
order in which a file system has the entries of a directory is refused.
"""

import posixpath
import re
from collections.abc import Container, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from assembler.architecture import ARCHITECTURES, LOADERS
from assembler.programs.context import ExecutionContext
from assembler.programs.inputs import Found, found, once, options_of
from assembler.programs.loader_cache import Library, cache, order
from assembler.programs.shared_object import shared_object
from assembler.shell.patterns import is_pattern, matches
from assembler.shell.process import Process, as_text
from assembler.shell.streams import Budget, Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind, Tree

_PROGRAM, _CONFIGURATION, _CACHE = "/usr/sbin/ldconfig", "/etc/ld.so.conf", "/etc/ld.so.cache"
_AUXILIARY = "/var/cache/ldconfig"
_GENERATOR = re.compile(rb"ldconfig \(Debian GLIBC [^\0)]+\) \w+ release version 2\.(\d+)(?=\0)")
_LARGEST_PROGRAM, _LARGEST_CONFIGURATION = 16 << 20, 1 << 20
"""Bytes that ldconfig, and a file of its settings, may have."""
_DEPTH = 10
"""How deep files of settings may include one another."""
_BYTES_A_STEP = 8
"""Bytes of these that count as a command of a script."""
_MOST_ENTRIES = 50_000
"""Entries that directories of libraries may have together."""
_OLDEST, _WITHOUT_PLATFORMS = 36, 37
"""Versions 2.N: the first that is known, and the first that looks into no subdirectories for processors."""
_SPACE = " \t\n\v\f\r"
_THREADS = "tls"
"""Another such subdirectory, on any architecture."""
_X32 = "ld-linux-x32.so.2"
"""That its list of loaders lacks, for want of a comma."""


@dataclass(frozen=True, slots=True)
class _Directory:
    """One that is searched."""

    path: str
    inode: Inode
    hwcaps: str | None = None
    """Its name, if it is a subdirectory of ``glibc-hwcaps``."""


@dataclass(slots=True)
class _Candidate:
    """A file that may be what a name of a library stands for."""

    name: str
    soname: str
    flags: int
    level: int
    is_link: bool

    def is_better_than(self, other: "_Candidate") -> bool:
        """Whether ldconfig takes it instead of `other`. Raises Refused where it takes that which it comes to first."""
        if self.flags != other.flags:
            raise Refused("libraries of one name and different kinds", why=f"{self.name} {other.name}")
        if self.is_link != other.is_link:
            return other.is_link
        mine, theirs = order(_bytes(self.name)), order(_bytes(other.name))
        if mine == theirs:
            raise Refused("libraries of one name and one version", why=f"{self.name} {other.name}")
        return mine > theirs


@dataclass(slots=True)
class _Ldconfig:
    """One run."""

    tree: Tree
    arch: str
    absent: Container[str]
    """Paths of packages that are not unpacked yet."""
    budget: Budget
    generator: bytes
    old: bool
    """Before 2.37."""
    directories: list[_Directory] = field(default_factory=list)
    hwcaps: list[str] = field(default_factory=list)
    libraries: list[Library] = field(default_factory=list)
    warned: str = ""
    """What it would have warned of, the first such thing."""
    entries: int = 0

    def names(self, path: str, inode: Inode) -> list[str]:
        """The names in a directory, as far as they are there."""
        self.entries += len(inode.children)
        if self.entries > _MOST_ENTRIES:
            raise Refused(f"more than {_MOST_ENTRIES} files in directories of libraries")
        return [name for name in sorted(inode.children) if f"{path}/{name}" not in self.absent]

    @property
    def processors(self) -> AbstractSet[str]:
        """Names of subdirectories that it looked into before 2.37."""
        return ARCHITECTURES[self.arch].libraries.processors | {_THREADS}

    # --- settings ------------------------------------------------------------------------------------------------

    def configure(self, path: str, depth: int = 0) -> None:
        """Read a file of settings."""
        if depth > _DEPTH:
            raise Refused("settings of ldconfig that include one another", why=path)
        inode = self._file(path)
        if inode is None:
            return
        if size_of(inode.content) > _LARGEST_CONFIGURATION:
            raise Refused("a large file of settings", why=path)
        self.budget.look(size_of(inode.content) + 1, _BYTES_A_STEP)
        for line in read(inode.content).decode("utf-8", "surrogateescape").split("\n"):
            text = re.split(r"[\0#]", line, maxsplit=1)[0].lstrip(_SPACE)
            if re.match(r"include[ \t]", text):
                for pattern in filter(None, re.split(r"[ \t]", text[8:])):
                    self._include(posixpath.join(posixpath.dirname(path), pattern), depth)
            elif re.match(r"hwcap[ \t]", text, re.IGNORECASE):
                self.warned = self.warned or path
            elif text:
                self.add(text)

    def _file(self, path: str) -> Inode | None:
        there = self._found(path)
        if there.inode is None or there.place in self.absent:
            return None
        return there.inode if there.inode.kind is Kind.FILE else None

    def _found(self, path: str, *, follow: bool = True) -> Found:
        return found(self.tree, path, follow=follow)

    def _include(self, pattern: str, depth: int) -> None:
        above, _, last = pattern.rpartition("/")
        if is_pattern(as_text(above)) or "\\" in pattern:
            raise Refused("a pattern for files of settings", why=pattern)
        directory = self._found(above or "/")
        if directory.inode is None:
            return
        for name in self.names(directory.place, directory.inode):
            if matches(as_text(name), as_text(last)) and (not name.startswith(".") or last.startswith(".")):
                self.configure(f"{above}/{name}", depth + 1)

    def add(self, text: str) -> None:
        """Search a directory, too, and those for some processors in it."""
        path = text.rstrip(_SPACE).rstrip("/")
        if not path:
            return
        if not path.startswith("/") or (self.old and "=" in path):
            raise Refused("a directory of libraries", why=path)
        if self.old and posixpath.basename(path) in self.processors:
            raise Refused("libraries for a processor", why=path)
        there = self._found(path).inode
        if there is None:
            return
        if there.kind is not Kind.DIR:
            raise Refused("a directory of libraries that is none", why=path)
        if not self._append(_Directory(path, there)):
            return
        subdirectories = self._found(f"{path}/glibc-hwcaps")
        if subdirectories.inode is None or subdirectories.inode.kind is not Kind.DIR:
            return
        for name in self.names(subdirectories.place, subdirectories.inode):
            entry = subdirectories.inode.children[name]
            if name.startswith(".") or ":" in name or entry.kind is Kind.FILE:
                continue
            inner = self._found(f"{path}/glibc-hwcaps/{name}").inode
            if inner is not None and inner.kind is Kind.DIR:
                self.hwcaps.append(name)
                if not self._append(_Directory(f"{path}/glibc-hwcaps/{name}", inner, name)):
                    raise Refused("a directory of libraries by two names", why=f"{path}/glibc-hwcaps/{name}")

    def _append(self, directory: _Directory) -> bool:
        if any(each.inode is directory.inode for each in self.directories):
            return False
        self.directories.append(directory)
        return True

    # --- libraries -----------------------------------------------------------------------------------------------

    def search(self, directory: _Directory) -> None:
        """Find the libraries in a directory, and make links to them. Raises Refused."""
        place = self._found(directory.path).place
        chosen: dict[str, _Candidate] = {}
        for name in self.names(place, directory.inode):
            entry = directory.inode.children[name]
            candidate = self._candidate(directory, name, entry)
            if candidate is not None:
                before = chosen.get(candidate.soname)
                if before is None or candidate.is_better_than(before):
                    chosen[candidate.soname] = candidate
        found_here = list(chosen.values())
        _check_order(found_here)
        if directory.hwcaps is None:
            taken = {each.name for each in found_here}
            for each in found_here:
                if not each.is_link:
                    self._link(place, each, taken)
        for each in found_here:
            file = each.soname if directory.hwcaps is None else each.name
            path, hwcaps = f"{directory.path}/{file}", directory.hwcaps
            self.libraries.append(
                Library(
                    _bytes(each.soname),
                    _bytes(path),
                    each.flags,
                    hwcaps=None if hwcaps is None else _bytes(hwcaps),
                    level=each.level,
                )
            )

    def _candidate(self, directory: _Directory, name: str, entry: Inode) -> _Candidate | None:
        """What an entry of a directory is for the cache; None when it is nothing."""
        if entry.kind not in {Kind.FILE, Kind.SYMLINK, Kind.DIR}:
            return None
        looks = _looks_like_library(name)
        if self.old and not looks and name in self.processors and directory.hwcaps is None:
            if entry.kind is not Kind.FILE:
                raise Refused("libraries for a processor", why=f"{directory.path}/{name}")
            return None
        if (not looks and (entry.kind is Kind.FILE or directory.hwcaps is None)) or self._is_temporary(name):
            return None
        is_link = entry.kind is Kind.SYMLINK
        path = f"{directory.path}/{name}"
        inode: Inode | None = entry
        if is_link:
            there = self._found(path)
            inode = None if there.place in self.absent else there.inode
            if inode is None:
                if ".so." in name:
                    self.tree.remove(path)
                return None
        if inode is None or inode.kind is not Kind.FILE:
            if inode is not None and inode.kind is not Kind.DIR:
                raise Refused("a library that is no file", why=path)
            return None
        library = shared_object(inode.content, self.arch, old=self.old)
        if library is None:
            self._note(inode, path)
            return None
        soname = name if library.soname is None else library.soname.decode("utf-8", "surrogateescape")
        if not soname or "/" in soname:
            raise Refused("a library whose name is none", why=path)
        if is_link and name != soname and not (name.endswith(".so") and soname.startswith(name)):
            is_link = False
        return _Candidate(name, name if is_link else soname, library.flags, library.level, is_link)

    def _is_temporary(self, name: str) -> bool:
        if re.search(r"\.#prelink#(\.......)?\Z", name):
            return True
        return not self.old and (";" in name or name.endswith((".dpkg-new", ".dpkg-tmp")))

    def _note(self, inode: Inode, path: str) -> None:
        """Note what ldconfig would have warned of, a text in place of a library but for scripts of ld and gdb's."""
        head = read(inode.content)[:512] if size_of(inode.content) < _LARGEST_CONFIGURATION else b""
        if b"GROUP" not in head and b"GNU ld script" not in head:
            self.warned = self.warned or path

    def _link(self, place: str, library: _Candidate, taken: Container[str]) -> None:
        """Have the name of a library lead to it."""
        if library.name == library.soname:
            return
        path = f"{place}/{library.soname}"
        here = self._found(f"{place}/{library.name}").inode
        before = self._found(path, follow=False).inode
        there = self._found(path).inode
        if path in self.absent:
            raise Refused("a link in the place of a file that is not unpacked yet", why=path)
        if there is not None:
            if library.soname == _X32:
                raise Refused("the loader of x32", why=path)
            if there is here or library.soname in LOADERS:
                return
        if before is not None and before.kind is not Kind.SYMLINK:
            self.warned = self.warned or path
            return
        if library.soname in taken:
            raise Refused("a link in the place of another library", why=path)
        if before is not None:
            self.tree.remove(path)
        self.tree.symlink(library.name, path)

    def write(self) -> None:
        """Write the cache."""
        if self.tree.lexists(f"{_CACHE}~"):
            raise Refused("what ldconfig writes first is there", why=f"{_CACHE}~")
        content = cache(self.libraries, map(_bytes, self.hwcaps), self.generator)
        if self.tree.lexists(_CACHE):
            self.tree.remove(_CACHE)
        self.tree.write(_CACHE, content)
        if not self.tree.exists(_AUXILIARY) and self.tree.is_dir(posixpath.dirname(_AUXILIARY)):
            self.tree.mkdir(_AUXILIARY, 0o700)


def _looks_like_library(name: str) -> bool:
    """_dl_is_dso() of dl-is_dso.h."""
    return (name.startswith(("lib", "ld-")) and ".so" in name) or name.startswith(("ld.so.", "ld64.so."))


def _check_order(candidates: Sequence[_Candidate]) -> None:
    """Raises Refused when the cache may have two names in either order."""
    keys: dict[tuple[int, ...], str] = {}
    for each in candidates:
        other = keys.setdefault(order(_bytes(each.soname)), each.soname)
        if other != each.soname:
            raise Refused("names of libraries that differ in nothing but zeros", why=f"{other} {each.soname}")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _system(arch: str) -> Iterator[str]:
    triplet = ARCHITECTURES[arch].triplet
    yield from (f"/lib/{triplet}", f"/usr/lib/{triplet}", "/lib", "/usr/lib")


def ldconfig(process: Process, context: ExecutionContext) -> int:
    """``ldconfig [-r /]``. Raises Refused."""
    options, operands = options_of(process, "r= v|verbose", repeated={"r"})
    once(options, "r")
    if operands or options.get("r", "/").strip("/") or ("v" in options and process.captured):
        raise Refused("ldconfig with these arguments", why=" ".join(process.arguments)[:200])
    if "LD_HWCAP_MASK" in process.environment:
        raise Refused("a variable that changes what ldconfig does")
    tree = process.tree
    program = tree.get(_PROGRAM, follow=True)
    if program is None or program.kind is not Kind.FILE or size_of(program.content) > _LARGEST_PROGRAM:
        raise Refused("ldconfig is not glibc's", why=_PROGRAM)
    generator = _GENERATOR.search(read(program.content))
    if generator is None or int(generator[1]) < _OLDEST or context.arch not in ARCHITECTURES:
        raise Refused("ldconfig is of no version that is known")
    run = _Ldconfig(
        tree,
        context.arch,
        absent=context.absent(),
        budget=process.budget,
        generator=generator[0],
        old=int(generator[1]) < _WITHOUT_PLATFORMS,
    )
    run.configure(_CONFIGURATION)
    for path in _system(context.arch):
        run.add(path)
    for directory in run.directories:
        process.budget.step()
        run.search(directory)
    run.write()
    if run.warned:
        process.complain(f"ldconfig warns of {run.warned}")
    return 0
