"""Some questions and calls of maintainer scripts, where the answer is in the tree."""

import subprocess
from pathlib import Path

import pytest

from assembler.programs import control_path
from assembler.programs.packages_known import Fixed, Known
from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Budget, Pipe, Refused, Stream
from assembler.tree.staging import Tree
from tests.support.host_commands import need
from tests.support.scripts import run
from tests.tree.disk import tree_of

ACCOUNTS = {"/etc/passwd": "root:x:0:0:::\n", "/etc/group": "root:x:0:\nmail:x:8:\n", "/var/lib/dpkg/": ""}


def test_an_override_that_is_there_already_is_an_error() -> None:
    tree = tree_of({**ACCOUNTS, "/d/": ""})
    assert run("dpkg-statoverride --update --quiet --add root root 01733 /d\n", tree) == 0
    assert oct(tree.at("/d").mode) == "0o1733"
    assert run("dpkg-statoverride --update --quiet --add root mail 0700 /d\n", tree) == 2
    assert oct(tree.at("/d").mode) == "0o1733"
    assert run("dpkg-statoverride --force --update --quiet --add root mail 0700 /d\n", tree) == 0
    assert tree.read_text("/var/lib/dpkg/statoverride") == "root mail 700 /d\n"
    with pytest.raises(Refused):
        run("dpkg-statoverride --update --add root root 17777 /d\n", tree)


def test_dpkg_says_the_same(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "etc").mkdir()
    for path in ("/etc/passwd", "/etc/group"):
        (tmp_path / path[1:]).write_text(ACCOUNTS[path])
    command = [need("dpkg-statoverride", "dpkg"), "--root", str(tmp_path), "--quiet", "--add", "root"]
    assert subprocess.run([*command, "root", "01733", "/d"], check=False).returncode == 0
    assert subprocess.run([*command, "mail", "0700", "/d"], check=False, stderr=subprocess.DEVNULL).returncode == 2
    command.insert(3, "--force-all")
    assert subprocess.run([*command, "mail", "0700", "/d"], check=False, stderr=subprocess.DEVNULL).returncode == 0
    assert (tmp_path / "var/lib/dpkg/statoverride").read_text() == "root mail 700 /d\n"


@pytest.mark.parametrize("options", ["+vc:o:", "vc:o:"])
def test_getopt_ends_at_the_first_operand_or_not(options: str) -> None:
    words = f"getopt -o {options} --longoptions check,quiet -n x -- -v -cx a --quiet -o y"
    tree = tree_of({"/out": ""})
    assert run(f"{words} >/out\n", tree) == 0
    real = subprocess.run(
        [need("getopt", "util-linux"), *words.split()[1:]], check=True, capture_output=True, text=True
    )
    assert tree.read_text("/out") == real.stdout
    assert ("-- 'a' '--quiet'" in real.stdout) is options.startswith("+")


def control_file(name: str, file: str) -> tuple[int, str]:
    tree, budget = Tree(), Budget()
    tree.write("/var/lib/dpkg/info/lib:amd64.postinst", b"", parents=True)
    same = {"Package": "lib", "Status": "install ok installed", "Architecture": "amd64", "Multi-Arch": "same"}
    everywhere = {"Package": "data", "Status": "install ok installed", "Architecture": "all"}
    known = Fixed("amd64", [Known(same), Known(everywhere)])
    output = Pipe(budget)
    streams: dict[int, Stream] = {0: NOWHERE, 1: output, 2: NOWHERE}
    process = Process(tree, ["--control-path", name, file], {}, "/", 0o022, streams, budget)
    return control_path.control_path(process, known), output.data.decode()


def test_control_files_of_a_package_with_its_architecture() -> None:
    assert control_file("lib:amd64", "postinst") == (0, "/var/lib/dpkg/info/lib:amd64.postinst\n")
    assert control_file("lib", "postinst") == (0, "/var/lib/dpkg/info/lib:amd64.postinst\n")
    assert control_file("lib:amd64", "postrm") == (0, "")
    assert control_file("none:amd64", "postrm") == (1, "")
    for name in ("lib:i386", "data:amd64"):
        with pytest.raises(Refused):
            control_file(name, "postinst")


def test_a_temporary_file_of_tempfile() -> None:
    tree = tree_of({"/tmp/": "", "/tmp/fileaaaaaa": "", "/out": ""})
    assert run("tempfile >/out\n", tree) == 0
    assert tree.read_text("/out") == "/tmp/fileaaaaab\n"
    assert oct(tree.at("/tmp/fileaaaaab").mode) == "0o600"
    for command in ("tempfile -d /tmp", "TMPDIR=/x tempfile", "tempfile 2>/out"):
        with pytest.raises(Refused):
            run(f"{command}\n", tree)


def test_a_program_beside_the_script_is_refused_and_none_is_not_there() -> None:
    tree = tree_of({"/d/tool": "", "/e/": ""})
    assert run("chmod 755 /d/tool\ncd /e\nPATH=$PATH:.\ntool 2>/dev/null\n", tree) == 127
    with pytest.raises(Refused, match="relative directory"):
        run("cd /d\nPATH=$PATH:\ntool\n", tree)


def test_the_name_of_the_machine() -> None:
    tree = tree_of({"/out": ""})
    assert run("{ uname -n; uname -sn; } >/out\n", tree) == 0
    assert tree.read_text("/out") == "localhost\nLinux localhost\n"
    with pytest.raises(Refused):
        run("uname -nr >/out\n", tree)
