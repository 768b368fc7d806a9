"""Where multi-line strings end, by tomllib's judgement."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.toml.bounds import DEEPEST, loads
from assembler.toml.positions import Position, positions
from assembler.toml.strings import MULTILINE, end_of_multiline

INSIDE = st.text(st.sampled_from("\"'\\ab\n#[]"), max_size=12)


def accepted(text: str) -> bool:
    try:
        tomllib.loads(f"x = {text}\n")
    except tomllib.TOMLDecodeError:
        return False
    return True


@given(st.sampled_from(MULTILINE), INSIDE)
def test_the_end_is_where_tomllib_has_it(quotes: str, inside: str) -> None:
    text = quotes + inside + quotes
    if accepted(text):
        assert end_of_multiline(f"= {text} # {quotes}", 2) == 2 + len(text)
        assert positions(f"x = {text}\ny = 1\n").keys() == {("x",), ("y",)}
        assert loads(f"x = {text}\ny = 1\n", most=10)["y"] == 1


@pytest.mark.parametrize("quotes", MULTILINE)
def test_a_short_one_hides_nothing_behind_it(quotes: str) -> None:
    for inside in ("", "0", "'" if quotes[0] == '"' else '"'):
        text = f"x = {quotes}{inside}{quotes}\ny = 1\n"
        assert positions(text) == {("x",): Position(1, 1), ("y",): Position(2, 1)}
        deep = "[" * (DEEPEST + 1)
        with pytest.raises(tomllib.TOMLDecodeError, match=r"nested too deeply \(at line 2, column 37\)$"):
            loads(f"x = {quotes}{inside}{quotes}\ny = {deep}", most=10)


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ('"""', -1),
        ('"""a""', -1),
        ('"""a\\"""', -1),
        ("'''a\\'''", 8),
        ('"""a\\""""', 9),
        ('""""""""', 8),
        ("''''''''b'", 8),
    ],
)
def test_quotation_marks_at_the_end(text: str, end: int) -> None:
    assert end_of_multiline(text, 0) == end
