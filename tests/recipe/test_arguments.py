"""References to arguments: what is put in their place, and how much of it."""

from pathlib import Path
from typing import Any

from assembler.recipe.arguments import MAX_PROBLEMS, MAX_SUBSTITUTED, substitute
from assembler.recipe.document import parse
from assembler.toml.document import plain


def substituted(text: str) -> tuple[dict[str, Any], list[str]]:
    """The values of a document and what was wrong."""
    root = parse(text.encode(), Path("r.toml"))
    told = [what for _, what, _ in substitute(root).problems]
    return plain(root), told


def test_values_of_arguments_have_no_references() -> None:
    values, told = substituted("a = '${A}'\n[args]\nA = '${B}'\nB = '${NONE}'\n")
    assert values == {"a": "${B}", "args": {"A": "${B}", "B": "${NONE}"}}
    assert told == []


def test_a_reference_that_is_wrong_stays() -> None:
    values, told = substituted("a = '${NONE} ${A} $${A}'\n[args]\nA = 'x'\n")
    assert values["a"] == "${NONE} x ${A}"
    assert told == ["${NONE} is not an argument of this recipe"]


def test_problems_are_told_up_to_a_hundred() -> None:
    for count in (MAX_PROBLEMS, MAX_PROBLEMS + 1):
        values, told = substituted(f"a = {['${NONE}'] * count}\n")
        assert len(told) == MAX_PROBLEMS
        assert values["a"] == ["${NONE}"] * count


def test_arguments_become_as_long_as_is_allowed() -> None:
    size = MAX_SUBSTITUTED >> 6
    table = f"[args]\nA = '{'x' * size}'\nB = 'y'\n"
    values, told = substituted(f"a = {['${A}'] * 64}\n{table}")
    assert (told, {len(value) for value in values["a"]}) == ([], {size})
    values, told = substituted(f"a = {[*['${A}'] * 64, '${B}']}\n{table}")
    assert told == ["arguments would become more than 16 Mi characters"]
    assert values["a"][-1] == "${B}"
