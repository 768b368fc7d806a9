"""Wherever it is installed, the assembler builds what the checkout builds, with nothing of the checkout."""

import re
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from assembler.store.objects import Store
from tests.package import installed
from tests.package.installed import ROOT, as_user, own, single_file, with_pip, with_uv
from tests.package.test_declared import canonical
from tests.support.toolboxes import cache

SMALL = """\
name = "small"
[kernel]
package = "linux-image-cloud-amd64"
[livecd]
compression_level = 1
"""


def tracked() -> set[str]:
    listed = subprocess.check_output(["git", "-c", "safe.directory=*", "ls-files", "-z"], cwd=ROOT, text=True)
    return set(filter(None, listed.split("\0")))


def test_a_wheel_has_what_git_has_and_an_sdist_gives_the_same(tmp_path: Path) -> None:
    strangers = [
        ROOT / name for name in ("recipes/stranger.lock.toml", "recipes/stranger.toml", "assembler/stranger.py")
    ]
    try:
        for path in strangers:
            path.touch()
        wheel = installed.wheel(tmp_path / "wheel")
        sdist = installed.wheel(tmp_path / "sdist", "sdist")
    finally:
        for path in strangers:
            path.unlink()
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    code = {name for name in tracked() if name.startswith("assembler/")}
    beside = {
        f"assembler/{name}" for name in tracked() if name.startswith(("recipes/", "initramfs/")) or name == "NOTICE"
    }
    assert held == code | beside
    assert "assembler/py.typed" in held
    subprocess.run(["tar", "--extract", "--file", sdist, "--directory", tmp_path], check=True)
    (unpacked,) = tmp_path.glob("assembler-*")
    assert not list(unpacked.rglob("*stranger*"))
    assert installed.wheel(tmp_path / "again", root=unpacked).read_bytes() == wheel.read_bytes()


TRAPS = ("assembler", "click", "pex", "__pex__", "zipfile", "os", "json", "sitecustomize", "venv")
"""Modules of the directory that people work in, none of which is run."""


def test_every_way_to_install_it_builds_what_the_checkout_builds() -> None:
    with installed.place() as place:
        home, work = own(place / "home"), own(place / "work")
        store, reference = ["--store", str(place / "store")], place / "checkout"
        (work / "small.toml").write_text(SMALL)
        for name in TRAPS:
            (work / f"{name}.py").write_text("raise SystemExit(99)\n")
        (work / ".pexrc").write_text("PEX_MODULE=os\n")
        project, wheels = installed.wheel(place / "dist"), installed.requirements()
        build = ("small.toml", "--only", "livecd", "--json")
        with ThreadPoolExecutor(2) as pool:
            checkout = (*installed.module("assembler"), *build, "--store", str(cache()), "--out", str(reference))
            built = pool.submit(subprocess.run, checkout, cwd=work, stdout=subprocess.DEVNULL, check=True)
            made = [
                pool.submit(way, project, wheels, place / name)
                for name, way in (("pip", with_pip), ("uv", with_uv), ("file", single_file))
            ]
            built.result()
            pip, uv, file = (str(each.result()) for each in made)

        # Downloads alone: everything is computed by what pip has installed.
        Store(cache()).share(place / "store")
        own(place / "store")
        as_user([pip, *build, "--offline", *store, "--out", "pip"], home, cwd=work)
        for name, command in {"uv": uv, "file": file}.items():
            # The others would say that the assembler has changed if they had any other code in their keys.
            said = as_user([command, *build[:-1], "--explain", *store, "--out", "pip"], home, cwd=work)
            assert {line.split()[-1] for line in said.splitlines() if line.startswith("livecd.")} == {"unchanged"}, said
            as_user([command, *build, "--offline", *store, "--out", name], home, cwd=work)
        for name in ("pip", "uv", "file"):
            for output in ("node.iso", "manifest.json"):
                assert (work / name / output).read_bytes() == (reference / output).read_bytes(), f"{name}: {output}"

        as_user([file, "init", "mine"], home, cwd=work)
        begun = (work / "mine/node.toml").read_text()
        (work / "mine/node.toml").write_text(begun.replace('name = "node"', 'name = "livecd"'))
        as_user([file, "lock", "mine/node.toml", *store], home, cwd=work)
        # What it begins with is locked as what it is on top of, whose lock is in the working directory.
        (work / "mine/livecd.lock.toml").rename(work / "livecd.lock.toml")
        as_user([uv, "lock", "builtin:livecd.toml", "--check", *store], home, cwd=work)
        for command in (pip, uv):
            said = as_user([command, "builtin:livecd.toml", "--explain", *store], home, cwd=work)
            assert re.search(r"^livecd.iso +made again$", said, re.MULTILINE), said
        assert "GNU General Public License, version 3 or later" in as_user([file, "--licences"], home, cwd=work)
        with zipfile.ZipFile(file) as archive:
            assert archive.read("NOTICE") == (ROOT / "NOTICE").read_bytes()
            assert archive.read("LICENCES/GPL-3.0.txt") == (ROOT / "licences/GPL-3.0.txt").read_bytes()
            listed = archive.read("LICENCES/packages.txt").decode()
            names = archive.namelist()
        pinned = re.findall(r"^(\S+==\S+) \\$", (ROOT / "requirements.txt").read_text("ascii"), re.MULTILINE)
        of = {canonical(line.partition(": ")[0]): line.partition(": ")[2] for line in listed.splitlines()}
        assert {canonical(each.replace("==", "-")) for each in pinned} <= set(of)
        assert "?" not in of.values()
        assert any(re.match(r"LICENCES/pycdlib-.*/COPYING", name) for name in names)
        assert any(re.match(r"LICENCES/pex-.*/LICENSE", name) for name in names)
