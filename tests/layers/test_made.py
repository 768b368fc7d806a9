"""What takes programs, made of a small recipe: disks, archives, the squashfs, and the whole ISO."""

import gzip
import io
import json
import subprocess
import tarfile
from collections.abc import Iterable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path, PurePosixPath

import pytest
import zstandard

from assembler.audit.image import Image
from assembler.audit.verify import verify
from assembler.errors import AssembleError
from assembler.formats.squashfs_reader import Squashfs
from assembler.image.names import (
    ISO,
    ISO_IMAGES,
    ISO_INITRD,
    ISO_KERNEL,
    ISO_RECIPE,
    ISO_SQUASHFS,
    ISO_SUMS,
    SQUASHFS,
    lock_path,
)
from assembler.layers.context import BuildContext
from assembler.layers.kubernetes import images_on_medium
from assembler.layers.livecd import on_medium
from assembler.layers.plan import plan
from assembler.lockfile.model import LockedImage, LockedPackage
from assembler.recipe.model import Recipe
from assembler.tools.toolbox import Toolbox
from assembler.tree import digest
from assembler.tree.content import read
from tests.initrd.test_compose import RELEASE
from tests.layers.test_keys import Project, project_in
from tests.oci.test_layout import NAME, made
from tests.support.host_commands import need
from tests.support.reporters import Recorder
from tests.support.toolboxes import locked


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """One whose lock has a boot loader and a container image, too."""
    found = project_in(tmp_path_factory.mktemp("project"))
    _, lock = locked({"boot"})
    image = made()
    for blob in image.blobs.values():
        found.store.add(blob)
    pause = LockedImage(
        name=NAME,
        platform="linux/amd64",
        index="0" * 64,
        manifest=found.store.add(image.manifest.data),
        size=len(image.manifest.data),
        learned="first-use",
    )
    archive = found.lock.archives[0].id
    boot = (replace(package, archive=archive) for package in lock.role("boot"))
    packages = sorted((*found.lock.packages, *boot), key=lambda package: package.name)
    return replace(found, lock=replace(found.lock, packages=tuple(packages), images=(pause,)))


def context(project: Project, toolbox: Toolbox, *, jobs: int = 2, **recipe: object) -> BuildContext:
    elsewhere, _ = locked({"boot"})

    def fetch(packages: Iterable[LockedPackage]) -> None:
        for package in packages:
            if not project.store.has(package.sha256):
                project.store.add(elsewhere.get(package.sha256).read_bytes())

    found = project.context()
    means = replace(found.means, fetch=fetch, toolbox=lambda _: toolbox, jobs=jobs, reporter=Recorder())
    changed = Recipe.model_validate(found.recipe.model_dump() | recipe)
    return replace(found, means=means, loaded=replace(found.loaded, recipe=changed))


def make(context: BuildContext, label: str, directory: Path) -> Path:
    """The file that a step makes."""
    (step,) = (step for step in plan(context) if step.label == label)
    directory.mkdir()
    step.make(directory)
    (path,) = directory.iterdir()
    return path


def test_the_archive_is_the_same_however_many_processors_there_are(
    project: Project, toolbox: Toolbox, tmp_path: Path
) -> None:
    wanted = context(project, toolbox, jobs=1)
    made = make(wanted, "rootfs.tar.gz", tmp_path / "one")
    assert made.name == "rootfs.tar.gz"
    assert made.read_bytes() == make(context(project, toolbox, jobs=3), made.name, tmp_path / "three").read_bytes()
    # RFC 1952: deflate, no name and no other field, no time, compressed fast, made on Unix.
    assert made.read_bytes()[:10] == bytes([0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 4, 3])
    plain = gzip.decompress(made.read_bytes())
    assert isinstance(wanted.reporter, Recorder)
    assert ("rootfs.tar.gz", 0) in wanted.reporter.steps
    assert wanted.reporter.advanced >= len(plain)
    with tarfile.open(fileobj=io.BytesIO(plain)) as archive:
        assert archive.extractfile("./etc/hostname").read() == b"a\n"  # type: ignore[union-attr]  # it is a file
        assert max(each.mtime for each in archive) <= project.lock.source_date_epoch
    other = make(wanted, "rootfs.tar.zst", tmp_path / "zst").read_bytes()
    assert zstandard.ZstdDecompressor().decompress(other, max_output_size=1 << 24) == plain
    assert wanted.reporter.advanced >= 2 * len(plain)


@pytest.mark.parametrize(("size", "virtual"), [("", 112 << 20), ("64M", 64 << 20)])
def test_the_disk_is_as_large_as_the_recipe_says_or_fits(
    project: Project, toolbox: Toolbox, tmp_path: Path, size: str, virtual: int
) -> None:
    artifacts = {"formats": ["qcow2"], "disk_size": size}
    made = make(context(project, toolbox, artifacts=artifacts), "rootfs.qcow2", tmp_path / "out")
    assert made.name == "rootfs.qcow2"
    command = [need("qemu-img", "qemu-utils"), "convert", "-O", "raw", str(made), str(tmp_path / "raw")]
    subprocess.run(command, check=True)
    assert (tmp_path / "raw").stat().st_size == virtual
    listed = subprocess.run(
        [need("dumpe2fs", "e2fsprogs"), "-h", tmp_path / "raw"], check=True, capture_output=True, text=True
    ).stdout
    assert "Filesystem volume name:   rootfs\n" in listed


def test_the_squashfs_is_the_tree_compressed_as_the_recipe_says(
    project: Project, toolbox: Toolbox, tmp_path: Path
) -> None:
    made = {}
    for compression, level in (("zstd", 3), ("zstd", 19), ("gzip", None)):
        livecd = {"compression": compression, "compression_level": level}
        wanted = context(project, toolbox, livecd=livecd)
        made[compression, level] = make(wanted, "livecd.squashfs", tmp_path / f"{compression}{level}")
    assert {path.name for path in made.values()} == {SQUASHFS}
    assert len({path.read_bytes() for path in made.values()}) == 3
    (system,) = (step for step in plan(wanted) if step.label == "kubernetes.tree")
    said = system.result(project.store).path("listing.txt").read_text("ascii")
    for path in made.values():
        with Squashfs(path) as squashfs:
            assert (
                "".join(digest.listing(squashfs.tree, content=lambda one: digest.sha256_of(squashfs.chunks(one))))
                == said
            )


def test_the_iso(project: Project, toolbox: Toolbox, tmp_path: Path) -> None:
    """All that belongs onto it is there, where and what everybody is told that it is."""
    livecd = {"label": "NODE", "timeout": 7, "cmdline": "quiet splash", "state": "none"}
    wanted = context(project, toolbox, livecd=livecd)
    iso = make(wanted, "livecd.iso", tmp_path / "out")
    assert iso.name == ISO
    assert verify(iso).findings == ()
    image = Image(iso)
    assert read(image.files[ISO_KERNEL]) == b"kernel"
    parts = {ISO_KERNEL: "kernel.image", ISO_INITRD: "livecd.initrd", ISO_SQUASHFS: "livecd.squashfs"}
    results = {step.label: step.result(project.store) for step in plan(wanted) if step.label in parts.values()}
    for path, label in parts.items():
        assert read(image.files[path]) == results[label].path(PurePosixPath(path).name).read_bytes(), path
    assert read(image.files[lock_path("x")]) == on_medium(project.lock)
    (hello,) = (path for path in image.files if path.startswith(f"{ISO_RECIPE}/") and path.endswith(".toml"))
    assert 'name = "x"' in read(image.files[hello]).decode()
    # The images, and what the node takes from the medium, by digests that the kernel is told the digest of.
    (listed,) = json.loads(read(image.files[f"{ISO_IMAGES}/index.json"]))["manifests"]
    assert listed["digest"] == f"sha256:{project.lock.images[0].manifest}"
    assert f"{ISO_IMAGES}/blobs/sha256/{project.lock.images[0].manifest}" in image.files
    sums = read(image.files[ISO_SUMS])
    manifest = project.lock.images[0].manifest
    assert [line.split("  ")[1] for line in sums.decode().splitlines()] == [
        "live/filesystem.squashfs",
        "live/images/images.txt",
        "live/images/index.json",
        f"live/images/index/{manifest}.json",
        "live/images/oci-layout",
    ]
    menu = read(image.files["/boot/grub/grub.cfg"]).decode()
    assert "set timeout=7\n" in menu
    assert "\nmenuentry x --id normal {\n" in menu
    assert f"livecd.state=none livecd.medium={sha256(sums).hexdigest()} " in menu
    assert " quiet splash\n" in menu
    about = {key: image.index[key] for key in ("name", "architecture", "source_date_epoch", "kernel_release")}
    assert about == {
        "name": "x",
        "architecture": project.lock.architecture,
        "source_date_epoch": project.lock.source_date_epoch,
        "kernel_release": RELEASE,
    }
    assert set(image.trees) == {ISO_SQUASHFS, ISO_INITRD}
    with iso.open("rb") as stream:
        stream.seek(16 * 2048 + 40)
        assert stream.read(32).strip() == b"NODE"


def test_an_iso_that_does_not_fit_is_refused(project: Project, toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(AssembleError, match=r"livecd\.medium_size: the ISO is too large for its medium"):
        make(context(project, toolbox, livecd={"medium_size": "1M"}), "livecd.iso", tmp_path / "out")


def test_without_container_images_there_are_none_on_the_medium(project: Project, toolbox: Toolbox) -> None:
    means = context(project, toolbox).means
    assert images_on_medium((), means) == {}
    assert len(images_on_medium(project.lock.images, means)) == 4 + 1 + 3, (
        "its list, and the manifest with what that names"
    )
