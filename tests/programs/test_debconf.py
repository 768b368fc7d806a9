"""Debconf over the tree against what the real one made of drawn packages, and what is refused.

The first is recorded by tests/proofs/debconf.py.
"""

import json

import pytest

from assembler.configure.evaluated import carry_out
from assembler.errors import Place
from assembler.programs import debconf_database
from assembler.programs.context import ExecutionContext
from assembler.programs.debconf_database import Database, Store, read_items, written
from assembler.programs.debconf_questions import Run
from assembler.programs.debconf_session import ConfModule
from assembler.shell.streams import Refused
from assembler.tree.staging import Tree
from tests.proofs.debconf import CONFIGURATION, RECORDED, carried, computed, digests, tree_for
from tests.proofs.debconf_packages import LIBRARY, PLACE, Draw

_COMMANDS = (
    "beginblock capb clear data endblock fget fset get go info input metaget progress purge register reset set settitle"
    " subst title unregister version x_loadtemplatefile"
)
OWN_LIBRARY = """
if [ -z "${DEBCONF_REDIR:-}" ]; then
    exec 3>&1 1>&2
    export DEBCONF_REDIR=1
fi
_db_cmd() {
    local line
    printf '%s\\n' "$*" >&3
    IFS= read -r line
    RET=${line#[! ][ ]}
    case ${line%%[ ]*} in
        1) RET=$(printf '%s' "$RET" | debconf-escape -u); return 0 ;;
    esac
    return ${line%%[ ]*}
}
db_text() { db_input "$@"; }
db_stop() { echo STOP >&3; }
""" + "".join(f'db_{name}() {{ _db_cmd {name.upper()} "$@"; }}\n' for name in _COMMANDS.split())
"""What stands for ``/usr/share/debconf/confmodule``."""
TEMPLATES = """\
Template: pkg/colour
Type: select
Choices: red, green, blue
Default: green
Description: Which?

Template: pkg/word
Type: string
Description: What?

Template: pkg/secret
Type: password
Description: Which?
"""


def test_draws_give_what_debconf_gave() -> None:
    different = []
    recorded = RECORDED.read_text().splitlines()
    assert len(recorded) > 100
    for line in recorded:
        files, steps, statuses, log, expected = json.loads(line)
        found = computed(Draw(files, steps), OWN_LIBRARY)
        if (found.statuses, found.log, digests(found)) != (statuses, log, expected):
            different.append(files)
    assert different == []


def session(templates: str = TEMPLATES) -> ConfModule:
    """A script of the package pkg that talks to debconf."""
    database = Database(Store(), Store(), Store())
    database.load_templates(templates, "pkg", Place())
    return ConfModule(Run(database), "pkg")


def answers(module: ConfModule, *lines: str) -> list[str | None]:
    return [module.answer(line) for line in lines]


def test_a_select_takes_its_default_its_answer_or_its_first_choice() -> None:
    asked = ("INPUT high pkg/colour", "GO", "GET pkg/colour")
    assert answers(session(), *asked) == ["30 question skipped", "0 ok", "0 green"]
    assert answers(session(), "SET pkg/colour blue", *asked)[-1] == "0 blue"
    assert answers(session(), "SET pkg/colour pink", *asked)[-1] == "0 red"


def test_what_was_asked_is_seen_when_the_script_has_ended() -> None:
    module = session()
    answers(module, "INPUT high pkg/colour", "INPUT low pkg/word", "GO")
    assert answers(module, "FGET pkg/colour seen") == ["0 false"]
    module.finish()
    assert answers(module, "FGET pkg/colour seen", "FGET pkg/word seen") == ["0 true", "0 false"]


def test_priority_is_asked_of_the_database_or_given() -> None:
    module = session(TEMPLATES + "\nTemplate: debconf/priority\nType: string\nDefault: low\nDescription: x\n")
    answers(module, "INPUT low pkg/word", "GO")
    module.finish()
    assert answers(module, "FGET pkg/word seen") == ["0 true"]
    module = session()
    module.run.priority = "critical"
    answers(module, "INPUT high pkg/word", "GO")
    module.finish()
    assert answers(module, "FGET pkg/word seen") == ["0 false"]


def test_passwords_are_kept_apart() -> None:
    module = session()
    answers(module, "SET pkg/secret x", "SET pkg/word y")
    assert set(module.database.passwords.items) == {"pkg/secret"}
    assert set(module.database.config.items) == {"pkg/colour", "pkg/word"}


@pytest.mark.parametrize(
    ("line", "answer"),
    [
        ("VERSION 1.0", "30 Version too low (1.0)"),
        ("version 2", "0 2.0"),
        ("CAPB backup", "0 multiselect escape "),
        ("GET nothing", "10 nothing doesn't exist"),
        ("INPUT urgent pkg/word", '20 "urgent" is not a valid priority'),
        ("INPUT high", "20 Incorrect number of arguments"),
        ("", '20 Bad line "" received from confmodule.'),
        ("Frob  x", '20 Unsupported command "frob" (full line was "Frob  x") received from confmodule.'),
        ("METAGET pkg/colour Choices", "0 red, green, blue"),
        ("METAGET pkg/colour owners", "0 pkg"),
        ("METAGET pkg/word priority", "10 priority does not exist"),
        ("VISIBLE low pkg/word", "0 true"),
        ("EXIST pkg/words", "0 false"),
        ("stop", None),
    ],
)
def test_answers(line: str, answer: str | None) -> None:
    assert session().answer(line) == answer


@pytest.mark.parametrize(
    "line",
    [
        "METAGET pkg/word iterator", "METAGET pkg/word time", "DATA pkg/word description x", "DATA new type 0",
        "PROGRESS STOP", "PROGRESS SET 1", "PROGRESS START a b pkg/word", "VERSION x", "VERSION 1e9",
    ],
)  # fmt: skip
def test_what_debconf_itself_dies_of_or_only_knows_is_refused(line: str) -> None:
    with pytest.raises(Refused):
        session().answer(line)


@pytest.mark.parametrize(
    "templates",
    [
        "Template: a\nDescription: no type\n", "Type: string\n", "Template: a\nType: string\nfoo\n",
        "Template: a\nType: string\nType: string\n", "Template: a\nType: string\nOwners: x\n",
        "Template: a\nType: string\n\n\n", "\n\nTemplate: a\nType: string\n",
    ],
)  # fmt: skip
def test_templates_that_debconf_dies_of_are_refused(templates: str) -> None:
    with pytest.raises(Refused):
        session(templates)


def test_a_type_without_an_element_is_refused() -> None:
    module = session("Template: a\nType: title\nDescription: x\n")
    with pytest.raises(Refused, match="dies of a type"):
        module.answer("INPUT high a")


def test_a_translation_to_english_counts_where_it_is_the_same_with_and_without_iconv() -> None:
    template = "Template: a\nType: string\nDefault: x\nDescription: d\n"
    assert session(template + "Default-en: y\n").answer("GET a") == "0 y"
    assert session(template + "Default-en.UTF-8: x\n").answer("GET a") == "0 x"
    with pytest.raises(Refused, match="English"):
        session(template + "Default-en.UTF-8: y\n").answer("GET a")


def test_variables_do_not_grow_without_bound() -> None:
    module = session("Template: a\nType: string\nDescription: " + "${x}" * 10_000 + "\n")
    answers(module, "SUBST a x " + "y" * 10_000)
    with pytest.raises(Refused, match="too long"):
        module.answer("METAGET a description")


def test_the_database_is_read_as_it_is_written() -> None:
    text = (
        "Name: a/b\nTemplate: a/b\nValue: x\\ny\nOwners: p, q\nFlags: seen\nVariables:\n choices = one, two\n x = \n\n"
        "Name: c\nTemplate: a/b\nOwners: p\n\n"
    )
    items = read_items(text)
    assert items["a/b"].fields["value"] == "x\ny"
    assert items["a/b"].variables == {"choices": "one, two", "x": ""}
    assert "".join(written(name, item) for name, item in sorted(items.items())) == text
    store = Store(text)
    assert store.save() is None
    store.remove_owner("c", "p")
    assert (store.save() or "") == text.partition("Name: c")[0]


@pytest.mark.parametrize("text", ["Name: a\nnothing\n\n", "Name: a\nVariables:\n x\n\n"])
def test_a_database_that_is_damaged_is_refused(text: str) -> None:
    with pytest.raises(Refused):
        Store(text)


def test_a_very_large_database_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(debconf_database, "MAX_DATABASE", 10)
    with pytest.raises(Refused, match="too large"):
        Store("Name: aaaaaaaa\n\n")


# --- programs --------------------------------------------------------------------------------------------------------

POSTINST = "#!/bin/sh\nset -e\n" + LIBRARY


def one(postinst: str, **files: str) -> Tree:
    """A tree where a package is configured."""
    draw = Draw({"a.templates": TEMPLATES, "a.postinst": POSTINST + postinst, **files}, ())
    return tree_for(draw, OWN_LIBRARY)


def configured(tree: Tree) -> int:
    (status,) = carried(tree, [[f"{PLACE}/a.postinst", "configure", ""]])
    return status


@pytest.mark.parametrize(
    "postinst",
    ["db_stop\ndb_get pkg/word\n", "cat >/w/x\n", "read x\n", "echo 'GET pkg/word' >&3\n", "printf GET >&3\n"],
)
def test_a_script_that_waits_for_ever_or_leaves_answers_is_refused(postinst: str) -> None:
    tree = one(postinst)
    tree.write("/usr/bin/cat", b"", 0o755)
    with pytest.raises(Refused):
        configured(tree)


def test_a_config_script_that_fails_leaves_the_database_alone() -> None:
    tree = one("db_set pkg/word x\n", **{"a.config": POSTINST + "db_set pkg/word y\nexit 7\n"})
    assert configured(tree) == 7
    assert tree.read("/var/cache/debconf/config.dat") == b""
    assert tree.at("/var/cache/debconf/passwords.dat").mode == 0o600


def test_a_script_that_fails_has_told_debconf_what_it_told() -> None:
    tree = one("db_set pkg/word x\nexit 7\n")
    assert configured(tree) == 7
    assert b"Value: x\n" in tree.read("/var/cache/debconf/config.dat")


@pytest.mark.parametrize(
    "change",
    [
        ("/etc/debconf.conf", CONFIGURATION.replace("Mode: 644", "Mode: 600")), ("/root/.debconfrc", ""),
        ("/var/cache/debconf/config.dat/x", ""), ("/w/a.config", "#!/usr/bin/perl\n"),
    ],
)  # fmt: skip
def test_another_configuration_is_refused(change: tuple[str, str]) -> None:
    tree = one("db_get pkg/word\n")
    tree.write(change[0], change[1].encode(), 0o755, parents=True)
    with pytest.raises(Refused):
        configured(tree)


def test_answers_given_before_are_taken() -> None:
    tree = one('db_get pkg/colour\necho "$RET" >/w/out\n', selections="a pkg/colour select blue\n")
    steps = [["select", f"{PLACE}/selections"], [f"{PLACE}/a.postinst", "configure", ""]]
    assert carried(tree, steps) == [0, 0]
    assert tree.read("/w/out") == b"blue\n"


def test_selections_tell_what_they_do_not_understand() -> None:
    tree = one("", selections="a b\n", seen="a nothing seen true\n")
    assert carried(tree, [["select", f"{PLACE}/selections"], ["select", f"{PLACE}/seen"]]) == [1, 1]


def test_the_database_is_locked_while_a_script_talks_to_debconf() -> None:
    tree = one("debconf-set-selections /w/selections || echo locked >/w/out\n", selections="a b string c\n")
    assert configured(tree) == 0
    assert tree.read("/w/out") == b"locked\n"


def test_a_maintainer_script_is_carried_out_by_the_front_end() -> None:
    """What stands before the line that sources the library is done twice, as really."""
    start = '[ "${DEBIAN_HAS_FRONTEND:-}" ] || exec /usr/share/debconf/frontend "$0" "$@"\n'
    script = (
        '#!/bin/sh\nset -e\necho "$1" >>/twice\n. /usr/share/debconf/confmodule\ndb_get pkg/colour\n'
        "echo $RET >/colour\ndb_stop\necho said\n"
    )
    config = "#!/bin/sh\nset -e\n. /usr/share/debconf/confmodule\ndb_input high pkg/colour || true\ndb_go || true\n"
    tree = Tree()
    files = {
        "/etc/debconf.conf": CONFIGURATION, "/usr/share/debconf/confmodule": start + OWN_LIBRARY,
        "/usr/share/debconf/frontend": "", "/usr/bin/debconf-escape": "", "/var/lib/dpkg/info/pkg.postinst": script,
        "/var/lib/dpkg/info/pkg.config": config, "/var/lib/dpkg/info/pkg.templates": TEMPLATES, "/var/cache/x": "",
    }  # fmt: skip
    for path, text in files.items():
        tree.write(path, text.encode(), 0o755, parents=True)
    context = ExecutionContext(tree, "amd64", package="pkg")
    path = "/var/lib/dpkg/info/pkg.postinst"
    assert carry_out(script.encode(), ["configure", ""], context, file="postinst", path=path)[0] == 0
    assert tree.read("/twice") == b"configure\n" * 2
    assert tree.read("/colour") == b"green\n"
    found = read_items(tree.read("/var/cache/debconf/config.dat").decode())
    assert found["pkg/colour"].owners == {"pkg"}
    assert found["pkg/colour"].flags == {"seen": "true"}
    assert tree.read("/var/cache/debconf/templates.dat").startswith(b"Name: pkg/colour\nChoices: red, green, blue\n")
