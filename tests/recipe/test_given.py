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
