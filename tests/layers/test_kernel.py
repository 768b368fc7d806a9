"""Finding the kernel that the packages brought."""

import pytest

from assembler.errors import AssembleError
from assembler.layers.kernel import distro_kernel
from assembler.tree.staging import Tree


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
