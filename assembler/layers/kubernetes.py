"""The kubernetes layer: programs from their publishers put into the root file system, and containerd told of them.

Units and other configuration are files of the recipe, and are there already. What comes from Debian instead is among
the packages of the root file system.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from assembler.errors import Place
from assembler.image.names import ISO_IMAGES
from assembler.kubernetes import manifests
from assembler.kubernetes.archive import members
from assembler.kubernetes.containerd import CONFIG, configuration
from assembler.kubernetes.finding import locked_release
from assembler.kubernetes.parts import CNI_BIN, PARTS
from assembler.layers.context import BuildContext, Means
from assembler.layers.declared import Counts, Epoch, data, value
from assembler.layers.rootfs import TreeLayer, tree_layer
from assembler.lockfile.model import Lock, LockedFile, LockedImage
from assembler.oci import layout
from assembler.oci.locking import manifest_of
from assembler.recipe.model import Kubernetes
from assembler.store.objects import Store
from assembler.tree.content import Content, Slice
from assembler.tree.staging import Inode, Kind, Tree

DEBIAN_CNI = "/usr/lib/cni"
"""Where Debian has CNI plugins; containerd finds them in the directory where networks put theirs when the node runs."""


def _by_version(files: Sequence[LockedFile]) -> dict[str, str]:
    return {f"file {file.name}": f"{file.version} {file.sha256}" for file in files}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kubernetes:
    """A root file system with the publishers' programs in it."""

    root: TreeLayer
    files: Annotated[tuple[LockedFile, ...], Counts(_by_version)]
    containerd: Annotated[str, value("containerd")]
    """Its configuration; empty for none."""
    debian_cni: Annotated[bool, value("cni")]
    """Whether the CNI plugins are those of Debian's package."""
    manifests: Annotated[Mapping[int, bytes], data("manifest {}")]
    """What is applied to the cluster, in the order of the numbers."""
    epoch: Epoch

    def compose(self, means: Means) -> Tree:
        means.fetch_files(self.files)
        tree = self.root.compose().copy()
        for path, content in programs(self.files, means.store).items():
            tree.put(path, Inode(Kind.FILE, 0o755, mtime=self.epoch, content=content), parents=True)
        # Plugins of whatever network come here when the node runs, so it is there even when it is empty.
        tree.mkdir(CNI_BIN, parents=True)
        for name in tree.names(DEBIAN_CNI) if self.debian_cni else ():
            tree.symlink(f"{DEBIAN_CNI}/{name}", f"{CNI_BIN}/{name}")
        if self.containerd:
            tree.write(CONFIG, self.containerd.encode(), parents=True)
        manifests.put(tree, [self.manifests[number] for number in sorted(self.manifests)])
        return tree


def layer(context: BuildContext, root: TreeLayer) -> TreeLayer:
    """`root` with Kubernetes in it; `root` itself for a recipe without a ``[kubernetes]`` table.

    Raises AssembleError when a manifest is none.
    """
    recipe = context.recipe.kubernetes
    if recipe is None:
        return root
    written = any(file.path == CONFIG for file in context.recipe.rootfs.files)
    keys = [f"kubernetes.manifests[{number}]" for number in range(len(recipe.manifests))]
    named = [context.loaded.files[key].data for key in keys]
    for key, manifest in zip(keys, named, strict=True):
        manifests.require(manifest, Place(key=key))
    declared = _Kubernetes(
        root=root,
        files=context.lock.files_for("kubernetes"),
        containerd="" if written else containerd_configuration(recipe, context.lock),
        debian_cni=recipe.cni_plugins.source == "debian",
        manifests=dict(enumerate(named)),
        epoch=context.epoch,
    )
    return tree_layer("kubernetes", "rootfs-k8s", declared, context.means)


def images_on_medium(images: Sequence[LockedImage], means: Means) -> dict[str, bytes | Path]:
    """Container images as files for the ISO, fetched, by their absolute path there."""
    store = means.store
    means.fetch_images(images)
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
    names = next(part for part in PARTS if part.name == "containerd").packages.values()
    packages = [package.version for package in lock.role("rootfs") if package.name in names]
    sandbox = locked_release(recipe.version, lock.kubernetes).pause_image
    return "".join(configuration(version, sandbox=sandbox, cni=CNI_BIN) for version in (*upstream, *packages)[:1])
