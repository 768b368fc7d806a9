"""The recipe of a Kubernetes node, and the files that it puts there."""

import os
import subprocess
from pathlib import Path

import pytest
import yaml

from assembler.errors import AssembleError
from assembler.kubernetes.parts import PARTS
from assembler.layers.cloudinit import seed
from assembler.recipe.load import LoadedRecipe, load
from tests.support.host_commands import need

RECIPES = Path(__file__).parents[2] / "recipes"
PINNED = "io.cri-containerd.pinned=pinned"
OURS = f"{PINNED} assembler.medium=yes"
SCRIPT = RECIPES / "kubernetes/preload-k8s-images"


@pytest.fixture(scope="module")
def loaded() -> LoadedRecipe:
    return load(RECIPES / "k8s.toml")


def test_the_missions_arguments() -> None:
    names = {
        "kubelet": "KUBELET", "kubeadm": "KUBEADM", "kubectl": "KUBECTL", "runc": "RUNC",
        "containerd": "CONTAINERD_TGZ", "crictl": "CRICTL_TGZ", "nerdctl": "NERDCTL_TGZ",
        "cni_plugins": "CNI_PLUGINS_TGZ",
    }  # fmt: skip
    given = {f"{name}_URL": f"https://example.org/{part}" for part, name in names.items()}
    given |= {f"{name}_SHA256": "a" * 64 for name in names.values()}
    recipe = load(RECIPES / "k8s.toml", {**given, "KUBERNETES_VERSION": "1.35"}).recipe.kubernetes
    assert recipe is not None
    assert recipe.version == "1.35"
    for part in PARTS:
        chosen = recipe.part(part.key)
        assert (chosen.url, chosen.sha256) == (f"https://example.org/{part.key}", "a" * 64)
    assert set(names) == {part.key for part in PARTS}


def test_the_kernel_may_be_the_compiled_one(loaded: LoadedRecipe) -> None:
    vanilla = load(RECIPES / "livecd-vanilla.toml").recipe
    both = load(RECIPES / "k8s-vanilla.toml").recipe
    assert (both.kernel, both.livecd) == (vanilla.kernel, vanilla.livecd)
    assert (both.rootfs, both.kubernetes) == (loaded.recipe.rootfs, loaded.recipe.kubernetes)


def test_every_unit_that_is_enabled_and_not_debians_is_there(loaded: LoadedRecipe) -> None:
    rootfs = loaded.recipe.rootfs
    there = {file.path.rpartition("/")[2] for file in rootfs.files}
    debian = {"ssh.service", "systemd-networkd.service", "systemd-resolved.service"}
    assert set(rootfs.enable) - debian <= there


def test_units_are_sound(tmp_path: Path) -> None:
    """By systemd's own reading; the programs they start are elsewhere."""
    for unit in (*(RECIPES / "kubernetes").iterdir(), *(RECIPES / "containers").iterdir()):
        if unit.suffix in {".service", ".mount"}:
            text = unit.read_text().replace("=containerd\n", "=/bin/true\n").replace("=kubelet $", "=/bin/true $")
            (tmp_path / unit.name).write_text(text.replace("/usr/lib/livecd/preload-k8s-images", "/bin/true"))
    done = subprocess.run(
        [need("systemd-analyze", "systemd"), "verify", "--man=no", "--recursive-errors=no", *tmp_path.iterdir()],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
        check=False,
    )
    ours = [line for line in done.stderr.splitlines() if str(tmp_path) in line or any(
        line.startswith(f"{name.name}:") for name in tmp_path.iterdir())]  # fmt: skip
    assert not [line for line in ours if "not found" not in line and "Failed to" not in line], done.stderr


@pytest.mark.parametrize(
    ("key", "part", "message"),
    [
        ("kubelet", 'source = "debian"', "Debian has no kubelet"),
        ("runc", 'source = "debian", url = "https://example.org/runc"', "is ignored with source = 'debian'"),
        ("runc", 'sha256 = "ABC"', "'ABC' is not a SHA-256"),
        ("runc", 'version = "v1.4"', "'v1.4' is not a version"),
        ("version", '"1.36-beta"', "is not a version of Kubernetes"),
        ("extra_images", '["Not An Image"]', "is not the name of a container image"),
    ],
)
def test_wrong_tables(tmp_path: Path, key: str, part: str, message: str) -> None:
    value = part if key in {"version", "extra_images"} else f"{{ {part} }}"
    (tmp_path / "x.toml").write_text(f'name = "x"\n[kubernetes]\n{key} = {value}\n')
    with pytest.raises(AssembleError, match=message):
        load(tmp_path / "x.toml")


@pytest.mark.parametrize("name", ["kubeadm-init.yaml", "kubeadm-join.yaml"])
def test_the_examples_for_cloud_init(name: str) -> None:
    data = (RECIPES / "cloud-init" / name).read_bytes()
    seed({"user-data": data}, hostname="node")
    config, unit = yaml.safe_load(data)["write_files"]
    documents = list(yaml.safe_load_all(config["content"]))
    assert all(document["apiVersion"] and document["kind"] for document in documents)
    # Neither another seed nor another start runs kubeadm on a node that has been one of a cluster.
    assert "ConditionPathExists=!/etc/kubernetes/kubelet.conf\n" in unit["content"]
    assert unit["path"] == f"/etc/systemd/system/{name.removesuffix('.yaml')}.service"


# --- what runs on the node -----------------------------------------------------------------------------------------


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A directory with three images of a medium, and a ctr that writes down what it is asked for."""
    medium = tmp_path / "images"
    (medium / "index").mkdir(parents=True)
    (medium / "blobs/sha256").mkdir(parents=True)
    (medium / "oci-layout").write_text("{}")
    lines = []
    for number, name in enumerate(("registry.k8s.io/pause:3.10", "registry.k8s.io/pause:3.1", "docker.io/library/x:1")):
        digest, layer = str(number) * 64, "f" * 64
        (medium / f"index/{digest}.json").write_text(name)
        for blob in (digest, layer):
            (medium / "blobs/sha256" / blob).write_text(blob)
        lines.append(f"{digest} {name} {layer}\n")
    (medium / "images.txt").write_text("".join(lines))
    (tmp_path / "bin").mkdir()
    (tmp_path / "there").write_text("REF TYPE DIGEST SIZE PLATFORMS LABELS\n")
    ctr = tmp_path / "bin/ctr"
    ctr.write_text(
        "#!/bin/sh\n"
        f'cd {tmp_path}\n[ "$1 $2 $3" = "--namespace k8s.io images" ] || exit 9\nshift 3\ncase $1 in\n'
        "ls) cat there ;;\n"
        'import) tar -x --to-command="cat >>import-log; echo >>import-log" index.json; echo import >>log ;;\n'
        'label) shift; echo "label $*" >>log ;;\nesac\n'
    )
    ctr.chmod(0o755)
    return tmp_path


def preload(node: Path, total: int = 3) -> list[str]:
    (node / "log").write_text("")
    environment = {**os.environ, "PATH": f"{node}/bin:{os.environ['PATH']}"}
    done = subprocess.run(
        [need("dash", "dash"), SCRIPT, node / "images"], env=environment, check=True, capture_output=True, text=True
    )
    assert done.stdout.splitlines()[-1] == f"all {total} images of the medium are there"
    return (node / "log").read_text().splitlines()


def test_what_is_missing_is_imported_and_pinned(node: Path) -> None:
    (node / "there").write_text(
        "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
        f"registry.k8s.io/pause:3.10 application/x sha256:{'0' * 64} 3 MiB linux/amd64 {PINNED}\n"
        # Of the same name with other content, and one whose import was interrupted.
        f"registry.k8s.io/pause:3.1 application/x sha256:{'9' * 64} 3 MiB linux/amd64 {PINNED}\n"
        f"docker.io/library/x:1 application/x sha256:{'2' * 64} 3 MiB linux/amd64 -\n"
    )
    assert preload(node) == [
        "import", f"label registry.k8s.io/pause:3.1 {OURS}", "import", f"label docker.io/library/x:1 {OURS}",
    ]  # fmt: skip
    assert (node / "import-log").read_text().split() == ["registry.k8s.io/pause:3.1", "docker.io/library/x:1"]


def test_a_second_boot_imports_nothing(node: Path) -> None:
    there = ["REF TYPE DIGEST SIZE PLATFORMS LABELS"]
    for line in (node / "images/images.txt").read_text().splitlines():
        digest, name, _ = line.split()
        there.append(f"{name} application/x sha256:{digest} 3 MiB linux/amd64 a=b,{PINNED},c=d")
    (node / "there").write_text("\n".join(there) + "\n")
    assert preload(node) == []


@pytest.mark.parametrize("kept", [True, False])
def test_what_an_earlier_medium_brought_may_go(node: Path, *, kept: bool) -> None:
    """And nothing that somebody else has pinned, or that this medium has as well."""
    there = "REF TYPE DIGEST SIZE PLATFORMS LABELS\n"
    for name, labels in {
        "registry.k8s.io/kube-apiserver:v1.35.0": f"{OURS.replace(' ', ',')}",
        "registry.k8s.io/pause:3": f"a=b,assembler.medium=yes,{PINNED}",
        "example.org/mine:1": PINNED,
        "example.org/mine:2": f"x.assembler.medium=yes,{PINNED}",
    }.items():
        there += f"{name} application/x sha256:{'7' * 64} 3 MiB linux/amd64 {labels}\n"
    lines = (node / "images/images.txt").read_text()
    if kept:
        for line in lines.splitlines():
            digest, name, _ = line.split()
            there += f"{name} application/x sha256:{digest} 3 MiB linux/amd64 {OURS.replace(' ', ',')}\n"
    else:
        (node / "images/images.txt").unlink()
    (node / "there").write_text(there)
    gone = "io.cri-containerd.pinned= assembler.medium="
    assert preload(node, 3 if kept else 0) == [
        f"label registry.k8s.io/kube-apiserver:v1.35.0 {gone}", f"label registry.k8s.io/pause:3 {gone}",
    ]  # fmt: skip


def test_the_script_is_sound() -> None:
    subprocess.run([need("shellcheck", "shellcheck"), SCRIPT], check=True)
