"""getent(1) and id(1): whether there is a user or group."""

from assembler.programs import (
    accounts,
)
from assembler.programs.context import Action
from assembler.tree.staging import Tree


def getent(arguments: list[str]) -> Action | None:
    """``getent`` of one user or group."""
    match arguments:
        case ["passwd", name]:
            return lambda context: 0 if _has_user(context.tree, name) else 2
        case ["group", name]:
            return lambda context: 0 if _has_group(context.tree, name) else 2
        case _:
            return None


def _has_user(tree: Tree, name: str) -> bool:
    return accounts.Accounts(tree).user(name) is not None


def _has_group(tree: Tree, name: str) -> bool:
    return accounts.Accounts(tree).group(name) is not None


def id_of(arguments: list[str]) -> Action | None:
    """``id`` of one user."""
    match arguments:
        case ["-u" | "-g", name] | [name] if not name.startswith("-"):
            return lambda context: 0 if _has_user(context.tree, name) else 1
        case _:
            return None
