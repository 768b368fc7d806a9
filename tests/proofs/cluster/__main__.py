"""Prove recipes/k8s.toml with a real cluster: build it, boot it without a network, and have kubeadm make a cluster.

    scripts/cluster [--work DIRECTORY] [--transcript FILE] [--commands DIRECTORY] [--no-boot]

The commands of Kubernetes, containerd and the rest are built from their Go modules (Go 1.26, hours on a small machine,
once), and served on 127.0.0.1 under their publishers' paths. Needs the Go module proxy and a Debian mirror, and 6 GB of
memory. Exit status 1 when anything is not as it should be.
"""

import os
import subprocess
import sys
from pathlib import Path

from assembler.errors import AssembleError
from assembler.kubernetes.release import Release, release
from assembler.vm.finding import in_toolbox
from assembler.vm.node import built
from tests.proofs.cluster.commands import build
from tests.proofs.cluster.proof import ProofError, Transcript, prove
from tests.proofs.cluster.publish import configuration, images, publish_files, publish_images
from tests.support.command import ROOT, arguments
from tests.support.http_server import Server, running
from tests.support.toolboxes import locked, own_tools

RECIPE = Path(__file__).with_name("cluster.toml")
VERSION = "1.36"


def assemble(out: Path, digests: dict[str, str], server: Server, work: Path) -> None:
    """Build the node as a user with mirrors of their own does."""
    config = work / "config.toml"
    config.write_text(configuration(server))
    names = {"containerd": "CONTAINERD_TGZ", "crictl": "CRICTL_TGZ", "cni-plugins": "CNI_PLUGINS_TGZ"}
    given = [f"{names.get(part, part.upper())}_SHA256={digest}" for part, digest in digests.items() if part != "runc"]
    # Locked anew each time: Go's programs may have been built again.
    RECIPE.with_name("cluster.lock.toml").unlink(missing_ok=True)
    command: list[str | Path] = [
        ROOT / "scripts/assemble",
        RECIPE,
        "--out",
        out,
        *(word for each in given for word in ("--arg", each)),
    ]
    subprocess.run(command, env={**os.environ, "ASSEMBLE_CONFIG": str(config)}, check=True)


def check_images(commands: Path, chosen: Release) -> None:
    """Whether the list of images that comes with the assembler is what kubeadm itself says."""
    command: list[str | Path] = [
        commands / "kubeadm",
        "config",
        "images",
        "list",
        "--kubernetes-version",
        f"v{chosen.version}",
    ]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert sorted(said) == sorted(chosen.images), f"kubeadm says {said}"


def main() -> int:
    """Do all of it; returns the exit status."""
    parser = arguments("cluster", __doc__)
    parser.add_argument("--work", type=Path, default=ROOT / "build/cluster", help="ISO and disks; 6 GB")
    parser.add_argument(
        "--commands", type=Path, default=Path.home() / ".cache/assembler-cluster", help="kept for later"
    )
    parser.add_argument("--transcript", type=Path, default=ROOT / "build/cluster/transcript.txt")
    parser.add_argument("--no-boot", action="store_true", help="build only")
    wishes = parser.parse_args()
    wishes.work.mkdir(parents=True, exist_ok=True)
    chosen = release(VERSION)
    commands = build(chosen, wishes.commands, lambda text: print(text, flush=True))
    check_images(commands, chosen)
    store, lock = locked({"rootfs"})
    out = wishes.work / "out"
    with running() as server:
        digests = publish_files(server, chosen, commands)
        publish_images(server, images(chosen, commands, lock, store))
        assemble(out, digests, server, wishes.work)
    if wishes.no_boot:
        return 0
    state = wishes.work / "var.qcow2"
    state.unlink(missing_ok=True)
    node = built(out)
    emulator = in_toolbox(node.architecture, own_tools(node.architecture.emulation.packages))
    transcript = Transcript(wishes.transcript, lambda text: print(text, flush=True))
    with (wishes.work / "console.log").open("w") as console:
        try:
            prove(node, emulator, wishes.work, transcript, lambda text: print(text, end="", file=console, flush=True))
        except (ProofError, AssembleError) as error:
            transcript.line(f"FAILED: {error}")
            return 1
    transcript.line("the cluster works, after a reboot too")
    return 0


if __name__ == "__main__":
    sys.exit(main())
