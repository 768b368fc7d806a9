"""Names of layers, and of all files and paths of an image and of an output directory: written here, once."""

from typing import Literal

LayerName = Literal["kernel", "rootfs", "kubernetes", "livecd", "cloudinit"]
LAYERS: tuple[LayerName, ...] = ("kernel", "rootfs", "kubernetes", "livecd", "cloudinit")
"""In the order in which they are built; ``kubernetes`` is there for recipes that have it."""

CODE = "assembler"
"""The input that every step has: the assembler's own code, as another version of it may write other bytes."""
LIBRARY = "library"
"""What names of inputs begin with that are versions of libraries."""
FACTS = "facts.json"
"""A file of a step's result for the manifest: a JSON object with what is worth knowing of it."""

# --- files of an output directory ------------------------------------------------------------------------------------

ISO = "node.iso"
"""The live ISO."""
KERNEL, KERNEL_CONFIG, SYSTEM_MAP = "vmlinuz", "config", "System.map"
"""The bzImage (or arm64's equivalent), its .config, and the addresses of its symbols."""
INITRD = "initrd.img"
SEED = "cloud-init-seed.iso"
CYCLONEDX, SPDX = "sbom.cdx.json", "sbom.spdx.json"
"""The bills of materials in both formats."""
PROVENANCE = "provenance.json"
"""What all outputs were built from: see image/provenance.py."""
MANIFEST = "manifest.json"
"""See image/manifest.py."""
REPRODUCED, REBUILT = "audit.json", "rebuild.json"
"""The in-toto statements of ``assemble reproduce`` and ``assemble rebuild``."""

SQUASHFS = "filesystem.squashfs"
"""The root file system; it stays in the store, and is on the ISO."""

# --- paths on the ISO ------------------------------------------------------------------------------------------------

ISO_KERNEL = f"/boot/{KERNEL}"
ISO_INITRD = f"/boot/{INITRD}"
ISO_LIVE = "/live"
"""Everything else is below this."""
ISO_SQUASHFS = f"{ISO_LIVE}/{SQUASHFS}"
ISO_IMAGES = f"{ISO_LIVE}/images"
"""An OCI layout with container images; see recipes/kubernetes/preload-k8s-images."""
ISO_SUMS = f"{ISO_LIVE}/SHA256SUMS"
"""What the running node takes from the medium, for the initrd to check."""
ISO_RECIPE = f"{ISO_LIVE}/recipe"
"""A directory with the recipe, so that the image can be built again (see recipe/portable.py)."""
ISO_CONTENTS = f"{ISO_LIVE}/contents"
"""A directory with what the image says of its contents: see image/contents.py."""
ISO_INDEX = f"{ISO_CONTENTS}/contents.json"
ISO_PROVENANCE = f"{ISO_CONTENTS}/{PROVENANCE}"
ISO_CYCLONEDX, ISO_SPDX = f"{ISO_CONTENTS}/{CYCLONEDX}", f"{ISO_CONTENTS}/{SPDX}"


def lock_path(name: str) -> str:
    """Where the lock of the image `name` is on the ISO."""
    return f"{ISO_LIVE}/{name}.lock.toml"


def listing_path(tree: str) -> str:
    """Where the listing of a tree on the ISO (``rootfs``, ``initrd``) is there."""
    return f"{ISO_CONTENTS}/{tree}.zst"
