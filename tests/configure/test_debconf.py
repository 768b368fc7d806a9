"""A recipe's answers are judged by the templates of the image's packages, and are in debconf what they are here."""

from pathlib import Path

import pytest

from assembler.configure.debconf import MAX_PROBLEMS, MAX_WARNINGS, Selections, selections
from assembler.recipe.model import Answer, Debconf
from assembler.tree.staging import Tree
from tests.debian.unpacked import package
from tests.support.debconf import Debconf as Real

POSTFIX = """\
Template: postfix/main_mailer_type
Type: select
Choices: No configuration, Internet Site, Local only
Choices-de.UTF-8: Keine Konfiguration, Internet-Site, Nur lokal
Default: Internet Site
Description: General type of mail configuration:

Template: postfix/recipient_delim
Type: string
Default: +
Description: Local address extension character:

Template: postfix/chattr
Type: boolean
Default: false
Description: Use synchronous updates?

Template: postfix/secret
Type: password
Description: Password:

Template: postfix/protocols
Type: multiselect
Choices: ipv4, ipv6, a\\, b
Description: Protocols:

Template: postfix/relays
Type: select
Choices: ${relays}
Description: Relays:

Template: postfix/note
Type: note
Description: A note
"""
OTHER = """\
Template: shared/which
Type: select
Choices: one, two
Description: Which?
"""
THIRD = OTHER.replace("one, two", "three, four")
PACKAGES = [package(Tree(), name, templates=text) for name, text in
            {"postfix": POSTFIX, "other": OTHER, "third": THIRD}.items()] + [package(Tree(), "hello")]  # fmt: skip


def selected(*preseeds: str, **answers: str | Answer | dict[str, str | Answer]) -> Selections:
    """What comes of files of answers and of a recipe's own; those by keyword are postfix's."""
    of_package: dict[str, dict[str, Answer]] = {}
    for name, given in answers.items():
        owner, questions = (name, given) if isinstance(given, dict) else ("postfix", {f"postfix/{name}": given})
        for question, answer in questions.items():
            of_package.setdefault(owner, {})[question] = Answer(value=answer) if isinstance(answer, str) else answer
    names = [f"file{number}" for number in range(len(preseeds))]
    files = {f"rootfs.debconf.preseed[{number}]": text.encode() for number, text in enumerate(preseeds)}
    return selections(Debconf(preseed=names, answers=of_package), files, PACKAGES)


def told(found: Selections) -> tuple[list[str], list[str]]:
    return [str(error) for error in found.problems], [str(warning) for warning in found.warnings]


AT = "rootfs.debconf.answers.postfix.'postfix/{}': "


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("main_mailer_type", "Local only"),
        ("main_mailer_type", ""),
        ("recipient_delim", ""),
        ("recipient_delim", " two  words "),
        ("chattr", "true"),
        ("protocols", ""),
        ("protocols", "ipv6, a\\, b"),
        ("relays", "whatever"),
        ("note", "seen"),
    ],
)
def test_what_a_template_allows(name: str, value: str) -> None:
    found = selected(**{name: value})
    assert told(found) == ([], [])
    assert found.text.startswith(f"postfix postfix/{name} ")
    assert found.text.endswith(f" {value}\n")


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("main_mailer_type", "Internet", "'Internet' is not one of the choices (did you mean Internet Site?)"),
        (
            "main_mailer_type",
            "Nur lokal",
            "'Nur lokal' is not one of the choices (they are: 'No configuration', 'Internet Site', 'Local only')",
        ),
        ("chattr", "yes", "'yes' is neither true nor false"),
        ("chattr", "", "'' is neither true nor false"),
        ("protocols", "ipv4, ipv44", "'ipv44' is not one of the choices (did you mean ipv4?)"),
        ("protocols", "ipv4, xy", "'xy' is not one of the choices (they are: 'ipv4', 'ipv6', 'a, b')"),
        (
            "chattr",
            Answer(value="true", type="string"),
            "the type is 'boolean', not 'string': the package's template says so",
        ),
        (
            "secret",
            "word",
            (
                "the answer is a password, and does not say so: it would not be treated as a secret "
                '(as { type = "password", value = ... })'
            ),
        ),
    ],
)
def test_what_a_template_does_not_allow(name: str, value: str | Answer, problem: str) -> None:
    found = selected(**{name: value})
    assert told(found) == ([AT.format(name) + problem], [])
    assert found.text == ""


def test_a_password_is_in_the_text_alone() -> None:
    found = selected(secret=Answer(value="word", type="password"))
    assert found.text == "postfix postfix/secret password word\n"
    assert told(found) == ([], [])
    assert "word\\n" not in repr(found)


def test_what_nobody_asks() -> None:
    found = selected(
        postfix={
            "postfix/main_mailer_typ": "x",
            "dbconfig/later": Answer(value="x", type="string"),
        },
        helo={"a/b": "x", "a/c": "y"},
        hello={"shared/which": "one"},
    )
    assert told(found) == (
        [],
        [
            "rootfs.debconf.answers.helo: 'helo' is no package of the image, and has 2 answers (did you mean hello?)",
            AT.format("main_mailer_typ") + "no package of the image asks this question: "
            "it is left out, as nothing says of which type it is (did you mean postfix/main_mailer_type?)",
            "rootfs.debconf.answers.postfix.'dbconfig/later': no package of the image asks this question",
        ],
    )
    assert found.text == "postfix dbconfig/later string x\nhello shared/which select one\n"


def test_a_question_of_several_packages() -> None:
    assert told(selected(other={"shared/which": "four"})) == ([], [])
    (problem,) = selected(other={"shared/which": "five"}).problems
    assert problem.what == "'five' is not one of the choices"
    assert "'one', 'two'" in problem.hint


PRESEED = """\
# What somebody once had
postfix postfix/chattr boolean true
postfix postfix/chattr seen false
d-i keyboard string de
d-i locale string de_DE
posfix postfix/relays select x
postfix postfix/chatr boolean true
postfix postfix/main_mailer_type string Local only
postfix postfix/main_mailer_type select Lokal only
postfix postfix/protocols multiselect ipv4, \\
  ipv6
postfix postfix/secret password
postfix postfix/secret password word
postfix postfix/note error x
postfix postfix/recipient_delim seen true
postfix postfix/chattr seen maybe
postfix
"""


def test_a_file_of_answers() -> None:
    found = selected(PRESEED)
    assert told(found) == (
        [
            "file0:17: this line is no answer (OWNER QUESTION TYPE VALUE, as debconf-set-selections(1) takes it)",
            "file0:8 postfix/main_mailer_type: the type is 'select', not 'string': the package's template says so",
            "file0:9 postfix/main_mailer_type: 'Lokal only' is not one of the choices (did you mean Local only?)",
            (
                "file0:13 postfix/secret: a password stands in a file of answers: such files go onto the medium with "
                'the recipe (answer it in [rootfs.debconf.answers.PACKAGE], with type = "password")'
            ),
            "file0:16 postfix/chattr: 'maybe' is neither true nor false",
        ],
        [
            "file0:4: 'd-i' is no package of the image, and has 2 answers",
            "file0:6: 'posfix' is no package of the image, and has 1 answer (did you mean postfix?)",
            "file0:7 postfix/chatr: no package of the image asks this question (did you mean postfix/chattr?)",
            (
                "file0:14: the type is not known (it is one of select, boolean, string, multiselect, note, password, "
                "text, title)"
            ),
            (
                "file0:15 postfix/recipient_delim: a question is marked that nothing before answers "
                "(answer it, or remove the line)"
            ),
        ],
    )


def test_files_that_cannot_be_read() -> None:
    broken = package(Tree(), "broken", templates="no template\n")
    files = {"rootfs.debconf.preseed[0]": b"\xff"}
    found = selections(Debconf(preseed=["file0"]), files, [broken])
    assert told(found) == (
        [
            "broken templates: template 1 has a line that is no field: 'no template'",
            "file0:1: the file of answers is not UTF-8 (save the file as UTF-8)",
        ],
        [],
    )
    assert selections(Debconf(), {}, [broken]) == Selections(text="", problems=(), warnings=())


def test_what_would_not_come_back() -> None:
    """A backslash at the end of a file is part of a value, which cannot stand in the middle of another file."""
    (backslash,) = selected("postfix postfix/recipient_delim string \\").problems
    (end,) = selected("postfix postfix/recipient_delim string x\r\r\n").problems
    assert backslash.what == end.what == "an answer ends in a backslash or carriage return"


def test_hundreds_of_mistakes() -> None:
    lines = [f"postfix postfix/{number} string x\nx{number} a/b string x" for number in range(300)]
    found = selected("\n".join([*lines, *["postfix"] * 300]))
    assert len(found.problems) == MAX_PROBLEMS
    assert len(found.warnings) == MAX_WARNINGS + 1
    assert str(found.warnings[-1]) == "file0: there are 580 more warnings"


def test_debconf_has_the_answers(tmp_path: Path) -> None:
    first = "postfix postfix/chattr boolean true\npostfix postfix/recipient_delim string -\nhello a/b string  x  y\n"
    second = "postfix postfix/chattr seen false\r\npostfix postfix/main_mailer_type select \\\nLocal only\r\n"
    found = selected(
        first,
        second,
        postfix={
            "postfix/recipient_delim": "  é ${x}  ",
            "postfix/secret": Answer(value="p#w", type="password"),
            "postfix/protocols": Answer(value="ipv6, a\\, b"),
        },
    )
    assert told(found)[0] == []
    real = Real(tmp_path)
    (tmp_path / "templates").write_text(POSTFIX)
    _, said, status = real("debconf-set-selections", text=found.text.encode())
    assert (said, status) == ("", 0)
    asked = {
        f"X_LOADTEMPLATEFILE {tmp_path}/templates postfix": "",
        "GET postfix/chattr": "true",
        "FGET postfix/chattr seen": "false",
        "GET postfix/recipient_delim": "  é ${x}  ",
        "FGET postfix/recipient_delim seen": "true",
        "GET postfix/main_mailer_type": "Local only",
        "GET postfix/secret": "p#w",
        "GET postfix/protocols": "ipv6, a\\, b",
        "GET a/b": " x  y",
        "METAGET postfix/main_mailer_type owners": "postfix",
    }
    assert dict(zip(asked, real.ask(*asked), strict=True)) == asked
