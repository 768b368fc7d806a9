"""Which kernel modules an initrd holds, and in which order they load.

Everything is read from the modules themselves: `depends` and `softdep` in their .modinfo section (Linux, modpost), of
which depmod(8) makes its indexes; a name that is no module is looked up in modules.alias, as modprobe(8) does.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from assembler.errors import Place
from assembler.kernel import module as reader
from assembler.kernel.module import Info, ModuleError
from assembler.tree.content import size_of
from assembler.tree.staging import Tree

SUFFIXES = (*reader.SUFFIXES, ".ko.gz")
"""How the names of module files end: in an initrd they are unpacked, so that kmod does not have to read them."""
_PACKED = frozenset({".xz", ".zst", ".gz"})
_LARGEST = 512 << 20
"""Bytes of all modules that are looked at for one initrd, unpacked; those of Debian's have 40 MB."""
_DEEPEST = 200
"""Modules in a row that need each other; Debian's need eight."""


@dataclass(frozen=True, slots=True)
class Module:
    """A kernel module."""

    name: str
    """With underscores, as in /proc/modules."""
    path: str
    """In the tree it was found in."""
    data: bytes
    """The module, not compressed; a signature at its end is kept."""
    needs: tuple[str, ...]
    """The modules it depends on, directly or not, in an order in which they load."""
    aliases: tuple[str, ...]
    """Patterns of the modaliases of devices that it drives, and other names of it."""
    firmware: tuple[str, ...] = ()
    """Names and patterns of files that it may ask for, below /usr/lib/firmware."""


def normal(name: str) -> str:
    """A module's name as the kernel has it: ``usb-storage`` is ``usb_storage``."""
    return name.replace("-", "_")


def _name(path: str) -> str:
    return normal(path.rpartition("/")[2].partition(".ko")[0])


class Kernel:
    """The modules of one kernel release in a tree. Raises ModuleError when it has none there."""

    def __init__(self, tree: Tree, release: str) -> None:
        self._tree = tree
        self._directory = f"/usr/lib/modules/{release}"
        if not tree.is_dir(self._directory):
            raise ModuleError("the kernel's modules are missing", where=Place(path=self._directory))
        self._paths: dict[str, str] = {}
        for path, _ in tree.walk(self._directory):
            if path.endswith(SUFFIXES):
                name = _name(path)
                # depmod.d(5), `search updates built-in`: a module in updates/ overrides the kernel's own.
                if name not in self._paths or path.startswith(f"{self._directory}/updates/"):
                    self._paths[name] = path
        self._builtin = {_name(line) for line in self._lines("modules.builtin")}
        self._aliases: dict[str, list[str]] | None = None
        self._left = _LARGEST

    def _lines(self, name: str) -> list[str]:
        path = f"{self._directory}/{name}"
        return self._tree.read_text(path).splitlines() if self._tree.is_file(path) else []

    def builtin(self, name: str) -> bool:
        """Whether the kernel itself holds what the module `name` would bring."""
        return normal(name) in self._builtin

    @property
    def names(self) -> frozenset[str]:
        """Names of all modules, with those that are built in."""
        return frozenset(self._paths) | self._builtin

    def _by_alias(self, name: str) -> list[str]:
        """The modules that modules.alias names for `name`."""
        if self._aliases is None:
            self._aliases = {}
            for line in self._lines("modules.alias"):
                words = line.split()
                if len(words) == 3 and words[0] == "alias":
                    self._aliases.setdefault(words[1], []).append(normal(words[2]))
        # Patterns are for devices; a soft dependency names a plain alias (``crc32c``).
        return sorted(set(self._aliases.get(name, ())))

    def closure(self, required: Iterable[str], optional: Iterable[str] = ()) -> tuple[Module, ...]:
        """The modules named and all that they depend on, each after what it needs; otherwise in the order given.

        Names that are built in are left out. Raises ModuleError when a `required` one is neither a module nor built in;
        `optional` ones, and what others only softly depend on, may be missing.
        """
        order: dict[str, Module] = {}
        self._left = _LARGEST
        for name in required:
            if normal(name) not in self._paths and not self.builtin(name):
                raise ModuleError(
                    f"the kernel has no module {name}",
                    where=Place(path=self._directory),
                    hint="the live system needs it; choose another kernel",
                )
            self._visit(name, order, frozenset())
        for name in optional:
            self._visit(name, order, frozenset())
        return tuple(order.values())

    def _load(self, path: str) -> tuple[bytes, Info]:
        """A module, unpacked, and what it says of itself."""
        where = Place(path=path)
        size = size_of(self._tree.at(path, follow=True).content)
        if size > reader.LARGEST:
            why = f"{size} bytes; at most {reader.LARGEST} are read"
            raise ModuleError("the module is too large", where=where, why=why)
        elf = reader.unpack(self._tree.read(path), where, _PACKED)
        self._left -= len(elf)
        if self._left < 0:
            raise ModuleError(
                "the modules for the initrd are too large", where=where, why=f"more than {_LARGEST} bytes"
            )
        return bytes(elf), reader.read_object(elf, where)

    def _visit(self, name: str, order: dict[str, Module], above: frozenset[str]) -> None:
        """Add `name` and what it needs to `order`. `above` is what is being visited: soft dependencies have cycles."""
        name = normal(name)
        if name in order or name in above or name not in self._paths:
            return
        path = self._paths[name]
        where = Place(path=path)
        if len(above) > _DEEPEST:
            raise ModuleError("modules need each other without end", where=where, why=f"more than {_DEEPEST} in a row")
        data, facts = self._load(path)
        before, after = reader.softdeps(facts)
        above |= {name}
        for soft in before:
            self._visit_soft(soft, order, above)
        needs: dict[str, None] = {}
        for needed in map(normal, filter(None, ",".join(facts.values("depends")).split(","))):
            if needed in self._paths:
                self._visit(needed, order, above)
                needs |= dict.fromkeys((*order[needed].needs, needed))
            elif not self.builtin(needed):
                raise ModuleError(f"the module {needed} is missing", where=where)
        aliases, firmware = (tuple(facts.values(key)) for key in ("alias", "firmware"))
        order[name] = Module(name, path, data, tuple(needs), aliases, firmware)
        for soft in after:
            self._visit_soft(soft, order, above)

    def _visit_soft(self, name: str, order: dict[str, Module], above: frozenset[str]) -> None:
        names = [name] if normal(name) in self._paths else self._by_alias(name)
        for candidate in names:
            self._visit(candidate, order, above)
