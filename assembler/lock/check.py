"""Whether a lock is for what is being built."""

from pathlib import Path

from assembler.errors import Place
from assembler.lock.model import Lock
from assembler.lock.toml import LockError


def matches(lock: Lock, recipe_digest: str) -> bool:
    """Whether `lock` was made from the recipe with this digest."""
    return lock.recipe_sha256 == recipe_digest


def require(lock: Lock, recipe_digest: str, *, build_architecture: str, path: Path) -> None:
    """Raise LockError unless `lock`, read from `path`, is for this recipe and for building on this architecture."""
    if not matches(lock, recipe_digest):
        raise LockError(
            "the recipe has changed since it was locked",
            where=Place(file=str(path), key="recipe_sha256"),
            why=f"the recipe's digest is {recipe_digest}, the lock is for {lock.recipe_sha256}",
            hint="run `assemble lock` to lock it anew",
        )
    if lock.build_architecture != build_architecture:
        raise LockError(
            f"the lock has the tools for building on {lock.build_architecture}",
            where=Place(file=str(path), key="build_architecture"),
            why=f"this machine is {build_architecture}",
            hint="run `assemble lock` here, or build there",
        )
