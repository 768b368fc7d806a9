"""Finding the kernel that the packages brought."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.initrd.compose import REQUIRED
from assembler.layers.kernel import distro_kernel, distro_layer, kernel_packages
from assembler.tree.staging import Tree
from tests.initrd.test_compose import RELEASE
from tests.layers.test_keys import project_in
from tests.lockfile.test_toml import LOCK


def with_kernels(*releases: str) -> Tree:
    tree = Tree()
    for release in releases:
        tree.write(f"/boot/vmlinuz-{release}", release.encode(), parents=True)
        tree.mkdir(f"/usr/lib/modules/{release}", parents=True)
    return tree


def test_the_one_kernel_is_taken() -> None:
    kernel = distro_kernel(with_kernels("6.12.1-cloud-amd64"), "linux-image-cloud-amd64")
    assert (kernel.release, kernel.image) == ("6.12.1-cloud-amd64", b"6.12.1-cloud-amd64")


@pytest.mark.parametrize(("releases", "message"), [((), "brought no kernel"), (("1", "2"), "more than one kernel")])
def test_none_and_several_are_errors(releases: tuple[str, ...], message: str) -> None:
    with pytest.raises(AssembleError, match=message) as caught:
        distro_kernel(with_kernels(*releases), "linux-image-amd64")
    assert caught.value.where.package == "linux-image-amd64"


def test_a_kernel_without_modules_is_an_error() -> None:
    tree = with_kernels("1")
    tree.discard("/usr/lib/modules/1")
    with pytest.raises(AssembleError, match="modules are missing"):
        distro_kernel(tree, "linux-image-amd64")


def test_the_kernel_of_another_architecture_and_its_configuration() -> None:
    """Of arm64 it is called vmlinux in some images; a link in /boot is followed."""
    tree = with_kernels("1")
    assert distro_kernel(tree, "x").config == b""
    tree.write("/usr/lib/config", b"CONFIG_X=y\n")
    tree.symlink("../usr/lib/config", "/boot/config-1")
    tree.write("/usr/lib/image", b"image")
    tree.discard("/boot/vmlinuz-1")
    tree.symlink("/usr/lib/image", "/boot/vmlinuz-1")
    kernel = distro_kernel(tree, "x")
    assert (kernel.release, kernel.image, kernel.config) == ("1", b"image", b"CONFIG_X=y\n")


def test_what_a_kernel_may_be_in() -> None:
    """What comes of the source of the package that the recipe names, and whatever is called like a kernel."""
    hello = LOCK.packages[0]
    names = {"linux-image-amd64": "linux-signed", "linux-image-6.1": "linux", "modules": "linux-signed", "bash": "bash"}
    locked = [replace(hello, name=name, source=source) for name, source in names.items()]
    for package in ("linux-image-amd64", "linux-image-amd64:amd64"):
        found = kernel_packages(package, locked)
        assert [each.name for each in found] == ["linux-image-amd64", "linux-image-6.1", "modules"]
    assert [each.name for each in kernel_packages("bash", locked)] == ["linux-image-amd64", "linux-image-6.1", "bash"]


def test_the_kernel_of_a_recipe(tmp_path: Path) -> None:
    """Its files and its release; and a tree with the indexes of its modules."""
    layer = distro_layer(project_in(tmp_path).context())
    (tmp_path / "out").mkdir()
    layer.step.make(tmp_path / "out")
    files = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert json.loads(files.pop("facts.json")) == {"release": RELEASE}
    assert files == {"vmlinuz": b"kernel", "config": b"config"}
    assert layer.step.outputs == ("vmlinuz", "config")
    assert not layer.apart
    tree = layer.tree()
    assert layer.tree() is tree
    assert tree.read(f"/lib/modules/{RELEASE}/modules.dep").count(b".ko:") == len(REQUIRED)
