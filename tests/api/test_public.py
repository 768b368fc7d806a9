"""The public API: a program that knows nothing else builds an image, in an empty environment."""

import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assembler import api
from assembler.api.tools import _serves, host
from assembler.lockfile.model import LockedArchive, LockedToolbox
from assembler.tools.locking import Box
from assembler.tools.source import BUILD, of_user
from tests.cli.mirrors import archive, serve, write_recipe
from tests.debian.archives import source
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server, running

README = Path(__file__).parents[2] / "README.md"


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An archive, and the recipe node.toml in the working directory that takes packages from it."""
    monkeypatch.chdir(tmp_path)
    with running() as found:
        serve(found, "/debian", archive())
        write_recipe(found.url("/debian"))
        text = Path("r.toml").read_text()
        args = "[args]\nHOSTNAME = 'x'\n"
        Path("node.toml").write_text(f"{text}{args}".replace("[rootfs]\n", "[rootfs]\nhostname = '${HOSTNAME}'\n"))
        yield found


def program(text: str) -> tuple[str, list[str]]:
    """What a program prints that runs in an empty environment, and the modules that it has loaded."""
    ends = "\nimport json, sys; print(json.dumps(sorted(sys.modules)))"
    environment = {"PYTHONPATH": str(Path(api.__file__).parents[2]), "no_proxy": "127.0.0.1"}
    done = subprocess.run(
        [sys.executable, "-P", "-c", text + ends], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    *lines, modules = done.stdout.splitlines()
    return "\n".join(lines), json.loads(modules)


def test_the_example_of_the_readme_builds_an_image(server: Server) -> None:
    section = README.read_text("utf-8").partition("## Public API")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    # Tools come from the same archive, as there is no other here.
    tools = f"tool_source=lambda: api.tool_source({source(uris=server.url('/debian'))!r}), "
    assert example.count("Workspace(store") == 1
    printed, modules = program(
        "from assembler import api\n" + example.replace("Workspace(store", f"Workspace({tools}store")
    )
    lines = dict(line.split()[::-1] for line in printed.splitlines())
    manifest = json.loads(Path("out/manifest.json").read_bytes())
    assert lines == {one["name"]: one["sha256"] for one in manifest["artifacts"]}
    assert "rootfs.tar.zst" in lines
    assert not {"click", "rich"} & set(modules)
    assert not [name for name in modules if name.startswith("assembler.cli")]


def test_each_step_of_a_project(server: Server) -> None:
    """Locking, checking and explaining, and the reporter that is told of it."""
    told: list[str] = []

    class Listener(type(api.Workspace(store=Path()).reporter)):  # type: ignore[misc]  # the silent one
        def info(self, text: str) -> None:
            told.append(text)

    workspace = api.Workspace(
        store=Path("store").absolute(),
        tool_source=lambda: api.tool_source(source(uris=server.url("/debian"))),
        reporter=Listener(),
    )
    recipe = api.RecipeFile(path=Path("node.toml"))
    dry = api.lock(recipe, workspace, api.LockOptions(write=False))
    assert not dry.written
    assert not dry.path.exists()
    made = api.lock(recipe, workspace)
    assert made.written
    assert made.previous is None
    assert made.path.exists()
    assert told == ["locked 3 packages in the image, 10 in all and 7 for the tools that build it"]
    again = api.lock(recipe, workspace, api.LockOptions(upgrade=True))
    assert again.previous == made.lock
    assert not again.changes
    assert api.check_lock(recipe, workspace, prove=True).proved == len(made.lock.packages) + 7
    checked = api.check(recipe, workspace, locked=True)
    assert checked.packages == ("hello", "init", "linux-image")
    assert not checked.problems
    states = {one.step.label: one.state for one in api.explain(recipe, Path("out"), workspace)}
    assert states["rootfs.tree"] == "make"


def test_recording_part_of_a_build_is_refused(tmp_path: Path) -> None:
    options = api.BuildOptions(only=("rootfs",), record=True)
    with pytest.raises(api.AssembleError, match="recorded of a whole build only"):
        api.build(api.RecipeFile(path=tmp_path / "x.toml"), tmp_path, api.Workspace(store=tmp_path), options)


def test_a_workspace_reads_no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PATH", "HOME", "ASSEMBLE_STORE", "ASSEMBLE_MIRROR", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, "/from/the/environment")
    assert "/from/the/environment" not in repr(api.Workspace(store=Path("/s")))


def test_a_machine_that_no_tools_run_on() -> None:
    with pytest.raises(api.AssembleError, match="no tools run on this machine's architecture") as caught:
        host(api.Workspace(store=Path("s"), architecture=""))
    assert caught.value.hint == "use a machine of x86_64 or aarch64"
    assert host(api.Workspace(store=Path("s"), architecture="arm64")).name == "arm64"


def test_tools_of_a_lock_that_serve() -> None:
    """All that a build takes, for this machine, of the archives that tools come from, and none too old."""
    known = of_user(source(uris="https://example.org/debian"))
    archive = LockedArchive(
        id="trixie", root="https://example.org/debian", suite="trixie", components=("main",), inrelease_sha256="0" * 64,
        date="2026-01-01T00:00:00Z", valid_until="", signed_by=(), indices=(),
    )  # fmt: skip
    hello, *_ = LOCK.packages
    packages = tuple(replace(hello, name=name, version="999") for name in BUILD)
    tools = LockedToolbox(architecture="amd64", archives=(archive,), packages=packages)
    box = Box(names=BUILD, architecture="amd64")
    assert _serves(tools, box, known)
    assert not _serves(tools, replace(box, architecture="arm64"), known)
    assert not _serves(replace(tools, packages=packages[1:]), box, known)
    assert not _serves(replace(tools, archives=(replace(archive, suite="sid"),)), box, known)
    assert not _serves(replace(tools, archives=(archive, replace(archive, root="https://x"))), box, known)


def test_arguments_are_not_shown() -> None:
    assert "hunter2" not in repr(api.RecipeFile(path=Path("x"), args={"PASSWORD": "hunter2"}))


def test_everything_public_is_there_and_says_what_it_is() -> None:
    assert sorted(api.__all__) == api.__all__
    for name in api.__all__:
        found = getattr(api, name)
        if inspect.isfunction(found) or inspect.isclass(found):
            assert inspect.getdoc(found), name
            assert found.__module__.startswith("assembler."), name


def test_options_and_results_are_values() -> None:
    for name in api.__all__:
        if name.endswith(("Options", "Result")):
            assert getattr(api, name).__dataclass_params__.frozen, name
            assert os.fspath(Path(inspect.getfile(getattr(api, name))).parent).endswith("api"), name
