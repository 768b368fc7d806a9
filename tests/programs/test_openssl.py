"""openssl leaves what it makes to nodes, under the names and with the modes that the real one gives."""

import re
import stat
import subprocess
from pathlib import Path

import pytest

from assembler.configure.identity import made_on_node
from assembler.configure.supposed import whatever_is_answered
from assembler.programs.context import ExecutionContext
from assembler.shell.streams import Refused
from assembler.tree.content import Unmade
from assembler.tree.staging import Tree
from tests.support.host_commands import on_this_host
from tests.support.ordinary import chown_by_anybody  # noqa: F401  a fixture
from tests.support.scripts import run
from tests.tree.disk import tree_of

CONFIGURATION = Path("/etc/ssl/openssl.cnf").read_bytes()
OWN = "[ req ]\nprompt = no\ndistinguished_name = dn\n[ dn ]\ncountryName = UN\nO = us\ncommonName = here\n"
TYPED = ".\n.\n.\n\n\nstone\nroot@\n"
COMMANDS = {
    "a certificate with its key": f"openssl req -new -x509 -nodes -out s.pem -keyout s.pem >/dev/null <<+\n{TYPED}+\n",
    "a certificate and a key": "openssl req -x509 -newkey rsa:1024 -nodes -out c -keyout k -days 9 -subj /CN=x/O=y.z",
    "files that are there": "touch c; install -m 640 /dev/null k;"
    " openssl req -x509 -newkey rsa:1024 -nodes -out c -keyout k -batch -days 9",
    "one step after the other": "openssl genrsa -out k 1024; openssl req -config own.cnf -new -x509 -key k -out c",
    "a request that does not stay": "umask 027; openssl genrsa -out k 1024;"
    " openssl req -new -subj /CN=x -key k -out r; openssl x509 -req -in r -signkey k -out c -days 3; rm r",
    "parameters": "openssl dhparam -out dh 512",
    "what goes to a file": "openssl dhparam 512 >dh; openssl genrsa 1024 >k; openssl rand -hex 9 >r",
    "a curve": "openssl ecparam -genkey -name prime256v1 -noout -out k; openssl ec -in k -pubout -out p",
    "a key of its own kind": "openssl genpkey -algorithm ed25519 -out k; openssl pkey -in k -pubout >p",
    "one over itself": "openssl genrsa -out k 1024; openssl rsa -in k -out k",
    "what is moved, copied and given away": "openssl genrsa -out k.new 1024; chmod 440 k.new; mv k.new k; cp -p k l",
    "what is read between, too": "openssl req -new -newkey rsa:1024 -nodes -subj /CN=x -keyout k -out r;"
    " openssl rsa -in k -out k2; openssl rsa -in k2 -pubout -out p; openssl x509 -req -in r -signkey k -out c; rm r",
    "settings that do not stay": "cp own.cnf t; openssl req -config t -x509 -newkey rsa:1024 -nodes -keyout k -out c;"
    " rm t; printf '[e]\\nsubjectAltName=DNS:x\\n' >e; openssl req -new -subj /CN=x -key k -out r;"
    " openssl x509 -req -in r -signkey k -out s -extfile e -extensions e; rm e",
    "random bytes": "umask 077; openssl rand -base64 -out r 33",
    "a link by the hash": "openssl req -x509 -newkey rsa:1024 -nodes -out c -keyout k -days 9 -subj /CN=x;"
    " ln -sf c `openssl x509 -noout -hash < c`.0; ln -s c $(openssl x509 -hash -noout -in c).1",
}
REFUSED = (
    "openssl genrsa 1024",
    "k=$(openssl rand -hex 8)",
    "openssl rand -hex 8 | cat >f",
    "openssl genrsa -out k 1024; cat k >l",
    "openssl genrsa -out k 1024; grep -q BEGIN k",
    "openssl genrsa -out k 1024; cd /; cmp d/k d/own.cnf",
    "openssl genrsa -out k 1024; diff -q k own.cnf",
    "openssl genrsa -out k 1024; sed -i s/a/b/ k",
    "openssl genrsa -out k 1024; echo more >>k",
    "openssl genrsa -out k 1024; stat -c %s k",
    "openssl genrsa -out k 1024; k=$(cat k)",
    "openssl genrsa -aes256 -out k 1024",
    "openssl genrsa -out k 64",
    "openssl genrsa -out /none/k 1024",
    "openssl genrsa -out /dev/null 1024",
    "openssl genrsa -out k 1024 2>said; cat said",
    "openssl req -x509 -newkey rsa:1024 -out c -keyout k -subj /CN=x",
    "openssl req -x509 -nodes -out c -keyout k",
    "openssl req -x509 -nodes -out c -keyout k <<+\nDE\n+\n",
    "openssl req -x509 -nodes -out c -keyout k <<+\nDEU\n\n\n\n\n\n\n\n+\n",
    "openssl req -x509 -nodes -out c -keyout k -subj /CN=",
    "openssl req -x509 -nodes -out c -keyout k -subj /XX=y",
    "openssl req -x509 -nodes -out c -keyout k -subj CN=y",
    "openssl req -x509 -nodes -out c -keyout k -batch -config none",
    "openssl req -x509 -nodes -out c -batch",
    "printf '.include = x\\n' >>own.cnf; openssl req -x509 -nodes -out c -keyout k -config own.cnf",
    "openssl req -new -newkey rsa -nodes -keyout k -batch -out r; openssl x509 -req -in r -key k -out c -extfile r",
    (
        "openssl req -new -newkey rsa -nodes -keyout k -batch -out r;"
        " openssl x509 -req -in r -key k -out c -extfile own.cnf -extensions none"
    ),
    "openssl req -x509 -key own.cnf -out c -batch",
    "OPENSSL_CONF=own.cnf openssl genrsa -out k 1024",
    "openssl x509 -noout -subject -in own.cnf",
    "openssl version",
)


def left(script: str, directory: str = "/d") -> tuple[Tree, ExecutionContext]:
    """The tree of a script that is carried out in a directory, and what it leaves to nodes."""
    files: dict[str, str | bytes] = {
        "/d/own.cnf": OWN, "/usr/lib/ssl/openssl.cnf": CONFIGURATION, "/usr/lib/systemd/system/": "", "/dev/": "",
        "/tmp/": "",
    }  # fmt: skip
    tree = tree_of(files)
    context = ExecutionContext(tree, "amd64", package="pkg")
    before = f"mkdir -p {directory}; cp /d/own.cnf {directory} 2>/dev/null || :; cd {directory}\n"

    def carry_out(at: ExecutionContext) -> None:
        assert run(f"{before}{script}\n", at.tree, context=at, options="e") == 0

    whatever_is_answered(context, carry_out)
    return tree, context


@pytest.mark.parametrize("name", COMMANDS)
def test_a_node_makes_what_the_real_one_makes(name: str, tmp_path: Path) -> None:
    real, node = tmp_path / "real", tmp_path / "node"
    for place in (real, node / "d"):
        place.mkdir(parents=True)
        (place / "own.cnf").write_text(OWN)
    subprocess.run(["sh", "-ec", COMMANDS[name]], check=True, cwd=real, capture_output=True, umask=0o022)
    tree, context = left(COMMANDS[name])
    links = {path for path in tree.names("/d") if re.search(r"\.\d\Z", path)}
    assert not links
    work = made_on_node.taken_out(tree, context.node)
    assert tree.names("/d") == ["own.cnf"]
    (script := tmp_path / "script").write_bytes(on_this_host(work.script("pkg", tree)))
    script.chmod(0o755)
    for _ in range(2):
        subprocess.run([script, node], check=True, capture_output=True)
        assert shown(node / "d") == shown(real)
        made = {path.name: path.read_bytes() for path in (node / "d").iterdir()}
    subprocess.run([script, node], check=True, capture_output=True)
    assert made == {path.name: path.read_bytes() for path in (node / "d").iterdir()}
    for link in (node / "d").glob("*.[01]"):
        asked = subprocess.run(
            ["openssl", "x509", "-noout", "-hash", "-in", node / "d/c"], check=True, capture_output=True, text=True
        )
        assert link.name[:8] == asked.stdout.strip()


def test_settings_are_those_of_their_time(tmp_path: Path) -> None:
    head = "[ req ]\\nprompt = no\\ndistinguished_name = dn\\n[ dn ]\\n# \\\\ \\303\\244 '1\\n"
    tree, context = left(
        f'for d in a b; do printf "{head}CN=$d\\n" >t; openssl req -config t -x509 -newkey rsa:1024 -nodes -keyout $d.k'
        " -out $d.c; done"
    )
    work = made_on_node.taken_out(tree, context.node)
    (script := tmp_path / "script").write_bytes(on_this_host(work.script("pkg", tree)))
    script.chmod(0o755)
    (tmp_path / "d").mkdir()
    subprocess.run([script, tmp_path], check=True, capture_output=True)
    for name in "ab":
        asked = subprocess.run(
            ["openssl", "x509", "-noout", "-subject", "-in", tmp_path / f"d/{name}.c"], check=True, capture_output=True,
            text=True,
        )  # fmt: skip
        assert re.fullmatch(rf"subject=CN ?= ?{name}\n", asked.stdout)


@pytest.mark.parametrize("data", [b"", b"a 'b' $c %s", b"a\n\\n\n    stage x\n", bytes(range(256)) + b"\x007"])
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_texts_are_printed_as_they_are(data: bytes, shell: str) -> None:
    command = made_on_node._printf(data).encode()
    assert b"\n" not in command
    assert subprocess.run([shell, "-c", command], check=True, capture_output=True).stdout == data


def shown(directory: Path) -> dict[str, tuple[str, list[str]]]:
    """Modes, and what PEM says that it has in it, by name; hashes are told as such."""
    found = {}
    for path in directory.iterdir():
        status = path.lstat()
        heads = re.findall(r"-----BEGIN .*", path.read_text("latin-1"))
        found[re.sub(r"^[0-9a-f]{8}\.", "HASH.", path.name)] = (stat.filemode(status.st_mode), heads)
    return found


@pytest.mark.parametrize("command", REFUSED)
def test_what_would_fail_or_be_seen_is_refused(command: str) -> None:
    with pytest.raises(Refused):
        left(command)


@pytest.mark.parametrize(
    "command",
    [
        "h=`openssl x509 -noout -hash <c`; echo $h >name",
        "h=`openssl x509 -noout -hash <c`; ln -s c $h",
        "h=`openssl x509 -noout -hash <c`; ln -s $h.0 link",
        "h=`openssl x509 -noout -hash <c`; case $h in [0-7]*) touch low;; esac; case $h in *[89a-f]) touch high;; esac",
    ],
)
def test_the_hash_of_a_certificate_names_links_alone(command: str) -> None:
    make = "openssl req -x509 -newkey rsa:1024 -nodes -out c -keyout k -subj /CN=x;"
    with pytest.raises(Refused, match="answers otherwise"):
        left(make + command)
    with pytest.raises(Refused):
        # What is no certificate has none.
        left("openssl genrsa -out c 1024;" + command)


def test_a_stand_in_is_there_for_scripts() -> None:
    tree, _ = left("openssl genrsa -out k 1024; [ -f k ] && [ -s k ] && [ -r k ] && chown 7:8 k; ln -s k l; [ -s l ]")
    assert isinstance(tree.at("/d/k").content, Unmade)
    assert (tree.at("/d/k").mode, tree.at("/d/k").uid, tree.at("/d/k").gid) == (0o600, 7, 8)
