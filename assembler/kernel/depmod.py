"""depmod(8): the ``modules.*`` files by which modprobe and udev find modules, as kmod 34 writes them.

:func:`index` is pure: from the modules and the three lists that the kernel's build leaves (``modules.order``,
``modules.builtin``, ``modules.builtin.modinfo``) to a :class:`Modules`. :func:`depmod` applies it to a tree.

The binary indexes are path-compressed tries: big-endian, a node before its children, and the offset of the root after
the magic number and the version. kmod's libkmod-index.c describes the nodes.
"""

import posixpath
import re
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from assembler.errors import Place
from assembler.kernel.module import LARGEST, SUFFIXES, Info, ModuleError, read_module, softdeps
from assembler.tree.content import Content, read, size_of
from assembler.tree.kept import Keep
from assembler.tree.staging import Kind, Tree

_KEPT = "depmod-1"
_MAGIC, _VERSION = 0xB007F457, 0x00020001
PREFIX, VALUES, CHILDREN = 0x80000000, 0x40000000, 0x20000000
"""What a node has, in the upper bits of its offset."""
_SYMBOL_BUCKETS = 2048
_LARGEST_TRIE = 64 << 20
"""Bytes of an index file; Debian's have 2 MB. An offset has 28 bits."""
_MOST_MODULES = 20_000
"""Modules of one kernel; Debian's have 4200."""
_MOST_WORDS = 2_000_000
"""Entries of modinfo, exports and imports of all modules; Debian's have 290 000."""
_MOST_TEXT = 64 << 20
"""Characters in these, and in what depends on what; Debian's have 6 million."""
_MOST_STEPS = 20_000_000
"""From a module to one that it needs, in working out all that each needs; Debian's take 50 000."""
_SEARCH = ("updates", "")
"""Directories of modules, highest precedence first, when two modules have one name (depmod.d(5), ``search``)."""


@dataclass(frozen=True, slots=True)
class Modules:
    """The modules of one kernel, and the index files for them."""

    paths: Mapping[str, str]
    """Path below ``/lib/modules/RELEASE`` by module name (with underscores), in the order of depmod."""
    depends: Mapping[str, tuple[str, ...]]
    """All modules that one needs, its own needs after it: load them from the last to the first."""
    softdeps: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]
    """Names or aliases to load before and after a module, if they exist."""
    aliases: Mapping[str, tuple[str, ...]]
    """Alias patterns by module name."""
    firmware: Mapping[str, tuple[str, ...]]
    """Firmware files that a module may ask for, by module name."""
    builtin: frozenset[str]
    """Names of what is in the kernel itself."""
    files: Mapping[str, bytes] = field(repr=False)
    """``modules.dep`` and its kin by name."""

    def closure(self, names: Iterable[str], *, soft: bool = True) -> list[str]:
        """The named modules and all that they need, in an order in which they can be loaded.

        Names may have dashes, and with `soft` soft dependencies that exist under their own name are included. What is
        built in is left out. Raises ModuleError for a name that is neither.
        """
        order: dict[str, None] = {}
        pending = [(normalise(name), True) for name in names]
        seen: set[str] = set()
        while pending:
            name, required = pending.pop(0)
            if name in self.builtin or name in seen:
                continue
            seen.add(name)
            if name not in self.paths:
                if required:
                    raise ModuleError(f"the kernel has no module {name}")
                continue
            for one in (*reversed(self.depends[name]), name):
                order[one] = None
                if soft:
                    before, after = self.softdeps.get(one, ((), ()))
                    pending += [(normalise(other), False) for other in (*before, *after)]
        return list(order)


def normalise(name: str) -> str:
    """A module's name as the kernel has it, with underscores."""
    return name.replace("-", "_")


def module_name(path: str) -> str:
    """The name of the module in a file."""
    return normalise(posixpath.basename(path).split(".", 1)[0])


@dataclass(slots=True, eq=False)
class _Module:
    """A module while its dependencies are worked out."""

    name: str
    path: str
    info: Info
    index: int = 0
    """Place among all modules; also the priority of its aliases."""
    needs: list["_Module"] = field(default_factory=list)
    users: int = 0
    rank: int = 0
    """Place in the topological order, users first."""


def index(
    modules: Mapping[str, Content],
    order: str = "",
    builtin: str = "",
    builtin_modinfo: bytes = b"",
    *,
    jobs: int = 2,
) -> Modules:
    """Index the modules of a kernel.

    `modules` are module files by path below ``/lib/modules/RELEASE``; `order`, `builtin` and `builtin_modinfo` are the
    contents of ``modules.order``, ``modules.builtin`` and ``modules.builtin.modinfo``. `jobs` threads unpack. Raises
    ModuleError for a file that is no module, for modules that need each other in a cycle, and for more than any kernel
    has.
    """
    chosen = _choose(modules)
    ranks = {line.strip(): rank for rank, line in enumerate(order.splitlines())}
    paths = sorted(
        chosen.values(), key=lambda path: (ranks.get(_unpacked_name(path), len(ranks)), _precedence(path), path)
    )

    if len(paths) > _MOST_MODULES:
        raise _too_much(f"{_MOST_MODULES} modules")

    def inspect(path: str) -> Info:
        where = Place(path=path)
        if (size := size_of(modules[path])) > LARGEST:
            raise ModuleError("the module is too large", where=where, why=f"{size} bytes; at most {LARGEST} are read")
        return read_module(read(modules[path]), where)

    with ThreadPoolExecutor(jobs) as pool:
        infos = list(_bounded(pool.map(inspect, paths)))
    ordered = [
        _Module(module_name(path), path, info, number)
        for number, (path, info) in enumerate(zip(paths, infos, strict=True))
    ]
    symbols = {name: module for module in ordered for name in module.info.exports}
    _link(ordered, symbols)
    builtin_names = [module_name(line.strip()) for line in builtin.splitlines() if line.strip()]
    depends = _all_depends(ordered)
    files = {
        "modules.dep": _text(_dep_line(module, depends[module.name]) for module in ordered),
        "modules.dep.bin": _trie(
            (module.name, _dep_line(module, depends[module.name]), module.index) for module in ordered
        ),
        "modules.alias": _text(_alias_lines(ordered), "# Aliases extracted from modules themselves."),
        "modules.alias.bin": _trie(
            (pattern, module.name, module.index)
            for module in ordered
            for alias in module.info.values("alias")
            if (pattern := _normalise_alias(alias)) is not None
        ),
        "modules.softdep": _text(
            _key_lines(ordered, "softdep"), "# Soft dependencies extracted from modules themselves."
        ),
        "modules.weakdep": _text(
            _key_lines(ordered, "weakdep"), "# Weak dependencies extracted from modules themselves."
        ),
        "modules.symbols": _text(
            (f"alias symbol:{name} {symbols[name].name}" for name in _hash_order(symbols)),
            "# Aliases for symbols, used by symbol_request().",
        ),
        "modules.symbols.bin": _trie((f"symbol:{name}", owner.name, owner.index) for name, owner in symbols.items()),
        "modules.devname": _text(_device_lines(ordered), "# Device nodes to trigger on-demand module loading."),
        "modules.builtin.bin": _trie((name, "", 0) for name in builtin_names),
        "modules.builtin.alias.bin": _trie(
            (pattern, name, 0)
            for name, alias in _builtin_aliases(builtin_modinfo)
            if (pattern := _normalise_alias(alias)) is not None
        ),
    }
    return Modules(
        paths={module.name: module.path for module in ordered},
        depends={name: tuple(need.name for need in needs) for name, needs in depends.items()},
        softdeps={module.name: soft for module in ordered if (soft := softdeps(module.info)) != ((), ())},
        aliases={module.name: tuple(module.info.values("alias")) for module in ordered},
        firmware={module.name: found for module in ordered if (found := tuple(module.info.values("firmware")))},
        builtin=frozenset(builtin_names),
        files=files,
    )


def depmod(tree: Tree, release: str, *, jobs: int = 2) -> Modules:
    """``depmod RELEASE``: write the index files into ``/lib/modules/RELEASE`` of a tree, and give what was found.

    Raises ModuleError, and TreeError when there is no such directory.
    """
    top = tree.resolve(f"/lib/modules/{release}", follow=True)
    tree.at(top)
    modules = {
        path[len(top) + 1 :]: inode.content
        for path, inode in tree.walk(top)
        if inode.kind is Kind.FILE and path.endswith(SUFFIXES)
    }

    def shipped(name: str) -> bytes:
        return tree.read(f"{top}/{name}") if tree.is_file(f"{top}/{name}") else b""

    found = index(
        modules,
        shipped("modules.order").decode("utf-8", "surrogateescape"),
        shipped("modules.builtin").decode("utf-8", "surrogateescape"),
        shipped("modules.builtin.modinfo"),
        jobs=jobs,
    )
    for name, data in found.files.items():
        tree.write(f"{top}/{name}", data)
    return found


def indexed(tree: Tree, release: str, keep: Keep) -> None:
    """As :func:`depmod`, where index files may be kept: they are found again by what the kernel's directory holds."""
    top = tree.resolve(f"/lib/modules/{release}", follow=True)
    inputs = [(path, inode.content) for path, inode in tree.walk(top) if inode.kind is Kind.FILE]
    for name, content in keep(_KEPT, inputs, lambda: depmod(tree, release).files).items():
        tree.write(f"{top}/{name}", content)


# --- modules --------------------------------------------------------------------------------------------------------


def _choose(paths: Iterable[str]) -> dict[str, str]:
    """One path for each module name: of two, the one in the directory that is searched first."""
    chosen: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: (_precedence(path), path)):
        chosen.setdefault(module_name(path), path)
    return chosen


def _precedence(path: str) -> int:
    return next(rank for rank, directory in enumerate(_SEARCH) if not directory or path.startswith(f"{directory}/"))


def _unpacked_name(path: str) -> str:
    """The path as ``modules.order`` has it."""
    stem, _, suffix = path.rpartition(".")
    return path if suffix == "ko" else stem


def _link(modules: Sequence[_Module], symbols: Mapping[str, _Module]) -> None:
    """Fill in `needs`, in the order in which kmod has them. Raises ModuleError for a cycle."""
    for module in modules:
        needs: dict[int, _Module] = {}
        for name in module.info.imports:
            owner = symbols.get(name)
            if owner is not None:
                needs.setdefault(owner.index, owner)
        module.needs = list(needs.values())
        for need in module.needs:
            need.users += 1
    waiting = {module.index: module.users for module in modules}
    roots = [module for module in modules if not module.users]
    rank = 0
    while roots:
        module = roots.pop()
        module.rank = rank
        rank += 1
        for need in module.needs:
            waiting[need.index] -= 1
            if not waiting[need.index]:
                roots.append(need)
    if rank < len(modules):
        names = sorted(module.name for module in modules if waiting[module.index])
        raise ModuleError("modules need each other in a cycle", why=", ".join(names[:10]))
    for module in modules:
        module.needs.sort(key=lambda need: need.rank)


def _all_depends(modules: Sequence[_Module]) -> dict[str, list[_Module]]:
    """All that each module needs, by its name. Raises ModuleError when that is too much."""
    steps = text = 0
    depends: dict[str, list[_Module]] = {}
    for module in modules:
        found: dict[int, _Module] = {}
        pending = list(module.needs)
        while pending:
            steps += 1
            need = pending.pop()
            if need.index not in found:
                found[need.index] = need
                pending += need.needs
                text += len(need.path)
                if steps > _MOST_STEPS or text > _MOST_TEXT:
                    raise _too_much(f"{_MOST_STEPS} steps, or {_MOST_TEXT} characters, in what its modules need")
        depends[module.name] = sorted(found.values(), key=lambda need: need.rank)
    return depends


def _bounded(infos: Iterable[Info]) -> Iterator[Info]:
    """`infos` as they come. Raises ModuleError when they are too much together."""
    words = text = 0
    for info in infos:
        words += len(info.modinfo) + len(info.exports) + len(info.imports)
        text += sum(len(key) + len(value) for key, value in info.modinfo)
        text += sum(map(len, info.exports)) + sum(map(len, info.imports))
        if words > _MOST_WORDS or text > _MOST_TEXT:
            raise _too_much(f"{_MOST_WORDS} entries, or {_MOST_TEXT} characters, in its modules")
        yield info


def _too_much(what: str) -> ModuleError:
    return ModuleError("the kernel has too many modules for one", why=f"there are more than {what}")


def _builtin_aliases(modinfo: bytes) -> Iterator[tuple[str, str]]:
    """The (module, alias) pairs of ``modules.builtin.modinfo``."""
    for word in modinfo.decode("utf-8", "surrogateescape").split("\0"):
        key, _, value = word.partition("=")
        name, _, kind = key.partition(".")
        if kind == "alias":
            yield normalise(name), value


# --- text -----------------------------------------------------------------------------------------------------------


def _text(lines: Iterable[str], *header: str) -> bytes:
    return "".join(f"{line}\n" for line in (*header, *lines)).encode("utf-8", "surrogateescape")


def _dep_line(module: _Module, needs: Sequence[_Module]) -> str:
    return " ".join([f"{module.path}:", *(need.path for need in needs)])


def _alias_lines(modules: Sequence[_Module]) -> Iterator[str]:
    return (f"alias {alias} {module.name}" for module in modules for alias in module.info.values("alias"))


def _key_lines(modules: Sequence[_Module], key: str) -> Iterator[str]:
    return (f"{key} {module.name} {value}" for module in modules for value in module.info.values(key))


def _device_lines(modules: Sequence[_Module]) -> Iterator[str]:
    """``modules.devname``: modules that name both a device node and its number."""
    for module in modules:
        name = number = ""
        for alias in module.info.values("alias"):
            device = re.match(r"(char|block)-major-(\d+)-(\d+)", alias)
            if alias.startswith("devname:"):
                name = alias.removeprefix("devname:")
            elif device:
                number = f"{device[1][0]}{device[2]}:{device[3]}"
            if name and number:
                yield f"{module.name} {name} {number}"
                break


def _normalise_alias(alias: str) -> str | None:
    """Dashes outside of brackets as underscores; None for brackets that do not match, which kmod leaves out."""
    parts = re.split(r"(\[[^]]*\])", alias)
    plain = "".join(parts[::2])
    if "[" in plain or "]" in plain:
        return None
    return "".join(part if at % 2 else part.replace("-", "_") for at, part in enumerate(parts))


def _hash_order(names: Iterable[str]) -> list[str]:
    """The order in which kmod's hash table gives out its entries: by bucket, then by bytes."""
    return sorted(names, key=lambda name: (_hash(name.encode("utf-8", "surrogateescape")) % _SYMBOL_BUCKETS, name))


def _hash(key: bytes) -> int:
    """Paul Hsieh's SuperFastHash with the length as seed, as kmod's hash.c has it; 32 bits."""
    size = len(key)
    value = size
    mask = 0xFFFFFFFF
    halves = struct.unpack_from(f"<{size // 4 * 2}H", key)
    for low, high in zip(halves[::2], halves[1::2], strict=True):
        value += low
        value = ((value << 16) ^ ((high << 11) ^ value)) & mask
        value += value >> 11
    rest = key[size // 4 * 4 :]
    if len(rest) >= 2:
        value += rest[0] | rest[1] << 8
    if len(rest) == 3:
        value ^= value << 16
        value ^= rest[2] << 18
        value &= mask
        value += value >> 11
    elif len(rest) == 2:
        value ^= value << 11
        value &= mask
        value += value >> 17
    elif len(rest) == 1:
        value += rest[0]
        value ^= value << 10
        value &= mask
        value += value >> 1
    value ^= value << 3
    value &= mask
    value += value >> 5
    value ^= value << 4
    value &= mask
    value += value >> 17
    value ^= value << 25
    value &= mask
    value += value >> 6
    return value & mask


# --- binary indexes -------------------------------------------------------------------------------------------------


def _trie(entries: Iterable[tuple[str, str, int]]) -> bytes:
    """The index file for (key, value, priority) entries; a key may have several values."""
    values: dict[bytes, list[tuple[int, bytes]]] = {}
    for key, text, priority in entries:
        values.setdefault(key.encode("utf-8", "surrogateescape"), []).append(
            (priority, text.encode("utf-8", "surrogateescape") + b"\0")
        )
    for same in values.values():
        # The newest of equal priority comes first.
        same.reverse()
        same.sort(key=lambda pair: pair[0])
    keys = sorted(values)
    output = bytearray(struct.pack(">III", _MAGIC, _VERSION, 0))
    # Ranges of keys which share their first `depth` bytes, and whose node's prefix begins at `start`; and the place of
    # the node's offset. The root has no prefix, whatever its keys share.
    pending = [(0, len(keys), 0, 0, 8)]
    if not keys:
        struct.pack_into(">I", output, 8, len(output))
        pending = []
    while pending:
        low, high, start, depth, slot = pending.pop()
        first = keys[low]
        own = len(first) == depth
        groups = _groups(keys, low + own, high, depth)
        offset, flags = len(output), 0
        if start < depth:
            output.extend(first[start:depth] + b"\0")
            flags |= PREFIX
        slots = len(output) + 2
        if groups:
            low_byte, high_byte = groups[0][0], groups[-1][0]
            output.extend((low_byte, high_byte))
            output.extend(bytes(4 * (high_byte - low_byte + 1)))
            flags |= CHILDREN
        if own:
            output.extend(struct.pack(">I", len(values[first])))
            for priority, value in values[first]:
                output.extend(struct.pack(">I", priority) + value)
            flags |= VALUES
        if len(output) > _LARGEST_TRIE:
            raise _too_much(f"{_LARGEST_TRIE} bytes in one of its indexes")
        struct.pack_into(">I", output, slot, offset | flags)
        for byte, begin, end in reversed(groups):
            shared = _shared(keys[begin], keys[end - 1], depth + 1)
            pending.append((begin, end, depth + 1, shared, slots + 4 * (byte - groups[0][0])))
    return bytes(output)


def _groups(keys: Sequence[bytes], low: int, high: int, depth: int) -> list[tuple[int, int, int]]:
    """The ranges of ``keys[low:high]`` with the same byte at `depth`: that byte, begin and end."""
    groups = []
    begin = low
    while begin < high:
        byte = keys[begin][depth]
        end = begin + 1
        while end < high and keys[end][depth] == byte:
            end += 1
        groups.append((byte, begin, end))
        begin = end
    return groups


def _shared(one: bytes, other: bytes, depth: int) -> int:
    """How many bytes two keys share from the start, when they are known to share `depth`."""
    limit = min(len(one), len(other))
    while depth < limit and one[depth] == other[depth]:
        depth += 1
    return depth
