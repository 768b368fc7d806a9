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
