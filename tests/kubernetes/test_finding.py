"""What is found out of Kubernetes when locking: by the table, or by a publisher that is a server of our own."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.kubernetes.constants import FILE, NAMES
from assembler.kubernetes.finding import find, locked_release, not_allowed
from assembler.kubernetes.parts import PARTS, wanted_files
from assembler.kubernetes.release import COMPANIONS, lines, number, release
from assembler.layers.kubernetes import containerd_configuration
from assembler.lock.check import require
from assembler.lock.files import lock_files
from assembler.lockfile.model import LockedVersion
from assembler.lockfile.toml import format_lock, parse_lock
from assembler.recipe.model import Kubernetes, KubernetesPart
from assembler.store.objects import Store
from assembler.store.routes import Routes
from assembler.store.transport import Transport
from tests.kubernetes.test_constants import SOURCE
from tests.lock.test_resolve import base, lock, publish_suite, recipe
from tests.support.http_server import Server
from tests.support.reporters import Recorder

HOSTS = ("dl.k8s.io", "github.com", "raw.githubusercontent.com")
NEWEST = next(iter(lines()))
LATER = f"1.{int(NEWEST.partition('.')[2]) + 1}"
"""A minor version that came after the table."""
NEXT = f"{NEWEST}.{number(lines()[NEWEST].newest)[-1] + 1}"
"""A patch that did."""
PARTS_OF_RECIPE = [part.key for part in PARTS]
ALL = {"kubernetes", *COMPANIONS, *NAMES}


@pytest.fixture
def transport(server: Server) -> Iterator[Transport]:
    """Publishers' addresses lead to our server, as a site's configuration does it."""
    rewrites = {f"https://{host}/": server.url(f"/{host}/") for host in HOSTS}
    with Transport(backoff=0.01, attempts=2, routes=Routes(rewrites=rewrites)) as it:
        yield it


def stable(server: Server, minor: str, text: str) -> str:
    server.serve(f"/dl.k8s.io/release/stable-{minor}.txt", text.encode())
    return f"https://dl.k8s.io/release/stable-{minor}.txt"


def source(server: Server, version: str, text: str = SOURCE) -> str:
    path = f"raw.githubusercontent.com/kubernetes/kubernetes/v{version}/{FILE}"
    server.serve(f"/{path}", text.encode())
    return f"https://{path}"


def named(found: tuple[LockedVersion, ...]) -> dict[str, LockedVersion]:
    assert [each.name for each in found] == sorted(ALL)
    return {each.name: each for each in found}


def test_a_minor_version_that_came_later(server: Server, transport: Transport) -> None:
    newest, text = stable(server, LATER, f"v{LATER}.2\n"), source(server, f"{LATER}.2")
    server.serve(
        f"/github.com/kubernetes-sigs/cri-tools/releases/download/v{LATER}.0/"
        f"crictl-v{LATER}.0-linux-amd64.tar.gz.sha256",
        b"0" * 64,
    )
    reporter = Recorder()
    locked = find(LATER, transport=transport, reporter=reporter)
    found = named(locked)
    assert found["kubernetes"] == LockedVersion(
        name="kubernetes", version=f"{LATER}.2", learned="publisher", witness=newest
    )
    assert found["etcd"] == LockedVersion(name="etcd", version="3.7.0-0", learned="publisher", witness=text)
    assert (found["crictl"].version, found["crictl"].learned) == (f"{LATER}.0", "publisher")
    assert found["crictl"].witness.endswith("linux-amd64.tar.gz.sha256")
    assert found["containerd"] == LockedVersion(
        name="containerd", version=lines()[NEWEST].companions["containerd"], learned="known"
    )
    assert reporter.warnings == []
    assert list(not_allowed(LATER, locked)) == []
    made = locked_release(LATER, locked)
    assert f"registry.k8s.io/kube-proxy:v{LATER}.2" in made.images
    assert made.pause_image == "registry.k8s.io/pause:3.10.2"
    assert made.version_of("kubelet") == f"{LATER}.2"


def test_without_a_crictl_of_its_own_the_newest_known_is_taken(server: Server, transport: Transport) -> None:
    stable(server, LATER, f"v{LATER}.0")
    source(server, f"{LATER}.0")
    crictl = named(find(LATER, transport=transport))["crictl"]
    assert (crictl.version, crictl.learned) == (lines()[NEWEST].companions["crictl"], "known")


def test_a_patch_that_came_later(server: Server, transport: Transport) -> None:
    """By the publisher's word for a minor version, and by the recipe's."""
    newest, text = stable(server, NEWEST, f"v{NEXT}"), source(server, NEXT)
    found = named(find(NEWEST, transport=transport))
    assert (found["kubernetes"].version, found["kubernetes"].witness) == (NEXT, newest)
    assert {found[name].witness for name in NAMES} == {text}
    assert {found[name].learned for name in COMPANIONS} == {"known"}
    own = named(find(NEXT, transport=transport))
    assert (own["kubernetes"].version, own["kubernetes"].learned) == (NEXT, "recipe")
    assert own["pause"] == found["pause"]


def test_what_the_table_has_is_known(server: Server, transport: Transport) -> None:
    assert named(find("1.36.4", transport=transport))["kubernetes"].learned == "recipe"
    assert server.seen == [], "nobody has to be asked for that"
    stable(server, "1.36", "v1.36.1\n")
    found = find("1.36", transport=transport)
    assert {each.learned for each in found} == {"known"}
    assert locked_release("1.36", found) == release("1.36"), "the table is newer than what was said"
    assert list(not_allowed("1.36", found)) == []


def test_when_nobody_answers_the_table_counts(server: Server, transport: Transport) -> None:
    reporter = Recorder()
    found = find("1.36", transport=transport, reporter=reporter)
    assert locked_release("1.36", found) == release("1.36")
    (warning,) = reporter.warnings
    assert warning.startswith("which patch of Kubernetes 1.36 is the newest could not be asked (")
    assert warning.endswith(f"{lines()['1.36'].newest} is taken, the newest that is known here")
    server.answers["/dl.k8s.io/release/stable-1.36.txt"] = lambda handler: handler.reply(503, b"busy")
    find("1.36", transport=transport, reporter=reporter)
    assert len(reporter.warnings) == 2


def test_what_nobody_knows(server: Server, transport: Transport) -> None:
    with pytest.raises(AssembleError, match=rf"nothing is known of Kubernetes {LATER}") as caught:
        find(LATER, transport=transport)
    assert caught.value.what == f"nothing is known of Kubernetes {LATER}"
    assert f"stable-{LATER}.txt" in caught.value.why
    assert caught.value.hint.startswith("known here: 1.34, ")
    server.serve(f"/dl.k8s.io/release/stable-{LATER}.txt", b"<html>log in here</html>")
    with pytest.raises(AssembleError, match=r"could not be asked: .*it is a web page"):
        find(LATER, transport=transport)
    with Transport(offline=True) as nobody, pytest.raises(AssembleError, match="the network is ruled out") as caught:
        find(LATER, transport=nobody)
    assert "leave out --offline" in caught.value.hint
    with pytest.raises(AssembleError, match=r"nothing is known of Kubernetes 1\.20"):
        find("1.20", transport=transport)
    with pytest.raises(AssembleError, match=rf"nothing is known of Kubernetes {NEXT}: .*constants\.go"):
        find(NEXT, transport=transport)
    assert all("1.20" not in path for path, _ in server.seen)


@pytest.mark.parametrize("text", ["moved", "v1.36.1", f"v{LATER}.0-rc.1", f"{LATER}.0", "", "\xff"])
def test_answers_that_are_none(server: Server, transport: Transport, text: str) -> None:
    stable(server, LATER, text)
    with pytest.raises(AssembleError, match="is not understood") as caught:
        find(LATER, transport=transport)
    assert f"stable-{LATER}.txt says " in caught.value.why
    assert caught.value.hint.endswith(f"or name a patch of {LATER} in the recipe")


def test_a_source_that_is_none(server: Server, transport: Transport) -> None:
    stable(server, LATER, f"v{LATER}.0")
    source(server, f"{LATER}.0", "package constants")
    with pytest.raises(AssembleError, match=rf"the source of kubeadm {LATER}\.0 does not say which coredns"):
        find(LATER, transport=transport)


def test_what_is_locked_stays(server: Server, transport: Transport) -> None:
    stable(server, NEWEST, f"v{NEXT}")
    source(server, NEXT)
    held = tuple(
        replace(each, version="1.2.3") if each.name == "containerd" else each
        for each in find(f"{NEWEST}.0", transport=transport)
    )
    own = named(find(NEWEST, transport=transport, held=held))
    assert own["kubernetes"].version == NEXT, "the recipe no longer names a patch"
    assert own["containerd"].version != "1.2.3"
    found = find(NEWEST, transport=transport)
    assert find(NEWEST, transport=transport, held=found[1:]) == found, "what is not whole is found out again"
    stable(server, NEWEST, f"v{NEXT}9"[: len(NEXT) + 2])
    assert find(NEWEST, transport=transport, held=found) == found
    named_now = find(NEXT, transport=transport, held=found)
    assert named(named_now)["kubernetes"].learned == "recipe"
    assert named_now[0] == found[0]
    assert named(find("1.36.4", transport=transport, held=found))["kubernetes"].version == "1.36.4"


def test_programs_are_locked_with_their_publishers_digests(server: Server, transport: Transport, store: Store) -> None:
    stable(server, LATER, f"v{LATER}.0")
    source(server, f"{LATER}.0")
    data = b"kubelet of the future"
    path = f"dl.k8s.io/release/v{LATER}.0/bin/linux/amd64/kubelet"
    server.serve(f"/{path}", data)
    digest = store.add(data)
    server.serve(f"/{path}.sha256", digest.encode())
    others = {name: KubernetesPart(source="none") for name in PARTS_OF_RECIPE if name != "kubelet"}
    recipe = Kubernetes(version=LATER).model_copy(update=others)
    made = locked_release(LATER, find(LATER, transport=transport))
    (file,) = lock_files(wanted_files(recipe, made, "amd64"), store=store, transport=transport)
    assert (file.url, file.sha256, file.learned) == (f"https://{path}", digest, "publisher")
    assert file.witness == f"https://{path}.sha256"


def changed(found: tuple[LockedVersion, ...], name: str, **values: str) -> tuple[LockedVersion, ...]:
    return tuple(replace(each, **values) if each.name == name else each for each in found)


def test_what_a_lock_may_not_say(server: Server, transport: Transport) -> None:
    known = find("1.36.4", transport=transport)
    stable(server, LATER, f"v{LATER}.0")
    source(server, f"{LATER}.0")
    later = find(LATER, transport=transport)
    evil = "https://evil.example/x"
    for version, forged, key in (
        ("1.36.4", changed(known, "kubernetes", version="1.36.3"), "kubernetes.kubernetes"),
        ("1.36", known, "kubernetes.kubernetes"),
        ("1.35", changed(known, "kubernetes", learned="known"), "kubernetes.kubernetes"),
        ("1.36", changed(known, "kubernetes", learned="known", version="1.36"), "kubernetes.kubernetes"),
        ("1.36", changed(known, "kubernetes", learned="known", version="1.36.x"), "kubernetes.kubernetes"),
        ("1.36", changed(known, "kubernetes", learned="known", version="1.36.4.5"), "kubernetes.kubernetes"),
        ("1.36.4", changed(known, "etcd", version="3.6.7-0"), "kubernetes.etcd"),
        (LATER, changed(later, "kubernetes", witness=evil), "kubernetes.kubernetes"),
        (LATER, changed(later, "coredns", witness=evil), "kubernetes.coredns"),
        (LATER, changed(later, "etcd", learned="known", witness=""), "kubernetes.etcd"),
        (LATER, changed(later, "runc", learned="publisher", witness=evil), "kubernetes.runc"),
        (LATER, (*later, LockedVersion(name="x", version="1", learned="known")), "kubernetes.x"),
        (LATER, later[1:], "kubernetes"),
    ):
        assert [where for where, _, _ in not_allowed(version, forged)] == [key]
    # An older table, or a later one, may have had these.
    for version, fine in (
        ("1.36", changed(known, "kubernetes", learned="known")),
        ("1.36.4", changed(known, "containerd", version="2.3.9")),
        (LATER, later),
    ):
        assert list(not_allowed(version, fine)) == []


def test_a_recipe_is_locked_with_what_was_found(server: Server, transport: Transport, store: Store) -> None:
    newest = stable(server, LATER, f"v{LATER}.1")
    source(server, f"{LATER}.1")
    publish_suite(server, "trixie", base(hello={}))
    none = {name: KubernetesPart(source="none") for name in PARTS_OF_RECIPE}
    it = recipe("hello").model_copy(update={"kubernetes": Kubernetes(version=LATER).model_copy(update=none)})
    found = lock(it, server, store, transport)
    assert {each.name: each.witness for each in found.kubernetes}["kubernetes"] == newest
    assert parse_lock(format_lock(found), "x") == found
    require(found, it, found.recipe_sha256, build_architecture="amd64", path=Path("x.lock.toml"))
    assert containerd_configuration(it.kubernetes or Kubernetes(), found) == "", "there is no containerd"
