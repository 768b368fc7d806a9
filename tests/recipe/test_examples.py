"""The recipes that people begin with, in recipes/examples: each is short, and an image comes of it.

Their packages are the real archive's. Publishers of Kubernetes do not come into it, and NVIDIA's archive is imitated.
"""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.recipe.load import load
from tests.debian.archives import certificate, date, release, signed, stanza
from tests.debian.debs import deb, directory, item
from tests.support.http_server import Server
from tests.support.toolboxes import cache

EXAMPLES = Path(__file__).parents[2] / "recipes/examples"
NAMES = sorted(path.stem for path in EXAMPLES.glob("*.toml"))
NVIDIA = "https://nvidia.github.io/libnvidia-container/stable/deb/amd64"
PARTS = ("kubelet", "kubeadm", "containerd", "runc", "crictl", "nerdctl", "cni_plugins")
WITHOUT_PUBLISHERS = "".join(f'kubernetes.{part} = {{ source = "none" }}\n' for part in PARTS)
WITHOUT_PUBLISHERS += 'kubernetes.kubectl = { source = "debian" }\nkubernetes.images = "none"\n'
IN_SHORT = 'artifacts.formats = []\nlivecd.compression = "lz4"\n'


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    (tmp_path / "examples/nvidia.asc").write_text(certificate())
    monkeypatch.chdir(tmp_path / "examples")
    return tmp_path / "examples"


def test_there_are_some() -> None:
    assert len(NAMES) >= 5


@pytest.mark.parametrize("name", NAMES)
def test_they_are_short_and_load(name: str, project: Path) -> None:
    lines = [line for line in (project / f"{name}.toml").read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) <= 10
    assert load(project / f"{name}.toml").recipe.name == name


@pytest.mark.parametrize("name", NAMES)
def test_an_image_comes_of_them(name: str, project: Path, server: Server, capsys: pytest.CaptureFixture[str]) -> None:
    example = project / f"{name}.toml"
    text = example.read_text()
    if NVIDIA in text:
        example.write_text(text.replace(NVIDIA, _imitated(server)))
    loaded = load(example).recipe
    top = f'name = "{name}"\nextends = "{name}.toml"\n{IN_SHORT}'
    if loaded.kubernetes is not None:
        images = json.dumps(loaded.kubernetes.extra_images)
        top += f"{WITHOUT_PUBLISHERS}kubernetes.extra_images_remove = {images}\n"
    Path("top.toml").write_text(top)
    status = call(["build", "top.toml", "--out", "out", "--json", "--store", str(cache())])
    assert status == 0, capsys.readouterr().out
    there = {each["name"] for each in json.loads(Path("out/sbom.cdx.json").read_text())["components"]}
    wanted = {each for each in loaded.rootfs.packages if "." not in each or each == "netplan.io"}
    assert wanted <= there
    assert Path("out/node.iso").stat().st_size > 100 << 20


def _imitated(server: Server) -> str:
    """The address of a flat archive, signed by the tests' key, with the package that is wanted."""
    tool = deb(
        "nvidia-container-toolkit", directory("./usr/bin/"), item("./usr/bin/nvidia-ctk", b"", mode=0o755),
        Version="1.18.0-1", Architecture="amd64",
    )  # fmt: skip
    now = datetime.now(UTC)
    index = stanza("nvidia-container-toolkit", tool, Version="1.18.0-1", Filename="./toolkit.deb").encode()
    text = release(
        {"Packages": index},
        Origin="NVIDIA",
        Codename="",
        Components="",
        Acquire_By_Hash="",
        Valid_Until="",
        Date=date(now),
    )
    for name, data in {"InRelease": signed(text), "Packages": index, "toolkit.deb": tool}.items():
        server.serve(f"/flat/{name}", data)
    return server.url("/flat")
