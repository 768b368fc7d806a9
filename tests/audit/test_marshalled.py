"""Byte code is the same or not, whatever one object stands for in several places."""

import marshal
from types import CodeType

import hypothesis
import pytest
from hypothesis import strategies as st

from assembler.audit.marshalled import same_code

HEADER = bytes(range(16))
SOURCE = """
import a.b
x, y, z = 1, "text" * 2, (1.5, 2j, None, ..., b"bytes", 10**30, -1, frozenset({"one", "two"}))

class Outer:
    "Says what."
    def method(self, *, key="text", other=(1, 2)):
        class Inner(Outer):
            value = [key for key in "text" if key in {1, 2, "text"}]
        try:
            return lambda: (key, Inner, "text", "\u00e4", "\u20ac")
        except ValueError as error:
            raise TypeError from error
"""


def written(code: CodeType) -> bytes:
    return HEADER + marshal.dumps(code)


def compiled(source: str = SOURCE) -> CodeType:
    return compile(source, "/usr/lib/x.py", "exec", dont_inherit=True)


def test_references_do_not_count() -> None:
    code = compiled()
    first = written(code)
    again = written(marshal.loads(first[16:]))  # noqa: S302  it was written here
    assert first != again
    assert same_code(first, again)


@pytest.mark.parametrize(
    "source",
    [
        SOURCE.replace("1.5", "1.25"), SOURCE.replace("2j", "3j"), SOURCE.replace("10**30", "10**31"),
        SOURCE.replace("10**30", "-10**30"), SOURCE.replace('"two"', '"too"'), SOURCE.replace("None", "True"),
        SOURCE.replace("key", "kez"), SOURCE.replace("(1, 2)", "(1, 2, 3)"), SOURCE.replace('b"bytes"', '"bytes"'),
        SOURCE.replace("Says what", "Says it"), "\n" + SOURCE, SOURCE.replace("TypeError from error", "TypeError"), "",
    ],
)  # fmt: skip
def test_other_code_is_another(source: str) -> None:
    assert source != SOURCE
    assert not same_code(written(compiled()), written(compiled(source)))


def test_what_is_before_the_code_counts() -> None:
    code = written(compiled())
    assert not same_code(code, b"\xff" + code[1:])
    assert not same_code(code[:10], code[:10])


@pytest.mark.parametrize(
    "content",
    [b"", b"\xdb\x01\0\0\0r\0\0\0\0", b"r\0\0\0\0", b"{0", b"N" * 2, b"(\xff\xff\xff\xff", b"(\1\0\0\0" * 500],
)
def test_what_is_no_byte_code_is_not_the_same(content: bytes) -> None:
    assert not same_code(HEADER + content, HEADER + content)


def test_many_references_cost_little() -> None:
    """Each pair has twice what the one within has."""
    found = b"\xa9\2NN"
    for number in range(60, 0, -1):
        found = b"\xa9\2" + found + b"r" + number.to_bytes(4, "little")
    assert same_code(HEADER + found, HEADER + found)
    assert not same_code(HEADER + found, HEADER + found.replace(b"NN", b"NT"))


@hypothesis.given(st.binary(max_size=200))
def test_any_bytes(data: bytes) -> None:
    assert same_code(HEADER + data, HEADER + data) in {True, False}


@hypothesis.given(st.data())
def test_one_byte_more_or_less(data: st.DataObject) -> None:
    """Only what a flag says may be lost, or a text be known otherwise."""
    code = written(compiled("x = ('text', 'text', 2)"))
    at = data.draw(st.integers(16, len(code) - 1))
    changed = code[:at] + bytes([data.draw(st.integers(0, 255))]) + code[at + 1 :]
    if same_code(code, changed):
        kinds = {chr(each[at] & 0x7F) for each in (code, changed)}
        assert len(kinds) == 1 or kinds in ({"a", "A"}, {"z", "Z"}, {"t", "u"})
