"""Modes as chmod(1) takes them."""

import pytest

from assembler.programs.modes import parse_mode


@pytest.mark.parametrize(
    ("text", "old", "mode"),
    [("0", 0o777, 0), ("755", 0, 0o755), ("07777", 0, 0o7777), ("00755", 0, 0o755), ("000755", 0, 0o755),
     ("755", 0o2700, 0o755), ("u+rwxs", 0, 0o4700), ("g+rwxs", 0, 0o2070), ("o+rwxs", 0, 0o007),
     ("+t", 0o755, 0o1755), ("a-t", 0o1777, 0o777), ("o+t", 0, 0o1000), ("u-x,g=rx", 0o777, 0o657),
     ("o=", 0o777, 0o770), ("a=r", 0o777, 0o444), ("ug+w", 0o444, 0o664),
     # Those who are not named are all but the umask's.
     ("=x", 0, 0o111), ("+w", 0o444, 0o644), ("-w", 0o666, 0o466), ("=rw", 0o111, 0o644), ("=", 0o777, 0),
     ("a+w", 0o444, 0o666),
     ("u+X", 0o644, 0o644), ("u+X", 0o645, 0o745), ("a+X", 0o100, 0o111), ("g=u", 0o750, 0o770),
     ("o=g-w", 0o770, 0o775), ("go=u-w", 0o700, 0o755), ("u=g,g=o", 0o754, 0o544),
     ("g+s", 0o755, 0o2755), ("u=rws", 0o755, 0o4655)],
)  # fmt: skip
def test_of_files(text: str, old: int, mode: int) -> None:
    found = parse_mode(text)
    assert found is not None
    assert found.applied(old) == mode


@pytest.mark.parametrize(
    ("text", "old", "mode"),
    [("755", 0o2700, 0o2755), ("0755", 0o6700, 0o6755), ("00755", 0o2700, 0o755), ("2755", 0o4000, 0o6755),
     ("u=rwx,go=rx", 0o2700, 0o2755), ("g-s", 0o2755, 0o755), ("a=", 0o6777, 0o6000), ("u+X", 0o644, 0o744),
     ("g=s", 0o6777, 0o6707), ("1777", 0o755, 0o1777)],
)  # fmt: skip
def test_directories_keep_set_id_bits_that_are_not_mentioned(text: str, old: int, mode: int) -> None:
    found = parse_mode(text)
    assert found is not None
    assert found.applied(old, directory=True) == mode


@pytest.mark.parametrize("text", ["", "8", "10000", "000000755", "u+x,", "u", "x", "u+z", "u+gx", "u+xg", "+x-", "z=r"])
def test_what_is_no_mode(text: str) -> None:
    found = parse_mode(text)
    # "+x-" takes nothing away.
    assert (found is not None) is (text == "+x-")
