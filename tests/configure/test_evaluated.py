"""Commands carried out on a tree leave what a real shell leaves on a disk."""

import os
import subprocess
from pathlib import Path

import pytest

from assembler.programs.context import ExecutionContext
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind
from tests.support.host_commands import need
from tests.support.scripts import run
from tests.tree.disk import on_disk, shown, tree_of, write_out

FILES = {"/etc/": "", "/usr/share/p/default": "text\n", "/usr/share/p/list": "a\nb\n", "/etc/link": "->../usr/share/p",
         "/etc/old": "old\n", "/etc/empty/": "", "/var/": "", "/etc/dangling": "->nowhere"}  # fmt: skip
# Every path begins with @, which is dpkg's root here.
SCRIPTS = {
    "mkdir": """\
mkdir @/etc/new
mkdir -p @/var/a/b/c @/var/a
mkdir -m 2775 @/var/d
mkdir @/etc/new 2>/dev/null || true
""",
    "write": """\
: >@/etc/e
echo 'a  b' c >@/etc/f
echo more >>@/etc/f
cat >@/etc/g <<'EOF'
$x `y`
EOF
: >@/etc/old
""",
    "through a link": """\
echo x >@/etc/link/new
touch @/etc/old @/etc/dangling
""",
    "cp": """\
cp @/usr/share/p/default @/etc
cp -p @/usr/share/p/list @/etc/copy
cp -n @/usr/share/p/list @/etc/old
""",
    "mv": """\
mv @/etc/old @/etc/empty
mv -f @/usr/share/p/list @/usr/share/p/default
""",
    "ln": """\
ln -s a @/etc/l1
ln -sf b @/etc/l1
ln -s a @/etc/l1 2>/dev/null || true
ln -s x @/etc/empty
ln -sfn y @/etc/link
ln @/etc/old @/etc/hard
""",
    "ln into a linked directory": """\
ln -s z @/etc/link
ln -sf default @/usr/share/p/list
""",
    "rm": """\
rm -f @/etc/none @/etc/old
rm -rf @/usr/share/p
rmdir @/etc/empty
rmdir --ignore-fail-on-non-empty @/etc
rm @/etc/link
""",
    "chmod": """\
chmod 4755 @/etc/old
chmod u+s,g-w,o= @/usr/share/p/list
chmod a+x @/usr/share/p/default
chmod -R g=rx @/var
""",
    "install": """\
install -d -m 700 @/var/i/j
install -m 640 /dev/null @/etc/n
install -D -m 600 @/etc/old @/var/k/l
""",
    "conditions": """\
if [ -e @/etc/old ] && [ ! -L @/etc/old ]; then echo 1 >@/etc/r1; fi
[ -d @/etc/link ] && echo 2 >@/etc/r2
if test -s @/etc/none -o -f @/etc/link; then echo 3 >@/etc/r3
elif [ -h @/etc/dangling -a ! -e @/etc/dangling ]; then echo 4 >@/etc/r4; fi
cmp -s @/etc/old @/usr/share/p/default || echo 5 >@/etc/r5
! [ -x @/etc/old ] && echo 6 >@/etc/r6
""",
    "functions": """\
put() {
  if [ -e @"$1" ]; then return 0; fi
  echo "$2" >@"$1"
}
put /etc/old new
put /etc/fresh new
put /etc/fresh again
""",
    "loops": """\
for f in a b; do echo "$f" >@/etc/$f.conf; done
X=/etc/x
echo "$X" >@$X
""",
    "case": """\
case "$1" in
configure) echo c >@/etc/c;;
*) echo other >@/etc/c;;
esac
""",
    "variables that do not matter": """\
act=stop
[ -e @/etc/old ] && act=start
echo "$act, $HOME" >/dev/null
f=$act
[ -z $2 ] && touch @/etc/acts
""",
    "exit": """\
if [ -e @/etc/old ]; then
echo 1 >@/etc/r
exit 0
fi
echo 2 >@/etc/r
""",
}


@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS)
def test_as_a_shell_would(script: str, tmp_path: Path) -> None:
    script = script.replace("@", '"$DPKG_ROOT"')
    tree = tree_of(FILES)
    root = write_out(tree, tmp_path / "root")
    run(script, tree)
    # As dpkg runs scripts: root's usual mask, errors end them.
    environment = {"DPKG_ROOT": str(root), "PATH": os.environ["PATH"]}
    command = [need("dash", "dash"), "-c", f"umask 022\n{script}", "postinst", "configure", ""]
    subprocess.run(command, env=environment, check=False)
    assert shown(tree) == on_disk(root)
    for path, inode in tree.walk():
        if inode.kind is not Kind.SYMLINK and path != "/":
            assert oct(inode.mode) == oct((root / path[1:]).stat().st_mode & 0o7777), path


@pytest.mark.parametrize(
    "script",
    [
        "f() { return; }\nf\n",
        "f() { return 3; }\nf\n",
        "f() { exit; }\nf\n",
        "f() { : >@/etc/x; return 2; : >@/etc/y; }\nf\n[ -e @/etc/y ]\n",
        "f() { exit 3; }\n",
        "cat <<EOF\na message\nEOF\n",
        "! [ -e @/etc/old ]\n",
        "! [ -e @/etc/none ]\n",
        "[ -e @/etc/none ]\n",
        "test -e @/etc/none\n",
        "test -e @/etc/old && [ -e @/etc/none ]\n",
        "[ -e @/etc/none ] || [ -e @/etc/old ]\n",
        "for f in none old; do [ -e @/etc/$f ]; done\n",
        "for f in old none; do [ -e @/etc/$f ]; done\n",
        "for f in a b; do case $f in c | d) : >@/etc/$f;; b | e) [ -e @/etc/none ];; *) : >@/etc/all;; esac; done\n",
        "for f in a b; do case $f in b) [ -e @/etc/none ];; esac; done\n",
        "for f in b a; do case $f in b) [ -e @/etc/none ];; esac; done\n",
        "if [ -e @/etc/none ]; [ -e @/etc/old ]; then : >@/etc/both; else exit 4; fi\n",
        "if [ -e @/etc/none ]; then exit 4; elif [ -e @/etc/old ]; then exit 5; fi\n",
        "if [ -e @/etc/none ]; then exit 4; fi\n",
        "{ [ -e @/etc/old ]; [ -e @/etc/none ]; }\n",
        "! [ -e @/etc/old ]\n: message >/dev/null\n",
        "echo x 2>&1 >@/etc/x\n",
        ": >>@/etc/old\necho x >>@/etc/old\necho y >>@/etc/none\n",
        'f() { echo "$1" >@/etc/$2; }\nf a b\nf c d\n',
        'f() { g "$1"; }\ng() { [ -e @/etc/$1 ]; }\nf none\n',
    ],
)
@pytest.mark.parametrize("exits_on_error", [False, True])
def test_the_status_is_that_of_a_shell(script: str, tmp_path: Path, *, exits_on_error: bool) -> None:
    same_as_dash(script, tmp_path, exits_on_error=exits_on_error)


@pytest.mark.parametrize(
    "script",
    [
        "[ -e @/etc/none ]\n: >@/etc/after\n",
        "[ -e @/etc/none ] && : >@/etc/x\n: >@/etc/after\n",
        "[ -e @/etc/none ] || [ -e @/etc/neither ] || :\n: >@/etc/after\n",
        "! [ -e @/etc/old ]\n: >@/etc/after\n",
        "if [ -e @/etc/none ]; then :; fi\n: >@/etc/after\n",
        "f() { [ -e @/etc/none ]; : >@/etc/in; }\nf || :\n: >@/etc/after\n",
        "f() { [ -e @/etc/none ]; : >@/etc/in; }\nf\n: >@/etc/after\n",
        "f() { [ -e @/etc/none ]; : >@/etc/in; }\nif f; then : >@/etc/yes; fi\n: >@/etc/after\n",
        "f() { [ -e @/etc/none ]; : >@/etc/in; }\n! f\n: >@/etc/after\n",
        "f() { [ -e @/etc/none ]; : >@/etc/in; }\nif f; then : >@/etc/yes; fi\nf\n: >@/etc/after\n",
        "if [ -e @/etc/old ]; then [ -e @/etc/none ]; : >@/etc/in; fi\n: >@/etc/after\n",
        "for f in none old; do [ -e @/etc/$f ]; : >@/etc/in-$f; done\n: >@/etc/after\n",
    ],
)
def test_an_error_ends_a_script_where_it_does_in_a_shell(script: str, tmp_path: Path) -> None:
    for exits_on_error in (True, False):
        same_as_dash(script, tmp_path, exits_on_error=exits_on_error)


def same_as_dash(script: str, tmp_path: Path, *, exits_on_error: bool) -> None:
    script = script.replace("@", '"$DPKG_ROOT"')
    tree = tree_of(FILES)
    root = write_out(tree, tmp_path / "root")
    status = run(script, tree, options="e" if exits_on_error else "")
    command = [need("dash", "dash"), "-ec" if exits_on_error else "-c", script, "postinst", "configure", ""]
    environment = {"DPKG_ROOT": str(root), "PATH": os.environ["PATH"]}
    real = subprocess.run(command, env=environment, check=False, stdout=subprocess.DEVNULL)
    assert (status, shown(tree)) == (real.returncode, on_disk(root))


@pytest.mark.parametrize(
    "script",
    [
        "rm -rf /\n",
        "cp -u /etc/a /etc/b\n",
        "chmod -x+y /etc/old\n",
        "dpkg-divert --add /etc/x\n",
        "setcap nonsense /x\n",
        "update-alternatives --install /a b /c 1 >/etc/z\n",
        "echo x >&/etc/z\n",
        "echo $$ >/etc/z\n",
        "read x </dev/random\n",
        "read x </proc/1/stat\n",
        "sleep 1 &\n",
        "f() { f; }\nf\n",
        "while :; do :; done\n",
        "date >/etc/now\n",
        "/etc/binary\n",
        "cd /etc/link\n",
        "[ /etc/old -nt /etc/dangling ] || [ /etc/old -nt /etc/link ]\n",
        "x=$(update-rc.d x defaults)\n",
        "trap 'echo $LINENO' EXIT\n",
        "cat </dev/null >&-\n",
        "exec >&-\nsed p /etc/old\n",
        "awk 1 </dev/null >&-\n",
    ],
)
def test_what_is_not_computed_is_refused(script: str) -> None:
    tree = tree_of({**FILES, "/etc/binary": "\x7fELF"})
    tree.chmod("/etc/binary", 0o755)
    with pytest.raises(Refused):
        run(script, tree)


def test_where_it_is_refused() -> None:
    with pytest.raises(Refused) as refused:
        run("set -e\nif [ -e /etc/old ]; then\n  cat <<E\na\nE\n  x=$(\n    date)\nfi\n", tree_of(FILES))
    assert refused.value.line == 8


@pytest.mark.parametrize(
    "question",
    [
        "command -v {0} >/dev/null",
        "which {0} >/dev/null 2>&1",
        '[ -x "$(command -v {0})" ]',
        '[ -n "$(command -v {0} 2>/dev/null)" ]',
        '[ -x "$(which {0})" ]',
        '[ -x "`which {0}`" ]',
        '[ -n "`command -v {0}`" ]',
        '[ -x "$DPKG_ROOT$(command -v {0})" ]',
        '[ -x "$DPKG_ROOT`which {0}`" ]',
    ],
)
def test_whether_there_is_a_program(question: str) -> None:
    tree = tree_of({"/usr/bin/a-b.c": "", "/usr/bin/text": "", "/usr/bin/dir/": "", "/opt/bin/far": ""})
    tree.chmod("/usr/bin/a-b.c", 0o755)
    tree.chmod("/opt/bin/far", 0o755)
    tree.write("/usr/bin/which", b'#!/bin/sh\ncommand -v "$1"\n', 0o755)
    found = {name: run(question.format(name), tree) == 0 for name in ("a-b.c", "text", "dir", "far", "none")}
    assert found == {"a-b.c": True, "text": False, "dir": False, "far": False, "none": False}


def test_failures_that_a_script_provides_for() -> None:
    tree = tree_of({"/etc/passwd": "", "/etc/group": ""})
    assert run("update-alternatives --auto nothing || true\n", tree) == 0
    assert run("if getent passwd nobody >/dev/null; then exit 3; fi\nexit 4\n", tree) == 4


@pytest.mark.parametrize(
    "call",
    ["update-rc.d x frob", "systemctl frob x", "update-catalog --add a b", "fc-cache",
     "adduser --frob x", "update-xmlcatalog --del --root"],
)  # fmt: skip
def test_nothing_excuses_a_call_that_is_not_understood(call: str) -> None:
    for script in (f"{call} || true\n", f"if {call}; then :; fi\n", f"! {call}\n"):
        with pytest.raises(Refused):
            run(script, tree_of(FILES))


@pytest.mark.parametrize(
    "query", ["invoke-rc.d x status", "service x status", "deb-systemd-invoke is-active x.service"]
)
def test_no_service_is_running(query: str) -> None:
    tree = tree_of(FILES)
    run(f"if {query} >/dev/null; then : >/etc/running; fi\n{query.split(maxsplit=1)[0]} x restart\n", tree)
    assert not tree.exists("/etc/running")


def test_diversions_that_rename() -> None:
    tree = tree_of({"/usr/bin/a": "a", "/usr/bin/own": "own", "/usr/bin/c": "", "/var/lib/dpkg/": ""})
    script = "".join(
        f"dpkg-divert --package pkg --rename --divert {path}.real --add {path}\n"
        for path in ("/usr/bin/a", "/usr/bin/own", "/usr/bin/none")
    )
    owners = ExecutionContext(tree, "amd64", owners=lambda path: {"pkg"} if path == "/usr/bin/own" else {"other"})
    assert run(script, tree, context=owners) == 0
    assert tree.names("/usr/bin") == ["a.real", "c", "own"]
    assert tree.read_text("/var/lib/dpkg/diversions").count("\npkg\n") == 3
    with pytest.raises(Refused, match="in the way"):
        run("dpkg-divert --rename --divert /usr/bin/c --add /usr/bin/b\n", tree)


def test_statoverrides_and_diversions_are_recorded() -> None:
    tree = tree_of({"/etc/passwd": "root:x:0:0:::\n", "/etc/group": "mail:x:8:\n", "/usr/bin/p": ""})
    script = (
        "if ! dpkg-statoverride --list /usr/bin/p >/dev/null; then\n"
        "dpkg-statoverride --update --add root mail 2755 /usr/bin/p; fi\n"
        "dpkg-divert --package a --no-rename --divert /x.real --add /x\n"
        "dpkg-divert --package a --no-rename --divert /y.real --add /y\n"
        "dpkg-divert --package a --no-rename --remove /x\n"
    )
    assert run(script, tree) == 0
    inode = tree.at("/usr/bin/p")
    assert (inode.gid, oct(inode.mode)) == (8, "0o2755")
    assert tree.read_text("/var/lib/dpkg/statoverride") == "root mail 2755 /usr/bin/p\n"
    assert tree.read_text("/var/lib/dpkg/diversions") == "/y\n/y.real\na\n"


def test_what_update_alternatives_prints_is_read() -> None:
    tree = tree_of({"/usr/bin/a": "", "/etc/alternatives/": "", "/var/lib/dpkg/alternatives/": ""})
    script = (
        "update-alternatives --query x >/dev/null 2>&1 && exit 9\n"
        "update-alternatives --install /usr/bin/x x /usr/bin/a 5\n"
        "update-alternatives --query x | grep -q 'Value: /usr/bin/a' && : >/yes\n"
        "update-alternatives --list x >/list\n"
    )
    assert run(script, tree) == 0
    assert (tree.exists("/yes"), tree.read_text("/list")) == (True, "/usr/bin/a\n")
    tree.remove("/usr/bin/a")
    for action in ("--query", "--list", "--display"):
        with pytest.raises(Refused, match="of an alternative"):
            run(f"update-alternatives {action} x\n", tree)


def test_owners() -> None:
    tree = tree_of({"/etc/passwd": "a:x:7:70:::\n", "/etc/group": "g:x:8:\n", "/d/f": "", "/d/g": "", "/d/h": ""})
    assert run("chown -R a:g /d\nchown a: /d/f\nchgrp 5 /d/g\nchown 3 /d/h\n", tree) == 0
    assert [(tree.at(path).uid, tree.at(path).gid) for path in ("/d", "/d/f", "/d/g", "/d/h")] == [
        (7, 8), (7, 70), (7, 5), (3, 8),
    ]  # fmt: skip
    assert run("chown nobody /d || echo failed >/d/i\n", tree) == 0
    assert tree.exists("/d/i")
