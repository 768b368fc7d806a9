"""Reading Kconfig files as far as it takes to say why a symbol did not become what was asked.

The kernel's own ``conf`` decides what a configuration becomes; this only explains it afterwards. It knows symbols,
where they are defined, what they depend on (with the conditions of the menus, ifs and choices around them) and what
selects them. Macros, but for the architecture's name, stand for themselves and count as true. Following
Documentation/kbuild/kconfig-language.rst.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assembler.kernel.expression import Unmet, holds, unmet

_ENTRY = re.compile(r"(?:config|menuconfig)\s+(\w+)$")
_TYPE = re.compile(r"(?:bool|tristate|string|int|hex)\b\s*(.*)$")
_SELECT = re.compile(r"select\s+(\w+)(?:\s+if\s+(.+))?$")
_SOURCE = re.compile(r'source\s+"([^"]+)"$')
_MAX_DEPTH = 40
"""Files that may source one another in a row."""


@dataclass(slots=True)
class Definition:
    """One place that defines a symbol; it may have several."""

    file: str
    """Below the source tree."""
    line: int
    prompt: bool = False
    """Whether people may set it; else only its defaults and what selects it do."""
    conditions: list[str] = field(default_factory=list)
    """What it depends on, all of which has to hold."""


@dataclass(frozen=True, slots=True)
class Selection:
    """A symbol that switches another one on."""

    by: str
    conditions: tuple[str, ...]
    """With what `by` depends on left out: it is on or it is not."""


@dataclass(slots=True)
class Symbols:
    """Every symbol of a source tree, for one architecture."""

    definitions: dict[str, list[Definition]] = field(default_factory=dict)
    selections: dict[str, list[Selection]] = field(default_factory=dict)
    """By the symbol that is selected."""

    def selected_by(self, name: str, values: Mapping[str, str]) -> list[str]:
        """The symbols that hold `name` on in the configuration `values`."""
        return [
            selection.by
            for selection in self.selections.get(name, ())
            if values.get(selection.by, "n") != "n" and all(holds(text, values) for text in selection.conditions)
        ]

    def unmet(self, name: str, values: Mapping[str, str]) -> list[Unmet]:
        """What keeps `name` off in the configuration `values`: of the definition that is nearest to holding."""
        found = [
            [blamed for text in definition.conditions for blamed in unmet(text, values)]
            for definition in self.definitions.get(name, ())
            if definition.prompt
        ]
        best = min(found, key=len, default=[])
        return list(dict.fromkeys(best))

    def prompted(self, name: str) -> bool:
        """Whether people may set `name`."""
        return any(definition.prompt for definition in self.definitions.get(name, ()))


def read_symbols(tree: Path, architecture: str) -> Symbols:
    """The symbols of the kernel source in `tree` for `architecture` (``x86``, as directories of arch/ are called)."""
    reader = _Reader(tree, architecture)
    reader.read("Kconfig", [])
    return reader.symbols


@dataclass(slots=True)
class _Block:
    """What is open around a line: an if, a menu or a choice."""

    kind: str
    conditions: list[str]


class _Reader:
    def __init__(self, tree: Path, architecture: str) -> None:
        self.symbols = Symbols()
        self._tree = tree
        self._architecture = architecture
        self._depth = 0

    def read(self, name: str, around: list[_Block]) -> None:
        path = self._tree / name
        if self._depth == _MAX_DEPTH or not path.is_file():
            return  # conf has read it before us, or it is behind a macro that we do not know
        self._depth += 1
        self._entries(name, path.read_text("utf-8", "replace"), list(around))
        self._depth -= 1

    def _entries(self, name: str, text: str, blocks: list[_Block]) -> None:
        entry: Definition | None = None
        symbol = ""

        def depend(condition: str) -> None:
            if entry is not None:
                entry.conditions.append(condition)
            elif blocks and blocks[-1].kind in {"menu", "choice"}:
                blocks[-1].conditions.append(condition)

        for number, line in _lines(text):
            word = line.split(maxsplit=1)[0]
            match = _ENTRY.match(line)
            if match:
                symbol = match[1]
                entry = Definition(name, number)
                # The blocks' own lists: a menu's dependencies come before its entries, and all of them count.
                entry.conditions = [condition for block in blocks for condition in block.conditions]
                self.symbols.definitions.setdefault(symbol, []).append(entry)
            elif word in {"if", "menu", "choice"}:
                entry, symbol = None, ""
                blocks.append(_Block(word, [line[3:].strip()] if word == "if" else []))
            elif word in {"endif", "endmenu", "endchoice"}:
                entry, symbol = None, ""
                if blocks:
                    blocks.pop()
            elif word == "comment":
                entry, symbol = Definition(name, number), ""
            elif source := _SOURCE.match(line):
                self.read(source[1].replace("$(SRCARCH)", self._architecture), blocks)
                entry, symbol = None, ""
            elif line.startswith("depends on "):
                depend(line.removeprefix("depends on ").strip())
            elif symbol and entry is not None:
                self._attribute(symbol, entry, line)

    def _attribute(self, symbol: str, entry: Definition, line: str) -> None:
        typed = _TYPE.match(line)
        text = typed[1] if typed else line.removeprefix("prompt").strip() if line.startswith("prompt") else ""
        if text.startswith(('"', "'")):
            entry.prompt = True
            _, _, condition = text[1:].partition(text[0])
            if condition.strip().startswith("if "):
                entry.conditions.append(condition.strip()[3:].strip())
        elif select := _SELECT.match(line):
            conditions = (select[2],) if select[2] else ()
            self.symbols.selections.setdefault(select[1], []).append(Selection(symbol, conditions))


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """Numbered lines without comments and help texts, continued ones joined."""
    help_indent: int | None = None
    in_help = False
    pending, first = "", 0
    for number, raw in enumerate(text.expandtabs(8).splitlines(), 1):
        stripped = raw.strip()
        if in_help:
            indent = len(raw) - len(raw.lstrip())
            if not stripped:
                continue
            if help_indent is None:
                help_indent = indent
            if indent >= help_indent and indent > 0:
                continue
            in_help = False
        if stripped in {"help", "---help---"}:
            in_help, help_indent = True, None
            continue
        line = pending + re.sub(r"""\s*#[^"']*$""", "", stripped)
        if line.endswith("\\"):
            pending, first = line[:-1].rstrip() + " ", first or number
            continue
        if line:
            yield first or number, line
        pending, first = "", 0
