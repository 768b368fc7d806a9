"""``assemble lock`` as people call it, against a small archive on 127.0.0.1; and what must not go near the network."""

import hashlib
import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.image.libraries import versions
from assembler.lockfile.model import SCHEMA, LockedAccounts, LockedBuild
from assembler.lockfile.toml import format_lock, read_lock, write_lock
from assembler.tools.source import BUILD
from tests.debian.archives import date, source
from tests.debian.debs import deb
from tests.lock.test_resolve import base, publish_suite, suite_files
from tests.support.http_server import Server
from tests.support.tool_source import take_tools_from

NOW = datetime.now(UTC)
LOCK = Path("x.lock.toml")
Recipe = Callable[..., None]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSEMBLE_STORE", str(tmp_path / "store"))
    monkeypatch.delenv("ASSEMBLE_MIRROR", raising=False)


@pytest.fixture
def recipe(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Recipe:
    """Writes a recipe with some packages; one with hello is there, and its archive."""

    take_tools_from(source(uris=server.url("/debian")), tmp_path, monkeypatch)

    def write(*packages: str) -> None:
        Path("r.toml").write_text(
            f"name = 'x'\n[debian]\nsources = '''\n{source(uris=server.url('/debian'))}'''\n"
            f"[kernel]\npackage = 'linux-image'\n[rootfs]\npackages = {json.dumps(packages)}\n"
        )

    publish(server)
    write("hello")
    return write


def publish(server: Server, version: str = "1.0", *, age: int = 2, valid: int = 7) -> None:
    tools: dict[str, dict[str, str]] = {name: {} for name in BUILD}
    packages = base(hello={"Version": version}, tool={"Version": version}, **tools)
    times = {"Date": date(NOW - timedelta(hours=age)), "Valid_Until": date(NOW + timedelta(days=valid))}
    publish_suite(server, "trixie", packages, **times)


def version(name: str) -> str:
    lock = read_lock(LOCK)
    assert lock
    (found,) = [package.version for package in lock.packages if package.name == name]
    return found


def test_check_fails_when_the_recipe_has_moved_on(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "r.toml", "--check"]) == 1
    assert "there is no lock" in capsys.readouterr().err
    assert call(["lock", "r.toml"]) == 0
    assert call(["lock", "r.toml", "--check"]) == 0
    recipe("hello", "tool")
    before = LOCK.read_bytes()
    assert call(["lock", "r.toml", "--check"]) == 1
    assert "the recipe has changed since it was locked" in capsys.readouterr().err
    assert call(["r.toml", "--locked"]) == 1, "a build does not lock anew, either"
    assert LOCK.read_bytes() == before


def test_upgrades(recipe: Recipe, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    recipe("hello", "tool")
    assert call(["lock", "r.toml"]) == 0
    publish(server, "1.1", age=1)
    first = LOCK.read_bytes()
    assert call(["lock", "r.toml"]) == 0
    assert LOCK.read_bytes() == first
    capsys.readouterr()
    assert call(["lock", "r.toml", "--diff", "--upgrade"]) == 0
    assert "hello 1.0 -> 1.1\n  hello:amd64 1.0 -> 1.1\n" in capsys.readouterr().out
    assert call(["lock", "r.toml", "--diff", "--upgrade", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {"source": "hello", "old": "1.0", "new": "1.1"}.items() <= result["changes"]["sources"][0].items()
    assert LOCK.read_bytes() == first, "a look changes nothing"
    assert call(["lock", "r.toml", "--upgrade-package", "tool"]) == 0
    assert (version("hello"), version("tool")) == ("1.0", "1.1")
    assert call(["lock", "r.toml", "--prove"]) == 0
    assert "proved up to the signatures of 2 archives" in capsys.readouterr().out
    assert call(["lock", "r.toml", "--upgrade"]) == 0
    assert (version("hello"), version("tool")) == ("1.1", "1.1")


def test_tools_that_nobody_has_signed_are_taken_anew(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    recipe("hello")
    assert call(["lock", "r.toml"]) == 0
    lock = read_lock(LOCK)
    assert lock
    forged = replace(lock.tools, packages=tuple(replace(one, sha256="0" * 64) for one in lock.tools.packages))
    write_lock(LOCK, replace(lock, tools=forged))
    assert call(["lock", "r.toml", "--prove"]) == 1
    said = capsys.readouterr().err
    assert "which would run on this machine" in said
    found = re.search("`assemble lock (.*?)`, which takes all tools again", said)
    assert found
    assert call(["lock", "r.toml", *found[1].split()]) == 0
    assert read_lock(LOCK) == lock
    assert call(["lock", "r.toml", "--prove"]) == 0


@pytest.mark.parametrize("arguments", ["--check --upgrade", "--prove --diff", "--upgrade --upgrade-package x"])
def test_options_that_contradict(arguments: str, recipe: Recipe) -> None:  # noqa: ARG001  writes r.toml
    assert call(["lock", "r.toml", *arguments.split()]) == 2


def test_an_edited_lock_is_refused(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:  # noqa: ARG001  as above
    assert call(["lock", "r.toml"]) == 0
    LOCK.write_text(LOCK.read_text().replace("hello_1.0_amd64.deb", "hello_1.1_amd64.deb"))
    for arguments in (["lock", "r.toml"], ["lock", "r.toml", "--check"], ["r.toml"], ["r.toml", "--offline"]):
        capsys.readouterr()
        assert call(arguments) == 1
        assert "the lock has been edited" in capsys.readouterr().err


def test_an_old_or_expired_release_is_not_locked(
    recipe: Recipe,  # noqa: ARG001  as above
    server: Server,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(["lock", "r.toml"]) == 0
    before = LOCK.read_bytes()
    publish(server, "0.9", age=90)
    assert call(["lock", "r.toml", "--upgrade"]) == 1
    assert "the Release of trixie is older than the one in the lock" in capsys.readouterr().err
    publish(server, "1.1", age=1, valid=-1)
    assert call(["lock", "r.toml", "--upgrade"]) == 1
    assert "the Release of trixie has expired" in capsys.readouterr().err
    assert LOCK.read_bytes() == before


def test_offline_opens_no_connection(recipe: Recipe, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "r.toml"]) == 0
    publish(server, "1.1", age=1)
    asked = len(server.seen)
    for arguments in (["lock", "r.toml", "--upgrade"], ["r.toml"]):
        assert call([*arguments, "--offline"]) == 1
        assert "the network is ruled out" in capsys.readouterr().err
    assert call(["lock", "r.toml", "--offline", "--prove"]) == 0, "all of it is in the store"
    recipe("hello", "tool")
    assert call(["lock", "r.toml", "--offline"]) == 0, "what was locked from is in the store"
    LOCK.unlink()
    assert call(["r.toml", "--locked"]) == 1
    assert "there is no lock" in capsys.readouterr().err
    assert len(server.seen) == asked


def as_schema_3(path: Path) -> None:
    """Write the lock at `path` as the schema before had it."""
    lock = read_lock(path)
    assert lock is not None
    body = format_lock(replace(lock, libraries=())).partition("\nschema")[2].replace(f" = {SCHEMA}", "schema = 3", 1)
    path.write_text(f'integrity = "{hashlib.sha256(body.encode()).hexdigest()}"\n{body}')


@pytest.mark.usefixtures("recipe")
def test_a_lock_of_an_older_format_is_moved(server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "r.toml", "--migrate"]) == 1
    assert "there is no lock" in capsys.readouterr().err
    assert call(["lock", "r.toml"]) == 0
    made = read_lock(LOCK)
    assert made is not None
    assert {tool.name: tool.version for tool in made.libraries} == versions()
    as_schema_3(LOCK)
    old = read_lock(LOCK)
    assert old == replace(made, libraries=())
    publish(server, "1.1", age=1)
    asked = len(server.seen)
    capsys.readouterr()
    assert call(["lock", "r.toml", "--migrate"]) == 0
    assert f"x.lock.toml: from schema 3 to {SCHEMA}, with {len(made.packages)} packages as before" in (
        capsys.readouterr().out
    )
    assert len(server.seen) == asked, "nobody is asked"
    assert read_lock(LOCK) == made
    before = LOCK.read_bytes()
    LOCK.chmod(0o444)
    there = LOCK.stat()
    assert call(["lock", "r.toml", "--migrate"]) == 0
    assert (LOCK.stat().st_ino, LOCK.stat().st_mtime_ns) == (there.st_ino, there.st_mtime_ns), "it is not written again"
    assert f"is of schema {SCHEMA} already" in capsys.readouterr().out
    assert LOCK.read_bytes() == before
    for other in ("--upgrade", "--check", "--prove", "--diff", "--upgrade-package=hello"):
        assert call(["lock", "r.toml", "--migrate", other]) == 2


@pytest.mark.usefixtures("recipe")
def test_other_libraries_are_a_change_of_the_lock(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "r.toml"]) == 0
    lock = read_lock(LOCK)
    assert lock is not None
    build = LockedBuild(recipe_sha256="0" * 64, assembler="0.1.0", outputs=(), layers=())
    write_lock(LOCK, replace(lock, build=build))
    assert call(["lock", "r.toml"]) == 0
    same = read_lock(LOCK)
    assert same is not None
    assert same.build == build, "nothing changes"
    older = tuple(replace(tool, version="0.1") if tool.name == "pycdlib" else tool for tool in lock.libraries)
    write_lock(LOCK, replace(lock, libraries=older, build=build))
    capsys.readouterr()
    assert call(["lock", "r.toml"]) == 0
    assert f"library pycdlib: 0.1 -> {versions()['pycdlib']}" in capsys.readouterr().out
    new = read_lock(LOCK)
    assert new is not None
    assert (new.libraries, new.build) == (lock.libraries, None), "what was recorded was of the other library"


def test_numbers_of_accounts_stay_in_the_lock(recipe: Recipe, capsys: pytest.CaptureFixture[str]) -> None:
    warning = "warning: users and groups may get other numbers than they have on the disks of nodes"
    assert call(["lock", "r.toml"]) == 0
    assert call(["lock", "r.toml", "--upgrade"]) == 0
    assert warning not in capsys.readouterr().err
    recipe("hello", "tool")
    assert call(["lock", "r.toml"]) == 0
    assert warning in capsys.readouterr().err
    lock = read_lock(LOCK)
    assert lock is not None
    kept = LockedAccounts(users=(("statd", 103),))
    write_lock(LOCK, replace(lock, accounts=kept))
    recipe("hello")
    for options in ([], ["--upgrade"], ["--upgrade-package", "hello"]):
        assert call(["lock", "r.toml", *options]) == 0
        lock = read_lock(LOCK)
        assert lock is not None
        assert lock.accounts == kept
    assert warning not in capsys.readouterr().err
    # Without a disk that outlives the image nothing has the old numbers.
    write_lock(LOCK, replace(lock, accounts=LockedAccounts()))
    recipe("hello", "tool")
    with Path("r.toml").open("a") as out:
        out.write("[livecd]\nstate = 'none'\n")
    assert call(["lock", "r.toml"]) == 0
    assert warning not in capsys.readouterr().err


def test_scripts_of_upgraded_packages_that_do_something_else(
    recipe: Recipe, server: Server, capsys: pytest.CaptureFixture[str]
) -> None:
    def publish_with(script: str, version: str, *, age: int) -> None:
        more = {"hello": {"Version": version}, "tool": {"Version": version}}
        packages = base(**more, **{name: {} for name in BUILD})
        scripts = {"postinst": f"#!/bin/sh\nset -e\n{script}\n".encode()}
        debs = {
            name: deb(
                name, files=scripts if name in more else {}, **{"Version": "1.0", "Architecture": "amd64", **fields}
            )
            for name, fields in packages.items()
        }
        times = {"Date": date(NOW - timedelta(hours=age)), "Valid_Until": date(NOW + timedelta(days=7))}
        for path, data in suite_files("trixie", packages, times, debs=debs).items():
            server.serve(f"/debian{path}", data)

    recipe("hello")
    publish_with("echo one >/etc-of-$DPKG_MAINTSCRIPT_PACKAGE", "1.0", age=2)
    assert call(["lock", "r.toml"]) == 0
    assert call(["lock", "r.toml", "--diff", "--upgrade", "--effects"]) == 0
    assert "does something else" not in capsys.readouterr().out
    publish_with(":\necho two >/etc-of-$DPKG_MAINTSCRIPT_PACKAGE", "1.1", age=1)
    assert call(["lock", "r.toml", "--diff", "--upgrade", "--effects"]) == 0
    out = capsys.readouterr().out
    assert "hello postinst: does something else\n  - file " in out
    assert re.search(r"\n  \+ file +/etc-of-hello  4 bytes, SHA-256 27dd8ed44a83 0644 0:0\n", out)
    publish_with("frobnicate", "1.2", age=0)
    assert call(["lock", "r.toml", "--diff", "--upgrade", "--effects", "--json"]) == 0
    (script,) = json.loads(capsys.readouterr().out.splitlines()[-1])["scripts"]
    assert script["package"] == "hello"
    assert script["handling"] == ["computed", "executed"]
    assert script["new"] == []
    assert call(["lock", "r.toml", "--effects"]) == 2
