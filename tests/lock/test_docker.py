"""containerd from Docker's archive, which is imitated: locked beside Debian's own, with the recipe that comes along."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from assembler.carried import RECIPES
from assembler.debian.keyring import trusted
from assembler.errors import AssembleError
from assembler.lock.check import require
from assembler.lock.wanted import archives_of
from assembler.lockfile.model import Lock
from assembler.recipe.load import load
from assembler.recipe.model import DebianArchive, Kubernetes, KubernetesPart, Recipe, Rootfs
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import certificate, index, laid_out, release, signed, stanza
from tests.lock.test_resolve import base, deb, lock, publish_suite, recipe
from tests.support.http_server import Server

CONFLICTS = "containerd, runc"


@pytest.fixture
def transport() -> Iterator[Transport]:
    with Transport(backoff=0.01, attempts=1) as it:
        yield it


def publish(server: Server) -> None:
    """Debian's archive, and Docker's as it is laid out: dists/trixie/stable, and a pool below that."""
    publish_suite(server, "trixie", base(**{"containerd": {"Depends": "runc"}, "runc": {}, "cri-tools": {}}))
    packages = {"containerd.io": {"Version": "2.2.1-1~debian.13~trixie", "Conflicts": CONFLICTS, "Provides": CONFLICTS},
                "docker-ce": {"Version": "5:29.1.0-1~debian.13~trixie", "Depends": "containerd.io"}}  # fmt: skip
    texts = []
    for name, fields in packages.items():
        data = deb(name, fields["Version"])
        path = f"dists/trixie/pool/stable/amd64/{name}_{fields['Version'].rpartition(':')[2]}_amd64.deb"
        server.serve(f"/linux/debian/{path}", data)
        texts.append(stanza(name, data, **{"Filename": path, **fields}))
    files = index(texts, component="stable")
    text = release(files, Codename="trixie", Suite="trixie", Origin="Docker", Components="stable")
    for path, data in laid_out(files, signed(text, "vendor"), suite="trixie", by_hash=False).items():
        server.serve(f"/linux/debian{path}", data)


def node(server: Server, *packages: str, archive: bool = True, **parts: str) -> Recipe:
    sources = {**dict.fromkeys(Kubernetes.model_fields, "none"), "containerd": "docker", **parts}
    table = {name: KubernetesPart.model_validate({"source": source}) for name, source in sources.items()
             if isinstance(getattr(Kubernetes(), name), KubernetesPart)}  # fmt: skip
    it = recipe(*packages)
    docker = DebianArchive(
        uris=[server.url("/linux/debian")], suites=["trixie"], components=["stable"], signed_by=certificate("vendor")
    )
    return it.model_copy(
        update={
            "debian": it.debian.model_copy(update={"archives": [docker] if archive else []}),
            "rootfs": Rootfs(packages=[*packages]),
            "kubernetes": Kubernetes(version="1.36.4").model_copy(update=table),
        }
    )


def names(found: Lock) -> dict[str, str]:
    return {package.name: package.archive for package in found.role("rootfs")}


def test_docker_s_takes_the_place_of_debian_s(server: Server, store: Store, transport: Transport) -> None:
    publish(server)
    it = node(server, "containerd", "runc")
    found = lock(it, server, store, transport)
    assert names(found)["containerd.io"] != names(found)["init"]
    assert not {"containerd", "runc", "docker-ce"} & names(found).keys()
    require(found, it, found.recipe_sha256, build_architecture="amd64", path=Path("x.lock.toml"))
    back = lock(node(server, "containerd.io", containerd="debian"), server, store, transport)
    assert {"containerd", "runc"} <= names(back).keys()
    assert "containerd.io" not in names(back)


def test_without_the_archive_it_is_told(server: Server, store: Store, transport: Transport) -> None:
    publish(server)
    with pytest.raises(AssembleError, match=r"containerd\.io"):
        lock(node(server, archive=False), server, store, transport)


def test_the_recipe_that_comes_along(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(
        'name = "r"\nextends = ["builtin:k8s.toml", "builtin:containerd/docker.toml"]\nargs.DOCKER_SUITE = "bookworm"\n'
    )
    it = load(tmp_path / "r.toml").recipe
    assert it.kubernetes is not None
    assert [it.kubernetes.containerd.source, it.kubernetes.runc.source] == ["docker", "none"]
    (found,) = (archive for archive in archives_of(it) if "docker" in archive.root)
    assert (found.root, found.suite) == ("https://download.docker.com/linux/debian", "bookworm")
    assert [each.fingerprint.upper() for each in trusted(found)] == ["9DC858229FC7DD38854AE2D88D81803C0EBFCD88"]
    assert (RECIPES / "containerd/docker.asc").exists()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ('kubelet.source = "docker"', "Docker's archive has no kubelet"),
        ('runc.source = "docker"', "Docker's archive has no runc"),
        ('containerd.source = "docker"\nrunc.source = "debian"', "containerd.io has a runc of its own"),
        ('containerd = { source = "docker", version = "2.2.1" }', "is ignored with source = 'docker'"),
    ],
)
def test_what_docker_does_not_have(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "r.toml").write_text(f'name = "r"\n[kubernetes]\n{table}\n')
    with pytest.raises(AssembleError, match=message):
        load(tmp_path / "r.toml")
