"""Texts of a seed: YAML as cloud-init reads it, and errors that say where."""

from dataclasses import dataclass
from typing import Any

from assembler import yamltext
from assembler.errors import AssembleError, Place
from assembler.recipe.shapes import quoted
from assembler.yamltext import Located, Path, YamlError


class SeedError(AssembleError):
    """cloud-init would not take this, or not do it."""


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML document of a seed."""

    name: str
    """What messages call it."""
    located: Located

    @property
    def value(self) -> Any:
        """What it holds; None for nothing."""
        return self.located.value

    def error(self, path: Path, what: str, *, why: str = "", hint: str = "") -> SeedError:
        """What is wrong with the value at `path`."""
        line, column = self.located.at(path)
        return SeedError(what, where=Place(self.name, line, column, dotted(path)), why=why, hint=hint)


def dotted(path: Path) -> str:
    """Keys and indices as one text, ``users[0].name``."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{quoted(str(part))[1:-1]}"
    return text.removeprefix(".")


def decoded(data: bytes, name: str) -> str:
    """The text of a file of a seed. SeedError for what is compressed or no UTF-8."""
    if data.startswith(b"\x1f\x8b"):
        raise SeedError(f"{name} is compressed", where=Place(file=name), hint="give it as it is")
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SeedError(f"byte 0x{data[error.start]:02x} is not UTF-8", where=Place(file=name, line=line)) from error


def shown(value: Any) -> str:
    """A value as it may stand in a message."""
    return quoted(value) if isinstance(value, str) else quoted(str(value))[1:-1]


def mapping(value: Any, name: str, what: str, key: str = "") -> dict[Any, Any]:
    """`value`, which is a mapping; SeedError at `key` of the file `name` otherwise, where it is called `what`."""
    if not isinstance(value, dict):
        raise SeedError(f"{what} is not a YAML mapping", where=Place(file=name, key=key), hint="write key: value")
    return value


def read_yaml(text: str, name: str) -> Document:
    """A YAML 1.1 document as cloud-init reads it, except that a key given twice is an error. SeedError otherwise."""
    try:
        return Document(name, yamltext.located(text))
    except YamlError as error:
        where = Place(name, error.line, error.column, error.key)
        hint = "indent with spaces; YAML allows no tabs" if "'\\t'" in error.why else ""
        raise SeedError(error.what, where=where, why=error.why, hint=hint) from error
