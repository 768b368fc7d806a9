"""The survey of scripts: how each is taken care of, and what is shown of those that nobody vouched for."""

from assembler.configure.rules import read_rules
from assembler.configure.survey import survey
from assembler.tree.staging import Tree
from tests.debian.unpacked import package

SH = "#!/bin/sh\nset -e\n"
SNIPPET = (
    "# Automatically added by dh_installsysusers/13\n"
    'if [ "$1" = configure ]; then systemd-sysusers p.conf; fi\n'
    "# End automatically added section\n"
)
TRIGGERED = SH + 'if [ "$1" = triggered ]; then for t in $2; do frobnicate "$t"; done; fi\n'


def test_every_way_of_handling() -> None:
    tree = Tree()
    packages = [
        package(tree, "none"),
        package(tree, "old", postinst=SH + 'if [ -n "$2" ]; then frobnicate; fi\n'),
        package(tree, "generated", postinst=SH + SNIPPET),
        package(tree, "plain", preinst=SH + "mkdir -p /x\n", postinst=SH + SNIPPET + "mkdir -p /x\n"),
        package(tree, "odd", postinst=SH + "frobnicate\n"),
        package(tree, "later", preinst=SH + "mkdir -p /x\n", postinst=SH + "frobnicate\n"),
        package(tree, "much-later", preinst=SH + "frobnicate\n", postinst=SH),
    ]
    scripts = survey(packages, "amd64", (), {"later": "because", "much-later": "because"})
    assert [(s.analysis.package, s.analysis.script, s.handling) for s in scripts] == [
        ("old", "postinst", "nothing"),
        ("generated", "postinst", "snippets"),
        ("plain", "preinst", "calls"),
        ("plain", "postinst", "calls"),
        ("odd", "postinst", "unhandled"),
        ("later", "preinst", "calls"),
        ("later", "postinst", "first boot"),
        ("much-later", "preinst", "first boot"),
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
    assert 'frobnicate "$t"' in report.residual
    assert 'trigger = ["/usr/lib/@MULTIARCH@/things", "named"]' in report.stanza
    *_, again = survey(packages, "amd64", read_rules(report.stanza.encode(), "own.toml"))
    assert (again.handling, again.report().rule, again.triggers) == ("rule", "own.toml", report.triggers)
    fewer = report.stanza.replace(', "named"', "")
    partly = survey(packages, "amd64", read_rules(fewer.encode(), "own.toml"))
    assert [script.handling for script in partly][-2:] == ["rule", "unhandled"]
