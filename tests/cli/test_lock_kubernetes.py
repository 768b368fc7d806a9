"""``assemble lock`` of a recipe with Kubernetes; its publishers are a server on 127.0.0.1 by the configuration."""

import hashlib
from pathlib import Path

import pytest

from assembler.cli.main import call
from assembler.kubernetes.parts import PARTS
from assembler.lockfile.toml import read_lock
from tests.cli.test_lock import directory, recipe  # noqa: F401  fixtures
from tests.kubernetes.test_finding import HOSTS, LATER, source, stable
from tests.support.http_server import Server

NONE = "\n".join(f'{part.key} = {{ source = "none" }}' for part in PARTS if part.name not in {"kubelet", "kubectl"})


@pytest.fixture
def publisher(server: Server, recipe: None, monkeypatch: pytest.MonkeyPatch) -> Server:  # noqa: F811, ARG001
    """It has a release that is later than the assembler; the recipe wants it."""
    rewrites = "".join(f'"https://{host}/" = "{server.url(f"/{host}/")}"\n' for host in HOSTS)
    Path("config.toml").write_text(f"[rewrite]\n{rewrites}")
    monkeypatch.setenv("ASSEMBLE_CONFIG", str(Path("config.toml").absolute()))
    for version in (f"{LATER}.0", f"{LATER}.1"):
        source(server, version)
        for name in ("kubelet", "kubectl"):
            data = f"{name} {version}".encode()
            path = f"/dl.k8s.io/release/v{version}/bin/linux/amd64/{name}"
            server.serve(path, data)
            server.serve(f"{path}.sha256", hashlib.sha256(data).hexdigest().encode())
    stable(server, LATER, f"v{LATER}.0\n")
    want(f'version = "{LATER}"')
    return server


def want(text: str) -> None:
    """A recipe on top that has this in its table of Kubernetes."""
    Path("k.toml").write_text(f'name = "k"\nextends = "r.toml"\n[kubernetes]\n{NONE}\n{text}\n')


def locked() -> dict[str, str]:
    found = read_lock(Path("k.lock.toml"))
    assert found
    assert {file.learned for file in found.files} == {"publisher"}
    return {file.name: file.version for file in found.files}


def test_it_stays_until_it_is_upgraded(publisher: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["lock", "k.toml"]) == 0
    assert locked() == {"kubelet": f"{LATER}.0", "kubectl": f"{LATER}.0"}
    stable(publisher, LATER, f"v{LATER}.1\n")
    assert call(["lock", "k.toml"]) == 0
    assert locked()["kubelet"] == f"{LATER}.0"
    assert call(["lock", "k.toml", "--check"]) == 0
    capsys.readouterr()
    assert call(["lock", "k.toml", "--upgrade", "--diff"]) == 0
    assert f"Kubernetes: {LATER}.0 (publisher) -> {LATER}.1 (publisher)" in capsys.readouterr().out
    assert call(["lock", "k.toml", "--upgrade"]) == 0
    assert locked()["kubectl"] == f"{LATER}.1"
    assert "warning" not in capsys.readouterr().err


def test_what_does_not_go_together_is_a_warning(publisher: Server, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.serve("/old", b"old")
    digest = hashlib.sha256(b"old").hexdigest()
    old = f'kubectl = {{ version = "1.30.1", url = "{publisher.url("/old")}", sha256 = "{digest}" }}'
    said = f"kubectl 1.30.1 is more than one minor version away from Kubernetes {LATER}.0"
    Path("k.toml").write_text(Path("k.toml").read_text() + old + "\n")
    for arguments, status in (
        (["lock", "k.toml"], 0),
        (["lock", "k.toml", "--check"], 0),
        (["check", "k.toml", "--locked"], 1),  # the archive's packages are none
    ):
        assert call(arguments) == status
        assert said in " ".join(capsys.readouterr().err.split())


def test_nobody_has_it(publisher: Server, capsys: pytest.CaptureFixture[str]) -> None:
    publisher.answers.pop(f"/dl.k8s.io/release/stable-{LATER}.txt")
    assert call(["lock", "k.toml"]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert f"nothing is known of Kubernetes {LATER}" in error
    assert "known here: 1.34" in error
    assert not Path("k.lock.toml").exists()
