"""What scripts do, told from what they change: by line, and in the words of those who read it."""

from assembler.configure.effects import Effect, described, other, told
from assembler.configure.engine import Settings, configure
from assembler.configure.report import ScriptReport
from assembler.tree.staging import Tree
from assembler.tree.watched import Watch
from tests.debian.unpacked import package
from tests.support.scripts import with_programs

SETTINGS = Settings(86400 * 20000, "amd64", effects=True)
DATABASES = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n",
    "/etc/group": "root:x:0:\nadm:x:4:\n",
    "/etc/shadow": "root:*:1::::::\n",
    "/etc/systemd/system": "",
}


def carried_out(script: str, *, files: dict[str, str] | None = None, name: str = "postinst") -> ScriptReport:
    tree = with_programs(Tree())
    for path, text in DATABASES.items():
        if text:
            tree.write(path, text.encode(), parents=True)
        else:
            tree.mkdir(path, parents=True)
    made = package(tree, "p", files=files or {}, **{name: f"#!/bin/sh\nset -e\n{script}"})
    return configure(tree, [made], SETTINGS).scripts[0]


def test_each_with_the_line_that_does_it() -> None:
    report = carried_out(
        "mkdir -m 700 /srv/x\n"
        "make() {\n"
        "    echo two >$1\n"
        "}\n"
        "make /srv/x/f\n"
        "chmod 600 /srv/x/f; chown root:adm /srv/x/f\n"
        "if ln -s f /srv/x/l && [ -e /srv/x/l ]; then\n"
        "    rm /srv/x/f\n"
        "fi\n"
        "dpkg-trigger --no-await update-things\n",
        files={"/srv/kept": ""},
    )
    two = "4 bytes, SHA-256 27dd8ed44a83"
    assert report.effects == (
        Effect("directory", "/srv/x", "", "0700 root:root", 3),
        Effect("file", "/srv/x/f", "", f"{two} 0644 root:root", 5),
        Effect("mode", "/srv/x/f", "0644", "0600", 8),
        Effect("owner", "/srv/x/f", "root:root", "root:adm", 8),
        Effect("link", "/srv/x/l", "", "to f", 9),
        Effect("file", "/srv/x/f", f"{two} 0600 root:adm", "", 10),
        Effect("trigger", "update-things", "", "activated", 12),
    )


def test_another_text_is_told_at_the_line_that_asks_for_it() -> None:
    """A file that is sourced, functions that it has, what is evaluated, and scripts that are called."""
    files = {
        "/usr/lib/functions": "touch /a\n\n\n\nfar() {\n\n\n    touch /b\n}\n",
        "/usr/sbin/helper": "#!/bin/sh\n\n\n\n\n\n\ntouch /d\n",
    }
    tree = with_programs(Tree())
    script = "#!/bin/sh\n. /usr/lib/functions\nfar\neval 'touch /c'\n/usr/sbin/helper\ntrap 'touch /e' EXIT\n:\n"
    made = package(tree, "p", files=files, postinst=script)
    tree.chmod("/usr/sbin/helper", 0o755)
    found = configure(tree, [made], SETTINGS).scripts[0].effects
    assert [(effect.subject, effect.line) for effect in found] == [
        ("/a", 2), ("/b", 3), ("/c", 4), ("/d", 5), ("/e", 7),
    ]  # fmt: skip


def test_entries_of_databases() -> None:
    report = carried_out(
        "addgroup --system here\n"
        "adduser --system --no-create-home --ingroup here --home /run/x who\n"
        "dpkg-divert --add --package p --rename --divert /usr/bin/x.p /usr/bin/x\n"
        "dpkg-statoverride --add root adm 0750 /usr/bin/y\n"
        "update-alternatives --install /usr/bin/editor editor /usr/bin/y 5\n"
        "systemctl mask q.service\n"
        "deb-systemd-helper enable r.service\n",
        files={
            "/usr/bin/y": "", "/usr/bin/systemctl": "", "/usr/lib/systemd/system/q.service": "[Unit]\n",
            "/usr/lib/systemd/system/r.service": "[Install]\nWantedBy=multi-user.target\nAlias=s.service\n",
        },
    )  # fmt: skip
    found = {(effect.kind, effect.subject): effect for effect in report.effects}
    assert found["group", "here"].after == "number 100"
    assert found["user", "who"].after == "number 100, group 100, home /run/x, shell /usr/sbin/nologin, ''"
    assert found["password", "who"].after == "locked"
    assert found["diversion", "/usr/bin/x"].after == "to /usr/bin/x.p by p"
    assert found["override", "/usr/bin/y"].after == "750 root:adm"
    assert found["alternative", "editor"].after == "auto, /usr/bin/editor: /usr/bin/y (5)"
    assert found["link", "/usr/bin/editor"].after == "to /etc/alternatives/editor"
    assert found["unit", "q.service"].after == "masked"
    assert found["unit", "s.service"].after == "stands for /usr/lib/systemd/system/r.service"
    assert found["unit", "r.service"].after == "wanted by multi-user.target"


def effects_of(path: str, before: str, after: str) -> list[Effect]:
    tree = Tree()
    tree.write(path, before.encode(), parents=True)
    watch = Watch(tree)
    tree.write(path, after.encode())
    return told(watch.became(), tree, 4)


def test_answers_are_told_and_secret_ones_are_not() -> None:
    config = "Name: a/b\nTemplate: a/b\nValue: old\nOwners: a\n"
    found = effects_of("/var/cache/debconf/config.dat", config, f"{config.replace('old', 'new')}Flags: seen\n")
    assert found == [Effect("answer", "a/b", "'old'", "'new', seen", 4)]
    secret = "Name: a/pw\nTemplate: a/pw\nValue: hunter2\n"
    found = effects_of("/var/cache/debconf/passwords.dat", "", secret)
    assert found == [Effect("answer", "a/pw", "", "kept secret", 4)]
    found = effects_of("/etc/shadow", "root:*:1::::::\n", "root:$y$hunter2:1::::::\n")
    assert found == [Effect("password", "root", "locked", "set", 4)]


def test_a_path_that_becomes_something_else() -> None:
    tree = Tree()
    tree.write("/x", b"")
    watch = Watch(tree)
    tree.remove("/x")
    tree.mkdir("/x")
    found = told(watch.became(), tree)
    assert [(one.kind, bool(one.before), bool(one.after)) for one in found] == [
        ("file", True, False), ("directory", False, True),
    ]  # fmt: skip
    tree.chmod("/x", 0o700)
    tree.at("/x").xattrs["user.a"] = b"\1"
    found = told(watch.became(), tree)
    assert [described(one).split() for one in found] == [
        ["mode", "/x", "0755", "->", "0700"], ["attribute", "/x", "user.a", "01"],
    ]  # fmt: skip


def test_a_preinst_that_cannot_be_carried_out_has_done_nothing() -> None:
    tree = with_programs(Tree())
    made = package(tree, "p", preinst="#!/bin/sh\ntouch /a\nfrobnicate\n", postinst="#!/bin/sh\ntouch /b\n")
    tree.mkdir("/usr/lib/systemd/system", parents=True)
    settings = Settings(0, "amd64", first_boot={"p": "later"}, effects=True)
    made_too = package(tree, "q", postinst="#!/bin/sh\ntouch /c\n")
    reports = configure(tree, [made, made_too], settings).scripts
    assert [(one.package, [effect.subject for effect in one.effects]) for one in reports] == [
        ("p", []), ("p", []), ("q", ["/c"]),
    ]  # fmt: skip


def test_lines_do_not_count_when_versions_are_compared() -> None:
    one, two, three = (Effect("file", path, "", "x", line) for line, path in enumerate(("/a", "/b", "/c"), start=1))
    moved = Effect("file", "/b", "", "x", 9)
    assert other([one, two], [moved, three]) == ((one,), (three,))
