"""A package cannot reach the host through what stands for its scripts, nor keep the assembler busy for ever.

An audit hook watches everything that Python asks of the operating system (sys.addaudithook) while scripts made to do
harm are configured. They may succeed in the tree, be refused or fail: with an error that is explained, soon, and with
nothing opened, started or changed outside.
"""

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import assembler
from assembler.configure.engine import Settings, configure
from assembler.errors import AssembleError
from assembler.programs.commands import COMMANDS
from assembler.tree.staging import Tree
from tests.debian.unpacked import package

ROOT = Path(assembler.__file__).parent
ROOMS = sorted(file for name in ("configure", "programs", "shell") for file in (ROOT / name).rglob("*.py"))
SH = "#!/bin/sh\nset -e\n"
SECONDS = 10
"""Of user CPU time. What the kernel takes depends on how deep pytest is: where a call begins a new piece of the stack,
Python 3.11 maps and unmaps that for each one."""
"""Of the processor, for one hostile script; they take milliseconds."""

# --- what the code may use ----------------------------------------------------------------------------------------

MODULES = {
    "base64", "binascii", "bisect", "collections", "collections.abc", "contextlib", "dataclasses",
    "email.utils", "enum", "fnmatch", "functools", "hashlib", "importlib", "itertools", "math", "operator",
    "posixpath", "pydantic", "re", "string", "struct", "textwrap", "typing", "unicodedata",
}  # fmt: skip
"""Of the standard library and others: none of them, as it is used here, asks anything of the operating system."""
NAMES = {
    "importlib": {"resources"},
    "pathlib": {"Path"},
    "shlex": {"quote", "split"},
    "assembler.recipe.document": {"RecipeError", "did_you_mean", "parse", "place", "plain"},
    "assembler.tree.content": {"Content", "chunks", "part", "read", "size_of", "Unmade", "UnmadeError"},
}
"""Of these, only so much. A Path is what parse() wants to be told for its messages."""
FORBIDDEN = {"open", "eval", "exec", "compile", "__import__", "input", "breakpoint", "globals", "vars", "Slice"}
METHODS = {
    "read_text", "read_bytes", "write_text", "write_bytes", "unlink", "rmdir", "chmod", "exists", "is_file", "stat",
    "iterdir", "glob", "rglob", "touch", "symlink_to", "hardlink_to", "rename", "replace", "resolve", "open", "mkdir",
}  # fmt: skip
"""What a Path of the host could do."""


@pytest.mark.parametrize("file", ROOMS, ids=lambda file: str(file.relative_to(ROOT)))
def test_configuring_uses_nothing_of_the_host(file: Path) -> None:
    for node in ast.walk(ast.parse(file.read_text())):
        match node:
            case ast.Import(names=names):
                assert {name.name for name in names} <= MODULES, f"line {node.lineno}"
            case ast.ImportFrom(module=str(module), names=names, level=0):
                if module in NAMES:
                    assert {name.name for name in names} <= NAMES[module], f"line {node.lineno}"
                else:
                    ours = module.startswith("assembler.") and not module.startswith(
                        ("assembler.cli", "assembler.store", "assembler.layers", "assembler.tools", "assembler.vm")
                    )
                    assert ours or module in MODULES, f"line {node.lineno}: {module}"
            case ast.ImportFrom():
                raise AssertionError(f"line {node.lineno}: a relative import")
            case ast.Name(id=name):
                assert name not in FORBIDDEN, f"line {node.lineno}: {name}"
            case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="Path")), attr=name)):
                assert name not in METHODS, f"line {node.lineno}: {name}"
            case ast.Attribute(attr=name):
                assert not name.startswith("__") or name == "__init__", f"line {node.lineno}: {name}"


PASSWD = b"root:x:0:0:root:/root:/bin/bash\n"

# --- watching -----------------------------------------------------------------------------------------------------

_watching = False
_seen: list[str] = []
_HARMLESS = ("object.", "sys._", "sys.setprofile", "sys.settrace", "code.__new__", "compile", "exec", "import", "gc.")
"""Not of the operating system, or of Python's own doings."""


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if _watching and not event.startswith(_HARMLESS):
        _seen.append(f"{event} {arguments!r}"[:200])


sys.addaudithook(_hook)


def _slowness() -> float:
    """How much slower this processor is now than one that adds a million numbers in 25 ms."""
    begun, total = os.times().user, 0
    for number in range(8_000_000):
        total += number
    return max(1.0, (os.times().user - begun) / 8 / 0.025)


@contextmanager
def watched() -> Iterator[None]:
    global _watching  # noqa: PLW0603  a hook cannot be taken away again
    _seen.clear()
    _watching, begun = True, os.times().user
    try:
        yield
    finally:
        _watching = False
        taken = os.times().user - begun
    assert _seen == []
    most = SECONDS * _slowness() if taken > SECONDS else SECONDS
    assert taken < most, f"{taken:.1f} s, and {most:.1f} s are allowed"


def attempt(script: str, files: Mapping[str, str] | None = None, **control: str) -> Tree:
    """Configure a package with that postinst, watched; explained errors are fine."""
    tree = Tree()
    for directory in ("/etc", "/tmp", "/var/lib/dpkg", "/usr/bin", "/usr/lib/systemd/system"):
        tree.mkdir(directory, parents=True)
    tree.write("/etc/passwd", PASSWD)
    tree.write("/etc/group", b"root:x:0:\n")
    try:
        hostile = package(tree, "hostile", files=files, postinst=SH + script, **control)
    except AssembleError:
        return tree
    with watched(), suppress(AssembleError):
        configure(tree, [hostile], Settings(0, "amd64"))
    return tree


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    """What is read once, when it is first needed, is read now."""
    configure(Tree(), [], Settings(0, "amd64"))
    for script in ("frobnicate\n", "exit 1\n", "adduser --system x\n", "systemctl enable x.service\n"):
        tree = Tree()
        try:
            configure(tree, [package(tree, "p", postinst=SH + script)], Settings(0, "amd64"))
        except AssembleError:
            continue


def test_the_watch_sees() -> None:
    with pytest.raises(AssertionError, match="open"), watched():
        Path("/dev/null").read_bytes()


# --- scripts made by hand -----------------------------------------------------------------------------------------

HOSTILE = [
    "mkdir -p /../../../../etc/../x",
    "ln -s /etc /link\ntouch /link/../../../y",
    "ln -s ../../../../../../../tmp /out\necho x >/out/owned",
    "ln -s /a /b\nln -s /b /a\necho x >/a\ncat </a",
    "ln -s . /loop\nmkdir -p /loop/loop/loop/loop/loop/x\nchown -R root /loop\nrm -r /loop",
    "mkdir /a /b\ntouch /a/x\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14; do cp -a /a /b/$i\ncp -a /b /a/$i; done",
    "mkdir -p " + "/deep" * 1000 + "\ncp -a /deep /copy",
    "touch /a /b\n" + "cp -a /a /b\n" * 3000,
    "mkdir /d\nln -s /d /d/d\nchmod -R 777 /d\ncp -a /d /copied\nmv /d /d/d/e",
    "echo x >/../../../tmp/z",
    "cp /../../etc/passwd /stolen || true",
    "install -m 644 /proc/self/environ /e || true",
    "cat /etc/shadow >/x",
    "mv / /x || true\nrm -rf / || true\nrm -rf /. || true\nrm -rf /.. || true\nrm -r /../../ || true",
    "mv /etc /etc/passwd || true\nmv /etc /etc/etc",
    "echo $(id) `reboot`",
    "eval 'rm -rf /'",
    ". /etc/passwd",
    "exec sh -c true",
    "sh -c 'touch /tmp/owned'",
    "python3 -c 'import os'",
    "cat >/x <<EOF\n$(touch /tmp/owned)\n`id`\nEOF",
    "cat >/x <<'EOF'\n../../x\n\\0\nEOF",
    "chmod 99999999999999999999 /etc",
    "chmod 777777 /etc",
    "chown 99999999999999999999:-1 /etc",
    "chown -R root:nobody /",
    "adduser --system --uid 99999999999999999999 x",
    "adduser --system --firstuid 1 --lastuid 99999999999999999999 x",
    "adduser --system --home /../../tmp/h x",
    "adduser --system '../../x'",
    "adduser --system 'x:0:0::/:/bin/sh\nroot2'",
    "useradd -r -o -u 0 'toor:x'",
    "useradd --system --home ../../../tmp/h --create-home x",
    "usermod -d /../../tmp -m root",
    "groupadd -g -5 x",
    "addgroup --system --gid 4294967296 x",
    "update-alternatives --install /usr/bin/x ../../../../tmp/x /usr/bin/y 50",
    "update-alternatives --install ../../x x /usr/bin/y 99999999999999999999",
    "update-alternatives --install /usr/bin/x 'x\ny' /usr/bin/y 5 --slave /../../z z /z",
    "update-rc.d ../../x defaults",
    "update-rc.d 'x y' defaults 99 99",
    "deb-systemd-helper enable '../../../../tmp/x.service'",
    "systemctl enable ../../x.service",
    "systemctl enable /tmp/x.service",
    "systemctl mask '../../../etc/passwd.service'",
    "systemctl set-default ../../x.target",
    "systemctl --root=/ enable x.service",
    "systemctl enable x@y@z@.service '\\x2f\\x2e.service' @.service .service",
    "dpkg-divert --add --no-rename --divert /../../tmp/x /etc/passwd",
    "dpkg-divert --add --no-rename --divert 'a\nb' 'c\nd'\ndpkg-divert --add --no-rename /x",
    "dpkg-divert --local --rename --add /etc/passwd",
    "dpkg-statoverride --update --add root root 9999 /etc",
    "dpkg-statoverride --update --add root root zz /etc",
    "dpkg-statoverride --update --add none none 4755 /../../etc",
    "dpkg-statoverride --add root root 644 'a\nb'\ndpkg-statoverride --list /x",
    "echo broken >/var/lib/dpkg/diversions\ndpkg-divert --add --no-rename /x",
    "echo broken >/var/lib/dpkg/statoverride\ndpkg-statoverride --add root root 644 /x",
    "echo 'x:y' >>/etc/passwd\nadduser --system x\ngetent passwd x",
    "ucf /etc/passwd /../../tmp/x",
    "ucf --sum-file ../../x /etc/passwd ../../y",
    "ucf /etc/passwd /etc/passwd\nucfr '../../x' /etc/passwd\nucfr 'a b\nc' 'd\ne'",
    "systemd-tmpfiles --create ../../../tmp/x.conf",
    "systemd-sysusers ../../../etc/passwd",
    "setcap cap_sys_admin=ep /../../bin/sh",
    "setcap cap_nothing=zz /etc/passwd",
    "pam-auth-update --root /tmp --package",
    "ldconfig -r /tmp",
    "update-initramfs -u -b /tmp",
    "dpkg-trigger --admindir /tmp '../../x'",
    "shadowconfig on",
    "update-ca-certificates --etccertsdir /tmp",
    "mkdir -p " + "/a" * 3000,
    "touch /" + "a" * 100000,
    "rmdir --ignore-fail-on-non-empty / /..",
    "ln -s x ''",
    "mkdir ''",
    "touch ''",
    "cp '' ''",
    "mv '' /x",
    "echo x >''",
    "[ -e '' ] || mkdir /y",
]


@pytest.mark.parametrize("script", HOSTILE, ids=lambda script: script[:60].replace("\n", ";"))
def test_hostile_scripts(script: str) -> None:
    tree = attempt(script + "\n")
    # The image's own passwd is what there is to be had.
    assert not tree.exists("/stolen") or tree.read("/stolen") == PASSWD
    assert not tree.exists("/e")


HOSTILE_FILES: dict[tuple[str, str], list[str]] = {
    ("systemd-sysusers x.conf", "/usr/lib/sysusers.d/x.conf"): [
        "u ../../x - - /../../tmp\n",
        "u x 99999999999999999999\n",
        "r - 1-99999999999999999999\nu x -\n",
        "u x /../../etc\n",
        "m x y\nm y x\n",
        "u x:0\n",
        'u "x\n',
        "u x -:-\n",
        "g x 0\nu x 0:0\n",
        "u %%%%% -\n",
        "u! x -\n",
        "\x00\n",
        "u\n",
    ],
    ("systemd-tmpfiles --create x.conf", "/usr/lib/tmpfiles.d/x.conf"): [
        "d /../../../tmp/x 0755\n",
        "f /a/../../b 0644 - - - %%%\n",
        "L+ /etc - - - - ../../..\n",
        "R /\n",
        "D / 777\n",
        "C /x - - - - /../../etc\n",
        "Z /* 0777 99999999999999999999\n",
        "d /x 99999 - -\n",
        "w /proc/sys/x - - - - y\n",
        "c /dev/x 0600 - - - 99999999:1\n",
        "p+ /x\n",
        "d %h/%t/%C/%Q\n",
        "q /" + "*" * 50 + "a\n",
        "e /etc/*/*/*/* 0 0 0 1d\n",
        "f^ /x - - - - x\n",
        "f~ /x - - - - !!!\n",
        'd "/x\n',
        "x\n",
        "a /x - - - - u:x\n",
        "h /x - - - - +i\n",
    ],
    ("systemctl enable x.service", "/usr/lib/systemd/system/x.service"): [
        "[Install]\nWantedBy=../../../tmp/x\n",
        "[Install]\nAlias=../../etc/passwd\n",
        "[Install]\nAlso=x.service ../../y.service\n",
        "[Install]\nWantedBy=" + "%i" * 1000,
        "[Install]\nAlias=x.service\n",
        "[Install]\nAlso=" + " ".join(f"x{number}.service" for number in range(1000)),
        "[Install]\nWantedBy=\\\n\\\n\\",
        "[Install]\nDefaultInstance=../..\n",
    ],
    ("pam-auth-update --package", "/usr/share/pam-configs/x"): [
        "Name: x\nPriority: 99999999999999999999999\n",
        "Default: yes\n",
        "Name: \nPriority: x\nAuth:\n\t[\n",
        "\x00",
    ],
    ("update-shells", "/usr/share/debianutils/shells.d/x"): ["../../x\n/../../bin/sh\n\x00\n"],
    ("update-ca-certificates", "/usr/share/ca-certificates/x.crt"): [
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    ],
    ("update-ca-certificates", "/etc/ca-certificates.conf"): ["../../../etc/passwd\n!y\n"],
    ("update-rc.d x defaults", "/etc/init.d/x"): [
        "### BEGIN INIT INFO\n# Default-Start: 2 ../../x 99\n### END INIT INFO\n"
    ],
    ("update-alternatives --install /usr/bin/x x /usr/bin/y 5", "/var/lib/dpkg/alternatives/x"): [
        "auto\n../../z\n\nbroken"
    ],
    ("ucf /usr/bin/y /etc/x", "/var/lib/ucf/hashfile"): ["broken\n  \n"],
}
"""A command, a file that it reads, and what that may hold."""


@pytest.mark.parametrize(
    ("script", "path", "text"), [(*key, text) for key, texts in HOSTILE_FILES.items() for text in texts]
)
def test_hostile_files(script: str, path: str, text: str) -> None:
    attempt(f"{script}\n", {path: text, "/usr/bin/y": "", "/etc/pam.d/x": ""})


# --- bombs --------------------------------------------------------------------------------------------------------

WORDS = " ".join(f"w{number}" for number in range(40))


def nested(depth: int) -> str:
    heads = "".join(f"for v{n} in {WORDS}; do\n" for n in range(depth))
    return f"{heads}mkdir -p /x\n" + "done\n" * depth


BOMBS = {
    "loops in loops": nested(8),
    "functions that call the next one often": "".join(f"f{n}() {{\n{f'f{n + 1}{chr(10)}' * 30}}}\n" for n in range(12))
    + "f12() { mkdir -p /x; }\nf0\n",
    "a function that calls itself": "f() { f; f; f; f; f; f; f; f; f; f; f; f; f; f; f; f; f; }\nf\n",
    "for ever": "while true; do mkdir -p /x; done\nuntil false; do :; done\n",
    "deep nesting": "if [ -e /x ]; then\n" * 3000 + ":\n" + "fi\n" * 3000,
    "deep groups": "{\n" * 5000 + ":\n" + "}\n" * 5000,
    "long and-or": "[ -e /x ] && " * 5000 + "mkdir /x\n",
    "negations": "! " * 5000 + "true\n",
    "long test": "[ " + "! " * 5000 + "-e /x ]\n",
    "joined test": "[ " + "-e /x -o " * 5000 + "-e /y ]\n",
    "open snippets": "# Automatically added by dh_x\n" * 40000,
    "many statements": "mkdir -p /x\n" * 20000,
    "many functions": "".join(f"f{n}() {{ :; }}\n" for n in range(4000)),
    "variables that double": "".join(f'a{n + 1}="$a{n}$a{n}"\n' for n in range(60)).join(
        ("a0=xxxxxxxx\n", 'echo "$a60"\n')
    ),
    "open quotes": "echo '" * 9999 + "\n",
    "here-documents": "cat <<A\n" * 5000,
    "dollars": "echo " + "${" * 20000 + "\n",
}


@pytest.mark.parametrize("name", BOMBS)
def test_bombs(name: str) -> None:
    attempt(BOMBS[name])


# --- scripts made at random ---------------------------------------------------------------------------------------

EVIL = [
    "/", "/..", "..", ".", "", "/etc", "/etc/passwd", "/link", "/link/../x", "/a/b/c", "-", "--", "-rf", "root", "x",
    "0", "-1", "99999999999999999999", "x.service", "x@.service", "../../x.service", "/dev/null", "/proc/self/mem", "*",
    "%n", "é", "a b", "a\tb", "a:b:c", "a\nb", "\\", "0755", "u+s", "root:root", ":", "=", "cap_net_raw=ep", "x.conf",
    "--system", "--home", "--install", "--add", "--divert", "--update", "enable", "-R", "-s", "-p", "/usr/bin/y",
]  # fmt: skip
COMMAND = st.builds(
    lambda name, words: " ".join([name, *("'" + word + "'" for word in words)]),
    st.sampled_from(sorted(COMMANDS)),
    st.lists(st.sampled_from(EVIL), max_size=6),
)
FILES = {
    "/usr/lib/sysusers.d/x.conf": "u x -\n",
    "/usr/lib/tmpfiles.d/x.conf": "d /x\n",
    "/usr/lib/systemd/system/x.service": "[Install]\nWantedBy=multi-user.target\n",
    "/usr/lib/systemd/system/x@.service": "[Install]\nDefaultInstance=1\nWantedBy=multi-user.target\n",
    "/usr/bin/y": "",
    "/a/b/c": "",
}


@given(st.lists(COMMAND, min_size=1, max_size=5))
@settings(max_examples=400, deadline=None)
def test_random_commands(commands: list[str]) -> None:
    attempt("ln -s /etc /link\n" + "".join(f"{command} || true\n" for command in commands), FILES)


@given(st.sampled_from(sorted(FILES)), st.text(st.sampled_from("ugrmdfLCR:/.%-*?[]\\\"' \t\n=x0129{}"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_random_files(path: str, text: str) -> None:
    script = (
        "systemd-sysusers x.conf\nsystemd-tmpfiles --create x.conf\nsystemctl enable x.service x@.service\n"
        "deb-systemd-helper enable x.service\n"
    )
    attempt(script.replace("\n", " || true\n"), {**FILES, path: text})
