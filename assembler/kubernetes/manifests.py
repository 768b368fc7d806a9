"""Manifests that a node applies to its cluster: where they are in the image, and the unit that applies them.

Where kubeadm makes a cluster, or joins its control plane, ``/etc/kubernetes/admin.conf`` appears. Then each manifest is
applied with kubectl, in the recipe's order, again and again until the cluster takes it, and once for each cluster and
content. They are not static pods: the kubelet does not see them.
"""

import re
from collections.abc import Sequence

from assembler.errors import AssembleError, Place
from assembler.tree.staging import Tree

DIRECTORY = "/usr/share/kubernetes/manifests"
PROGRAM = "/usr/lib/assembler/apply-manifests"
UNITS = "/usr/lib/systemd/system"

SCRIPT = """\
#!/bin/sh
# Apply the manifests of this image to the cluster, each once for what it says and for this cluster. What is applied is
# remembered on the state disk. Of fields that others have changed, the manifest has the say when it is another one.
#   apply-manifests [MANIFESTS [STAMPS]]     directories
set -eu
manifests=${1:-/usr/share/kubernetes/manifests}
stamps=${2:-/var/lib/assembler/manifests}
: "${KUBECONFIG:=/etc/kubernetes/admin.conf}"
export KUBECONFIG

mkdir -p "$stamps"
for manifest in "$manifests"/*; do
    # The certificate of its authority tells one cluster from another.
    digest=$({ grep certificate-authority-data "$KUBECONFIG"; cat "$manifest"; } | sha256sum)
    stamp=$stamps/${digest%% *}
    [ ! -e "$stamp" ] || continue
    kubectl --request-timeout=120s apply --server-side --force-conflicts -f "$manifest"
    : >"$stamp"
done
"""
SERVICE = f"""\
[Unit]
Description=Manifests of the image, for the cluster
# Of nodes that are in its control plane.
ConditionPathExists=/etc/kubernetes/admin.conf
After=kubelet.service
StartLimitIntervalSec=0

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart={PROGRAM}
TimeoutStartSec=30min
# Until the API server answers, and lets the administrator in.
Restart=on-failure
RestartSec=10
"""
PATH_UNIT = """\
[Unit]
Description=Wait for a cluster that manifests can be applied to

[Path]
PathExists=/etc/kubernetes/admin.conf

[Install]
WantedBy=multi-user.target
"""


def require(manifest: bytes, where: Place) -> None:
    """Raise AssembleError unless `manifest` can be one: text with objects of Kubernetes."""
    try:
        text = manifest.decode()
    except UnicodeDecodeError as error:
        raise AssembleError("the manifest is not text in UTF-8", where=where) from error
    missing = [key for key in ("apiVersion", "kind") if not re.search(rf'(?:^|[{{,\s])"?{key}"?\s*:', text)]
    if missing:
        raise AssembleError(
            f"the manifest has no {' and no '.join(missing)}",
            where=where,
            hint="each is a file of Kubernetes objects in YAML or JSON, as kubectl apply takes it",
        )


def images_of(manifest: bytes) -> tuple[str, ...]:
    """The names of container images in `manifest`, as they are written, each once."""
    text = "\n".join(re.sub(r"(?:^|\s)#.*", "", line) for line in manifest.decode("utf-8", "replace").splitlines())
    found = re.findall(r"""(?:^|[{,\s])["']?image["']?[ \t]*:[ \t]*["']?([^\s"'#,{}\[\]]+)""", text)
    return tuple(dict.fromkeys(found))


def put(tree: Tree, manifests: Sequence[bytes]) -> None:
    """Put `manifests` into `tree`, with what applies them; nothing when there are none."""
    if not manifests:
        return
    for index, manifest in enumerate(manifests):
        tree.write(f"{DIRECTORY}/{index:03}.yaml", manifest, parents=True)
    tree.write(PROGRAM, SCRIPT.encode(), mode=0o755, parents=True)
    for name, text in (("apply-manifests.service", SERVICE), ("apply-manifests.path", PATH_UNIT)):
        tree.write(f"{UNITS}/{name}", text.encode(), parents=True)
    wants = "/etc/systemd/system/multi-user.target.wants/apply-manifests.path"
    tree.symlink(f"{UNITS}/apply-manifests.path", wants, parents=True)
