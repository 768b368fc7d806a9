"""The survey of scripts: how each is taken care of, and what is shown of those that nobody vouched for."""

from assembler.configure.rules import read_rules
from assembler.configure.survey import survey
from assembler.configure.triggers import possible
from assembler.tree.staging import Tree
from tests.debian.unpacked import package

SH = "#!/bin/sh\nset -e\n"
SNIPPET = (
    "# Automatically added by dh_installsysusers/13\n"
    'if [ "$1" = configure ]; then systemd-sysusers p.conf; fi\n'
    "# End automatically added section\n"
)
TRIGGERED = "#!/usr/bin/perl\nexit 0;\n"


def test_every_way_of_handling() -> None:
    tree = Tree()
    packages = [
        package(tree, "none"),
        package(tree, "old", postinst=SH + 'if [ -n "$2" ]; then frobnicate; fi\n'),
        package(tree, "generated", postinst=SH + SNIPPET),
        package(tree, "plain", preinst=SH + "mkdir -p /x\n", postinst=SH + SNIPPET + "mkdir -p /x\n"),
        package(tree, "odd", postinst="#!/usr/bin/perl\n"),
        package(tree, "later", preinst=SH + "mkdir -p /x\n", postinst=SH + "frobnicate\n"),
        package(tree, "much-later", preinst=SH + "frobnicate\n", postinst=SH),
    ]
    scripts = survey(packages, "amd64", (), {"later": "because", "much-later": "because"})
    assert [(s.package, s.name, s.handling) for s in scripts] == [
        ("old", "postinst", "computed"),
        ("generated", "postinst", "computed"),
        ("plain", "preinst", "computed"),
        ("plain", "postinst", "computed"),
        ("odd", "postinst", "unhandled"),
        ("later", "preinst", "computed"),
        ("later", "postinst", "first boot"),
        ("much-later", "preinst", "computed"),
        ("much-later", "postinst", "first boot"),
    ]


def test_triggers_of_one_text_are_one_script_and_one_rule() -> None:
    tree = Tree()
    interests = "interest /usr/lib/x86_64-linux-gnu/things\ninterest-noawait /usr/share/none\ninterest named\n"
    packages = [
        package(tree, "odd", triggers=interests, postinst=TRIGGERED),
        package(tree, "supplier", files={"/usr/lib/x86_64-linux-gnu/things/one": ""}),
    ]
    *_, script = survey(packages, "amd64")
    report = script.report()
    assert (report.script, report.handling) == ("triggered", "unhandled")
    assert report.triggers == ("/usr/lib/x86_64-linux-gnu/things", "named")
    assert 'trigger = ["/usr/lib/@MULTIARCH@/things", "named"]' in report.stanza
    *_, again = survey(packages, "amd64", read_rules(report.stanza.encode(), "own.toml"))
    assert (again.handling, again.report().rule, again.triggers) == ("rule", "own.toml", report.triggers)
    fewer = report.stanza.replace(', "named"', "")
    partly = survey(packages, "amd64", read_rules(fewer.encode(), "own.toml"))
    assert [script.handling for script in partly][-2:] == ["rule", "unhandled"]


def test_a_path_of_a_trigger_is_activated_by_what_is_at_or_below_it() -> None:
    tree = Tree()
    watched = ["/usr/share/things", "/usr/share/file", "/usr/share/thing", "/usr/share/none", "name", "other", "told"]
    watcher = package(tree, "watcher", triggers="".join(f"interest {trigger}\n" for trigger in watched))
    files = {"/usr/share/things/one": "", "/usr/share/file": "", "/usr/share/thing-2/x": "", "/usr/share/thin": ""}
    supplier = package(tree, "supplier", files=files, triggers="activate-noawait name\nactivate nobody\n")
    packages = [watcher, supplier]
    assert possible(packages) == {"/usr/share/things", "/usr/share/file", "name", "other", "told"}


def test_what_is_shown_of_a_script_that_waits() -> None:
    rule = read_rules(b'[[rule]]\npackage = "pp"\nreason = "more of it"\n', "own.toml")
    packages = [package(Tree(), "pp", postinst=SH + "frobnicate\n"), package(Tree(), "q", postinst=SH)]
    waits, besides, other = survey(packages, "amd64", rule, {"pp": "because"})
    report = waits.report()
    assert (report.package, report.script, report.handling) == ("pp", "postinst", "first boot")
    assert (report.rule, report.reason, report.stanza) == ("", "because", "")
    assert (besides.report().handling, besides.report().rule, besides.report().reason) == (
        "rule",
        "own.toml",
        "more of it",
    )
    assert (other.report().package, other.report().handling) == ("q", "computed")
