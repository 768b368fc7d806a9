"""TOML within bounds."""

import time
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.toml.bounds import DEEPEST, loads


def test_what_is_fine() -> None:
    text = """
    # [[[[ {{{{ a.b.c
    a.b.c = [[1, [2]], { d = "[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[" }] # a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a
    "q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q.q" = 1.5
    s = '''
    a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a = [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[
    '''
    t = \"\"\"\\\"\"\" [[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"\"\"
    dates = [1979-05-27T07:32:00.999999Z, 1979-05-27]
    largest = 9223372036854775807
    """
    assert loads(text, most=100) == tomllib.loads(text)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (".".join(["a"] * 100_000) + " = 1", "too many parts"),
        (f"[{'.'.join(['a'] * 100_000)}]", "too many parts"),
        ("a = " + "[" * 100_000 + "]" * 100_000, "nested too deeply"),
        ("a = " + "{b=" * 5000 + "1" + "}" * 5000, "nested too deeply"),
        (f"[{'.'.join('a' * 30)}]\n{'.'.join('b' * 30)} = 1", "nested too deeply"),
        ("a = " + "9" * 5000, "too long"),
        ("a = -" + "9" * 5000, "too long"),
        ("a = 0x" + "f" * 5000, "larger than 64 bits"),
        ("a = 9223372036854775808", "larger than 64 bits"),
        ("a = [" + "0," * 200 + "]", "more than 100 values"),
        ("a = '''" + "[" * 100, "Expected"),
    ],
)
def test_what_is_refused(text: str, why: str) -> None:
    began = time.process_time()
    with pytest.raises(tomllib.TOMLDecodeError, match=why):
        loads(text, most=100)
    assert time.process_time() - began < 2


@given(
    st.lists(st.sampled_from(["a", ".", "=", "[", "]", "{", "}", "'", '"', "'''", '"""', "\\", "#", "\n", "1", ","]))
)
def test_the_same_as_without_bounds(parts: list[str]) -> None:
    text = "".join(parts)
    try:
        expected: object = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        expected = str(error)
    try:
        found: object = loads(text, most=1000)
    except tomllib.TOMLDecodeError as error:
        found = str(error)
    assert found == expected or text.count("[") + text.count("{") + text.count(".") >= DEEPEST


def deep(brackets: int) -> str:
    return f"a = [1]\nb = {'[' * brackets}{']' * brackets}\n"


def tables(parts: int) -> str:
    """A table of half as many parts as its value has."""
    return f"[{'.'.join('a' * 16)}]\n{'.'.join('b' * (parts - 16))} = 1\n"


@pytest.mark.parametrize(
    ("fine", "refused", "why"),
    [
        (".".join("a" * 32) + " = 1", ".".join("a" * 33) + " = 1", "A key has too many parts (at line 1, column 64)"),
        (f"\n[{'.'.join('a' * 32)}]", f"\n[{'.'.join('a' * 33)}]", "A key has too many parts (at line 2, column 65)"),
        (deep(32), deep(33), "Values are nested too deeply (at line 2, column 37)"),
        (tables(32), tables(33), "Tables are nested too deeply"),
        ("a = [" + "0," * 98 + "]", "a = [" + "0," * 99 + "]", "It has more than 100 values"),
        ("a = -9223372036854775808", "a = -9223372036854775809", "A number is larger than 64 bits hold"),
        ("a = 9223372036854775807", "a = 9223372036854775808", "A number is larger than 64 bits hold"),
        ("a = 1", "a = " + "1" * 5000, "A number is too long"),
    ],
)
def test_the_last_that_is_taken_and_the_first_that_is_not(fine: str, refused: str, why: str) -> None:
    assert loads(fine, most=100) == tomllib.loads(fine)
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        loads(refused, most=100)
    assert str(caught.value) == why


def test_each_key_has_its_own_parts() -> None:
    key = ".".join("k" * 20)
    lines = [f"x{number}.{key} = 1.5" for number in range(3)]
    inline = f"y = {{ {key} = 1.5, z.{key} = [1.5, 2.5] }}"
    table = f"[t{key}]\n[[u.{key}]]\n[[u.{key}]]"
    text = "\n".join([*lines, inline, table])
    assert loads(text, most=1000) == tomllib.loads(text)
    numbers = f"a = [{', '.join(['1.5'] * 60)}]"
    assert loads(numbers, most=100) == tomllib.loads(numbers)
