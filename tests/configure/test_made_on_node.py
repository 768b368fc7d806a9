"""What scripts leave to nodes is in no image, and a unit makes it there; tests/programs/test_openssl.py has what."""

import subprocess
from pathlib import Path

import pytest

from assembler.audit.judge import judge, side_of, unexplained
from assembler.configure.engine import ScriptFailed, ScriptsFailed, Settings, configure
from assembler.configure.executed import Execution
from assembler.configure.identity import made_on_node
from assembler.configure.identity.made_on_node import DIRECTORY, PROGRAM, UNIT, places
from assembler.configure.job import Configure, Job, Run
from assembler.tree.changes import Changes, Entry
from assembler.tree.staging import Kind, Tree
from tests.debian.unpacked import package
from tests.support.host_commands import on_this_host
from tests.support.ordinary import chown_by_anybody  # noqa: F401  a fixture

SCRIPT = """#!/bin/sh
set -e
mkdir -p /etc/odd
openssl req -x509 -newkey rsa:1024 -nodes -days 9 -subj /CN=odd -out /etc/odd/odd.pem -keyout /etc/odd/odd.key
chown odd:adm /etc/odd/odd.key
chmod 640 /etc/odd/odd.key
openssl dhparam -out /etc/odd/dh 512
ln -s odd.pem /etc/odd/$(openssl x509 -noout -hash -in /etc/odd/odd.pem).0
"""
PLACES = [("/etc/odd/dh", "root:root", 0o644), ("/etc/odd/odd.key", "odd:adm", 0o640),
          ("/etc/odd/odd.pem", "root:root", 0o644)]  # fmt: skip
WORK = f"{DIRECTORY}/000-odd"


def configured(
    script: str = SCRIPT, *, systemd: bool = True, execution: Execution | None = None, other: str = ""
) -> Tree:
    tree = Tree()
    tree.mkdir("/usr/lib/systemd/system" if systemd else "/usr/lib", parents=True)
    tree.write("/etc/passwd", b"root:x:0:0::/:/bin/sh\nodd:x:103:4::/:/bin/sh\n", parents=True)
    tree.write("/etc/group", b"root:x:0:\nadm:x:4:\n")
    tree.write("/usr/lib/ssl/openssl.cnf", Path("/etc/ssl/openssl.cnf").read_bytes(), parents=True)
    packages = [package(tree, "odd", postinst=script)]
    if other:
        packages.append(package(tree, "other", depends="odd", postinst=other))
    if execution:
        packages.append(package(tree, "later", depends="odd", postinst="#!/bin/sh\nodd-setup\n"))
    configure(tree, packages, Settings(0, "amd64", execution=execution))
    return tree


def test_it_is_not_in_the_image_and_a_unit_makes_it() -> None:
    tree = configured()
    assert tree.names("/etc/odd") == []
    assert sorted(places(tree.read(WORK))) == PLACES
    assert (tree.at(WORK).mode, tree.at(PROGRAM).mode) == (0o700, 0o755)
    assert tree.lexists(f"/etc/systemd/system/basic.target.wants/{UNIT}")
    unit = tree.read_text(f"/usr/lib/systemd/system/{UNIT}")
    assert f"ExecStart={PROGRAM}\n" in unit
    assert "Before=configure-packages.service\nBefore=basic.target" in unit


def test_where_nothing_is_left_there_is_nothing() -> None:
    tree = configured("#!/bin/sh\nopenssl genrsa -out /k 1024\nrm /k\n")
    assert not tree.lexists("/usr/lib/assembler")
    assert not tree.lexists(f"/usr/lib/systemd/system/{UNIT}")


@pytest.mark.parametrize(
    "how",
    [
        "ln /etc/odd/dh /etc/odd/other",
        "setcap cap_chown=ep /etc/odd/dh",
        "mkdir -p /run/odd; mv /etc/odd/dh /run/odd",
        "mkdir -p /tmp; openssl rand -out /tmp/r 9",
        "openssl req -x509 -newkey rsa:1024 -nodes -batch -out /c -keyout /k; echo >>/usr/lib/ssl/openssl.cnf",
    ],
)
def test_what_a_node_cannot_do_has_the_package_executed(how: str) -> None:
    with pytest.raises(ScriptsFailed) as caught:
        configured(f"{SCRIPT}{how}\n")
    assert [name for (name, _), _ in caught.value.instead] == ["odd"]


READER = "#!/bin/sh\nset -e\nopenssl req -x509 -key /etc/odd/k -subj /CN=x -out /etc/c\n"


def test_who_reads_what_does_not_stay_is_executed() -> None:
    make = "#!/bin/sh\nmkdir -p /etc/odd; openssl genrsa -out /etc/odd/k 1024\n"
    tree = configured(make, other=READER)
    assert b'"$root"/etc/odd/k' in tree.read(f"{DIRECTORY}/001-other")
    with pytest.raises(ScriptsFailed) as caught:
        configured(make, other=f"{READER}rm /etc/odd/k\n")
    assert [name for name, _ in caught.value.instead] == [("other", "postinst")]

    def execute(_tree: Tree, job: Job) -> Changes:
        # The script that is executed removes the key.
        assert [step.package for step in job.steps if isinstance(step, Run)] == ["odd"]
        return Changes()

    with pytest.raises(ScriptsFailed) as caught:
        configured(make, other=READER, execution=Execution(execute=execute, names={"later": "it asks"}))
    assert [name for name, _ in caught.value.instead] == [("other", "postinst")]


def test_without_systemd_nobody_would_make_it() -> None:
    with pytest.raises(ScriptsFailed) as caught:
        configured(systemd=False)
    assert "no systemd" in str(caught.value.errors[0])


def test_the_scripts_are_clean_shell(tmp_path: Path) -> None:
    tree = configured()
    for path in (PROGRAM, WORK):
        (file := tmp_path / "script").write_bytes(tree.read(path))
        subprocess.run(["shellcheck", "-o", "all", "-e", "SC2250,SC2310", file], check=True)


def node(tmp_path: Path, script: bytes) -> Path:
    """The root folder of a node whose owners are those of the test."""
    root = tmp_path / "node"
    (root / "etc/odd").mkdir(parents=True)
    (root / DIRECTORY[1:]).mkdir(parents=True)
    work = root / WORK[1:]
    work.write_bytes(on_this_host(script).replace(b" odd:adm ", b" root:root "))
    work.chmod(0o755)
    return root


def start(root: Path, status: int = 0) -> dict[str, bytes]:
    """What is there after a node has started."""
    program = Path(made_on_node.__file__).with_name("make-on-node")
    assert subprocess.run([program, root], check=False, capture_output=True).returncode == status
    return {path.name: path.read_bytes() for path in (root / "etc/odd").iterdir()}


def test_what_somebody_brings_stays(tmp_path: Path) -> None:
    root = node(tmp_path, configured().read(WORK))
    (root / "etc/odd/dh").write_bytes(b"mine")
    (root / "etc/odd/odd.key").touch()
    made = start(root)
    assert made["dh"] == b"mine"
    assert b"PRIVATE KEY" in made["odd.key"]
    assert len(made) == 4
    assert start(root) == made


def test_half_of_a_pair_is_not_made(tmp_path: Path) -> None:
    root = node(tmp_path, configured("\n".join(SCRIPT.splitlines()[:-1])).read(WORK))
    (root / "etc/odd/odd.pem").write_bytes(b"mine")
    assert start(root).keys() == {"dh", "odd.pem"}


def test_a_key_without_its_certificate_keeps_nothing_else_from_being_made(tmp_path: Path) -> None:
    script = SCRIPT.replace("openssl dhparam -out /etc/odd/dh 512\n", "") + "openssl dhparam -out /etc/odd/dh 512\n"
    root = node(tmp_path, configured(script).read(WORK))
    (root / "etc/odd/odd.key").write_bytes(b"mine")
    assert start(root).keys() == {"dh", "odd.key"}


def test_what_fails_keeps_nothing_else_from_being_made(tmp_path: Path) -> None:
    gone = "#!/bin/sh\nset -e\nmkdir -p /etc/gone\nopenssl genrsa -out /etc/gone/k 1024\n"
    root = node(tmp_path, configured(gone + SCRIPT).read(WORK))
    assert len(start(root, 1)) == 4
    (root / "etc/gone").mkdir()
    assert len(start(root)) == 4
    assert (root / "etc/gone/k").exists()


def test_a_run_that_was_interrupted_is_completed(tmp_path: Path) -> None:
    root = node(tmp_path, configured().read(WORK))
    made = start(root)
    (root / "etc/odd/odd.key").rename(root / "etc/odd/odd.key.new")
    assert start(root) == made
    for name in ("odd.key", "odd.pem"):
        (root / f"etc/odd/{name}").rename(root / f"etc/odd/{name}.new")
    (root / "etc/odd/odd.key.new").write_bytes(b"half")
    assert start(root)["odd.key"].startswith(b"-----BEGIN")


def test_executed_packages_find_it_and_what_they_do_counts() -> None:
    seen: list[Job] = []

    def execute(_tree: Tree, job: Job) -> Changes:
        seen.append(job)
        entries = {
            "/etc/odd/odd.key": (0o600, b"-----BEGIN PRIVATE KEY-----\n"), "/etc/odd/odd.pem": (0o644, b"x"),
            "/etc/later": (0o644, b"y"),
        }  # fmt: skip
        put = {
            path: Entry(kind=Kind.FILE, mode=mode, uid=0, gid=4, mtime=0, content=text)
            for path, (mode, text) in entries.items()
        }
        link = Entry(kind=Kind.SYMLINK, mode=0o777, uid=0, gid=0, mtime=0, target="odd.pem")
        return Changes(put={**put, "/etc/odd/0a1b2c3d.0": link})

    tree = configured(execution=Execution(execute=execute, names={"later": "it asks"}))
    stand_in, executed = seen[0].steps
    assert isinstance(stand_in, Run)
    assert stand_in.package == "odd"
    assert b"stage 2 " in stand_in.script
    assert isinstance(executed, Configure)
    assert tree.names("/etc/odd") == []
    assert tree.exists("/etc/later")
    # Gone is what was removed there.
    assert sorted(places(tree.read(WORK))) == [
        ("/etc/odd/odd.key", "root:adm", 0o600), ("/etc/odd/odd.pem", "root:adm", 0o644),
    ]  # fmt: skip


def test_it_is_held_against_what_dpkg_made() -> None:
    ours, dpkgs = configured(), configured()
    for path in (WORK, PROGRAM):
        dpkgs.remove(path)
    dpkgs.write("/etc/odd/dh", b"dh", 0o644)
    dpkgs.write("/etc/odd/odd.pem", b"pem", 0o600)
    dpkgs.write("/etc/odd/odd.key", b"key", 0o640, 103, 103)
    dpkgs.symlink("odd.pem", "/etc/odd/0a1b2c3d.0")
    dpkgs.write("/etc/odd/more", b"key")
    told = {(one.path, one.aspect) for one in unexplained(judge(side_of(ours, "computed"), side_of(dpkgs, "dpkg")))}
    assert told == {("/etc/odd/odd.pem", "mode"), ("/etc/odd/odd.key", "owner"), ("/etc/odd/more", "missing")}
    dpkgs.remove("/etc/odd/dh")
    assert "/etc/odd/dh" in {one.path for one in judge(side_of(ours, "computed"), side_of(dpkgs, "dpkg"))}


def test_a_script_that_fails_is_told() -> None:
    with pytest.raises((ScriptFailed, ScriptsFailed)):
        configured("#!/bin/sh\nset -e\nopenssl genrsa -out /k 1024\ngrep -q BEGIN /k\n")
