"""The kubernetes layer: programs from their publishers put into the root file system, and containerd told of them.

Units and other configuration are files of the recipe, and are there already. What comes from Debian instead is among
the packages of the root file system.
"""

from collections.abc import Sequence
from pathlib import Path

from assembler.errors import Place
from assembler.image.names import ISO_IMAGES
from assembler.kubernetes.archive import members
from assembler.kubernetes.containerd import CONFIG, configuration
from assembler.kubernetes.parts import CNI_BIN, PARTS
from assembler.kubernetes.release import release
from assembler.layers.inputs import Inputs
from assembler.layers.rootfs import TreeLayer, tree_layer
from assembler.layers.step import of_files, of_values
from assembler.lockfile.model import Lock, LockedFile
from assembler.oci import layout
from assembler.oci.locking import manifest_of
from assembler.recipe.model import Kubernetes
from assembler.store.objects import Store
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Inode, Kind, Tree

DEBIAN_CNI = "/usr/lib/cni"
"""Where Debian has CNI plugins."""


def layer(inputs: Inputs, root: TreeLayer) -> TreeLayer:
    """`root` with Kubernetes in it; `root` itself for a recipe without a ``[kubernetes]`` table."""
    recipe = inputs.recipe.kubernetes
    if recipe is None:
        return root
    files = inputs.lock.files_for("kubernetes")
    written = any(file.path == CONFIG for file in inputs.recipe.rootfs.files)
    config = "" if written else containerd_configuration(recipe, inputs.lock)

    def make() -> Tree:
        inputs.fetch_files(files)
        tree = root.compose().copy()
        for path, content in programs(files, inputs.store).items():
            tree.put(path, Inode(Kind.FILE, 0o755, mtime=inputs.epoch, content=content), parents=True)
        # Plugins of whatever network come here when the node runs, so it is there even when it is empty.
        tree.mkdir(CNI_BIN, parents=True)
        if config:
            tree.write(CONFIG, config.encode(), parents=True)
        return tree

    needed = {
        root.step.label: root.step.key,
        **of_values(epoch=inputs.epoch, containerd=config),
        **{f"file {file.name}": f"{file.version} {file.sha256}" for file in files},
        **of_files("kubernetes", inputs.files),
    }
    return tree_layer("kubernetes", "rootfs-k8s", needed, make)


def images_on_medium(inputs: Inputs) -> dict[str, bytes | Path]:
    """The container images of the lock as files for the ISO, fetched, by their absolute path there."""
    images, store = inputs.lock.images, inputs.store
    inputs.fetch_images(images)
    manifests = {image.name: (manifest_of(image, store), image.platform) for image in images}
    blobs = {blob.digest: store.get(blob.digest) for manifest, _ in manifests.values() for blob in manifest.blobs}
    return {f"{ISO_IMAGES}/{path}": data for path, data in layout.layout(manifests, blobs).items()} if images else {}


def programs(files: Sequence[LockedFile], store: Store) -> dict[str, Content]:
    """The programs in locked `files`, which are in `store`, by their path in the image.

    Raises ArchiveError or TarError for an archive that is damaged or lacks one.
    """
    parts = {part.name: part for part in PARTS}
    found: dict[str, Content] = {}
    for file in files:
        part = parts[file.name]
        if "/" in part.members:
            found[part.members["/"]] = Slice(str(store.get(file.sha256, what=file.name)), 0, file.size)
        else:
            where = Place(key=f"kubernetes.{part.key}", package=file.url)
            found |= members(store, file.sha256, part.members, where)
    return found


def containerd_configuration(recipe: Kubernetes, lock: Lock) -> str:
    """What containerd is told, whichever version of it the lock has; nothing when there is none."""
    upstream = [file.version for file in lock.files_for("kubernetes") if file.name == "containerd"]
    debian = [package.version for package in lock.role("rootfs") if package.name == "containerd"]
    sandbox = release(recipe.version).pause_image
    cni = DEBIAN_CNI if recipe.cni_plugins.source == "debian" else CNI_BIN
    return "".join(configuration(version, sandbox=sandbox, cni=cni) for version in (*upstream, *debian)[:1])
