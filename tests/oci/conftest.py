"""What the tests of images out of a registry share."""

from collections.abc import Iterator

import pytest

from tests.oci.registries import HOST, push, registry
from tests.oci.served import add_list, sample
from tests.oci.test_layout import write
from tests.support.http_server import Server, running


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A registry with images of several kinds, pushed by skopeo."""
    directory = tmp_path_factory.mktemp("registry")
    images = {"gzip": sample("gzip"), "zstd": sample("zstd", compression="zstd"), "arm": sample("arm", "arm64")}
    layout = write({f"{HOST}/x:{tag}": one for tag, one in images.items()}, directory)
    add_list(layout, {"arm64": images["arm"], "amd64": images["gzip"]})
    with registry(directory / "data") as number:
        push(layout, "gzip", "gzip:1", number)
        push(layout, "gzip", "docker:1", number, "--format", "v2s2")
        push(layout, "zstd", "zstd:1", number)
        push(layout, "arm", "arm:1", number)
        push(layout, "list", "list:1", number, "--all")
        yield number


@pytest.fixture
def elsewhere() -> Iterator[Server]:
    with running("127.0.0.2") as it:
        yield it
