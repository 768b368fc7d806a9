"""What ``reproduce`` gives its two builds, and what it makes of theirs. The builds are a program that writes down what
it was given: tests/boot has real ones.
"""

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler import api
from assembler.api.build import open_project, secrets
from assembler.api.reproduce import _give, _private, _reach
from assembler.audit.environments import NOBODY, varied
from assembler.audit.recorded import Mismatch, record
from assembler.cli.main import call
from assembler.image.manifest import Layers, Manifest
from assembler.lockfile.toml import format_lock
from assembler.tools.source import of_user
from tests.audit.test_recorded import BUILT, otherwise
from tests.cli.mirrors import LOCK, TIMES, TOOLS, package, serve, surroundings, write_recipe
from tests.debian.archives import source
from tests.lock.test_resolve import base, suite_files
from tests.support.http_server import Server

BUILD = """\
import json, os, shutil, sys
from pathlib import Path
log, given = Path({log!r}), sys.argv[1:]
if "-c" in given:  # whether another user could build
    raise SystemExit(0)
side = "second" if "assembler.cli.varied" in given else "first"
value = lambda name: given[given.index(name) + 1]
mask = os.umask(0)
modes = {{name: os.stat(path).st_mode & 0o777 for name, path in (("directory", "."), ("parent", ".."))}}
files = sorted(path.name for path in Path(value("--store")).parent.iterdir())
objects = len(list(Path(value("--store"), "objects").glob("*/*")))
shown = dict(given=given, env=dict(os.environ), umask=mask, cwd=os.getcwd(), modes=modes, files=files, objects=objects)
if "--arg-file" in given:
    shown["arg"] = Path(value("--arg-file").partition("=")[2]).read_bytes().decode()
(log / f"{{side}}.json").write_text(json.dumps(shown))
if (log / f"fail-{{side}}").exists():
    print(*range(30), sep="\\n", flush=True)
    sys.stderr.buffer.write(b"\\xff such a thing")
    raise SystemExit(3)
out = Path(value("--out"))
out.mkdir()
shutil.copy(log / "manifest.json", out)
(out / "node.iso").write_text(side if (log / "differ").exists() else "same")
"""


def manifest(layers: Layers) -> bytes:
    made = Manifest(
        name="x",
        architecture="amd64",
        source_date_epoch=0,
        recipe_sha256="",
        lock_sha256="",
        layers=layers,
        packages=(),
    )
    return made.json()


class Two:
    """A recipe with its lock, and two builds of it that do as they are told."""

    def __init__(self, directory: Path, server: Server) -> None:
        self.log = directory / "log"
        self.log.mkdir()
        self.recipe = api.RecipeFile(path=Path("r.toml"))
        self.workspace = api.Workspace(
            store=directory / "store",
            jobs=3,
            search="/of/the/host",
            tool_source=lambda: of_user(source(uris=server.url("/debian"))),
        )
        self.makes(BUILT)

    def makes(self, layers: Layers) -> None:
        (self.log / "manifest.json").write_bytes(manifest(layers))

    def records(self, layers: Layers) -> None:
        with open_project(self.workspace, self.recipe.load(), make=False) as context:
            LOCK.write_text(format_lock(replace(context.lock, build=record(layers, secrets(context)))))

    def reproduce(self, **workspace: Any) -> api.ReproduceResult:
        return api.reproduce(self.recipe, Path("out"), replace(self.workspace, **workspace))

    def given(self, side: str) -> dict[str, Any]:
        found = json.loads((self.log / f"{side}.json").read_text())
        assert isinstance(found, dict)
        return found


@pytest.fixture
def two(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Two:
    surroundings(monkeypatch, tmp_path, server)
    real = {name: package(name, b"") for name in ("hello", "init", "linux-image", *TOOLS)}
    serve(server, "/debian", suite_files("trixie", base(hello={}, **TOOLS), TIMES, debs=real))
    write_recipe(server.url("/debian"))
    it = Two(tmp_path, server)
    api.lock(it.recipe, it.workspace)
    program = tmp_path / "python"
    program.write_text(f"#!{sys.executable} -I\n" + BUILD.format(log=str(it.log)))
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(program))
    return it


def test_the_same_twice(two: Two, tmp_path: Path) -> None:
    found = two.reproduce()
    assert found.same
    assert found.recorded is None
    assert found.built == BUILT
    assert sorted(path.name for path in Path("out").iterdir()) == ["audit.json", "first"]
    assert Path("out/first/node.iso").read_text() == "same"
    assert json.loads(Path("out/audit.json").read_bytes()) == found.statement
    predicate = found.statement["predicate"]
    assert predicate["result"] == "identical"
    assert predicate["notVaried"] == dict(found.not_varied)
    root = os.geteuid() == 0
    why = f"as user {NOBODY} may not read the assembler or the recipe" if root else "which only root can change"
    assert found.not_varied == {"user": why}

    first, second = two.given("first"), two.given("second")
    package = str(Path(api.__file__).parents[2])
    for one, name, starts in (
        (first, "a", ["-P", "-m", "assembler"]),
        (second, "b", ["-P", "-m", "assembler.cli.varied", str(365 * 24 * 3600), "20260101"]),
    ):
        here = Path(one["cwd"])
        recipes = str(tmp_path) if one is first else str(here.parents[1] / "by-another-name")
        jobs = "3" if one is first else "1"
        assert here.name == name
        assert one["given"] == [
            *starts,
            *("build", f"{recipes}/r.toml", "--out", f"{here}/out", "--store", f"{here}/store"),
            *("--offline", "--jobs", jobs),
        ]
        assert one["env"]["HOME"] == f"{here}/home"
        assert one["env"]["TMPDIR"] == f"{here}/tmp"
        assert one["env"]["PYTHONPATH"] == package
        assert one["env"]["PYTHONDONTWRITEBYTECODE"] == "1"
        assert one["modes"] == {"directory": 0o755, "parent": 0o755}
        assert one["files"] == ["args", "home", "store", "tmp"]
        assert one["objects"] >= 9, "the packages, and what the tools are made of"
        assert not here.exists()
    assert (first["umask"], second["umask"]) == (0o022, 0o077)
    assert first["env"]["PATH"] == "/of/the/host"
    assert second["env"]["PATH"] == f"{second['cwd']}/nothing"
    assert Path(second["cwd"]).parent.name == "another-directory"


def test_two_that_differ_are_both_kept(two: Two, capsys: pytest.CaptureFixture[str]) -> None:
    (two.log / "differ").touch()
    two.records(BUILT)
    found = two.reproduce()
    assert not found.same
    assert found.recorded == ()
    assert [(change.path, change.offset, change.bytes) for change in found.found.changes] == [("node.iso", 0, 5)]
    assert Path("out/first/node.iso").read_text() == "first"
    assert Path("out/second/node.iso").read_text() == "second"
    capsys.readouterr()
    assert call(["audit", "r.toml", "--out", "other"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[-2:] == ["r.toml: two builds from one lock differ", "the lock has recorded the same outputs"]
    assert json.loads(Path("out/audit.json").read_bytes())["predicate"]["result"] == "different"


def test_what_the_lock_has_recorded(two: Two) -> None:
    two.records(BUILT)
    two.makes(otherwise("rootfs", "tree", contents={"listing.txt": "9" * 64}))
    found = two.reproduce()
    assert found.recorded == (Mismatch("rootfs.tree", (), begins=True),)
    assert not found.same
    assert not Path("out/second").exists(), "both builds are the same"
    two.makes(otherwise("rootfs", "tree", inputs={"assembler": "code", "rootfs.hostname": "y"}))
    found = api.reproduce(two.recipe, Path("other"), two.workspace)
    assert found.recorded is None, "of another recipe"
    assert found.same


def test_a_build_that_fails(two: Two) -> None:
    (two.log / "fail-second").touch()
    with pytest.raises(api.AssembleError) as caught:
        two.reproduce()
    assert caught.value.what == "the second build failed"
    assert caught.value.why == "its exit status is 3"
    assert caught.value.hint == "see whether assemble r.toml --offline works"
    assert len(caught.value.details) == 20
    assert caught.value.details[-2:] == ("29", "\ufffd such a thing")
    assert not Path("out/audit.json").exists()


def test_what_the_user_gives_is_handed_on(two: Two, tmp_path: Path) -> None:
    Path("r.toml").write_text(Path("r.toml").read_text() + "[args]\nA = ''\n")
    two.recipe = replace(two.recipe, args={"A": "hunter2"}, project=Path())
    two.workspace.store.chmod(0o777)
    two.reproduce(trust_store=True)
    for side in ("first", "second"):
        one = two.given(side)
        assert one["arg"] == "hunter2\r\n"
        assert "hunter2" not in " ".join(one["given"])
        assert one["given"][one["given"].index("--project") + 1] == str(tmp_path)
        assert one["given"][-1] == "--trust-store"
        assert "args" in one["files"]


def test_what_is_refused(two: Two) -> None:
    Path("out").mkdir()
    Path("out/x").touch()
    with pytest.raises(api.AssembleError, match="the directory for what is built is not empty"):
        two.reproduce()
    assert not (two.log / "first.json").exists()
    Path("out/x").unlink()
    LOCK.unlink()
    with pytest.raises(api.AssembleError, match="there is no lock"):
        two.reproduce(offline=True)
    assert not list(Path("out").iterdir())
    assert call(["reproduce", "r.toml", "--out", "out"]) == 0, "with a network, the lock is made"
    assert LOCK.exists()


def test_reach_is_the_same_in_every_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert _reach(api.RecipeFile(path=Path("r.toml"))) == []
    recipe = api.RecipeFile(path=Path("r.toml"), project=Path("link"), allow_read=(Path("a"), Path("link/b")))
    real = str(tmp_path.resolve())
    assert _reach(recipe) == [
        *("--project", f"{real}/real"),
        *("--allow-read", f"{real}/a"),
        *("--allow-read", f"{real}/real/b"),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_another_user_builds_in_is_that_users(tmp_path: Path) -> None:
    """The directories; objects are only read. Arguments are, too, and nobody else's to read."""
    (tmp_path / "b/store/objects/ab").mkdir(parents=True)
    (tmp_path / "b/store/objects/ab/abcd").touch()
    _give(tmp_path / "b", NOBODY)
    here = varied(tmp_path / "b", tmp_path, python="", search="", user=NOBODY)
    assert _private(here, {"A": "hunter2"}) == ["--arg-file", f"A={tmp_path}/b/args/0"]
    owners = {str(path.relative_to(tmp_path)): path.stat() for path in tmp_path.rglob("*")}
    assert {path: (found.st_uid, found.st_gid) for path, found in owners.items()} == {
        **dict.fromkeys(
            ("b", "b/store", "b/store/objects", "b/store/objects/ab", "b/args", "b/args/0"), (NOBODY, NOBODY)
        ),
        "b/store/objects/ab/abcd": (0, 0),
    }
    assert [owners[path].st_mode & 0o777 for path in ("b/args", "b/args/0")] == [0o700, 0o600]
