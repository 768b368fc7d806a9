"""Manifests on the node: applied once each, to each cluster, until the cluster takes them."""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from assembler.errors import AssembleError, Place
from assembler.kubernetes.manifests import DIRECTORY, PATH_UNIT, PROGRAM, SCRIPT, SERVICE, images_of, put, require
from assembler.tree.staging import Tree
from tests.support.host_commands import need

CLUSTER = "clusters:\n- cluster:\n    certificate-authority-data: QUJD\n"


@dataclass(frozen=True)
class Node:
    """Directories of a node, whose kubectl logs, and fails for manifests that hold `refused`."""

    top: Path

    def write(self, **manifests: str) -> None:
        for name, text in manifests.items():
            (self.top / "manifests" / f"{name}.yaml").write_text(text)

    def cluster(self, text: str) -> None:
        (self.top / "admin.conf").write_text(text)

    def run(self) -> tuple[int, list[str]]:
        """The status of one run, and what was applied."""
        (self.top / "log").write_text("")
        environment = {
            **os.environ, "PATH": f"{self.top}/bin:{os.environ['PATH']}", "KUBECONFIG": str(self.top / "admin.conf"),
        }  # fmt: skip
        done = subprocess.run(
            [need("dash", "dash"), self.top / "script", self.top / "manifests", self.top / "stamps/below"],
            env=environment, check=False, capture_output=True, text=True,
        )  # fmt: skip
        return done.returncode, (self.top / "log").read_text().split()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    for name in ("bin", "manifests"):
        (tmp_path / name).mkdir()
    (tmp_path / "script").write_text(SCRIPT)
    kubectl = tmp_path / "bin/kubectl"
    kubectl.write_text(
        '#!/bin/sh\n[ "$*" = "--request-timeout=120s apply --server-side --force-conflicts -f $6" ] || exit 9\n'
        f'[ -r "$KUBECONFIG" ] || exit 8\n! grep -q refused "$6" || exit 1\nbasename "$6" >>{tmp_path}/log\n'
    )
    kubectl.chmod(0o755)
    found = Node(tmp_path)
    found.cluster(CLUSTER)
    return found


def test_each_is_applied_once_and_in_order(node: Node) -> None:
    node.write(**{"000": "a", "001": "b"})
    assert node.run() == (0, ["000.yaml", "001.yaml"])
    assert node.run() == (0, [])


def test_other_content_and_another_cluster_are_applied(node: Node) -> None:
    node.write(**{"000": "a", "001": "b"})
    node.run()
    node.write(**{"001": "c"})
    assert node.run() == (0, ["001.yaml"])
    node.cluster(CLUSTER.replace("QUJD", "REVG"))
    assert node.run() == (0, ["000.yaml", "001.yaml"])


def test_what_the_cluster_refuses_is_tried_again(node: Node) -> None:
    node.write(**{"000": "a", "001": "refused", "002": "c"})
    assert node.run() == (1, ["000.yaml"])
    assert node.run() == (1, [])
    node.write(**{"001": "taken"})
    assert node.run() == (0, ["001.yaml", "002.yaml"])


def test_without_a_cluster_nothing_is_applied(node: Node) -> None:
    (node.top / "admin.conf").unlink()
    node.write(**{"000": "a"})
    status, applied = node.run()
    assert status != 0
    assert applied == []
    assert not list((node.top / "stamps/below").iterdir())


def test_the_script_and_the_units_are_sound(tmp_path: Path) -> None:
    (tmp_path / "script").write_text(SCRIPT)
    subprocess.run([need("shellcheck", "shellcheck"), tmp_path / "script"], check=True)
    (tmp_path / "apply-manifests.service").write_text(SERVICE.replace(PROGRAM, "/bin/true"))
    (tmp_path / "apply-manifests.path").write_text(PATH_UNIT)
    done = subprocess.run(
        [need("systemd-analyze", "systemd"), "verify", "--man=no", "--recursive-errors=no",
         tmp_path / "apply-manifests.path", tmp_path / "apply-manifests.service"],
        capture_output=True, text=True, env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"}, check=False,
    )  # fmt: skip
    assert not [line for line in done.stderr.splitlines() if "apply-manifests" in line and "not found" not in line]


def test_what_comes_into_the_image() -> None:
    tree = Tree()
    put(tree, [])
    assert not tree.exists("/usr")
    put(tree, [b"a", b"b"])
    assert [tree.read(f"{DIRECTORY}/{name}") for name in tree.names(DIRECTORY)] == [b"a", b"b"]
    assert tree.at(PROGRAM).mode & 0o777 == 0o755
    assert tree.read_text("/etc/systemd/system/multi-user.target.wants/apply-manifests.path") == PATH_UNIT
    assert not tree.exists("/etc/kubernetes/manifests"), "that is for static pods"


@pytest.mark.parametrize(
    ("text", "images"),
    [
        ("image: a/b:1\n", ["a/b:1"]),
        (
            "containers:\n- image: 'a/b:1'\n  name: x\n- name: y\n  image: \"c:2\" # two\n- image: a/b:1\n",
            ["a/b:1", "c:2"],
        ),
        ('{"containers":[{"name":"x","image":"a/b:1"},{"image": "c@sha256:0"}]}', ["a/b:1", "c@sha256:0"]),
        ("# an image: not\nimagePullPolicy: Always\nimage:\n  repository: x\nmyimage: y\n", []),
        ("", []),
    ],
)
def test_images_in_a_manifest(text: str, images: list[str]) -> None:
    assert list(images_of(text.encode())) == images


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe", "is not text in UTF-8"),
        (b"", "has no apiVersion and no kind"),
        (b"kind: Namespace\n", "has no apiVersion"),
        (b"<html>kind of</html>", "has no apiVersion and no kind"),
    ],
)
def test_what_is_no_manifest(data: bytes, message: str) -> None:
    with pytest.raises(AssembleError, match=message):
        require(data, Place(key="kubernetes.manifests[0]"))


@pytest.mark.parametrize("data", [b"apiVersion: v1\nkind: A\n", b'{"apiVersion":"v1","kind":"List"}'])
def test_what_is_one(data: bytes) -> None:
    require(data, Place(key="kubernetes.manifests[0]"))
