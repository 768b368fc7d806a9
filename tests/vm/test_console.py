import itertools
import re
import threading
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.vm import machine
from assembler.vm.machine import LARGEST, Console, _tail


def wait(console: Console, pattern: str, timeout: float = 0) -> str | None:
    found = console.find(re.compile(pattern, re.MULTILINE), timeout)
    return found[0] if found else None


def test_matches_are_consumed_in_order() -> None:
    console = Console()
    console.feed(b"login: a\r\nlogin: b\r\n")
    assert wait(console, r"login: \w") == "login: a"
    assert wait(console, r"login: \w") == "login: b"
    assert wait(console, r"login: \w") is None
    console.feed(b"login: c")
    assert wait(console, r"login: \w") == "login: c"


def test_anchors_are_those_of_lines() -> None:
    console = Console()
    console.feed(b"one\r\nnode login: ")
    assert wait(console, r"^node login: $") == "node login: "


def test_control_sequences_are_no_text() -> None:
    console = Console()
    console.feed(
        b"\x1bc\x1b[?7l\x1b[2J\x1b[0m[\x1b[0;32m  OK  \x1b[0m] Started \x1b[0;1;39mssh\x1b[0m.\r\n"
        b"\x1b]0;root@node\x07\x1b]3008;start=1;type=shell\x1b\\\x1b[?2004hroot# \x1bP+q544e\x1b\\\x1b(B."
    )
    assert console.text == "[  OK  ] Started ssh.\nroot# ."


@given(st.lists(st.integers(0, 60), max_size=20))
def test_a_sequence_may_arrive_in_pieces(cuts: list[int]) -> None:
    data = b"\xe2\x80\xa6a\x1b[0;32mb\x1b]0;title\x07c\x1b]8;;x\x1b\\d\x1b(Be\r\n\x1b[?2004hf"
    console = Console()
    places = sorted({0, *(cut for cut in cuts if cut < len(data)), len(data)})
    for start, end in itertools.pairwise(places):
        console.feed(data[start:end])
    assert console.text == "…abcde\nf"


@given(st.lists(st.binary(max_size=40), max_size=10))
def test_any_bytes_are_taken(pieces: list[bytes]) -> None:
    whole, parts = Console(), Console()
    whole.feed(b"".join(pieces))
    for piece in pieces:
        parts.feed(piece)
    assert parts.text == whole.text


def test_an_endless_sequence_does_not_hide_what_follows() -> None:
    console = Console()
    console.feed(b"\x1b]" + b"x" * 5000 + b"login: ")
    assert wait(console, "login: ") == "login: "


def test_text_wakes_the_one_who_waits() -> None:
    console = Console()
    threading.Timer(0.1, console.feed, [b"here"]).start()
    begun = time.monotonic()
    assert wait(console, "here", timeout=30) == "here"
    assert time.monotonic() - begun < 10


def test_nobody_waits_for_a_line_that_is_closed() -> None:
    console = Console()
    threading.Timer(0.1, console.close).start()
    begun = time.monotonic()
    assert wait(console, "never", timeout=30) is None
    assert time.monotonic() - begun < 10
    assert console.closed


def test_a_guest_that_says_too_much_is_not_listened_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "LARGEST", 1000)
    console = Console()
    console.feed(b"x" * 999)
    assert not console.flooded
    console.feed(b"login: ")
    assert console.flooded
    assert console.closed
    assert len(console.text) == 999
    assert wait(console, "login: ", timeout=60) is None


def test_how_much_of_a_console_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    assert LARGEST == 64 << 20
    monkeypatch.setattr("assembler.vm.machine.LARGEST", 10)
    heard: list[str] = []
    console = Console(heard.append)
    console.feed(b"0123456789")
    assert (console.text, console.flooded, console.closed) == ("0123456789", False, False)
    console.feed(b"\x1b[0m")
    assert not console.flooded, "what is no text does not count"
    console.feed(b"x")
    assert (console.text, console.flooded, console.closed) == ("0123456789", True, True)
    assert heard == ["0123456789", "x"]


@pytest.mark.parametrize(("length", "text"), [(4095, ""), (4096, "x")])
def test_how_long_a_sequence_may_be_that_is_not_ended(length: int, text: str) -> None:
    console = Console()
    console.feed(b"\x1b]" + b"x" * (length - 2))
    assert console.text[-1:] == text


def test_the_end_of_a_log() -> None:
    """Its last 25 lines, empty ones left out."""
    assert _tail("\n".join(f"{number}\n \n" for number in range(30))) == [str(number) for number in range(5, 30)]
    assert _tail("") == []
