"""What is taken out of a lock's tables, and what is said of what is wrong in them."""

from typing import Any

import pytest

from assembler.errors import Problems
from assembler.lockfile.errors import RESTORE, LockError
from assembler.lockfile.table import Table
from assembler.lockfile.toml import format_tools, parse_lock, parse_tools
from assembler.toml.document import Document
from tests.lockfile.test_toml import LOCK, TEXT

WORD = "[a-z]+"


def table(**values: Any) -> tuple[Table, list[LockError]]:
    problems: list[LockError] = []
    return Table(values, "t", Document("x", "", {}), problems), problems


def said(problems: list[LockError]) -> list[tuple[str, str]]:
    return [(error.where.key, error.what) for error in problems]


@pytest.mark.parametrize(
    ("value", "taken", "problem"),
    [
        ("abc", "abc", ""),
        ("a" * 1024, "a" * 1024, ""),
        ("a" * 1025, "a" * 1025, f"{'a' * 1024!r} is not what belongs here"),
        ("ABC", "ABC", "'ABC' is not what belongs here"),
        ("abc\n", "abc\n", "'abc\\n' is not what belongs here"),
        ("", "", "'' is not what belongs here"),
        (5, "", "it is not a string"),
        (None, "", "it is missing"),
    ],
)
def test_texts(value: object, taken: str, problem: str) -> None:
    found, problems = table(**({} if value is None else {"key": value}))
    assert ("key" in found) is (value is not None)
    assert found.text("key", WORD) == taken
    assert said(problems) == ([("t.key", problem)] if problem else [])


@pytest.mark.parametrize(
    ("value", "taken", "problem"),
    [
        (0, 0, ""),
        (1 << 40, 1 << 40, ""),
        ((1 << 40) + 1, (1 << 40) + 1, "it is larger than 1099511627776"),
        (-1, 0, "it is not a number from 0 on"),
        (True, 0, "it is not a number from 0 on"),
        (1.0, 0, "it is not a number from 0 on"),
        ("1", 0, "it is not a number from 0 on"),
    ],
)
def test_numbers(value: object, taken: int, problem: str) -> None:
    found, problems = table(key=value)
    assert found.number("key") == taken
    assert said(problems) == ([("t.key", problem)] if problem else [])
    found, problems = table(key=6)
    assert (found.number("key", 6), found.number("key", 5)) == (6, 6)
    assert said(problems) == [("t.key", "it is larger than 5")]
    found, problems = table()
    assert found.number("key") == 0
    assert said(problems) == [("t.key", "it is missing")]


@pytest.mark.parametrize(
    ("value", "taken", "problem"),
    [
        (["b", "a"], ("b", "a"), ""),
        ([], (), ""),
        (["a", "a"], ("a", "a"), "it is not a list of different strings"),
        (["a", 1], ("a",), "it is not a list of different strings"),
        (["A"], ("A",), "'A' is not what belongs here"),
        ("a", (), "it is not a list"),
        ({"a": 1}, (), "it is not a list"),
    ],
)
def test_lists(value: object, taken: tuple[str, ...], problem: str) -> None:
    found, problems = table(key=value)
    assert found.texts("key", WORD) == taken
    assert said(problems) == ([("t.key", problem)] if problem else [])


def test_tables_in_tables() -> None:
    found, problems = table(
        one={"a": "x"}, many=[{"a": "x"}, 5], named={"n m": {"a": 1}, "o": 2}, pairs={"p": "q", "R": 3}
    )
    assert found.table("one").text("a", WORD) == "x"
    assert [each.text("a", WORD) for each in found.tables("many")] == ["x", ""]
    assert [(name, each.text("a", WORD)) for name, each in found.named("named")] == [("n m", ""), ("o", "")]
    assert found.pairs("pairs", WORD, WORD) == [("p", "q"), ("R", "")]
    assert said(problems) == [
        ("t.many[1]", "it is not a table"),
        ("t.many[1].a", "it is missing"),
        ('t.named."o"', "it is not a table"),
        ('t.named."n m".a', "it is not a string"),
        ('t.named."o".a', "it is missing"),
        ("t.pairs.its name", "'R' is not what belongs here"),
        ("t.pairs.R", "it is not a string"),
    ]
    for value in (5, None):
        found, problems = table(**({} if value is None else {"key": value}))
        assert (found.named("key"), found.tables("key"), found.pairs("key", WORD, WORD)) == ([], [], [])
        what = "it is missing" if value is None else "it is not a table"
        assert problems[0].what == what
        assert len(problems) == (4 if value is None else 3)


def test_keys_that_nobody_knows() -> None:
    found, problems = table(size=1, sise=2, other={"in": {"deep": 3}}, unknown=4)
    found.number("size")
    found.table("other").table("in")
    found.close()
    assert [(error.where.key, error.hint) for error in problems] == [
        ("t.sise", "did you mean size?"),
        ("t.unknown", RESTORE),
        ("t.other.in.deep", RESTORE),
    ]
    assert {error.what for error in problems} == {"this key is not known"}


def test_as_much_as_is_told_at_once() -> None:
    found, problems = table(**{f"k{number:03}": 1 for number in range(150)})
    for number in range(99):
        found.text(f"k{number:03}", WORD)
    found.close()
    assert len(problems) == 100
    assert [error.what for error in problems[98:]] == ["it is not a string", "this key is not known"]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("2026-09-12T07:55:41Z", "1970-01-01T00:00:00Z", ""),
        ("2026-09-12T07:55:41Z", "1969-12-31T23:59:59Z", "it is no time of an archive"),
        ("2026-09-12T07:55:41Z", "2106-02-07T06:28:15Z", ""),
        ("2026-09-12T07:55:41Z", "2106-02-07T06:28:16Z", "it is no time of an archive"),
        ('valid_until = ""', 'valid_until = "9999-12-31T23:59:59Z"', ""),
        ('valid_until = ""', 'valid_until = "1969-12-31T23:59:59Z"', "it is no time of an archive"),
        ('valid_until = ""', 'valid_until = "2026-02-30T00:00:00Z"', "there is no such day or time"),
        ("source_date_epoch = 1795227046", "source_date_epoch = 4294967295", ""),
        ("source_date_epoch = 1795227046", "source_date_epoch = 4294967296", "it is larger than 4294967295"),
        ('witness = "https://dl.k8s.io/kubelet.sha256", ', "", "a checksum file belongs to what was learned from its"),
    ],
)
def test_the_last_values_that_are_taken(old: str, new: str, message: str) -> None:
    with pytest.raises((LockError, Problems)) as caught:
        parse_lock(TEXT.replace(old, new, 1), "x")
    assert (message or "the lock has been edited") in str(caught.value)


def test_tools_alone() -> None:
    text = format_tools(LOCK.tools)
    assert parse_tools(text, "x") == LOCK.tools
    with pytest.raises(Problems) as caught:
        parse_tools("odd = 1\n" + text.replace('roles = ["tools"]', 'roles = ["rootfs"]'), "x")
    assert [error.what for error in caught.value.errors] == [
        "this key is not known",
        "'rootfs' is not what belongs here",
    ]
