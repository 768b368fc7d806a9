"""What a source's Kconfig says of its symbols, and what is said of those that did not take."""

from pathlib import Path

import pytest

from assembler.errors import Problems
from assembler.kernel.config import check, merge
from assembler.kernel.kconfig import read_symbols


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A source in whose Kconfig a test writes what it likes."""
    (tmp_path / "Kconfig").touch()
    return tmp_path


def told(tree: Path, kconfig: str, asked: str, result: dict[str, str]) -> list[tuple[str, str, str]]:
    """What did not take, why, and what to do about it."""
    (tree / "Kconfig").write_text(kconfig)
    with pytest.raises(Problems) as caught:
        check(merge([("f.config", asked.encode())]), result, read_symbols(tree, "x86"), "6.12.1")
    return [(error.what, error.why, error.hint) for error in caught.value.errors]


def test_what_is_said_of_what_did_not_take(tree: Path) -> None:
    many = "".join(f'config S{number}\n\tbool "S"\n\tselect X\n' for number in range(6))
    x, plain = 'config X\n\tbool "X"\n', "config X\n\tbool\n"
    off = ("CONFIG_X is y, not n", "its default is on and it cannot be chosen", "remove it")
    assert told(tree, x, "# CONFIG_X is not set\n", {"X": "y"}) == [off]
    on = {f"S{number}": "y" for number in range(6)} | {"X": "y"}
    names = "CONFIG_S0, CONFIG_S1, CONFIG_S2, CONFIG_S3"
    for count, more in ((4, ""), (5, " and 1 more"), (6, " and 2 more")):
        result = {name: value for name, value in on.items() if name == "X" or int(name[1:]) < count}
        why = f"it is selected by {names}{more}"
        assert told(tree, x + many, "# CONFIG_X is not set\n", result) == [
            ("CONFIG_X is y, not n", why, "switch those off as well")
        ]
    hidden = "it cannot be set: other symbols select it"
    assert told(tree, plain, "CONFIG_X=y\n", {}) == [("CONFIG_X is not set, not y", hidden, "remove it")]
    assert told(tree, plain + many, "CONFIG_X=y\n", {}) == [
        ("CONFIG_X is not set, not y", hidden, f"ask for one of {names} and 2 more")
    ]
    other = "another choice was made, or its value is out of range"
    assert told(tree, x, "CONFIG_X=5\n", {"X": "4"}) == [("CONFIG_X is 4, not 5", other, "")]
    gone = "Linux 6.12.1 has no CONFIG_Y on this architecture"
    assert told(tree, x, "# CONFIG_Y is not set\n", {}) == [
        (gone, "", "remove it: it has been dropped, or is another one's")
    ]
    wished = " && ".join(f"A{number}" for number in range(6))
    why = "it depends on " + "; ".join(f"CONFIG_A{number}=y, which is not set" for number in range(4))
    assert told(tree, f"{x}\tdepends on {wished}\n", "CONFIG_X=y\n", {}) == [("CONFIG_X is not set, not y", why, "")]
    why = "it depends on CONFIG_A!=y, which is y"
    assert told(tree, f"{x}\tdepends on A != y\n", "CONFIG_X=y\n", {"A": "y"}) == [
        ("CONFIG_X is not set, not y", why, "")
    ]


def blamed(tree: Path, kconfig: str, result: dict[str, str] | None = None) -> list[str]:
    """The symbols that keep X off."""
    (tree / "Kconfig").write_text(kconfig)
    return [each.symbol for each in read_symbols(tree, "x86").unmet("X", result or {})]


@pytest.mark.parametrize(
    ("kconfig", "symbols"),
    [
        ('menuconfig X\n\ttristate "X"\n\tdepends on A\n', ["A"]),
        ('config X\n\tprompt "X" if A\n\tint\n', ["A"]),
        ("config X\n\thex 'X' if A\n", ["A"]),
        ('config X\n\tstring "X" if A\n', ["A"]),
        ("config X\n\tdepends on A\n\tbool\n", []),  # nobody is asked for it
        ('if A\nconfig X\n\tbool "X"\nendif\n', ["A"]),
        ('if A\nendif\nconfig X\n\tbool "X"\n', []),
        ('menu "m"\n\tdepends on A\n\tvisible if B\nconfig X\n\tbool "X"\nendmenu\n', ["A"]),
        ('menu "m"\n\tdepends on A\nendmenu\nconfig X\n\tbool "X"\n', []),
        ('choice\n\tprompt "c"\n\tdepends on A\nconfig X\n\tbool "X"\nendchoice\n', ["A"]),
        (
            'if A\nmenu "m"\n\tdepends on B\nif C\nconfig X\n\tbool "X"\n\tdepends on D\nendif\nendmenu\nendif\n',
            ["A", "B", "C", "D"],
        ),
        ('comment "c"\n\tdepends on A\nconfig X\n\tbool "X"\n', []),
        ('menu "m"\ncomment "c"\n\tdepends on A\nconfig X\n\tbool "X"\nendmenu\n', []),
        ('if A\n\tdepends on B\nconfig X\n\tbool "X"\nendif\n', ["A"]),
        ('endif\nendmenu\nconfig X\n\tbool "X"\n\tdepends on A\n', ["A"]),
        ('config X\n\tbool "X" # if B\n\tdepends on A # && B\n', ["A"]),
        ('config X\n\tbool "X"\n\tdepends on A && \\\n\t\tB\n', ["A", "B"]),
        ('config X\n\tbool "X"\n\thelp\n\t  text\n\n\tdepends on A\n', ["A"]),
        ('config X\n\tbool "X"\n\thelp\n\t  text\n\t  depends on A\n\t   depends on B\n', []),
        ('config X\n\tbool "X"\n\t---help---\n\ttext\n\tdepends on A\nconfig Y\n\tdepends on B\n', []),
        ('config X\n\tbool "X"\n\thelp\n\nconfig Y\n\tbool\n\tdepends on A\n', []),
        ('config X\n\tbool "X"\n\tdepends on A\nconfig X\n\tbool "X"\n\tdepends on A && B\n', ["A"]),
        ('config X\n\tbool "X"\n\tdepends on A && B\nconfig X\n\tbool "X"\n\tdepends on B\n', ["B"]),
        ('config X\n\tbool "X"\n\tdepends on A || A\n', ["A"]),
        ('config X\n\tbool "X"\n\tselect Y if A\n\timply Z if B\n\tdefault y if C\n', []),
    ],
)  # fmt: skip
def test_what_a_symbol_depends_on(tree: Path, kconfig: str, symbols: list[str]) -> None:
    assert blamed(tree, kconfig) == symbols


def test_where_symbols_are_defined_and_selected(tree: Path) -> None:
    (tree / "Kconfig").write_text(
        'config A\n\tbool "A"\n\tselect X if B && \\\n\t  C\n\tselect Y\nsource "more"\nsource "none"\n'
    )
    (tree / "more").write_text("\nconfig A\n\tbool\n\tselect Z if A\nconfig B \\\n\n\tbool\n")
    symbols = read_symbols(tree, "x86")
    assert [(each.file, each.line, each.prompt) for each in symbols.definitions["A"]] == [
        ("Kconfig", 1, True),
        ("more", 2, False),
    ]
    assert symbols.prompted("A")
    assert not symbols.prompted("B")
    assert not symbols.prompted("none")
    on = {"A": "y", "B": "y", "C": "y"}
    assert symbols.selected_by("X", on) == ["A"]
    for missing in on:
        assert symbols.selected_by("X", on | {missing: "n"}) == []
    assert symbols.selected_by("Y", {"A": "m"}) == ["A"]
    assert symbols.selected_by("Y", {}) == []


def test_files_that_source_one_another(tree: Path) -> None:
    """Without end, which conf refuses; and as many as there may be in a row."""
    (tree / "Kconfig").write_text('source "Kconfig"\nconfig A\n\tbool "A"\n')
    assert len(read_symbols(tree, "x86").definitions["A"]) == 40
    for number in range(40):
        (tree / f"k{number}").write_text(f'config S{number}\n\tbool\nsource "k{number + 1}"\n')
    (tree / "Kconfig").write_text('source "k0"\nsource "k$(SRCARCH)"\n')
    (tree / "kx86").write_text("config LAST\n\tbool\n")
    assert list(read_symbols(tree, "x86").definitions) == [*(f"S{number}" for number in range(39)), "LAST"]
