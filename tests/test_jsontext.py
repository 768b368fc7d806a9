"""JSON of strangers is a value or a ValueError, at no great cost."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.jsontext import DEPTH, parse

LIMIT = 1 << 20


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"[" * 200_000 + b"]" * 200_000, "levels deep"),
        (b'{"a":' * (DEPTH + 1) + b"1" + b"}" * (DEPTH + 1), "levels deep"),
        (b"[" * 200_000, "levels deep"),
        (b'"\\"' + b"[" * 200_000, "Unterminated"),
        (b"1" * 10_000, "Exceeds the limit"),
        (b"[NaN]", "NaN is no number"),
        (b"-Infinity", "Infinity is no number"),
        (b"[1e999]", "1e999 is no number"),
        (b"\xff\xfe", "utf-8"),
        ('"x"'.encode("utf-16"), "utf-8"),
        (b"", "Expecting value"),
        (b"{} {}", "Extra data"),
        (b'"' + b"x" * LIMIT + b'"', "more than 1048576"),
    ],
)
def test_what_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse(data, limit=LIMIT)


def test_brackets_in_strings_are_text() -> None:
    value = {"a": "[" * 1000 + '\\"{', "b": ["]" * 1000]}
    assert parse(json.dumps(value).encode(), limit=LIMIT) == value
    deepest = "[" * DEPTH + "]" * DEPTH
    assert parse(deepest.encode(), limit=LIMIT) == json.loads(deepest)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_python_writes_comes_back(value: object) -> None:
    assert parse(json.dumps(value).encode(), limit=LIMIT) == value


@pytest.mark.parametrize("text", [b"x", b"\\n", b'\\"', b"a\\\\"])
def test_a_long_string_takes_a_few_times_its_memory(text: bytes) -> None:
    """A regular expression that can go back takes a hundred times as much, which Python does not count as its own."""
    program = (
        "import resource, sys; from assembler.jsontext import parse\n"
        f"data = b'\"' + {text!r} * ({4 << 20} // {len(text)}) + b'\"'\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "parse(data, limit=len(data))\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    done = subprocess.run([sys.executable, "-P", "-c", program], capture_output=True, check=True, text=True)
    assert int(done.stdout) < 64 << 10, "KiB"
