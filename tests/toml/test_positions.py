"""Positions against tomllib: documents are made with known places, and every path that tomllib has is found."""

import string
import tomllib
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.toml.positions import Path, Position, positions


def paths_of(value: Any, path: Path = ()) -> set[Path]:
    found = {path} if path else set()
    if isinstance(value, dict):
        for key, item in value.items():
            found |= paths_of(item, (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found |= paths_of(item, (*path, index))
    return found


def at(text: str, position: Position) -> str:
    return text.split("\n")[position.line - 1][position.column - 1 :]


def test_every_form_of_toml() -> None:
    text = """\
# a comment = "no"
plain = 1 # [no]
dotted . "quoted key" . 'li"teral' = 'x'
multi = \"\"\"first
fake = "no"
quotes ""and one more\\\"""\"\"\"
literal = '''
[no]
'''''
dates = [1979-05-27 07:32:00, 07:32:00, # ]
  -inf, 0xdead_beef, "]", ["a", [], ['b']], {x = {y = "}"}, z.w = [1]}]

[table . 'sub']
key = true
  [[ items ]]
  name = "one"
  [[items.parts]]
  [[items.parts]]
  size = 1
  [items.more]
  k = {}
[[items]]
name = "\\u00e9 \\" ="
"ta\\tb" = 1
"""
    document = tomllib.loads(text)
    found = positions(text)
    assert set(found) == paths_of(document)
    assert found["plain",] == Position(2, 1)
    assert found["dotted", "quoted key"] == Position(3, 10)
    assert found["dotted", "quoted key", 'li"teral'] == Position(3, 25)
    assert found["literal",] == Position(7, 1)
    assert found["dates", 2] == Position(11, 3)
    assert at(text, found["dates", 5, 2, 0]).startswith("'b'")
    assert at(text, found["dates", 6, "x", "y"]).startswith('y = "}"')
    assert at(text, found["dates", 6, "z", "w", 0]).startswith("1]}]")
    assert found["table", "sub"] == Position(13, 10)
    assert found["items",] == Position(15, 6)
    assert found["items", 0] == Position(15, 3)
    assert found["items", 0, "parts", 1, "size"] == Position(19, 3)
    assert found["items", 1, "name"] == Position(23, 1)


def test_empty_and_trailing() -> None:
    assert positions("") == {}
    assert positions("# only this") == {}
    assert positions("a=1") == {("a",): Position(1, 1)}


@pytest.mark.parametrize("quote", ['"""', "'''"])
@pytest.mark.parametrize("body", ["", "x", "{0}x", "{0}{0}x", "x{0}", "x{0}{0}", "x{0}y{0}{0}z", "\n{0}\n", "x\\\n"])
def test_quotes_inside_multi_line_strings(quote: str, body: str) -> None:
    text = f"a = {quote}{body.format(quote[0])}{quote}\nb = 1\n"
    if quote == "'''" and body == "x\\\n":
        text = text.replace("\\", "")
    document = tomllib.loads(text)
    assert set(document) == {"a", "b"}
    assert at(text, positions(text)["b",]) == "b = 1"


# --- documents made with known places ----------------------------------------------------------------------------

BARE = string.ascii_letters + string.digits + "-_"
text_values = st.text(alphabet=st.characters(exclude_categories=("Cs", "Cc")), max_size=12)


class Writer:
    """Writes TOML and notes where each thing was put."""

    def __init__(self, draw: Any) -> None:
        self.draw = draw
        self.text = ""
        self.places: dict[Path, Position] = {}

    def here(self) -> Position:
        return Position(self.text.count("\n") + 1, len(self.text) - (self.text.rfind("\n") + 1) + 1)

    def put(self, text: str) -> None:
        self.text += text

    def space(self) -> None:
        self.put(self.draw(st.sampled_from(["", " ", "\t", "  "])))

    def gap(self) -> None:
        """White space, comments and new lines."""
        self.put(self.draw(st.sampled_from(["", " ", "\n", "\n\n", ' # "]}= comment\n', "\t\n  "])))

    def string(self, value: str, *, key: bool = False) -> None:
        forms = ["basic"]
        if key and value and all(character in BARE for character in value):
            forms.append("bare")
        if "'" not in value:
            forms.append("literal")
        if not key:
            forms.append("multi")
            if "'" not in value:
                forms.append("multi literal")
        form = self.draw(st.sampled_from(forms))
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        lines = self.draw(st.sampled_from(["", "\n", "\nx = 1\n[t]\n"]))
        self.put(
            {
                "bare": value,
                "basic": f'"{escaped}"',
                "literal": f"'{value}'",
                "multi": f'"""{lines}{escaped}"""',
                "multi literal": f"'''{lines}{value}'''",
            }[form]
        )

    def key(self, path: Path) -> None:
        self.places.setdefault(path, self.here())
        self.string(str(path[-1]), key=True)

    def value(self, path: Path, depth: int) -> None:
        kinds = ["scalar", "string"] + (["array", "table"] if depth else [])
        kind = self.draw(st.sampled_from(kinds))
        if kind == "scalar":
            self.put(
                self.draw(st.sampled_from(["1", "-0.5", "true", "1979-05-27T07:32:00Z", "07:32:00", "0o17", "nan"]))
            )
        elif kind == "string":
            self.string(self.draw(text_values))
        elif kind == "array":
            self.put("[")
            for index in range(self.draw(st.integers(0, 3))):
                self.gap()
                self.places[*path, index] = self.here()
                self.value((*path, index), depth - 1)
                self.gap()
                self.put(",")
            self.gap()
            self.put("]")
        else:
            self.put("{")
            for index, name in enumerate(self.draw(st.lists(text_values, max_size=3, unique=True))):
                self.put("," if index else "")
                self.space()
                self.pair(path, name, depth - 1)
                self.space()
            self.put("}")

    def pair(self, table: Path, name: str, depth: int) -> None:
        path = (*table, name)
        self.key(path)
        while depth and self.draw(st.integers(0, 3)) == 0:  # a dotted key
            self.space()
            self.put(".")
            self.space()
            path = (*path, self.draw(text_values))
            self.key(path)
            depth -= 1
        self.space()
        self.put("=")
        self.space()
        self.value(path, depth)

    def body(self, table: Path, names: list[str]) -> None:
        for name in names:
            self.gap()
            self.space()
            self.pair(table, name, 2)
            self.space()
            self.put("\n")

    def document(self) -> None:
        names = self.draw(st.lists(text_values, max_size=6, unique=True))
        split = self.draw(st.integers(0, len(names)))
        self.body((), names[:split])
        for name in names[split:]:
            array = self.draw(st.booleans())
            for index in range(self.draw(st.integers(1, 3)) if array else 1):
                self.gap()
                self.space()
                start = self.here()
                self.put("[[" if array else "[")
                self.space()
                self.key((name,))
                self.space()
                self.put("]]" if array else "]")
                path: Path = (name, index) if array else (name,)
                if array:
                    self.places[path] = start
                self.put(self.draw(st.sampled_from(["\n", " # [c]\n"])))
                self.body(path, self.draw(st.lists(text_values, max_size=3, unique=True)))


@given(st.data())
def test_everything_is_found_where_it_was_written(data: st.DataObject) -> None:
    writer = Writer(data.draw)
    writer.document()
    assert paths_of(tomllib.loads(writer.text)) == set(writer.places)
    assert positions(writer.text) == writer.places


@pytest.mark.parametrize(
    ("unit", "begin", "end"),
    [("#\n", "", ""), ("''x", "a = '''", "'''"), ('""x', 'a = """', '"""'), ("xx", "a = '", "'"), ("xx", 'a = "', '"')],
)
def test_long_texts_take_little_memory(unit: str, begin: str, end: str) -> None:
    text = begin + unit * 500_000 + end
    tracemalloc.start()
    try:
        positions(text)
        assert tracemalloc.get_traced_memory()[1] < 20 << 20
    finally:
        tracemalloc.stop()


def test_keys_with_every_escape() -> None:
    text = 'a."\\u00e9\\U0001F389" = 1\n"\\b\\t\\n\\f\\r\\"\\\\" = 2\n["\\u0041".\'\\u0041\']\n'
    assert set(positions(text)) == paths_of(tomllib.loads(text))
    assert positions(text)["a", "\u00e9\U0001f389"] == Position(1, 3)
    assert positions(text)["A", "\\u0041"] == Position(3, 11)
