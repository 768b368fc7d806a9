"""Bring assembler/kubernetes/releases.toml and checksums.toml up to date.

    scripts/kubernetes-table [MINOR ...]

Versions come from the Go module proxy: which patches there are of Kubernetes and of what goes with it, and, from the
source of kubeadm, which images it wants. Go checks each module against its public checksum database. MINOR (1.38) is a
minor version that is new in the table; what goes with it is what went with the one before, until somebody changes that.

Digests of new versions come from their publishers' checksum files, as far as these answer; the others are learned
by whoever locks. Needs Go, and the network. Exit status 1 when a publisher did not answer.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError
from assembler.kubernetes.constants import FILE, constants
from assembler.kubernetes.parts import CHECKSUMS, PARTS, known_digests
from assembler.kubernetes.release import COMPANIONS, PROGRAMS, TABLE, Line, lines, number
from assembler.lock.files import published
from assembler.store.transport import Transport
from assembler.toml.writing import pair, text
from tests.support.command import arguments

KUBERNETES = "k8s.io/kubernetes"
MODULES = {
    "containerd": "github.com/containerd/containerd/v2",
    "runc": "github.com/opencontainers/runc",
    "crictl": "sigs.k8s.io/cri-tools",
    "nerdctl": "github.com/containerd/nerdctl/v2",
    "cni-plugins": "github.com/containernetworking/plugins",
}
"""The Go modules of `COMPANIONS`, whose versions are those of their publishers' releases."""
HEAD = """\
# Releases of Kubernetes by minor version: its newest patch, versions of the other parts that go well with it, and the
# images that its kubeadm asks for beside its own, by the first patch that does (its constants.go). Written by
# scripts/kubernetes-table; which minor version of a part goes with one of Kubernetes is decided by hand.
"""
SUMS_HEAD = """\
# SHA-256 digests that publishers have published, by part, architecture and version. Gathered from public checksum lists
# (snapshot of 2026-08-21), and by scripts/kubernetes-table. What is not here is asked of the publisher when locking.
"""


class Modules:
    """What the Go module proxy that this machine is set up for says."""

    def __init__(self, go: Callable[..., str]) -> None:
        self._go = go
        self._listed: dict[str, list[str]] = {}

    def newest(self, module: str, known: str) -> str:
        """The newest patch of the minor version of `known`, which is one itself."""
        minor = known.rpartition(".")[0]
        if module not in self._listed:
            listed = json.loads(self._go("list", "-m", "-e", "-versions", "-json", module))
            self._listed[module] = listed.get("Versions", [])
        versions = [each.removeprefix("v") for each in self._listed[module]]
        there = [each for each in versions if each.rpartition(".")[0] == minor and each[len(minor) + 1 :].isdigit()]
        newest = max([*there, known], key=number)
        # A proxy may list only what somebody has asked it for before.
        while self.has(module, following := f"{minor}.{number(newest)[-1] + 1}"):
            newest = following
        return newest

    def has(self, module: str, version: str) -> bool:
        """Whether there is such a version."""
        return not json.loads(self._go("list", "-m", "-e", "-json", f"{module}@v{version}")).get("Error")

    def constants(self, version: str) -> Mapping[str, str]:
        """What kubeadm of this version wants; nothing when the proxy does not have it."""
        at = f"{KUBERNETES}@v{version}"
        if not (there := json.loads(self._go("mod", "download", "-json", at)).get("Dir")):
            return {}
        directory = Path(there)
        try:
            return constants((directory / FILE).read_text("utf-8"), version, at)
        finally:
            # 250 MB each.
            shutil.rmtree(directory)


def changes(first: str, last: str, read: Callable[[str], Mapping[str, str]]) -> dict[str, Mapping[str, str]]:
    """What `read` says of patches from `first` to `last`, by the first patch that has it; empty where nobody knows.

    Few are read: when two have the same, so have those between them. `read` gives nothing for what cannot be had; the
    two ends must be there.
    """
    minor, _, low = first.rpartition(".")
    found: dict[str, Mapping[str, str]] = {}

    def between(low: int, high: int) -> None:
        at_low, at_high = (found[f"{minor}.{patch}"] for patch in (low, high))
        if at_low == at_high:
            return
        for middle in sorted(range(low + 1, high), key=lambda patch: abs(2 * patch - low - high)):
            if there := read(f"{minor}.{middle}"):
                found[f"{minor}.{middle}"] = there
                between(low, middle)
                between(middle, high)
                return
        if high - low > 1:
            found[f"{minor}.{low + 1}"] = {}

    for end in (first, last):
        found[end] = read(end)
        if not found[end]:
            raise AssembleError(f"the source of Kubernetes {end} cannot be had")
    between(int(low), number(last)[-1])
    kept: dict[str, Mapping[str, str]] = {}
    for patch in sorted(found, key=number):
        if not kept or list(kept.values())[-1] != found[patch]:
            kept[patch] = found[patch]
    return kept


def updated(minor: str, line: Line | None, companions: Mapping[str, str], modules: Modules) -> Line:
    """The line of `minor`, from the one that there is; `companions` are those of a new one."""
    newest = modules.newest(KUBERNETES, line.newest if line else f"{minor}.0")
    kubeadm = dict(line.kubeadm) if line else {}
    if not line or newest != line.newest or not kubeadm:
        latest = max(kubeadm, key=number) if kubeadm else f"{minor}.0"
        kubeadm |= changes(latest, newest, modules.constants)
    if not line and modules.has(MODULES["crictl"], f"{minor}.0"):
        companions = {**companions, "crictl": f"{minor}.0"}
    parts = {name: modules.newest(MODULES[name], version) for name, version in companions.items()}
    return Line(newest=newest, companions=parts, kubeadm=kubeadm)


def table(found: Mapping[str, Line]) -> str:
    """The text of releases.toml."""
    out = HEAD
    for minor, line in sorted(found.items(), key=lambda item: number(item[0]), reverse=True):
        rows = [pair("newest", line.newest), *(pair(name, line.companions[name]) for name in COMPANIONS)]
        rows += ["", f'["{minor}".kubeadm]', *(pair(text(patch), line.kubeadm[patch]) for patch in line.kubeadm)]
        out += "\n".join(["", f'["{minor}"]', *rows, ""])
    return out


def digests(found: Mapping[str, Line], transport: Transport, missed: list[str]) -> Iterator[str]:
    """The text of checksums.toml, with what publishers say of versions in `found`; `missed` gets what they do not."""
    yield SUMS_HEAD
    known = known_digests()
    for part in PARTS:
        for architecture, values in ARCHITECTURES.items():
            mine = dict(known[part.name].get(architecture, {}))
            wanted = {line.newest if part.name in PROGRAMS else line.companions[part.name] for line in found.values()}
            for version in sorted(wanted - mine.keys(), key=number):
                url = part.url.format(version=version, arch=values.oci)
                try:
                    mine[version] = published(url, part.checksums_of(url), part.name, transport)[0]
                except AssembleError as error:
                    missed.append(f"{part.name} {version} {architecture}: {error.why or error.what}")
            rows = [pair(text(each), mine[each]) for each in sorted(mine, key=number, reverse=True) if mine[each]]
            yield "\n".join(["", f"[{part.name}.{architecture}]", *rows, ""])


def main() -> int:
    """Write both tables; returns the exit status."""
    parser = arguments("kubernetes-table", __doc__)
    parser.add_argument("minor", nargs="*", metavar="MINOR")
    new = parser.parse_args().minor
    found = dict(lines())
    program = shutil.which("go")
    assert program, "versions of Go modules are asked for with Go: https://go.dev"
    with tempfile.TemporaryDirectory() as cache:

        def go(*arguments: str) -> str:
            settings = {"GOMODCACHE": cache, "GOFLAGS": "-mod=mod -modcacherw", "GOTOOLCHAIN": "local"}
            command = [program, *arguments]
            done = subprocess.run(
                command, cwd="/", env={**os.environ, **settings}, stdout=subprocess.PIPE, text=True, check=False
            )
            # What cannot be had is an error in what it prints, too.
            return done.stdout or "{}"

        modules = Modules(go)
        for minor in sorted({*found, *new}, key=number):
            line = found.get(minor)
            before = line or found[max(found, key=number)]
            found[minor] = updated(minor, line, before.companions, modules)
            print(f"{minor}: {found[minor].newest}", flush=True)
    TABLE.write_text(table(found), "ascii")
    missed: list[str] = []
    with Transport(attempts=1) as transport:
        CHECKSUMS.write_text("".join(digests(found, transport, missed)), "ascii")
    for line_ in missed:
        print(f"no digest: {line_}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
