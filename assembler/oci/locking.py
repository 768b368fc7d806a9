"""Locking container images to digests, and getting them into the store."""

from collections.abc import Iterable, Sequence

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError, Problems
from assembler.lockfile.model import Lock, LockedImage
from assembler.oci.reference import parse
from assembler.oci.registry import Manifest, RegistryError, Repository, manifest_in, parse_manifest
from assembler.progress import SILENT, Reporter
from assembler.store.download import Download, OfflineError
from assembler.store.objects import Store
from assembler.store.transport import Transport

_HINT = "the registry may have dropped it: run `assemble lock` to take what it has now"


def platform_of(architecture: str) -> str:
    """The platform of the OCI image specification for a Debian architecture."""
    known = ARCHITECTURES.get(architecture)
    return known.platform if known else f"linux/{architecture}"


def lock_images(
    names: Sequence[str],
    architecture: str,
    *,
    store: Store,
    transport: Transport,
    held: Lock | None = None,
    reporter: Reporter = SILENT,
) -> tuple[LockedImage, ...]:
    """Lock the images `names` for `architecture` (Debian's), sorted by name; the store has their manifests afterwards.

    So it has the lists that name these. What `held` has of them goes on being what they stand for. Raises Problems with
    all that cannot be had.
    """
    platform = platform_of(architecture)
    kept = {image.name: image for image in (held.images if held else ()) if image.platform == platform}
    locked: dict[str, LockedImage] = {}
    problems: list[AssembleError] = []
    with reporter.step("images", total=len(names)) as step:
        for name in names:
            try:
                reference = parse(name)
                step.note(str(reference))
                if str(reference) in kept:
                    locked[str(reference)] = kept[str(reference)]
                    continue
                found = Repository(reference, transport).find(platform)
            except OfflineError:
                raise
            except AssembleError as error:
                problems.append(error)
                continue
            locked[str(reference)] = LockedImage(
                name=str(reference),
                platform=platform,
                index=store.add(found.index),
                manifest=store.add(found.manifest.data),
                size=len(found.manifest.data),
                learned="recipe" if reference.digest else "first-use",
            )
            step.advance()
    if problems:
        raise Problems(problems)
    return tuple(image for _, image in sorted(locked.items()))


def fetch_images(images: Iterable[LockedImage], *, store: Store, transport: Transport) -> None:
    """See to it that `store` has the manifests of locked `images` and all that they name, each once.

    Raises TransportError, StoreError, or RegistryError: also when the digest in an image's name does not lead to it.
    """
    images = tuple(images)
    repositories = {image.name: Repository(parse(image.name), transport) for image in images}
    for image in images:
        _require_named(image, repositories[image.name], store)
    transport.download(
        store,
        [
            Download(
                image.manifest,
                image.size,
                (repositories[image.name].manifest_url(f"sha256:{image.manifest}"),),
                image.name,
                _HINT,
                trusted_by="the lock",
                authenticator=repositories[image.name],
            )
            for image in images
        ],
    )
    transport.download(
        store,
        [
            Download(
                blob.digest,
                blob.size,
                (repositories[image.name].blob_url(blob.digest),),
                f"{image.name} ({blob.digest[:12]})",
                _HINT,
                trusted_by="its manifest",
                authenticator=repositories[image.name],
            )
            for image in images
            for blob in manifest_of(image, store).blobs
        ],
    )


def _require_named(image: LockedImage, repository: Repository, store: Store) -> None:
    """Raise RegistryError when the name of a locked `image` has a digest that does not lead to its manifest."""
    digest = parse(image.name).digest.removeprefix("sha256:")
    if digest in {"", image.manifest}:
        return
    if not store.sound(digest):
        store.add(repository.index())
    found = manifest_in(store.get(digest, what=image.name).read_bytes(), image.platform, image.name)
    if found != image.manifest:
        raise RegistryError(
            f"the lock has another image than {image.name}",
            why=f"that has the manifest {found} for {image.platform}, the lock has {image.manifest}",
            hint="restore the lock from where it was reviewed, or run `assemble lock`",
        )


def manifest_of(image: LockedImage, store: Store) -> Manifest:
    """The manifest of a locked image, which is in `store`."""
    return parse_manifest(store.get(image.manifest, what=image.name).read_bytes(), image.name)
