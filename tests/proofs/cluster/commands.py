"""The commands of a Kubernetes cluster, built from their Go modules as the Go module proxy has them.

What publishers serve cannot be had everywhere, but their source can: these are the real programs of the real versions.
They are static, so that a container image needs nothing else.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assembler.kubernetes.release import Release


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A Go module and the commands in it."""

    name: str
    path: str
    version: str
    commands: Mapping[str, str]
    """Package below the module by the name of the command."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Values of string variables, as the publishers' own builds set them with -X."""
    main: str = ""
    """Text of a main package instead, for a command of that name."""


COREDNS_MAIN = """\
// CoreDNS with the plugins that kubeadm's Corefile names, and not those that talk to clouds.
package main

import (
	_ "github.com/coredns/coredns/plugin/cache"
	_ "github.com/coredns/coredns/plugin/errors"
	_ "github.com/coredns/coredns/plugin/forward"
	_ "github.com/coredns/coredns/plugin/health"
	_ "github.com/coredns/coredns/plugin/kubernetes"
	_ "github.com/coredns/coredns/plugin/loadbalance"
	_ "github.com/coredns/coredns/plugin/log"
	_ "github.com/coredns/coredns/plugin/loop"
	_ "github.com/coredns/coredns/plugin/metrics"
	_ "github.com/coredns/coredns/plugin/ready"
	_ "github.com/coredns/coredns/plugin/reload"

	"github.com/coredns/coredns/core/dnsserver"
	"github.com/coredns/coredns/coremain"
)

func main() {
	// The order is that of plugin.cfg.
	dnsserver.Directives = []string{
		"reload", "ready", "health", "prometheus", "errors", "log", "cache", "loadbalance",
		"kubernetes", "loop", "forward",
	}
	coremain.Run()
}
"""
CNI = {
    "bandwidth": "meta", "bridge": "main", "dhcp": "ipam", "dummy": "main", "firewall": "meta", "host-device": "main",
    "host-local": "ipam", "ipvlan": "main", "loopback": "main", "macvlan": "main", "portmap": "meta", "ptp": "main",
    "sbr": "meta", "static": "ipam", "tap": "main", "tuning": "meta", "vlan": "main", "vrf": "meta",
}  # fmt: skip


def modules(release: Release) -> tuple[Module, ...]:
    """The modules for a release."""
    version, others = release.version, release.with_it
    _, minor, _ = version.split(".")
    base = "k8s.io/component-base/version"
    programs = (
        "kubeadm", "kubelet", "kubectl", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy",
    )  # fmt: skip
    containerd = "github.com/containerd/containerd/v2"
    return (
        Module(
            name="cni-plugins",
            path="github.com/containernetworking/plugins",
            version=f"v{others['cni-plugins']}",
            commands={f"cni-{name}": f"/plugins/{kind}/{name}" for name, kind in CNI.items()},
        ),
        Module(
            name="containerd",
            path=containerd,
            version=f"v{others['containerd']}",
            commands={name: f"/cmd/{name}" for name in ("containerd", "containerd-shim-runc-v2", "ctr")},
            variables={f"{containerd}/version.Version": f"v{others['containerd']}"},
        ),
        Module(
            name="etcd",
            path="go.etcd.io/etcd/server/v3",
            version=f"v{others['etcd'].partition('-')[0]}",
            commands={"etcd": ""},
        ),
        Module(
            name="kubernetes",
            path="k8s.io/kubernetes",
            version=f"v{version}",
            commands={name: f"/cmd/{name}" for name in programs} | {"agnhost": "/test/images/agnhost"},
            variables={
                f"{base}.gitVersion": f"v{version}",
                f"{base}.gitMajor": "1",
                f"{base}.gitMinor": minor,
                f"{base}.gitTreeState": "clean",
            },
        ),
        Module(
            name="coredns",
            path="github.com/coredns/coredns",
            version=others["coredns"],
            commands={"coredns": ""},
            main=COREDNS_MAIN,
        ),
        Module(
            name="crictl",
            path="sigs.k8s.io/cri-tools",
            version=f"v{others['crictl']}",
            commands={"crictl": "/cmd/crictl"},
            variables={"sigs.k8s.io/cri-tools/pkg/version.Version": f"v{others['crictl']}"},
        ),
    )


def build(release: Release, directory: Path, say: Callable[[str], None]) -> Path:
    """Build the commands of a release that `directory` does not have yet; returns the directory with them."""
    out = directory / "bin" / release.version
    out.mkdir(parents=True, exist_ok=True)
    for module in modules(release):
        source = directory / "src" / f"{module.name}-{module.version}"
        missing = {name: path for name, path in module.commands.items() if not (out / name).exists()}
        if not missing:
            continue
        prepare(module, source)
        flags = " ".join(["-s", "-w", *(f"-X {name}={value}" for name, value in module.variables.items())])
        for name, package in missing.items():
            say(f"building {name} {module.version}")
            target = "." if module.main else module.path + package
            _go(source, "build", "-p", "2", "-o", str(out / f"{name}.new"), "-ldflags", flags, target)
            (out / f"{name}.new").rename(out / name)
        if module.name == "kubernetes":
            _pause(module, out)
    return out


def prepare(module: Module, source: Path) -> None:
    """A module of our own in `source` that needs this one, and takes what it takes by replacement."""
    source.mkdir(parents=True, exist_ok=True)
    text = f"module cluster.example/{module.name}\n\ngo 1.25\n\nrequire {module.path} {module.version}\n"
    (source / "go.mod").write_text(text)
    if module.main:
        (source / "main.go").write_text(module.main)
    if module.path == "k8s.io/kubernetes":
        # Its own go.mod has the libraries of the same repository as directories, by way of replacement.
        staging = re.findall(r"^\s+(k8s\.io/[a-z-]+) v0\.0\.0$", (sources(module) / "go.mod").read_text(), re.MULTILINE)
        same = module.version.replace("v1.", "v0.", 1)
        (source / "go.mod").write_text(text + "".join(f"replace {name} => {name} {same}\n" for name in staging))


def sources(module: Module) -> Path:
    """The directory of the module's own source."""
    shown = _go(Path("/"), "mod", "download", "-json", f"{module.path}@{module.version}")
    found = re.search(r'"Dir": "([^"]+)"', shown)
    assert found, shown
    return Path(found[1])


def _pause(module: Module, out: Path) -> None:
    """The one program of a cluster that is written in C, from the source that the module of Kubernetes has."""
    source = sources(module) / "build/pause/linux/pause.c"
    subprocess.run(["gcc", "-Os", "-static", "-DVERSION=cluster", "-o", str(out / "pause"), str(source)], check=True)


def _go(where: Path, *arguments: str) -> str:
    go = shutil.which("go")
    assert go, "building the commands of a cluster needs Go 1.26 or newer"
    settings = {"CGO_ENABLED": "0", "GOFLAGS": "-mod=mod -trimpath -buildvcs=false", "GOTOOLCHAIN": "local"}
    done = subprocess.run(
        ["nice", "-n", "19", go, *arguments], cwd=where, env={**os.environ, **settings}, stdout=subprocess.PIPE,
        text=True, check=True,
    )  # fmt: skip
    return done.stdout
