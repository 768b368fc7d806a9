"""Numbers of users and groups that a recipe fixes, put into a configured tree.

Packages get their numbers in the order in which dpkg would configure them. A recipe may want others, so that they stay
the same whatever else is installed. Whoever has the wanted number gets the number that becomes free.
"""

from collections.abc import Mapping

from assembler.errors import AssembleError, Place, Problems
from assembler.programs.accounts import Accounts
from assembler.recipe.document import did_you_mean
from assembler.recipe.model import Ids
from assembler.tree.staging import Inode, Tree

STATIC = 100
"""Numbers below are the same on every Debian system (Debian policy 9.2.2)."""


class IdError(AssembleError):
    """A number that an account cannot have."""


def fix(tree: Tree, ids: Ids) -> None:
    """Give the accounts of `tree` the numbers in `ids`, and with them all that they own.

    Raises Problems for accounts that are not there and numbers that belong to Debian's own accounts.
    """
    if not ids.users and not ids.groups:
        return
    accounts = Accounts(tree)
    errors: list[AssembleError] = []
    users = _exchange("users", ids.users, {user.name: user.uid for user in accounts.users()}, errors)
    groups = _exchange("groups", ids.groups, {group.name: group.gid for group in accounts.groups()}, errors)
    if errors:
        raise Problems(errors)
    accounts.renumber(users, groups)
    accounts.save()
    done: set[int] = set()
    for _, inode in tree.walk():
        if id(inode) not in done:
            done.add(id(inode))
            _own(inode, users, groups)


def _own(inode: Inode, users: Mapping[int, int], groups: Mapping[int, int]) -> None:
    inode.uid = users.get(inode.uid, inode.uid)
    inode.gid = groups.get(inode.gid, inode.gid)


def _exchange(
    kind: str, wanted: Mapping[str, int], known: Mapping[str, int], errors: list[AssembleError]
) -> dict[int, int]:
    """The new number of each old one that changes."""
    numbers = dict(known)
    for name, number in wanted.items():
        where = Place(key=f"rootfs.ids.{kind}.{name}")
        if name not in known:
            hint = did_you_mean(name, known) or "only accounts that the image's packages make can be given a number"
            errors.append(IdError(f"the image has no such {kind.removesuffix('s')}", where=where, hint=hint))
            continue
        if known[name] < STATIC:
            why = f"{name} has {known[name]} on every Debian system"
            errors.append(IdError("this number is not for a recipe to choose", where=where, why=why))
            continue
        holder = next((other for other, has in numbers.items() if has == number), name)
        numbers[holder], numbers[name] = numbers[name], number
    return {known[name]: number for name, number in numbers.items() if known[name] != number}
