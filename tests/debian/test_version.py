"""Versions, against dpkg and against python-debian, which wrote their own."""

import random
import subprocess
from functools import cmp_to_key

import pytest
from debian.debian_support import NativeVersion
from hypothesis import given
from hypothesis import strategies as st

from assembler.debian.version import compare, satisfies, version_key

UPSTREAM = st.from_regex(r"[0-9][A-Za-z0-9.+~]{0,8}(-[A-Za-z0-9.+~]{1,4})?", fullmatch=True)
REVISION = st.from_regex(r"(-[A-Za-z0-9+.~]{1,5})?", fullmatch=True)
VERSIONS = st.builds(
    lambda epoch, upstream, revision: epoch + upstream + revision, st.sampled_from(["", "0:", "1:"]), UPSTREAM, REVISION
)
# Few characters, so that equal and nearly equal versions come up often.
CLOSE = st.from_regex(r"[01][01.~a-]{0,6}[01a~]", fullmatch=True)


@pytest.mark.parametrize(
    ("lower", "higher"),
    [
        ("9" * 9999, "1" + "0" * 9999),
        ("9", "0000010"),
        ("9" * 9999 + ":1", "1" + "0" * 9999 + ":0"),
        ("1.0~rc1", "1.0"),
        ("1.0~~", "1.0~"),
        ("1.0", "1.0a"),
        ("1.0a", "1.0+"),
        ("1.9", "1.10"),
        ("2", "1:1"),
        ("1.0-1", "1.0-1+b1"),
        ("1.0-1~deb13u1", "1.0-1"),
        ("1.2-3", "1.2-3.1"),
        ("3:4.8.33-1", "3:4.8.33-1+deb13u1"),
    ],
)
def test_order_of_the_manual(lower: str, higher: str) -> None:
    assert compare(lower, higher) < 0 < compare(higher, lower)


@pytest.mark.parametrize(("left", "right"), [("1.0", "1.0-0"), ("0:1", "1"), ("1.01", "1.1"), ("1.a", "1.a0")])
def test_equal_in_spite_of_looks(left: str, right: str) -> None:
    assert compare(left, right) == 0
    assert version_key(left) == version_key(right)


@given(VERSIONS | CLOSE, VERSIONS | CLOSE)
def test_compares_as_python_debian_does(left: str, right: str) -> None:
    expected = NativeVersion(left)._compare(NativeVersion(right))
    assert (compare(left, right) > 0) - (compare(left, right) < 0) == (expected > 0) - (expected < 0)


@given(st.lists(VERSIONS | CLOSE))
def test_keys_sort_as_comparing_does(versions: list[str]) -> None:
    by_comparing = sorted(versions, key=cmp_to_key(compare))
    assert sorted(versions, key=version_key) == by_comparing


def test_compares_as_dpkg_does() -> None:
    draw = random.Random(7)  # noqa: S311  a sample, not a secret
    characters = "0011239.~+-abA"
    for _ in range(150):
        left = "1" + "".join(draw.choices(characters, k=draw.randint(1, 6))) + "1"
        right = left if draw.random() < 0.1 else "1" + "".join(draw.choices(characters, k=draw.randint(1, 6))) + "1"
        if draw.random() < 0.5:  # a common beginning
            right = left[: draw.randint(1, len(left))] + draw.choice(characters) + "1"
        relation = {-1: "lt", 0: "eq", 1: "gt"}[compare(left, right)]
        result = subprocess.run(["dpkg", "--compare-versions", left, relation, right], check=False)
        assert result.returncode == 0, f"dpkg does not say {left} {relation} {right}"


@given(VERSIONS, VERSIONS)
def test_relations_follow_the_order(left: str, right: str) -> None:
    order = compare(left, right)
    assert satisfies(left, "", right)
    assert satisfies(left, "<<", right) == (order < 0)
    assert satisfies(left, "<=", right) == (order <= 0)
    assert satisfies(left, "=", right) == (order == 0)
    assert satisfies(left, ">=", right) == (order >= 0)
    assert satisfies(left, ">>", right) == (order > 0)


@pytest.mark.parametrize(
    ("operator", "lower", "equal", "higher"),
    [("", True, True, True), ("=", False, True, False), (">=", False, True, True), ("<=", True, True, False),
     (">>", False, False, True), ("<<", True, False, False)],
)  # fmt: skip
def test_operators(operator: str, *, lower: bool, equal: bool, higher: bool) -> None:
    assert [satisfies(version, operator, "2") for version in ("1", "2", "3")] == [lower, equal, higher]


def test_no_other_operator_is_taken_for_one() -> None:
    with pytest.raises(ValueError, match=r"^>$"):
        satisfies("1", ">", "1")
