"""Rules hold for exactly the text that they were written for, and a script without one stops everything."""

import tomllib

import pytest

from assembler.configure import rules
from assembler.configure.engine import Settings, configure
from assembler.configure.rules import RuleError, built_in, find, read_rules, residual_key
from assembler.configure.rules.logic import FUNCTIONS
from assembler.configure.scripts import analyse
from assembler.errors import Problems
from assembler.tree.staging import Tree
from tests.configure.disk import shown
from tests.configure.packages import package

SCRIPT = '#!/bin/sh\nset -e\nif [ -n "$2" ]; then exit 0; fi\nfrobnicate --all >/var/x\n'
DIGEST = "0" * 64
GOOD = f'[[rule]]\npackage = "pkg"\nscript = "postinst"\nresidual = ["{DIGEST}"]\nreason = "r"\n'


def test_the_built_in_rules_are_sound() -> None:
    found = built_in()
    assert len(found) > 40
    keys = [(rule.package, rule.script, rule.triggers, digest) for rule in found for digest in rule.residuals]
    assert len(keys) == len(set(keys))
    assert {rule.function for rule in found} - {""} == set(FUNCTIONS)


def test_an_unknown_script_stops_and_its_stanza_makes_it_known() -> None:
    tree = Tree()
    packages = [package(tree, "odd", postinst=SCRIPT), package(tree, "even", preinst="#!/usr/bin/perl\nexit 0;\n")]
    before = shown(tree)
    with pytest.raises(Problems) as caught:
        configure(tree, packages, Settings(0, "amd64"))
    assert shown(tree) == before
    assert [error.where.package for error in caught.value.errors] == ["odd postinst", "even preinst"]
    details = caught.value.errors[0].details
    assert "frobnicate --all >/var/x" in details
    assert not any("$2" in line for line in details)
    stanzas = [
        "\n".join(error.details[error.details.index("[[rule]]") :]) + "\ndo = 'mkdir -p /var/made'"
        for error in caught.value.errors
    ]
    own = tuple(rule for stanza in stanzas for rule in read_rules(stanza, "own.toml"))
    report = configure(tree, packages, Settings(0, "amd64", rules=own))
    assert tree.is_dir("/var/made")
    assert [(script.package, script.handling, script.rule) for script in report.scripts] == [
        ("even", "rule", "own.toml"), ("odd", "rule", "own.toml"),
    ]  # fmt: skip


def test_any_change_of_the_residual_voids_a_rule() -> None:
    def key(script: str) -> str:
        return analyse("p", "postinst", script, "amd64").digest

    same = "#!/bin/sh\n# another comment\nset -e\n\nfrobnicate   --all   > /var/x\nexit 0\n"
    assert key(SCRIPT) == key(same)
    for other in (
        "frobnicate --all >/var/y",
        "frobnicate --all >>/var/x",
        "frobnicate --all; frobnicate --all >/var/x",
    ):
        assert key(SCRIPT) != key(f"#!/bin/sh\n{other}\n"), other
    document = "#!/bin/sh\nfrobnicate <<EOF\nline\nEOF\n"
    assert key(document) != key(document.replace("line", "# line"))


def test_versions_and_architectures_are_evened_out() -> None:
    first = residual_key("linux-image-6.1-a", "linux-image-*", "version=6.1-a\nlib/x86_64-linux-gnu x:amd64\n", "amd64")
    second = residual_key("linux-image-7-b", "linux-image-*", "version=7-b\nlib/aarch64-linux-gnu x:arm64\n", "arm64")
    assert first == second
    assert first != residual_key("linux-image-7-b", "linux-image-7-b", "version=7-b\n", "arm64")


def test_a_rule_is_for_one_package_and_script() -> None:
    rule = read_rules(GOOD.replace(DIGEST, residual_key("pkg", "pkg", "text\n", "amd64")), "x")
    assert find(tuple(rule), "pkg", "postinst", "text\n", "amd64") is rule[0]
    for name, script, text in (
        ("pkg2", "postinst", "text\n"),
        ("pkg", "preinst", "text\n"),
        ("pkg", "postinst", "text2\n"),
    ):
        assert find(tuple(rule), name, script, text, "amd64") is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("[[rule]]", "[rule"), "no TOML"),
        (("reason", "raison"), "no key 'raison'"),
        (('reason = "r"', ""), "needs a reason"),
        ((f'["{DIGEST}"]', '["12"]'), "digests"),
        ((f'["{DIGEST}"]', f'"{DIGEST}"'), "digests"),
        (('"postinst"', '"prerm"'), "no script"),
        (('"pkg"', "3"), "not a string"),
        (('"r"', '"r"\ndo = "wget x"'), "not understood"),
        (('"r"', '"r"\ndo = "if"'), "no list of commands"),
        (('"r"', '"r"\nfunction = "nothing"'), "no function"),
        (('"r"', '"r"\nfunction = "locales"\ndo = "true"'), "either"),
        (("reason", 'trigger = ["t"]\nreason'), "lists its triggers"),
        (('"postinst"', '"triggered"'), "lists its triggers"),
        (("[[rule]]", "x = 1\n[[rule]]"), "tables only"),
    ],
)
def test_rules_that_cannot_be_read(change: tuple[str, str], what: str) -> None:
    with pytest.raises(RuleError, match=what):
        read_rules(GOOD.replace(*change), "own.toml")


def test_the_stanza_for_a_script_is_toml() -> None:
    tree = Tree()
    with pytest.raises(Problems) as caught:
        configure(tree, [package(tree, "odd", postinst=SCRIPT)], Settings(0, "amd64"))
    details = caught.value.errors[0].details
    table = tomllib.loads("\n".join(details[details.index("[[rule]]") :]))["rule"][0]
    analysis = analyse("odd", "postinst", SCRIPT, "amd64")
    assert table["residual"] == [rules.residual_key("odd", "odd", analysis.residual, "amd64")]
