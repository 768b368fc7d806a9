"""What builds from a lock download, in the user's store: for builds with a store of their own, or from a server."""

import shutil
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from assembler.lockfile.model import Lock
from assembler.lockfile.toml import read_lock
from assembler.recipe.load import load
from assembler.store.objects import Store
from tests.support.http_server import Handler, Server


def lock_of(recipe: Path) -> Lock:
    """The lock of a recipe, which has one."""
    path = load(recipe).lock_path
    lock = read_lock(path)
    assert lock is not None, path
    return lock


def downloads_of(lock: Lock, store: Store) -> dict[str, Path]:
    """Where `store` has what proves the archives of `lock` and those of its packages that a build has needed, by
    SHA-256."""
    archives = (*lock.archives, *lock.tools.archives)
    proofs = [one for each in archives for one in (each.inrelease_sha256, *(index.sha256 for index in each.indices))]
    packages = [package.sha256 for package in (*lock.packages, *lock.tools.packages) if store.has(package.sha256)]
    return {digest: store.get(digest) for digest in (*packages, *proofs)}


def put(downloads: Mapping[str, Path], store: Store) -> None:
    """Copy into `store` what it does not have."""
    for digest, source in downloads.items():
        if not store.has(digest):
            store.path(digest).parent.mkdir(exist_ok=True)
            shutil.copyfile(source, store.path(digest))


def serve_packages(server: Server, lock: Lock, store: Store) -> None:
    """Let `server` be a mirror with those packages of `lock` that `store` has, by their own paths."""
    archives = {archive.id: archive for archive in (*lock.archives, *lock.tools.archives)}
    for package in (*lock.packages, *lock.tools.packages):
        if store.has(package.sha256):
            path = f"/{archives[package.archive].root}/{package.path}"
            server.answers[path] = partial(_serve, store.path(package.sha256))


def _serve(path: Path, handler: Handler) -> None:
    handler.file(path.read_bytes())
