"""People's files of TOML have their errors in one form: file, line, column, key, and all at once."""

from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.cli.configuration import read_routes
from assembler.configure.rules import read_rules
from assembler.errors import AssembleError, Place, Problems
from assembler.lockfile.toml import format_lock, parse_lock, read_lock
from assembler.recipe.load import load
from assembler.toml.document import Document, Node, count, decode, dotted, place, plain, read
from tests.lockfile.test_toml import LOCK

KINDS: dict[str, Callable[[Path], object]] = {
    "recipe": load,
    "rules": lambda path: read_rules(path.read_bytes(), str(path)),
    "lock": read_lock,
    "configuration": lambda path: read_routes(path, {}, required=True),
}


def problems(kind: str, path: Path) -> list[AssembleError]:
    with pytest.raises(AssembleError) as caught:
        KINDS[kind](path)
    return list(caught.value.errors) if isinstance(caught.value, Problems) else [caught.value]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("a = 1\n  b = x\n", 2, 7), ("a = 1\na = 2\n", 2, 6), ("a = [\n", 2, 1), (f"a = 1\nb = {'[' * 40}\n", 2, 37)],
)
def test_no_toml(kind: str, text: str, line: int, column: int, tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text(text)
    (error,) = problems(kind, path)
    assert error.where == Place(file=str(path), line=line, column=column)
    assert "TOML" in error.what
    assert error.why
    assert "(at " not in error.why


@pytest.mark.parametrize("kind", ["recipe", "rules", "configuration"])
def test_everything_wrong_is_told_with_its_place(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "file.toml"
    path.write_text("ab = 1\n\n[[cd]]\n")
    found = [(error.where.line, error.where.column, error.where.key) for error in problems(kind, path)]
    assert {(1, 1, "ab"), (3, 3, "cd")} <= set(found)
    assert found == sorted(found)


def test_everything_wrong_in_a_lock_is_told_with_its_place() -> None:
    text = format_lock(LOCK)
    lines = text.split("\n")
    at = next(number for number, line in enumerate(lines) if line.startswith('"hello_'))
    lines[at] = lines[at].replace("size = ", 'size = "x", odd = ')
    lines.insert(2, "more = 1")
    with pytest.raises(Problems) as caught:
        parse_lock("\n".join(lines), "x.lock.toml")
    places = {error.where.key: (error.where.line, error.where.column) for error in caught.value.errors}
    package = 'packages."hello_2.10-5_amd64"'
    assert places == {
        "more": (3, 1),
        f"{package}.size": (at + 2, lines[at + 1].index("size") + 1),
        f"{package}.odd": (at + 2, lines[at + 1].index("odd") + 1),
    }


@pytest.mark.parametrize("key", ["schema", "integrity"])
def test_a_lock_of_another_kind(key: str) -> None:
    text = format_lock(LOCK)
    at = text.index(f"{key} = ") + len(f'{key} = "' if key == "integrity" else f"{key} = ")
    text = text[:at] + ("1" if text[at] == "0" else "0") + text[at + 1 :]
    with pytest.raises(AssembleError) as caught:
        parse_lock(text, "x.lock.toml")
    assert caught.value.where.key == key
    assert text.split("\n")[caught.value.where.line - 1].startswith(f"{key} = ")


def test_where_nobody_asks_nothing_is_worked_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(text: str) -> None:
        raise AssertionError(text)

    monkeypatch.setattr("assembler.toml.document.positions", never)
    assert parse_lock(format_lock(LOCK), "x") == LOCK


def test_the_nearest_place() -> None:
    document = read("a = 1\n[b]\nc = [1,\n 2]\n", "x", most=99, error=AssembleError)
    assert document.place(("b", "c", 1)) == Place("x", 4, 2, "b.c[1]")
    assert document.place(("b", "d", "e")) == Place("x", 2, 2, "b.d.e")
    assert document.place(("z",), "its name") == Place("x", 0, 0, "its name")
    assert Document("x", "", {}).place(()) == Place("x")


def test_a_text_is_utf8() -> None:
    assert decode(b"\xef\xbb\xbfa\r\nb\r\xc3\xa9", "x", AssembleError) == "a\nb\ré"
    for data, line, column, byte in (
        (b"\xff", 1, 1, "ff"),
        (b"a\n\xc3\xa9b\xc3", 2, 3, "c3"),
        (b"\xef\xbb\xbf\n\n\x80", 3, 1, "80"),
    ):
        with pytest.raises(AssembleError) as caught:
            decode(data, "x", AssembleError)
        assert caught.value.what == f"byte 0x{byte} is not UTF-8"
        assert caught.value.where == Place(file="x", line=line, column=column)
        assert caught.value.hint == "save the file as UTF-8"


@pytest.mark.parametrize(
    ("text", "why", "place", "hint"),
    [
        ("a = 1\na = 2", "Cannot overwrite a value", (2, 6), "a key or table may be given only once"),
        ("[a]\n[a]", "Cannot declare ('a',) twice", (2, 3), "a table may be given only once"),
        (
            "a = True",
            "Invalid value",
            (1, 5),
            "strings are in quotes, lists in brackets, true and false in lower case",
        ),
        ("a = [\n1", "Unclosed array", (2, 2), "see https://toml.io/en/v1.0.0"),
        ("a = " + "9" * 5000, "A number is too long", (0, 0), "see https://toml.io/en/v1.0.0"),
        ("a = [1, 2, 3]", "It has more than 4 values", (0, 0), "see https://toml.io/en/v1.0.0"),
    ],
)
def test_what_is_wrong_and_where(text: str, why: str, place: tuple[int, int], hint: str) -> None:
    with pytest.raises(AssembleError) as caught:
        read(text, "x", most=4, error=AssembleError)
    error = caught.value
    assert (error.what, error.why, error.hint) == ("not valid TOML", why, hint)
    assert error.where == Place(file="x", line=place[0], column=place[1])
    with pytest.raises(AssembleError) as caught:
        read(text, "x", most=4, error=AssembleError, what="no recipe", hint="another")
    assert (caught.value.what, caught.value.hint) == ("no recipe", "another")


def test_nodes_know_their_places() -> None:
    document = read('a = [1, { "b c" = 2 }]\n[d]\n', "x", most=6, error=AssembleError)
    nodes = document.nodes()
    assert plain(nodes) == document.values == {"a": [1, {"b c": 2}], "d": {}}
    assert count(nodes) == 6
    assert place(nodes, ("a", 1, "b c")) == Place("x", 1, 11, "a[1].'b c'")
    assert place(nodes, ("a", 0)) == Place("x", 1, 6, "a[0]")
    for missing in (("a", 2), ("a", 1, "z"), ("a", -1), ("a", 0, "z"), ("d", "z", 0)):
        found = place(nodes, missing)
        assert found.key == dotted(missing)
        assert found.line == (2 if missing[0] == "d" else 1)
    assert place(nodes, ("a", -1)).column == 1
    assert place(nodes, ()) == Place("x", 0, 0, "")
    assert isinstance(nodes.value, dict)
    assert isinstance(nodes.value["d"], Node)
