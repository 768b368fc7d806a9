"""A table of the lock, of which values are taken; what is wrong with them is noted, and told at once."""

import json
import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import TypeVar

from assembler.lockfile.errors import RESTORE, LockError
from assembler.lockfile.values import LARGEST, LONGEST, SHA256
from assembler.toml.document import Document
from assembler.toml.positions import Path as KeyPath

T = TypeVar("T")

MAX_PROBLEMS = 100
"""What is wrong in a lock, told at once."""


class Table:
    """Takes values out of a TOML table, and notes what is wrong with them. Wrong values come back as empty ones."""

    def __init__(
        self,
        data: Mapping[str, object],
        place: str,
        document: Document,
        problems: list[LockError],
        path: KeyPath = (),
    ) -> None:
        self._data = data
        self._place = place
        self._document = document
        self._problems = problems
        self._path = path
        """Where it is in the document; of a lock of a former schema, where it would be in one of today's."""
        self._asked: list[str] = []
        self._children: list[Table] = []

    def wrong(self, key: str, what: str, hint: str = RESTORE) -> None:
        """Note that something is wrong with `key`; an empty one is the table itself."""
        name = ".".join(part for part in (self._place, key) if part)
        if len(self._problems) < MAX_PROBLEMS:
            where = self._document.place((*self._path, key) if key else self._path, name)
            self._problems.append(LockError(what, where=where, hint=hint))

    def _take(self, key: str) -> object:
        self._asked.append(key)
        if key not in self._data:
            self.wrong(key, "it is missing")
        return self._data.get(key)

    def __contains__(self, key: str) -> bool:
        return key in self._data

    def check(self, key: str, value: str, pattern: str) -> str:
        """`value`, noting when it does not match."""
        if len(value) > LONGEST or not re.fullmatch(pattern, value):
            self.wrong(key, f"{value[:LONGEST]!r} is not what belongs here")
        return value

    def text(self, key: str, pattern: str) -> str:
        """The string `key`, of which all has to match."""
        value = self._take(key)
        if isinstance(value, str):
            return self.check(key, value, pattern)
        if value is not None:
            self.wrong(key, "it is not a string")
        return ""

    def sha256(self, key: str = "sha256") -> str:
        """The SHA-256 `key`, in hex."""
        return self.text(key, SHA256)

    def number(self, key: str, largest: int = LARGEST) -> int:
        """The number `key`, from 0 to `largest`."""
        value = self._take(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            if value > largest:
                self.wrong(key, f"it is larger than {largest}")
            return value
        if value is not None:
            self.wrong(key, "it is not a number from 0 on")
        return 0

    def numbers(self, key: str, names: str, smallest: int, largest: int) -> list[tuple[str, int]]:
        """The numbers in the table `key`, by name."""

        def read(table: Table, name: str) -> int:
            number = table.number(name, largest)
            if number < smallest:
                table.wrong(name, f"it is smaller than {smallest}")
            return number

        return self._values(key, names, read)

    def _items(self, key: str) -> list[object]:
        value = self._take(key)
        if isinstance(value, list):
            return value
        if value is not None:
            self.wrong(key, "it is not a list")
        return []

    def texts(self, key: str, pattern: str) -> tuple[str, ...]:
        """A list of strings without repetition."""
        items = self._items(key)
        found = [item for item in items if isinstance(item, str)]
        if len(set(found)) < len(items):
            self.wrong(key, "it is not a list of different strings")
        return tuple(self.check(key, item, pattern) for item in found)

    def _child(self, value: object, key: str, *path: str | int) -> "Table":
        if not isinstance(value, dict):
            self.wrong(key, "it is not a table")
        name = ".".join(part for part in (self._place, key) if part)
        data = value if isinstance(value, dict) else {}
        child = Table(data, name, self._document, self._problems, (*self._path, *path))
        self._children.append(child)
        return child

    def tables(self, key: str) -> list["Table"]:
        """The tables in the list `key`."""
        return [self._child(item, f"{key}[{number}]", key, number) for number, item in enumerate(self._items(key))]

    def table(self, key: str) -> "Table":
        """The table `key`."""
        return self._child(self._take(key), key, key)

    def named(self, key: str) -> list[tuple[str, "Table"]]:
        """The tables in the table `key`, by name."""
        value = self._take(key)
        if not isinstance(value, dict):
            if value is not None:
                self.wrong(key, "it is not a table")
            return []
        return [(name, self._child(item, f"{key}.{json.dumps(name)}", key, name)) for name, item in value.items()]

    def pairs(self, key: str, names: str, values: str) -> list[tuple[str, str]]:
        """The strings in the table `key`, by name."""
        return self._values(key, names, lambda table, name: table.text(name, values))

    def _values(self, key: str, names: str, read: Callable[["Table", str], T]) -> list[tuple[str, T]]:
        """What `read` takes of the table `key`, by name."""
        value = self._take(key)
        table = self._child(value, key, key)
        found = value if isinstance(value, dict) else {}
        return [(table.check("its name", name, names), read(table, name)) for name in found]

    def close(self) -> None:
        """Note every key that nobody has asked for."""
        for key in sorted(set(self._data) - set(self._asked)):
            if len(self._problems) >= MAX_PROBLEMS:
                return
            near = get_close_matches(key, self._asked, 1)
            self.wrong(key, "this key is not known", f"did you mean {near[0]}?" if near else RESTORE)
        for child in self._children:
            child.close()
