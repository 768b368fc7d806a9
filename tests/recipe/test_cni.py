"""Networks of a cluster that come along as parts of recipes."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from assembler.api.lock import warn
from assembler.api.workspace import Workspace
from assembler.carried import RECIPES
from assembler.errors import AssembleError, Place
from assembler.kubernetes.manifests import images_of, require
from assembler.layers import kubernetes, rootfs
from assembler.lockfile.model import LockedImage
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.portable import portable
from tests.layers.decided import RECIPE
from tests.layers.test_keys import project_in
from tests.lockfile.test_toml import LOCK
from tests.support.reporters import Recorder

NETWORKS = sorted(path.stem for path in (RECIPES / "cni").glob("*.toml"))


def node(directory: Path, network: str) -> LoadedRecipe:
    (directory / "r.toml").write_text(f'name = "r"\nextends = ["builtin:k8s.toml", "builtin:cni/{network}.toml"]\n')
    return load(directory / "r.toml")


def objects(network: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((RECIPES / f"cni/{network}.yaml").read_text()))


def pods(network: str) -> Iterator[dict[str, Any]]:
    for each in objects(network):
        if each["kind"] == "DaemonSet":
            yield each["spec"]["template"]["spec"]


@pytest.mark.parametrize("network", NETWORKS)
def test_all_images_of_a_network_are_on_the_medium(tmp_path: Path, network: str) -> None:
    loaded = node(tmp_path, network)
    table = loaded.recipe.kubernetes
    assert table is not None
    assert table.images == "kubeadm"
    wanted = {one["image"] for pod in pods(network) for one in (*pod["initContainers"], *pod["containers"])}
    assert wanted == set(table.extra_images)
    (manifest,) = [file.data for name, file in loaded.files.items() if name.startswith("kubernetes.")]
    assert set(images_of(manifest)) == wanted
    require(manifest, Place())


@pytest.mark.parametrize("network", NETWORKS)
def test_a_network_s_manifest_is_whole(network: str) -> None:
    found = objects(network)
    assert all({"apiVersion", "kind", "metadata"} <= each.keys() for each in found)
    names = [(each["kind"], each["metadata"]["name"]) for each in found]
    assert len(set(names)) == len(names)
    assert names[0][0] == "Namespace", "what is in it comes after it"
    namespaces = {each["metadata"].get("namespace") for each in found} - {None}
    assert namespaces == {names[0][1]}
    for pod in pods(network):
        volumes = {volume["name"] for volume in pod["volumes"]}
        used = {mount["name"] for one in (*pod["initContainers"], *pod["containers"]) for mount in one["volumeMounts"]}
        assert used == volumes
        assert pod["hostNetwork"] is True
        assert {"operator": "Exists", "effect": "NoSchedule"} in pod["tolerations"]


def test_flannel_s_pods_are_where_kubeadm_puts_them() -> None:
    settings = next(each["data"] for each in objects("flannel") if each["kind"] == "ConfigMap")
    network = yaml.safe_load(settings["net-conf.json"])["Network"]
    assert f"podSubnet: {network}\n" in (RECIPES / "cloud-init/kubeadm-init.yaml").read_text()
    assert [plugin["type"] for plugin in yaml.safe_load(settings["cni-conf.json"])["plugins"]] == ["flannel", "portmap"]


def test_manifests_are_in_the_image_in_the_recipe_s_order(tmp_path: Path) -> None:
    (tmp_path / "second").write_text("apiVersion: v1\nkind: Second\n")
    found = project_in(tmp_path, RECIPE.replace('["a-manifest"]', '["a-manifest", "second"]'))
    context = found.context()
    tree = kubernetes.layer(context, rootfs.layer(context)).compose()
    directory = "/usr/share/kubernetes/manifests"
    assert tree.names(directory) == ["000.yaml", "001.yaml"]
    assert tree.read_text(f"{directory}/001.yaml") == "apiVersion: v1\nkind: Second\n"
    assert tree.lexists("/etc/systemd/system/multi-user.target.wants/apply-manifests.path")
    (tmp_path / "second").write_text("not one")
    broken = project_in(tmp_path, RECIPE.replace('["a-manifest"]', '["a-manifest", "second"]')).context()
    with pytest.raises(AssembleError, match="the manifest has no apiVersion and no kind") as caught:
        kubernetes.layer(broken, rootfs.layer(broken))
    assert caught.value.where.key == "kubernetes.manifests[1]"


def test_what_an_image_has_is_built_again(tmp_path: Path) -> None:
    loaded = node(tmp_path, "flannel")
    directory = tmp_path / "copy"
    for name, data in portable(loaded).items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(data)
    again = load(directory / "recipe.toml", {"ROOT_PASSWORD": "root"})
    assert again.inputs_sha256 == loaded.inputs_sha256
    assert again.files["kubernetes.manifests[0]"].data == loaded.files["kubernetes.manifests[0]"].data


def test_manifests_do_not_change_what_is_locked(tmp_path: Path) -> None:
    (tmp_path / "m").write_text("apiVersion: v1\nkind: A\n")
    texts = ('name = "r"\n[kubernetes]\n', 'name = "r"\n[kubernetes]\nmanifests = ["m"]\n')
    digests = set()
    for text in texts:
        (tmp_path / "r.toml").write_text(text)
        digests.add(load(tmp_path / "r.toml").inputs_sha256)
    assert len(digests) == 1


def test_an_image_that_is_not_on_the_medium_is_told(tmp_path: Path) -> None:
    image = LockedImage(
        name="docker.io/library/nginx:1", platform="linux/amd64", index="0" * 64, manifest="0" * 64, size=1,
        learned="first-use",
    )  # fmt: skip
    (tmp_path / "m.yaml").write_text("apiVersion: v1\nkind: Pod\nspec: {containers: [{image: nginx:1}, {image: $X}]}\n")
    (tmp_path / "r.toml").write_text('name = "r"\n[kubernetes]\nversion = "1.36.4"\nmanifests = ["m.yaml"]\n')
    loaded, reporter = load(tmp_path / "r.toml"), Recorder()
    workspace = Workspace(store=tmp_path, reporter=reporter)
    lock = replace(LOCK, images=(image,))
    warn(workspace, loaded, lock)
    (said,) = reporter.warnings
    assert said.startswith("m.yaml wants $X, which the medium does not have")
    warn(workspace, loaded, replace(LOCK, images=()))
    assert len(reporter.warnings) == 1, "a node that has no images gets all from a network"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('manifests = ["gone.yaml"]', "gone.yaml"),
        ('manifests = [""]', "empty"),
        ('manifests = ["r.toml"]\nkubectl.source = "none"', "manifests are applied with kubectl"),
    ],
)
def test_wrong_manifests(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "r.toml").write_text(f'name = "r"\n[kubernetes]\n{table}\n')
    with pytest.raises(AssembleError, match=message):
        load(tmp_path / "r.toml")
