"""What goes with a release, where it comes from, and what containerd is told."""

import gzip
import hashlib
import io
import tarfile
import tomllib

import pytest

from assembler.errors import AssembleError, Place
from assembler.kubernetes import archive as subject
from assembler.kubernetes.archive import ArchiveError, members
from assembler.kubernetes.containerd import configuration
from assembler.kubernetes.parts import PARTS, packages, wanted_files, wanted_images
from assembler.kubernetes.release import lines, release
from assembler.lock.wanted import wanted
from assembler.recipe.model import Kubernetes, KubernetesPart, Recipe, Rootfs
from assembler.store.objects import Store
from assembler.tree.content import read
from assembler.tree.tar import Limits


@pytest.mark.parametrize(
    ("version", "patch", "others"),
    [
        # As `kubeadm config images list` of these releases has them.
        ("1.37.1", "1.37.1", ["coredns/coredns:v1.14.6", "pause:3.10.2", "etcd:3.7.0-0"]),
        ("1.36", lines()["1.36"].newest, ["coredns/coredns:v1.14.2", "pause:3.10.2", "etcd:3.6.8-0"]),
        ("1.36.3", "1.36.3", ["coredns/coredns:v1.14.2", "pause:3.10.2", "etcd:3.6.8-0"]),
        ("1.35.7", "1.35.7", ["coredns/coredns:v1.13.1", "pause:3.10.1", "etcd:3.6.6-0"]),
        ("1.34.10", "1.34.10", ["coredns/coredns:v1.12.1", "pause:3.10.1", "etcd:3.6.5-0"]),
        ("1.34.1", "1.34.1", ["coredns/coredns:v1.12.1", "pause:3.10.1", "etcd:3.6.4-0"]),
    ],
)
def test_the_images_that_kubeadm_needs(version: str, patch: str, others: list[str]) -> None:
    own = [f"kube-{name}:v{patch}" for name in ("apiserver", "controller-manager", "scheduler", "proxy")]
    assert list(release(version).images) == [f"registry.k8s.io/{name}" for name in (*own, *others)]


def test_a_release_that_nobody_knows() -> None:
    with pytest.raises(AssembleError, match=r"nothing is known of Kubernetes 1\.20.*1\.34, 1\.35, 1\.36, 1\.37"):
        release("1.20")


@pytest.mark.parametrize("version", lines())
@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_every_part_of_a_known_release_is_known_or_asked_for(version: str, architecture: str) -> None:
    files = wanted_files(Kubernetes(version=version), release(version), architecture)
    assert [file.name for file in files] == [part.name for part in PARTS]
    assert all(file.sha256 or file.checksums for file in files)
    assert all("{" not in file.url and architecture in file.url for file in files)


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_digests_that_come_with_the_assembler(architecture: str) -> None:
    recipe = Kubernetes(version="1.36.4", containerd=KubernetesPart(version="2.3.4"))
    known = {file.name: file for file in wanted_files(recipe, release("1.36.4"), architecture) if file.sha256}
    assert {"kubelet", "kubeadm", "kubectl", "containerd", "crictl", "cni-plugins"} <= known.keys()
    assert {file.learned for file in known.values()} == {"known"}
    assert len({file.sha256 for file in known.values()}) == len(known)


def test_what_a_recipe_says_of_a_part() -> None:
    recipe = Kubernetes(
        kubelet=KubernetesPart(url="https://example.org/kubelet"),
        kubeadm=KubernetesPart(version="1.36.99"),
        kubectl=KubernetesPart(sha256="a" * 64),
        runc=KubernetesPart(source="debian"),
        nerdctl=KubernetesPart(source="none"),
    )
    files = {file.name: file for file in wanted_files(recipe, release("1.36"), "amd64")}
    kubelet, kubeadm, kubectl = files["kubelet"], files["kubeadm"], files["kubectl"]
    assert (kubelet.url, kubelet.sha256) == ("https://example.org/kubelet", ""), "what is elsewhere may be another file"
    assert kubelet.checksums == ("https://example.org/kubelet.sha256", "https://example.org/kubelet.sha256sum")
    assert (kubeadm.sha256, kubeadm.checksums[0]) == ("", kubeadm.url + ".sha256")
    assert (kubectl.sha256, kubectl.learned) == ("a" * 64, "recipe")
    assert not {"runc", "nerdctl"} & set(files)
    runc = release("1.36").version_of("runc")
    assert wanted_files(Kubernetes(), release("1.36"), "amd64")[4].checksums == (
        f"https://github.com/opencontainers/runc/releases/download/v{runc}/runc.sha256sum",
    )


def test_debian_packages_give_way_to_what_publishers_have() -> None:
    base = ["curl", "containerd", "runc", "containernetworking-plugins"]
    recipe = Recipe(
        name="x",
        rootfs=Rootfs(packages=base),
        kubernetes=Kubernetes(runc=KubernetesPart(source="debian"), crictl=KubernetesPart(source="debian")),
    )
    assert wanted(recipe, "amd64")[0].packages == ("curl", "runc", recipe.kernel.package, "cri-tools")
    assert packages(Kubernetes())[1] >= {"containerd", "containerd.io"}
    assert packages(Kubernetes(containerd=KubernetesPart(source="none")))[1] == {
        "containernetworking-plugins", "cri-tools", "kubernetes-client", "nerdctl", "runc",
    }  # fmt: skip


def test_images_are_listed_once() -> None:
    recipe = Kubernetes(images="kubeadm", extra_images=["quay.io/x/y:1", "registry.k8s.io/pause:3.10.2"])
    images = wanted_images(recipe, release("1.36"))
    assert images == (*release("1.36").images, "quay.io/x/y:1")
    assert wanted_images(Kubernetes(), release("1.36")) == ()


@pytest.mark.parametrize(
    ("version", "schema", "plugin", "bin_key"),
    [
        ("1.7.24~ds1-6+b4", 2, "io.containerd.grpc.v1.cri", "bin_dir"),
        ("2.0.5", 3, "io.containerd.cri.v1.runtime", "bin_dir"),
        ("2.2.7", 3, "io.containerd.cri.v1.runtime", "bin_dirs"),
        ("2.3.4", 4, "io.containerd.cri.v1.runtime", "bin_dirs"),
        # A lock may have any version, of one number, too.
        ("2", 3, "io.containerd.cri.v1.runtime", "bin_dir"),
    ],
)
def test_containerd_is_told_in_its_own_format(version: str, schema: int, plugin: str, bin_key: str) -> None:
    config = tomllib.loads(configuration(version, sandbox="registry.k8s.io/pause:3.10.2", cni="/opt/cni/bin"))
    assert config["version"] == schema
    runtime = config["plugins"][plugin]
    assert runtime["containerd"]["runtimes"]["runc"]["options"]["SystemdCgroup"] is True
    assert runtime["cni"][bin_key] in ("/opt/cni/bin", ["/opt/cni/bin"])
    images = config["plugins"].get("io.containerd.cri.v1.images")
    sandbox = images["pinned_images"]["sandbox"] if images else runtime["sandbox_image"]
    assert sandbox == "registry.k8s.io/pause:3.10.2"


def archive(names: dict[str, bytes], *, compressed: bool = True) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, data in names.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            if data == b"->":
                info.size, info.type, info.linkname = 0, tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info, io.BytesIO(data) if info.size else None)
    return gzip.compress(out.getvalue()) if compressed else out.getvalue()


WHERE = Place(package="https://example.org/x.tgz")


@pytest.mark.parametrize("compressed", [True, False])
def test_only_declared_members_are_taken(store: Store, compressed: bool) -> None:  # noqa: FBT001  a table
    data = archive({"./bridge": b"1", "LICENSE": b"2", "./tap": b"3"}, compressed=compressed)
    found = members(store, store.add(data), {"/tap": "/opt/tap", "/bridge": "/opt/bridge"}, WHERE)
    assert {path: read(content) for path, content in found.items()} == {"/opt/tap": b"3", "/opt/bridge": b"1"}


def test_a_member_that_is_not_there(store: Store) -> None:
    digest = store.add(archive({"bin/ctr": b"1", "bin/containerd": b"->"}))
    with pytest.raises(
        ArchiveError, match=r"x\.tgz: the archive has no bin/containerd \(is it the right file\?\)"
    ) as c:
        members(store, digest, {"/bin/containerd": "/a", "/bin/ctr": "/b"}, WHERE)
    assert c.value.details == ("it has bin/ctr",)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (archive({"../x": b"1"}), "leads out of the archive"),
        (archive({"x": b"1"})[:-20], "the archive is damaged"),
        (gzip.compress(b""), "the archive is empty"),
        (b"<html>" * 1000, "checksum is wrong|damaged"),
    ],
    ids=["leading out", "cut short", "empty", "no archive"],
)
def test_archives_that_are_none(store: Store, data: bytes, message: str) -> None:
    with pytest.raises(AssembleError, match=message):
        members(store, store.add(data), {"/x": "/x"}, WHERE)
    assert not store.has_derived("archive-2", hashlib.sha256(data).hexdigest()), "nothing half-written stays"


def test_what_an_archive_has_is_told_in_part(store: Store) -> None:
    names = {f"bin/{number:02}": b"x" for number in range(25)}
    digest = store.add(archive(names))
    with pytest.raises(ArchiveError) as caught:
        members(store, digest, {"/a": "/x", "/bin/00": "/y", "/b": "/z"}, WHERE)
    assert caught.value.what == "the archive has no a, b"
    assert (caught.value.where, caught.value.hint) == (WHERE, "is it the right file?")
    assert caught.value.details == tuple(f"it has bin/{number:02}" for number in range(20))


def test_an_archive_that_unpacks_to_too_much(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    data = archive({"x": b"1"})
    size = len(gzip.decompress(data))
    monkeypatch.setattr(subject, "LIMITS", Limits(unpacked=size - 1))
    with pytest.raises(ArchiveError) as caught:
        members(store, store.add(data), {"/x": "/x"}, WHERE)
    assert (caught.value.what, caught.value.why) == ("the archive unpacks to too much", f"more than {size - 1} bytes")
    monkeypatch.setattr(subject, "LIMITS", Limits(unpacked=size))
    assert list(members(store, store.add(data), {"/x": "/x"}, WHERE)) == ["/x"]


@pytest.mark.parametrize(
    ("version", "schema", "bins"),
    [("1.999", 2, 0), ("2.0.99", 3, 0), ("2.1", 3, 1), ("2.2.9", 3, 1), ("2.3", 4, 1), ("3", 4, 1), ("10.0", 4, 1)],
)
def test_the_first_version_of_each_format(version: str, schema: int, bins: int) -> None:
    text = configuration(version, sandbox="s", cni="/c")
    assert tomllib.loads(text)["version"] == schema
    assert text.count('bin_dirs = ["/c"]') == bins
    assert text.count('bin_dir = "/c"') == 1 - bins
    assert text.startswith("# How this node's containers run")


def test_where_parts_go_and_come_from() -> None:
    files = {file.name: file for file in wanted_files(Kubernetes(), release("1.36.1"), "arm64")}
    assert files["kubelet"].version == "1.36.1"
    assert files["kubelet"].url == "https://dl.k8s.io/release/v1.36.1/bin/linux/arm64/kubelet"
    assert {file.role for file in files.values()} == {"kubernetes"}
    assert files["cni-plugins"].key == "kubernetes.cni_plugins"
    assert files["nerdctl"].checksums == (files["nerdctl"].url.rpartition("/")[0] + "/SHA256SUMS",)
    assert files["crictl"].version == release("1.36").version_of("crictl") != "1.36.1"
    debian = {part.key: KubernetesPart(source="debian") for part in PARTS if part.debian}
    everything = Kubernetes().model_copy(update=debian)
    assert packages(everything) == (
        frozenset(part.debian for part in PARTS if part.debian),
        frozenset(["containerd.io"]),
    )
    docker = everything.model_copy(update={"containerd": KubernetesPart(source="docker")})
    assert packages(docker)[1] == {"containerd", "runc"}
    with pytest.raises(AssembleError) as caught:
        release("1.2.3")
    assert (caught.value.what, caught.value.where.key) == ("nothing is known of Kubernetes 1.2.3", "kubernetes.version")
    assert caught.value.hint == f"known: {', '.join(sorted(lines()))}, and patches of these"
    assert {"1.35", "1.36", "1.37"} <= lines().keys()
