"""What strangers write does nothing to terminals and CI logs."""

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from assembler.printable import printable, printable_lines

COMMAND = re.compile(r"^\s*::|##\w*\[")
"""What a CI service takes for a command to it."""


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        ("plain, with ünïcödé, 漢字 and \\ as they are", "plain, with ünïcödé, 漢字 and \\ as they are"),
        ("", ""),
        ("\x1b]0;title\x07\x1b[2J", r"\x1b]0;title\x07\x1b[2J"),
        ("one\ntwo\rthree\tfour", r"one\ntwo\rthree\tfour"),
        ("\x9b2J\x7f\x00\x85", r"\x9b2J\x7f\x00\x85"),  # C1: CSI in one byte
        ("a\u202etxt.exe\u2066b\u200f", r"a\u202etxt.exe\u2066b\u200f"),
        ("\u2028\u2029\u00a0\u3000", r"\u2028\u2029\xa0\u3000"),
        ("\ufeff\u00ad\u200b", r"\ufeff\xad\u200b"),
        ("\U000e0041\U0010ffff", r"\U000e0041\U0010ffff"),
        ("\udcff\ud800", r"\xff\ud800"),
        ("::error file=x::y", r"\x3a:error file=x::y"),
        ("  ::stop-commands::z", r"  \x3a:stop-commands::z"),
        (":::warning::", r"\x3a::warning::"),
        ("\n::set-output name=x::y", r"\n::set-output name=x::y"),
        ("ok ##[add-path]/tmp", r"ok \x23#[add-path]/tmp"),
        ("###[group]##[error]", r"#\x23#[group]\x23#[error]"),
        ("##vso[task.setvariable]x", r"\x23#vso[task.setvariable]x"),
        ("##teamcity[message]", r"\x23#teamcity[message]"),
        ("a::b ## c [d] #[e]", "a::b ## c [d] #[e]"),
    ],
)
def test_what_is_shown(raw: str, shown: str) -> None:
    assert printable(raw) == shown


@given(st.text(st.one_of(st.characters(), st.sampled_from("\n\r\x1b:#[ v"))))
@example("\u001c::error::")
@example("\u3000::error::")
def test_one_line_that_nothing_obeys(raw: str) -> None:
    shown = printable(raw)
    assert len(shown.splitlines()) <= 1
    assert not COMMAND.search(shown)
    assert not {unicodedata.category(letter) for letter in shown} & {"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"}
    assert printable(shown) == shown
    shown.encode()


def test_every_character() -> None:
    """Of the first planes, and of the last; between them nothing is assigned."""
    for letters in (range(0x20000), range(0xE0000, 0xE1000), range(0x10FF00, 0x110000)):
        assert printable("".join(map(chr, letters))).isprintable()


def test_several_lines() -> None:
    assert printable_lines("one\r\n\ttwo\n\n::error::\x1b[1m\n") == ["one", "        two", "", r"\x3a:error::\x1b[1m"]
    assert printable_lines("") == [""]
    assert printable_lines("a\vb\fc\x85d\u2028e\rf") == [r"a\x0bb\x0cc\x85d\u2028e\rf"]
