"""The modules of Python whose byte code scripts ask for; a real Python of the image's version makes it later."""

from dataclasses import dataclass

from assembler.shell.process import as_text
from assembler.shell.streams import Refused
from assembler.tree.content import Content
from assembler.tree.staging import Inode, Kind, Tree


@dataclass(frozen=True, slots=True)
class Module:
    """A module whose byte code is asked for."""

    path: str
    """Where its source is, as it is written into the byte code."""
    source: Content
    mtime: int
    """Of the source, in seconds."""
    hashed: bool
    """Whether the byte code is valid as long as the source has that hash (PEP 552), as with SOURCE_DATE_EPOCH; else as
    long as it has that time and size."""
    code: Inode
    """The file for it, empty."""


class ByteCode:
    """The byte code that scripts ask for, of a Python `version` such as ``3.13``."""

    def __init__(self, version: str) -> None:
        self.version = version
        self.tag = f"cpython-{version.replace('.', '')}"
        self._modules: dict[int, Module] = {}

    def modules(self) -> list[Module]:
        """All that were asked for, each once."""
        return list(self._modules.values())

    def add(self, tree: Tree, path: str, *, hashed: bool, again: bool = False) -> None:
        """Ask for the byte code of the module at `path`; with `again`, even where there is some. Raises Refused when it
        is no module.
        """
        source = tree.get(path, follow=True)
        if source is None or source.kind is not Kind.FILE:
            raise Refused("byte code of what is no file", why=as_text(path))
        directory, _, name = path.rpartition("/")
        place = f"{directory}/__pycache__"
        if not tree.is_dir(place):
            tree.mkdir(place)
        code = f"{place}/{name.removesuffix('.py')}.{self.tag}.pyc"
        found = tree.get(code)
        if found is not None and found.kind is not Kind.FILE:
            raise Refused("byte code where something else is", why=as_text(code))
        known = self._modules.get(id(found))
        if found is not None and known is None:
            raise Refused("byte code that was there before", why=as_text(code))
        if known is not None and not again:
            # Python does not write what is valid again, nor does py3compile what has the time of its source.
            return
        # Python replaces the file.
        inode = Inode(Kind.FILE, (source.mode | 0o200) & 0o644, mtime=tree.mtime)
        tree.put(code, inode)
        self._modules[id(inode)] = Module(path, source.content, source.mtime, hashed, inode)
