"""Rules stand for commands, or for exactly the text that they were written for."""

import tomllib

import pytest

from assembler.configure import rules
from assembler.configure.engine import ScriptFailed, Settings, configure
from assembler.configure.rules import built_in, find, read_rules, stands_for, text_key
from assembler.errors import AssembleError, Problems
from assembler.tree.staging import Tree
from tests.debian.unpacked import package

SCRIPT = "#!/usr/bin/perl\nexit 0;\n"
DIGEST = "0" * 64
GOOD = f'[[rule]]\npackage = "pkg"\nscript = "postinst"\ndigest = ["{DIGEST}"]\nreason = "r"\n'


def test_the_built_in_rules_are_sound() -> None:
    found = built_in()
    assert len(found) > 5
    values = [rule.values for rule in found]
    assert all(rule.command or not rule.script for rule in values), "none stands for a whole script"
    keys = [(rule.package, rule.command) for rule in values]
    assert len(keys) == len(set(keys))


def test_an_unknown_script_stops_and_its_stanza_makes_it_known() -> None:
    tree = Tree()
    even = "#!/bin/sh\nset -e\nmkdir -p /var/before\ncp --frob /a /b\nmkdir -p /var/after\n"
    packages = [package(tree, "odd", postinst=SCRIPT), package(tree, "even", preinst=even)]
    with pytest.raises(Problems) as caught:
        configure(tree.copy(), packages, Settings(0, "amd64"))
    assert [error.where.package for error in caught.value.errors] == ["even preinst", "odd postinst"]
    assert caught.value.errors[0].why == "line 4: cp with these arguments: cp --frob /a /b"
    assert caught.value.errors[1].why == "it is no script for sh: #!/usr/bin/perl"
    stanzas = [
        "\n".join(error.details[error.details.index("[[rule]]") :]) + "\ndo = 'mkdir -p /var/made'"
        for error in caught.value.errors
    ]
    own = tuple(rule for stanza in stanzas for rule in read_rules(stanza.encode(), "own.toml"))
    assert [rule.values.command for rule in own] == ["cp --frob /a /b", ""]
    report = configure(tree, packages, Settings(0, "amd64", rules=own))
    assert tree.names("/var") == ["after", "before", "lib", "made"]
    assert [(script.package, script.handling, script.rule) for script in report.scripts] == [
        ("even", "computed", ""), ("odd", "rule", "own.toml"),
    ]  # fmt: skip


def test_a_rule_for_a_command() -> None:
    tree = Tree()
    text = """
[[rule]]
package = "odd"
command = "frobnicate --all *"
reason = "prints, and makes"
do = '''
echo "$# $2"
[ "$2" != fail ] || exit 3
mkdir -p "/made/$2"
'''

[[rule]]
package = "odd"
command = "/usr/lib/odd/helper ?x"
reason = "nothing"
files = [{ path = "/etc/helped", content = "" }]
"""
    script = (
        '#!/bin/sh\nx=$(frobnicate --all a b)\necho "<$x>" >/out\nfrobnicate --all fail || echo $? >>/out\n'
        "/usr/lib/odd/helper ax\n"
    )
    tree.write("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", parents=True)
    tree.write("/etc/group", b"root:x:0:\n")
    files = {"/usr/bin/frobnicate": "\x7fELF", "/usr/lib/odd/helper": "\x7fELF"}
    odd = package(tree, "odd", files=files, postinst=script)
    for path in files:
        tree.chmod(path, 0o755)
    configure(tree, [odd], Settings(0, "amd64", rules=tuple(read_rules(text.encode(), "own.toml"))))
    assert tree.read_text("/out") == "<3 a>\n3\n"
    assert tree.names("/made") == ["a"]
    assert tree.exists("/etc/helped")
    other = package(tree, "other", postinst="#!/bin/sh\nfrobnicate --all a\n")
    with pytest.raises(Problems, match="line 2: /usr/bin/frobnicate is not computed"):
        configure(tree, [other], Settings(0, "amd64", rules=tuple(read_rules(text.encode(), "own.toml"))))


@pytest.mark.parametrize(
    ("command", "words", "stands"),
    [
        ("a b", ["a", "b"], True), ("a b", ["a"], False), ("a b", ["a", "b", "c"], False), ("a *", ["a"], True),
        ("a *", ["a", "b", "c"], True), ("a b* *", ["a", "bc", "d"], True), ("a b* c", ["a", "xb", "c"], False),
        ("a ?", ["a", "bb"], False), ("a *", ["b"], False),
    ],
)  # fmt: skip
def test_which_words_a_rule_stands_for(command: str, words: list[str], stands: bool) -> None:  # noqa: FBT001  a parameter
    (rule,) = read_rules(f'[[rule]]\npackage = "pkg"\ncommand = "{command}"\nreason = "r"\n'.encode(), "x")
    assert stands_for(rule, words) is stands


def test_versions_and_architectures_are_evened_out() -> None:
    first = text_key("linux-image-6.1-a", "linux-image-*", b"version=6.1-a\nlib/x86_64-linux-gnu x:amd64\n", "amd64")
    second = text_key("linux-image-7-b", "linux-image-*", b"version=7-b\nlib/aarch64-linux-gnu x:arm64\n", "arm64")
    assert first == second
    assert first != text_key("linux-image-7-b", "linux-image-7-b", b"version=7-b\n", "arm64")


def test_a_rule_is_for_one_package_and_script() -> None:
    rule = read_rules(GOOD.replace(DIGEST, text_key("pkg", "pkg", b"text\n", "amd64")).encode(), "x")
    assert find(tuple(rule), "pkg", "postinst", b"text\n", "amd64") is rule[0]
    for name, script, text in (
        ("pkg2", "postinst", b"text\n"),
        ("pkg", "preinst", b"text\n"),
        ("pkg", "postinst", b"text2\n"),
    ):
        assert find(tuple(rule), name, script, text, "amd64") is None


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("[[rule]]", "[rule"), ":1:6: not valid TOML"),
        (("reason", "raison"), ":5:1 rule[0].raison: unknown key (did you mean reason?)"),
        (('reason = "r"', ""), ":1:1 rule[0].reason: is missing"),
        ((f'["{DIGEST}"]', '["12"]'), ":4:11 rule[0].digest[0]: '12' is not a digest"),
        ((f'["{DIGEST}"]', f'"{DIGEST}"'), ":4:1 rule[0].digest: must be an array, not a string"),
        (('"postinst"', '"prerm"'), ":3:1 rule[0].script: 'prerm' is not one of "),
        (('"pkg"', "3"), ":2:1 rule[0].package: must be a string"),
        (('"pkg"', '"a*b*"'), ":2:1 rule[0].package: has more than one *"),
        (('"r"', '"r"\ndo = "true\\nwget x"'), ":6:1 rule[0].do: has a command that is not known: wget"),
        (('"r"', '"r"\ndo = "if"'), ":6:1 rule[0].do: is no list of commands"),
        (('"r"', '"r"\ncommand = "x"'), ":6:1 rule[0].command: contradicts script"),
        (("[[rule]]", "x = 1\n[[rule]]"), ":1:1 x: unknown key"),
        (("reason", 'trigger = ["t"]\nreason'), ":5:1 rule[0].trigger: goes with script = 'triggered' and no other"),
        (('"postinst"', '"triggered"'), "rule[0].trigger: goes with"),
        (('script = "postinst"', ""), "rule[0].digest: script is missing"),
        ((f'digest = ["{DIGEST}"]', ""), "rule[0].script: digest is missing"),
        (('"r"', '"r"\nlinks = [{ path = "x", target = "y" }]'), ":6:12 rule[0].links[0].path: 'x' is not an absolute"),
        (('"r"', '"r"\nmodes = [{ path = "/x", mode = "9" }]'), "rule[0].modes[0].mode: '9' is not a file mode"),
        (('"r"', '"r"\nusers = [{ name = "x y" }]'), "rule[0].users[0].name: 'x y' is not an account name"),
        (('"r"', '"r"\nusers = [{ name = "x", uid = 0 }]'), "rule[0].users[0].uid: must be greater than or equal to 1"),
        (('"r"', '"r"\nunits = { enable = ["../x.service"] }'), "rule[0].units.enable[0]: '../x.service' is not a sys"),
    ],
)
def test_rules_that_cannot_be_read(change: tuple[str, str], what: str) -> None:
    with pytest.raises(AssembleError) as caught:
        read_rules(GOOD.replace(*change).encode(), "own.toml")
    assert "own.toml" in str(caught.value)
    assert what in str(caught.value)


def test_everything_wrong_is_told_at_once() -> None:
    text = GOOD + GOOD.replace("reason", "raison") + GOOD.replace('"r"', '""')
    with pytest.raises(Problems) as caught:
        read_rules(text.encode(), "own.toml")
    assert [error.where.line for error in caught.value.errors] == [6, 10, 15]


DECLARED = """
[[rule]]
package = "odd"
reason = "what the node wants of it"
groups = [{ name = "oddities", gid = 700 }]
users = [
  { name = "odd", groups = ["oddities"], home = "/var/lib/odd", comment = "An odd daemon" },
  { name = "odder", uid = 701, group = "oddities", shell = "/bin/sh" },
]
directories = [{ path = "/var/lib/odd/deep", mode = "0750", owner = "odd", group = "odd" }]
files = [{ path = "/etc/odd/odd.conf", content = "x\\n", mode = "0640", group = "oddities" }]
links = [{ path = "/etc/odd/link", target = "../odd.conf" }]
modes = [
  { path = "/usr/bin/odd", mode = "4755", owner = "odder" },
  { path = "/usr/bin/other", capabilities = "cap_net_raw=ep" },
]
alternatives = [{ name = "oddity", link = "/usr/bin/oddity", path = "/usr/bin/odd", priority = 5 }]
units = { enable = ["odd.service"], mask = ["other.service"] }
"""


def test_what_a_rule_declares() -> None:
    tree = Tree()
    for path, line in (("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"), ("/etc/group", b"root:x:0:\n")):
        tree.write(path, line, parents=True)
    unit = "[Install]\nWantedBy=multi-user.target\n"
    files = {"/usr/bin/odd": "", "/usr/bin/other": "", "/usr/lib/systemd/system/odd.service": unit}
    packages = [package(tree, "odd", files=files, postinst="#!/bin/sh\nmkdir /made\n")]
    own = tuple(read_rules(DECLARED.encode(), "own.toml"))
    report = configure(tree, packages, Settings(0, "amd64", rules=own))
    assert [(s.script, s.handling, s.rule) for s in report.scripts] == [
        ("postinst", "computed", ""), ("besides", "rule", "own.toml"),
    ]  # fmt: skip
    users = {line.split(":")[0]: line.split(":") for line in tree.read_text("/etc/passwd").splitlines()}
    assert users["odder"][2:4] == ["701", "700"]
    assert users["odd"][4:] == ["An odd daemon", "/var/lib/odd", "/usr/sbin/nologin"]
    assert "oddities:x:700:odd\n" in tree.read_text("/etc/group").replace(":!:", ":x:")
    odd = int(users["odd"][2])
    directory = tree.at("/var/lib/odd/deep")
    assert (directory.mode, directory.uid, directory.gid) == (0o750, odd, int(users["odd"][3]))
    file = tree.at("/etc/odd/odd.conf")
    assert (tree.read("/etc/odd/odd.conf"), file.mode, file.gid) == (b"x\n", 0o640, 700)
    assert tree.at("/etc/odd/link").target == "../odd.conf"
    assert (tree.at("/usr/bin/odd").mode, tree.at("/usr/bin/odd").uid) == (0o4755, 701)
    assert "security.capability" in tree.at("/usr/bin/other").xattrs
    assert tree.at("/etc/alternatives/oddity").target == "/usr/bin/odd"
    assert tree.lexists("/etc/systemd/system/multi-user.target.wants/odd.service")
    assert tree.at("/etc/systemd/system/other.service").target == "/dev/null"


def test_what_a_rule_declares_and_the_tree_cannot_have() -> None:
    tree = Tree()
    own = tuple(read_rules(DECLARED.encode(), "own.toml"))
    for path, line in (("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"), ("/etc/group", b"root:x:0:\n")):
        tree.write(path, line, parents=True)
    with pytest.raises(ScriptFailed, match="no such file") as caught:
        configure(tree, [package(tree, "odd")], Settings(0, "amd64", rules=own))
    assert str(caught.value.where) == "own.toml:2:1 odd besides"


def test_the_stanza_for_a_script_is_toml() -> None:
    tree = Tree()
    with pytest.raises(Problems) as caught:
        configure(tree, [package(tree, "odd", postinst=SCRIPT)], Settings(0, "amd64"))
    details = caught.value.errors[0].details
    table = tomllib.loads("\n".join(details[details.index("[[rule]]") :]))["rule"][0]
    assert table["digest"] == [text_key("odd", "odd", SCRIPT.encode(), "amd64")]


def test_a_directory_is_not_replaced_by_a_file() -> None:
    tree = Tree()
    text = '[[rule]]\npackage = "odd"\nreason = "r"\nfiles = [{ path = "/etc/odd", content = "x" }]\n'
    odd = package(tree, "odd", files={"/etc/odd/kept": "kept"})
    with pytest.raises(ScriptFailed, match="a directory is in the way of a file") as caught:
        configure(tree, [odd], Settings(0, "amd64", rules=tuple(read_rules(text.encode(), "own.toml"))))
    assert str(caught.value.where) == "own.toml:1:1 odd besides"
    assert tree.read_text("/etc/odd/kept") == "kept"


def test_a_link_is_replaced_by_a_file_and_not_followed() -> None:
    tree = Tree()
    text = '[[rule]]\npackage = "odd"\nreason = "r"\nfiles = [{ path = "/etc/odd", content = "x" }]\n'
    odd = package(tree, "odd", files={"/usr/share/odd": "kept"})
    tree.write("/etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n", parents=True)
    tree.write("/etc/group", b"root:x:0:\n")
    tree.symlink("/usr/share/odd", "/etc/odd", parents=True)
    configure(tree, [odd], Settings(0, "amd64", rules=tuple(read_rules(text.encode(), "own.toml"))))
    assert (tree.read_text("/etc/odd"), tree.read_text("/usr/share/odd")) == ("x", "kept")


def test_a_rule_that_stands_for_a_script_is_not_carried_out_besides() -> None:
    (rule,) = read_rules(GOOD.encode(), "x")
    (other,) = read_rules(b'[[rule]]\npackage = "pk*"\nreason = "r"\n', "x")
    assert rules.besides((rule, other), "pkg") == [other]
    assert rules.besides((rule, other), "other") == []


def test_a_rule_that_fails_is_named_and_the_command_that_is_not_understood_is_shown() -> None:
    tree = Tree()
    text = '[[rule]]\npackage = "odd"\nreason = "r"\ndo = "false || exit 7"\n'
    with pytest.raises(ScriptFailed, match="it exits with status 7") as caught:
        configure(
            tree, [package(tree, "odd")], Settings(0, "amd64", rules=tuple(read_rules(text.encode(), "own.toml")))
        )
    assert str(caught.value.where) == "own.toml:1:1 odd besides"
    with pytest.raises(Problems, match="not known: frobnicate"):
        read_rules(GOOD.replace('"r"', '"r"\ndo = "mkdir /a\\nfrobnicate\\nwget x"').encode(), "x.toml")


def test_units_are_disabled() -> None:
    tree = Tree()
    unit = {"/usr/lib/systemd/system/odd.service": "[Install]\nWantedBy=multi-user.target\n"}
    odd = package(tree, "odd", files=unit)
    link = "/etc/systemd/system/multi-user.target.wants/odd.service"
    for units, enabled in (("enable", True), ("disable", False)):
        text = f'[[rule]]\npackage = "odd"\nreason = "r"\nunits = {{ {units} = ["odd.service"] }}\n'
        configure(tree, [odd], Settings(0, "amd64", rules=tuple(read_rules(text.encode(), "own.toml"))))
        assert tree.lexists(link) is enabled
