"""Conditions of Kconfig."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.kernel.expression import Unmet, holds, unmet

VALUES = {"A": "y", "M": "m", "N": "n", "SIZE": "4", "NAME": '"x"'}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A", True),
        ("M", True),
        ("N", False),
        ("GONE", False),
        ("!N && (A || GONE)", True),
        ("!A || !M", False),
        ("A=y", True),
        ("M!=y", True),
        ("M = n", False),
        ("SIZE >= 4 && SIZE<5", True),
        ("SIZE < 4", False),
        ("SIZE < 5", True),
        ("SIZE <= 4", True),
        ("SIZE <= 3", False),
        ("SIZE > 4", False),
        ("SIZE > 0x3", True),
        ("SIZE >= 4", True),
        ("SIZE >= 5", False),
        ("NAME > 5", True),
        ("A > M", True),
        ("!(A && N)", True),
        ("!!N", False),
        ("$(success,test -e (a)) && N", False),
        ("A || $(x", True),
        ("m", True),
        ('NAME = "x"', True),
        ('NAME != "x"', False),
        ("$(success,test -e (a)) && A", True),
        ("y", True),
        ("n", False),
        ("", True),
    ],
)
def test_conditions(text: str, expected: bool) -> None:  # noqa: FBT001
    assert holds(text, VALUES) is expected


def test_only_what_is_at_fault_is_blamed() -> None:
    assert unmet("A && N && (GONE || N)", VALUES) == [Unmet("N", "y"), Unmet("GONE", "y"), Unmet("N", "y")]
    assert unmet("A && !M", VALUES) == [Unmet("M", "n")]
    assert unmet("A || N", VALUES) == []
    assert unmet("SIZE > 8", VALUES) == [Unmet("SIZE", ">8")]


@pytest.mark.parametrize(
    ("operator", "opposite"), [("=", "!="), ("!=", "="), ("<", ">="), ("<=", ">"), (">", "<="), (">=", "<")]
)
def test_a_comparison_is_blamed_for_what_it_says_or_for_the_opposite(operator: str, opposite: str) -> None:
    for number in ("3", "4", "5"):
        text = f"SIZE {operator} {number}"
        if holds(text, VALUES):
            assert unmet(f"!({text})", VALUES) == [Unmet("SIZE", f"{opposite}{number}")]
        else:
            assert unmet(text, VALUES) == [Unmet("SIZE", f"{operator}{number}")]


def test_nobody_is_blamed_for_constants() -> None:
    assert unmet("n", VALUES) == []
    assert unmet("!y || N", VALUES) == [Unmet("N", "y")]
    assert unmet("!A && N", VALUES) == [Unmet("A", "n"), Unmet("N", "y")]


@given(st.text(alphabet="AN!&|()=<> \"'$,y"))
def test_nothing_is_a_crash(text: str) -> None:
    assert holds(text, VALUES) in {True, False}
    assert all(each.symbol for each in unmet(text, VALUES))
