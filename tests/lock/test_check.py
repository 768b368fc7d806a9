"""A lock says nothing that its recipe does not allow: each forgery of one is refused, by the key that was forged."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler.errors import AssembleError, Place, Problems
from assembler.kubernetes.finding import find
from assembler.lock.check import matches, not_allowed, require
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedFile, LockedImage, LockedPackage
from assembler.recipe.model import Kernel, Kubernetes, KubernetesPart, Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.debian.archives import fingerprint, source
from tests.lock.test_resolve import base, lock, publish_suite, recipe, transport  # noqa: F401  a fixture
from tests.lockfile.test_toml import LOCK
from tests.support.http_server import Server

DIGEST = "a" * 64
PARTS = ("kubeadm", "kubectl", "containerd", "runc", "crictl", "nerdctl", "cni_plugins")


def kubernetes(**values: Any) -> Recipe:
    """A recipe with one file of a publisher and one container image."""
    others: dict[str, Any] = {name: KubernetesPart(source="none") for name in PARTS}
    kubelet = KubernetesPart(version="1", url="https://example.org/kubelet", **values)
    image = "example.org/pause:1"
    return recipe("hello").model_copy(
        update={"kubernetes": Kubernetes(kubelet=kubelet, images="none", extra_images=[image], **others)}
    )


FILE = LockedFile(
    name="kubelet",
    version="1",
    url="https://example.org/kubelet",
    size=1,
    sha256="1" * 64,
    learned="first-use",
    witness="",
    role="kubernetes",
)
IMAGE = LockedImage(
    name="example.org/pause:1",
    platform="linux/amd64",
    index="2" * 64,
    manifest="3" * 64,
    size=1,
    learned="first-use",
)


@pytest.fixture
def honest(server: Server, store: Store, transport: Transport) -> Lock:  # noqa: F811  the fixture
    publish_suite(server, "trixie", base(hello={}))
    found = lock(recipe("hello"), server, store, transport)
    return replace(found, files=(FILE,), images=(IMAGE,))


def refused(forged: Lock, it: Recipe) -> list[str]:
    """The keys of what is wrong with `forged`."""
    with pytest.raises(Problems) as caught:
        require(forged, it, DIGEST, build_architecture="amd64", path=Path("x.lock.toml"))
    assert all("stranger" in error.hint for error in caught.value.errors)
    return [error.where.key for error in caught.value.errors]


def package(it: Lock, name: str, **changes: Any) -> Lock:
    """`it` with one package changed."""

    def one(each: LockedPackage) -> LockedPackage:
        return replace(each, **changes) if each.name == name else each

    return replace(it, packages=tuple(map(one, it.packages)))


def test_an_honest_lock_is_taken(honest: Lock) -> None:
    require(honest, kubernetes(), DIGEST, build_architecture="amd64", path=Path("x.lock.toml"))


def test_a_lock_is_for_one_recipe_and_one_kind_of_machine(tmp_path: Path) -> None:
    path, it = tmp_path / "x.lock.toml", recipe()
    assert matches(LOCK, DIGEST)
    with pytest.raises(LockError, match=r"the recipe has changed since it was locked.*`assemble lock`"):
        require(LOCK, it, "b" * 64, build_architecture="amd64", path=path)
    with pytest.raises(LockError, match="building on amd64: this machine is arm64"):
        require(LOCK, it, DIGEST, build_architecture="arm64", path=path)


ARCHIVES: dict[str, Callable[[Lock], Lock]] = {
    "archives.trixie": lambda it: replace(it, archives=(replace(it.archives[0], root="https://evil.example"),)),
    "archives.sid": lambda it: replace(it, archives=(*it.archives, replace(it.archives[0], id="sid", suite="sid"))),
    "archives.trixie.components": lambda it: replace(
        it, archives=(replace(it.archives[0], components=("main", "non-free")),)
    ),
    "archives.trixie.indices": lambda it: replace(
        it,
        archives=(
            replace(
                it.archives[0],
                indices=(replace(it.archives[0].indices[0], path="contrib/binary-amd64/Packages.xz"),),
            ),
        ),
    ),
    "archives.trixie.signed_by": lambda it: replace(it, archives=(replace(it.archives[0], signed_by=("0" * 40,)),)),
}
OTHERS: dict[str, Callable[[Lock], Lock]] = {
    "architecture": lambda it: replace(it, architecture="arm64"),
    'packages."hello_1.0_amd64"': lambda it: package(it, "hello", roles=("boot", "rootfs")),
    'packages."hello_1.0_arm64"': lambda it: package(it, "hello", architecture="arm64"),
    "packages": lambda it: package(it, "shim-signed", roles=("rootfs",)),
    "files.kubelet.version": lambda it: replace(it, files=(replace(FILE, version="2"),)),
    "files.kubelet.url": lambda it: replace(it, files=(replace(FILE, url="https://evil.example/kubelet"),)),
    "files.kubelet.learned": lambda it: replace(it, files=(replace(FILE, learned="known"),)),
    "files.kubelet.witness": lambda it: replace(
        it, files=(replace(FILE, learned="publisher", witness="https://evil.example/sums"),)
    ),
    "files.kubectl": lambda it: replace(it, files=(FILE, replace(FILE, name="kubectl"))),
    'images."example.org/pause:1".platform': lambda it: replace(it, images=(replace(IMAGE, platform="linux/arm64"),)),
    'images."example.org/pause:1".learned': lambda it: replace(it, images=(replace(IMAGE, learned="recipe"),)),
    'images."example.org/evil:1"': lambda it: replace(it, images=(IMAGE, replace(IMAGE, name="example.org/evil:1"))),
}


@pytest.mark.parametrize("key", ARCHIVES | OTHERS)
def test_what_the_recipe_does_not_allow_is_refused(honest: Lock, key: str) -> None:
    assert key in refused((ARCHIVES | OTHERS)[key](honest), kubernetes())


def test_nobody_else_may_sign_for_an_archive_with_a_key_of_its_own(honest: Lock) -> None:
    other = recipe("hello", sources=source(key="other"))
    assert "archives.trixie.signed_by" in refused(honest, other)
    assert honest.archives[0].signed_by == (fingerprint(),)


def test_what_is_missing_is_said(honest: Lock) -> None:
    keys = refused(replace(honest, files=(), images=()), kubernetes())
    assert keys == ["files.kubelet", 'images."example.org/pause:1"']


def test_a_digest_in_the_recipe_counts(honest: Lock) -> None:
    keys = refused(honest, kubernetes(sha256="9" * 64))
    assert keys == ["files.kubelet.sha256"]


def test_a_time_in_the_recipe_counts(honest: Lock) -> None:
    it = kubernetes().model_copy(update={"epoch": 5})
    assert refused(honest, it) == ["source_date_epoch"]
    assert refused(replace(honest, source_date_epoch=5), kubernetes()) == ["source_date_epoch"]


def test_a_kernel_comes_from_the_package_that_the_recipe_names(honest: Lock) -> None:
    it = kubernetes().model_copy(update={"kernel": Kernel(source="vanilla", package="linux-source-6.12")})
    assert "packages" in refused(honest, it)
    forged = package(honest, "linux-image", roles=("kernel-source",))
    assert 'packages."linux-image_1.0_amd64"' in refused(forged, it)


def test_wrong_sources_are_the_recipes_fault(honest: Lock) -> None:
    with pytest.raises(AssembleError):
        require(honest, recipe(sources="Types: deb\n"), DIGEST, build_architecture="amd64", path=Path("x"))


def wrong(forged: Lock, it: Recipe) -> list[tuple[str, str, str]]:
    return list(not_allowed(forged, it))


def test_what_is_wrong_and_why_is_said(honest: Lock) -> None:
    """Each by itself, and nothing else."""
    it = kubernetes()
    assert wrong(honest, it) == []
    pinned = replace(IMAGE, name=f"example.org/pause@sha256:{'2' * 64}", learned="recipe")
    digest = it.kubernetes.model_copy(update={"extra_images": [pinned.name]}) if it.kubernetes else None
    by_digest = it.model_copy(update={"kubernetes": digest})
    known = kubernetes(sha256="1" * 64)
    own = replace(FILE, learned="recipe")
    latest = honest.source_date_epoch
    image = 'images."example.org/pause:1"'
    for forged, recipe_, expected in (
        (replace(honest, images=(pinned,)), by_digest, []),
        (replace(honest, files=(own,)), known, []),
        (
            replace(honest, images=(replace(pinned, index="4" * 64),)),
            by_digest,
            [(f'images."{pinned.name}".index', "the recipe says another digest", f"sha256:{'2' * 64}")],
        ),
        (
            replace(honest, images=(replace(pinned, learned="first-use"),)),
            by_digest,
            [(f'images."{pinned.name}".learned', "it is not how its digest was learned", "")],
        ),
        (
            replace(honest, files=(replace(own, sha256="4" * 64),)),
            known,
            [("files.kubelet.sha256", "the recipe says another one", "1" * 64)],
        ),
        (
            replace(honest, images=(replace(IMAGE, platform="linux/arm64"),)),
            it,
            [(f"{image}.platform", "it is another than the recipe's", "linux/amd64")],
        ),
        (replace(honest, images=()), it, [(image, "it is missing", "")]),
        (replace(honest, files=()), it, [("files.kubelet", "it is missing", "")]),
        (
            replace(honest, files=(replace(FILE, version="2"),)),
            it,
            [("files.kubelet.version", "it is not the recipe's", "that is 1")],
        ),
        (
            replace(honest, files=(replace(FILE, url="https://evil.example/kubelet"),)),
            it,
            [
                (
                    "files.kubelet.url",
                    "it is not where the recipe takes this file from",
                    "that is https://example.org/kubelet",
                )
            ],
        ),
        (
            replace(honest, files=(replace(FILE, role="kernel"),)),
            it,
            [("files.kubelet", "the recipe wants no such file", "")],
        ),
        (
            replace(honest, source_date_epoch=latest + 1),
            it,
            [("source_date_epoch", "it is not the time of its latest archive", f"that is {latest}")],
        ),
        (
            honest,
            it.model_copy(update={"epoch": latest + 1}),
            [("source_date_epoch", "it is not the recipe's", f"that is {latest + 1}")],
        ),
        (honest, it.model_copy(update={"epoch": latest}), []),
        (
            package(honest, "hello", architecture="arm64"),
            it,
            [('packages."hello_1.0_arm64"', "it is for another architecture", "this is wanted for amd64")],
        ),
        (package(honest, "hello", architecture="all"), it, []),
        (
            package(honest, "hello", roles=("kernel-source", "rootfs")),
            it,
            [('packages."hello_1.0_amd64"', "the recipe wants nothing for kernel-source", "")],
        ),
        (
            package(honest, "hello", roles=("boot", "rootfs")),
            it,
            [('packages."hello_1.0_amd64"', "the recipe does not want it for boot", "")],
        ),
        (package(honest, "shim-signed", roles=("rootfs",)), it, [("packages", "it has no shim-signed for boot", "")]),
        (
            replace(honest, archives=(replace(honest.archives[0], components=("main", "contrib")),)),
            it,
            [("archives.trixie.components", "they are not the recipe's", "these are main")],
        ),
        (
            replace(honest, archives=(replace(honest.archives[0], signed_by=()),)),
            it,
            [("archives.trixie.signed_by", "the recipe does not trust who signed", "nobody")],
        ),
        (
            replace(honest, archives=(replace(honest.archives[0], signed_by=(fingerprint(), "0" * 40)),)),
            it,
            [("archives.trixie.signed_by", "the recipe does not trust who signed", f"{fingerprint()}, {'0' * 40}")],
        ),
        (
            replace(honest, archives=(*honest.archives, replace(honest.archives[0], id="sid", suite="sid"))),
            it,
            [("archives.sid", "the recipe takes nothing from this archive", f"{honest.archives[0].root} sid")],
        ),
    ):
        assert wrong(forged, recipe_) == expected


def test_which_kubernetes_a_lock_has_fits_its_recipe(honest: Lock) -> None:
    with Transport(offline=True) as nobody:
        versions = find("1.36.4", transport=nobody)
    it = kubernetes()
    assert it.kubernetes is not None
    named = it.model_copy(update={"kubernetes": it.kubernetes.model_copy(update={"version": "1.36.4"})})
    good = replace(honest, kubernetes=versions)
    assert list(not_allowed(good, named)) == []
    assert refused(good, it) == ["kubernetes.kubernetes"], "the recipe names no patch"
    assert "kubernetes" in refused(good, recipe("hello"))


def test_where_it_is_wrong_is_said(honest: Lock) -> None:
    path = Path("x.lock.toml")
    with pytest.raises(LockError) as caught:
        require(honest, kubernetes(), "b" * 64, build_architecture="amd64", path=path)
    assert caught.value.where == Place(file="x.lock.toml", key="recipe_sha256")
    assert caught.value.why == f"the recipe's digest is {'b' * 64}, the lock is for {DIGEST}"
    with pytest.raises(LockError) as caught:
        require(honest, kubernetes(), DIGEST, build_architecture="arm64", path=path)
    assert caught.value.where == Place(file="x.lock.toml", key="tools.architecture")
