"""Whether a lock is for what is being built, and names nothing that its recipe does not allow.

A lock comes from whoever sends a change, as a recipe does, but is not what people read. So all that it says of where
things come from is compared with the recipe: archives, components, signers, publishers' addresses, digests, images.
Which packages of these archives it may have is beyond this check: :mod:`assembler.lock.trust` decides that.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from pathlib import Path

from assembler.debian.keyring import trusted
from assembler.debian.sources import Archive
from assembler.errors import Place, Problems
from assembler.kubernetes import finding
from assembler.kubernetes.parts import wanted_files, wanted_images
from assembler.lock.own import brought, called
from assembler.lock.trust import of_component, source_of
from assembler.lock.wanted import archives_of, kernel_files, rootfs_files, wanted
from assembler.lockfile.errors import LockError
from assembler.lockfile.model import Lock, LockedArchive, LockedFile, LockedImage
from assembler.lockfile.wanted import WantedFile
from assembler.oci.locking import platform_of
from assembler.oci.reference import parse
from assembler.recipe.model import Recipe

_HINT = "restore the lock from where it was reviewed, or run `assemble lock`; do not trust one from a stranger"


def matches(lock: Lock, recipe_digest: str) -> bool:
    """Whether `lock` was made from the recipe with this digest."""
    return lock.recipe_sha256 == recipe_digest


def require(lock: Lock, recipe: Recipe, recipe_digest: str, *, build_architecture: str, path: Path) -> None:
    """Raise LockError unless `lock`, read from `path`, is for this recipe and for building on this architecture.

    Raises Problems with all that it has and the recipe does not allow.
    """
    if not matches(lock, recipe_digest):
        other = ", ".join(_replaced(lock, recipe))
        raise LockError(
            "packages that the recipe brings have changed since it was locked"
            if other
            else "the recipe has changed since it was locked",
            where=Place(file=str(path), key="recipe_sha256"),
            why=f"{other}: another file than the lock names"
            if other
            else f"the recipe's digest is {recipe_digest}, the lock is for {lock.recipe_sha256}",
            hint="run `assemble lock` to lock it again",
        )
    if lock.build_architecture != build_architecture:
        raise LockError(
            f"the lock has the tools for building on {lock.build_architecture}",
            where=Place(file=str(path), key="tools.architecture"),
            why=f"this machine is {build_architecture}",
            hint="run `assemble lock` here, or build there",
        )
    if found := [
        LockError(what, where=Place(file=str(path), key=key), why=why, hint=_HINT)
        for key, what, why in not_allowed(lock, recipe)
    ]:
        raise Problems(found)


def _replaced(lock: Lock, recipe: Recipe) -> Iterator[str]:
    """Files that `recipe` brings and of which `lock` has a package by the same name and another digest."""
    locked = {package.path: package.sha256 for package in lock.packages if not package.archive and not package.url}
    for sha256, names in brought(recipe).items():
        yield from (name for name, _ in sorted(names) if locked.get(name, sha256) != sha256)


def not_allowed(lock: Lock, recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    """What `lock` has and `recipe` does not allow: the lock's key, what is wrong, and why.

    Raises Problems or SourcesError when the recipe's sources are wrong.
    """
    if lock.architecture != recipe.arch:
        yield "architecture", "it is for another architecture", f"the recipe is for {recipe.arch}"
    if recipe.epoch is not None and lock.source_date_epoch != recipe.epoch:
        yield "source_date_epoch", "it is not the recipe's", f"that is {recipe.epoch}"
    if recipe.epoch is None and lock.source_date_epoch != (latest := _latest(lock)):
        yield "source_date_epoch", "it is not the time of its latest archive", f"that is {latest}"
    sources = archives_of(recipe)
    for archive in lock.archives:
        yield from _archive(archive, sources)
    yield from _packages(lock, recipe)
    files: list[WantedFile] = [*kernel_files(recipe), *rootfs_files(recipe)]
    images: tuple[str, ...] = ()
    if recipe.kubernetes is None and lock.kubernetes:
        yield "kubernetes", "the recipe has no such layer", ""
    elif recipe.kubernetes is not None:
        version = recipe.kubernetes.version
        if lock.kubernetes and (wrong := list(finding.not_allowed(version, lock.kubernetes))):
            yield from wrong
            return
        release = finding.locked_release(version, lock.kubernetes)
        files += wanted_files(recipe.kubernetes, release, recipe.arch)
        images = wanted_images(recipe.kubernetes, release)
    yield from _files(lock.files, files)
    yield from _images(lock.images, images, recipe.arch)


def _latest(lock: Lock) -> int:
    """The time of the latest archive of `lock`, in seconds."""
    return max((int(datetime.fromisoformat(archive.date).timestamp()) for archive in lock.archives), default=0)


def _archive(locked: LockedArchive, sources: Iterable[Archive]) -> Iterator[tuple[str, str, str]]:
    key = f"archives.{locked.id}"
    own = source_of(locked, sources)
    if own is None:
        yield key, "the recipe takes nothing from this archive", f"{locked.root} {locked.suite}"
        return
    if set(locked.components) != set(own.source.components):
        yield f"{key}.components", "they are not the recipe's", f"these are {' '.join(own.source.components)}"
    for index in locked.indices:
        if not of_component(index, own):
            yield f"{key}.indices", "it is of no component that the recipe has", index.path
    signers = {certificate.fingerprint.upper() for certificate in trusted(own)}
    if not locked.signed_by or not set(locked.signed_by) <= signers:
        yield f"{key}.signed_by", "the recipe does not trust who signed", ", ".join(locked.signed_by) or "nobody"


def _packages(lock: Lock, recipe: Recipe) -> Iterator[tuple[str, str, str]]:
    asked = {role.role: role for role in wanted(recipe, lock.build_architecture)}
    own = brought(recipe)
    for package in lock.packages:
        key = f'packages."{package.name}_{package.version}_{package.architecture}"'
        for role in package.roles:
            if role not in asked:
                yield key, f"the recipe wants nothing for {role}", ""
            elif not asked[role].dependencies and package.name not in asked[role].packages:
                yield key, f"the recipe does not want it for {role}", ""
        if not package.archive and called(package) not in own.get(package.sha256, ()):
            yield key, "the recipe does not bring this package", package.url or package.path
        built = {asked[role].architecture for role in package.roles if role in asked}
        if package.architecture != "all" and {package.architecture} != built:
            yield key, "it is for another architecture", f"this is wanted for {' and '.join(sorted(built))}"
    there = {package.sha256 for package in lock.role("rootfs")}
    for deb in recipe.debian.debs:
        if deb.sha256 not in there:
            yield "packages", "a package is missing that the recipe installs", deb.url or deb.path
    for want in asked.values():
        here = {package.name for package in lock.role(want.role)}
        if not want.dependencies and (missing := sorted(set(want.packages) - here)):
            yield "packages", f"it has no {', '.join(missing)} for {want.role}", ""


def _files(locked: Iterable[LockedFile], asked: Iterable[WantedFile]) -> Iterator[tuple[str, str, str]]:
    known = {file.name: file for file in asked}
    for file in locked:
        key = f"files.{file.name}"
        want = known.pop(file.name, None)
        if want is None or want.role != file.role:
            yield key, "the recipe wants no such file", ""
        elif file.version != want.version:
            yield f"{key}.version", "it is not the recipe's", f"that is {want.version or 'none'}"
        elif file.url != want.url:
            yield f"{key}.url", "it is not where the recipe takes this file from", f"that is {want.url}"
        elif want.sha256 and file.sha256 != want.sha256:
            who = "recipe" if want.learned == "recipe" else "assembler"
            yield f"{key}.sha256", f"the {who} says another one", want.sha256
        elif not want.sha256 and file.learned in {"recipe", "known"}:
            yield f"{key}.learned", "neither the recipe nor the assembler says what it is", ""
        elif file.witness and file.witness not in want.checksums:
            yield f"{key}.witness", "its publisher has its checksums elsewhere", ", ".join(want.checksums)
    for name in sorted(known):
        yield f"files.{name}", "it is missing", ""


def _images(locked: Iterable[LockedImage], asked: Iterable[str], arch: str) -> Iterator[tuple[str, str, str]]:
    known = {str(reference): reference for reference in map(parse, asked)}
    for image in locked:
        key = f'images."{image.name}"'
        reference = known.pop(image.name, None)
        if reference is None:
            yield key, "the recipe wants no such image", ""
            continue
        if image.platform != platform_of(arch):
            yield f"{key}.platform", "it is another than the recipe's", platform_of(arch)
        if (image.learned == "recipe") != bool(reference.digest):
            yield f"{key}.learned", "it is not how its digest was learned", ""
        if reference.digest and reference.digest.removeprefix("sha256:") != image.index:
            yield f"{key}.index", "the recipe says another digest", reference.digest
    for name in sorted(known):
        yield f'images."{name}"', "it is missing", ""
