"""What is written is TOML, and means what was to be written."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.toml.writing import key, pair, text, value

strings = st.text(st.characters(codec="utf-8"))
values = st.recursive(
    st.one_of(strings, st.booleans(), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(allow_nan=False)),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(strings, inner, max_size=3)),
    max_leaves=8,
)


@given(strings)
def test_strings_are_toml(value: str) -> None:
    assert tomllib.loads(pair("x", value)) == {"x": value}


@given(st.dictionaries(strings, values, max_size=4))
def test_what_is_written_is_read(table: dict[str, object]) -> None:
    assert tomllib.loads("".join(f"{pair(key(name), item)}\n" for name, item in table.items())) == table
    assert tomllib.loads(f"x = {value(table)}") == {"x": table}


def test_one_way_to_write() -> None:
    assert value({"a-b": (1, True, "é\n"), "c.d": {}}) == '{ a-b = [1, true, "é\\n"], "c.d" = {  } }'
    assert pair(text("bare"), "\x7f") == '"bare" = "\\u007f"'
    with pytest.raises(TypeError):
        value(None)
