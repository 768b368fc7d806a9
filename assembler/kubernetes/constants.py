"""Which images a kubeadm asks for beside those of its own release, from its source.

They are Go constants in ``cmd/kubeadm/app/constants/constants.go`` of Kubernetes; ``app/images/images.go`` there makes
names of them. Programs of Kubernetes are never run here, so what kubeadm would print is read where it comes from.
"""

import re

from assembler.errors import AssembleError, Place

FILE = "cmd/kubeadm/app/constants/constants.go"
"""The path in the source of Kubernetes."""
NAMES = ("coredns", "etcd", "pause")
"""What :func:`constants` finds the versions of."""
_VERSION = r"v?[0-9][A-Za-z0-9.-]{0,40}"


def constants(source: str, version: str, where: str) -> dict[str, str]:
    """The tags of coredns, etcd and pause by name, from the text of `FILE` in Kubernetes `version` (``1.37.2``).

    `where` is the address or path that the text is from. Raises AssembleError when it does not say them.
    """
    found = {
        "coredns": _constant(source, "CoreDNSVersion"),
        "etcd": _etcd(source, int(version.split(".")[1])) or _constant(source, "DefaultEtcdVersion"),
        "pause": _constant(source, "PauseVersion"),
    }
    if missing := [name for name in NAMES if not found[name]]:
        raise AssembleError(
            f"the source of kubeadm {version} does not say which {' and '.join(missing)} it wants",
            where=Place(key="kubernetes.version"),
            why=where,
            hint="look at what is there; if it is Kubernetes' own, this version of the assembler cannot read it",
        )
    return found


def _constant(source: str, name: str) -> str:
    found = re.search(rf'^\s*{name}\s*=\s*"({_VERSION})"\s*$', source, re.MULTILINE)
    return found[1] if found else ""


def _etcd(source: str, minor: int) -> str:
    """As kubeadm's EtcdSupportedVersion: that of its minor version, or of the nearest that it knows."""
    table = re.search(r"^\s*SupportedEtcdVersion\s*=\s*map\[uint8\]string\{([^{}]*)\}", source, re.MULTILINE)
    pairs = re.findall(rf'([0-9]{{1,3}}):\s*"({_VERSION})"', table[1]) if table else []
    known = {int(number): version for number, version in pairs}
    return known[min(known, key=lambda number: abs(number - minor))] if known else ""
