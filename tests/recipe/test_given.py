"""Values of arguments are taken out of texts, also where they are in quotes or cut off, and nothing else is."""

import pytest

from assembler.recipe.given import without
from assembler.recipe.shapes import quoted

TOKEN = "https://in.example/hunter2-hunter2-hunter2-hunter2-hunter2-hunter2"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"it is {TOKEN} and {TOKEN}", "it is … and …"),
        (f"x{TOKEN}x", "x…x"),
        (quoted(f"-{TOKEN}"), "'-……'"),
        (TOKEN[:40], "…"),
        (f"as {TOKEN[:20]}… is", "as …… is"),
        ("as https://host/", "as https://host/"),
        ("as https://in.example/ is", "as https://in.example/ is"),
        ("", ""),
    ],
)
def test_without(text: str, shown: str) -> None:
    assert without(text, {TOKEN, "root", ""}) == shown


def test_in_quotes() -> None:
    value = "two\nlines \x1b"
    for text in (value, repr(value), quoted(value), f"a {value!r} b"):
        assert "lines" not in without(text, {value})


def test_short_values_are_parts_of_ordinary_words() -> None:
    assert without("hunt hunter2", {"hunt"}) == "hunt hunter2"
    assert without("hunte hunter2", {"hunte"}) == "… …r2"


def test_nothing_of_a_value_stays_around_it() -> None:
    for value in ("\nabcdef\n", "\x1babcdef\x1b", "it's \n'x'", "'abcdef'"):
        assert without(f"<{value!r}>", {value}).replace("'", "").replace('"', "") == "<…>"
        assert without(f"<{value}>", {value}) == "<…>"


def test_one_that_is_cut_off_is_hidden_from_its_eighth_character() -> None:
    assert without(f"<{TOKEN[:8]}", {TOKEN}) == "<…"
    assert without(f"<{TOKEN[:7]}", {TOKEN}) == f"<{TOKEN[:7]}"
    assert without(f"<{TOKEN[:8]}>", {TOKEN}) == f"<{TOKEN[:8]}>"
