"""Templates and files of answers are read as debconf reads them, which is asked in each case."""

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assembler.debian.deb import open_package
from assembler.debian.debconf import (
    MAX_CHOICES,
    MAX_CONTINUED,
    MAX_PRESEED,
    MAX_TEMPLATES,
    TYPES,
    DebconfError,
    Selection,
    Template,
    elements,
    read_preseed,
    read_templates,
)
from assembler.errors import Place
from tests.support.debconf import Debconf
from tests.support.toolboxes import locked

WHERE = Place(package="aa templates")
PACKAGES = frozenset({"base-passwd", "debconf", "man-db", "tzdata"})
"""With questions of all kinds, in many languages."""


@pytest.fixture(scope="module")
def real() -> dict[str, bytes]:
    """The templates of `PACKAGES`."""
    store, lock = locked({"rootfs"})
    packages = [package for package in lock.role("rootfs") if package.name in PACKAGES]
    return {package.name: open_package(store, package.sha256).control["templates"] for package in packages}


@pytest.fixture
def debconf(tmp_path: Path) -> Debconf:
    return Debconf(tmp_path)


# --- templates -------------------------------------------------------------------------------------------------------

ODD = b"""\


Template: odd/one
Type: select
Choices: a\\, b, c,d,  e\\ f, ${not}
Choices-C: 1, 2
Default: 1  
Description: first   
 extended
 more   
  indented
  again
 .
 after
 
  
 end
Unknown-Field:x
description-DE.UTF-8:\tzweite

Template: odd/two
Type:multiselect
: nothing
 of this
Choices: \\${a}, ${b}

Template: odd/three
Type: select
Choices: \\${a}, b\\,, c,
Description-xx@y: z
"""  # noqa: W291, W293


def fields(templates: Sequence[Template]) -> list[tuple[str, str]]:
    """The commands that ask for all fields of `templates`, and what these are here."""
    return [
        (f"METAGET {template.name} {prefix}{field}", value)
        for template in templates
        for prefix, fields in (("", template.fields), ("extended_", template.extended))
        for field, value in fields.items()
        # Variables are filled in, and an empty name is no field.
        if field not in {"", "template"} and "${" not in value
    ]


def test_templates_are_read_as_debconf_does(debconf: Debconf, real: dict[str, bytes]) -> None:
    assert real.keys() == PACKAGES
    told: list[tuple[str, str]] = []
    for name, data in (real | {"odd": ODD.lstrip(b"\n")}).items():
        (debconf.directory / name).write_bytes(data)
        told += [(f"X_LOADTEMPLATEFILE {debconf.directory / name} aa", ""), *fields(read_templates(data, WHERE))]
    assert len(told) > 1500
    found = debconf.ask(*(command for command, _ in told))
    assert [(command, answer) for (command, _), answer in zip(told, found, strict=True)] == told


def test_odd_templates() -> None:
    one, two, three = read_templates(ODD, WHERE)
    assert [each.name for each in (one, two, three)] == ["odd/one", "odd/two", "odd/three"]
    assert (one.type, one.default, one.choices) == ("select", "1", ("1", "2"))
    assert (two.type, two.default, two.choices) == ("multiselect", "", None)
    assert three.choices == ("${a}", "b,", "c,")
    assert {"description-de.utf-8", "unknown-field"} <= one.fields.keys()
    assert two.extended == {}


def test_choices_of_packages(real: dict[str, bytes]) -> None:
    found = {template.name: template for data in real.values() for template in read_templates(data, WHERE)}
    assert found["tzdata/Zones/Arctic"].choices == ("Longyearbyen",)
    assert "New_York" in (found["tzdata/Zones/America"].choices or ())
    choices = found["debconf/frontend"].choices
    assert choices is not None
    assert choices[:2] == ("Dialog", "Readline")
    assert (found["debconf/frontend"].type, found["debconf/frontend"].default) == ("select", "Dialog")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"Type: string\n", "template 1 has no name"),
        (b"Template: a/b\n\nTemplate:\nType: string\n", "template 2 has no name"),
        (b"Template: a/b\nType: string\nTYPE: select\n", "template 1 has 'type' twice"),
        (b"Template: a/b\nno field\n", "template 1 has a line that is no field: 'no field'"),
        (b"Template: a/b\n#: x\n", "template 1 has a line that is no field: '#: x'"),
        (b"x" * (MAX_TEMPLATES + 1), "the templates are absurdly large"),
    ],
)
def test_what_debconf_dies_of(text: bytes, told: str) -> None:
    with pytest.raises(DebconfError) as caught:
        read_templates(text, WHERE)
    assert told in str(caught.value)


def test_more_choices_than_are_judged() -> None:
    for count, judged in ((MAX_CHOICES, True), (MAX_CHOICES + 1, False)):
        choices = ", ".join(map(str, range(count)))
        (template,) = read_templates(f"Template: a/b\nType: select\nChoices: {choices}\n".encode(), WHERE)
        assert (template.choices is not None) is judged


@settings(max_examples=50)
@given(st.binary(max_size=300) | st.text(alphabet="ab:-C \t.\n\\,${}é").map(str.encode))
def test_any_templates_are_read_or_refused(data: bytes) -> None:
    with suppress(DebconfError):
        assert all(template.name for template in read_templates(data, WHERE))


@settings(max_examples=50)
@given(st.lists(st.sampled_from(["a", "b c", "d, e", "f,g", "h,", "i, j,k, l"]), max_size=5))
def test_elements_are_what_was_joined(items: list[str]) -> None:
    joined = ", ".join(item.replace(",", "\\,") for item in items)
    assert elements(joined) == tuple(items)


# --- answers ---------------------------------------------------------------------------------------------------------


def said(debconf: Debconf, *files: bytes) -> Iterator[tuple[str, ...]]:
    """What debconf-set-selections takes of files, and the lines that it does not."""
    names = [str(debconf.directory / f"answers-{number}") for number in range(len(files))]
    for name, data in zip(names, files, strict=True):
        Path(name).write_bytes(data)
    _, errors, _ = debconf("debconf-set-selections", "--verbose", "--checkonly", *names)
    for line in errors.split("\n"):
        taken = re.fullmatch(r"info: Trying to set '(\S+)' \[(\S+)\] to '(.*)'", line, re.ASCII)
        marked = re.fullmatch(r"info: Trying to set '(seen)' flag to '(.*)'", line)
        if found := taken or marked:
            yield found.groups()
        elif line.startswith("error: parse error"):
            yield ("error",)
        elif line.startswith("warning: Unknown type"):
            yield ("unknown",)


def ours(data: bytes) -> Iterator[tuple[str, ...]]:
    """The same, as it is read here: by line."""
    read = read_preseed(data, "answers")
    lines: list[tuple[int, tuple[str, ...]]] = [
        (one.line, ("seen", one.value) if one.sets_seen else (one.question, one.type, one.value))
        for one in read.selections
    ]
    lines += [(error.where.line, ("error",)) for error in read.errors]
    lines += [(error.where.line, ("unknown",)) for error in read.unknown]
    yield from (line for _, line in sorted(lines))


PIECES: Sequence[str] = (
    *(
        " ",
        "  ",
        "\t",
        "\f",
        "\n",
        "\r\n",
        "\r",
        "\\\n",
        "\\\r\n",
        "\\",
        "\\\\\n",
        "\n\n",
        "#",
        "# a b string c\n",
        "x",
    ),
    *("aa ", "a/b ", "a/c\t", "string ", "boolean true\n", "select Internet Site\n", "seen false\n", "error x\n"),
    *("password ", "multiselect a, b\n", "title\n", "aa a/b note\n", "aa a/b string  two  words  \n", "é", "\u00a0"),
    *("aa a/b string one\\\n  two\n", "\\\n\\\n", "strin g\n", "aa a/d text a\\b\n"),
)


ENDS = ("", "\\", "\\\n", "\r", "\r\n", "\\\r\n", "\n\n", "\\\n\\", "\\\n\n\\")


def test_files_of_answers_are_read_as_debconf_does(debconf: Debconf) -> None:
    chance = random.Random(16)  # noqa: S311  the same each time
    # Each ends in a line of its own, so that what went wrong before ends there.
    parts = ["".join(chance.choices(PIECES, k=chance.randint(1, 12))) + "\n\n" for _ in range(2000)]
    files = ["".join(parts).encode(), *(f"aa a/b string x{end}".encode() for end in ENDS)]
    found = [answer for data in files for answer in ours(data)]
    assert found == list(said(debconf, *files))
    assert len(found) > 2000
    assert {
        ("error",),
        ("unknown",),
        ("a/b", "note", ""),
        ("a/b", "string", "one  two"),
        ("a/b", "string", "x\\"),
    } <= set(found)


def test_lines_are_those_of_the_file() -> None:
    read = read_preseed(b"# comment\n\naa a/b string \\\n  c\nwrong\naa a/c strin x\naa a/b seen false\n", "f")
    assert read.selections == (
        Selection("aa", "a/b", "string", "  c", 3),
        Selection("aa", "a/b", "seen", "false", 7),
    )
    assert [one.sets_seen for one in read.selections] == [False, True]
    assert [str(error) for error in read.errors] == [
        "f:5: this line is no answer (OWNER QUESTION TYPE VALUE, as debconf-set-selections(1) takes it)"
    ]
    assert [str(error) for error in read.unknown] == [f"f:6: the type is not known (it is one of {', '.join(TYPES)})"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"aa a/b string c\n\xff\n", "f:2: the file of answers is not UTF-8"),
        (b"x" * (MAX_PRESEED + 1), "f: the file of answers is too large"),
        (b"\n" + b"\\\n" * (MAX_CONTINUED + 2), "f:2: an answer is too long"),
    ],
)
def test_files_that_are_refused(data: bytes, told: str) -> None:
    with pytest.raises(DebconfError) as caught:
        read_preseed(data, "f")
    assert told in str(caught.value)


def test_an_answer_may_go_on_over_many_lines() -> None:
    (one,) = read_preseed(b"aa a/b string " + b"x\\\n" * MAX_CONTINUED + b"\n", "f").selections
    assert one.value == "x" * MAX_CONTINUED


@settings(max_examples=50)
@given(st.binary(max_size=200) | st.text(alphabet="a/ \t\\\n\r#é").map(str.encode))
def test_any_file_of_answers_is_read_or_refused(data: bytes) -> None:
    try:
        read = read_preseed(data, "f")
    except DebconfError:
        return
    for one in read.selections:
        assert "\n" not in str(one)[:-1]
