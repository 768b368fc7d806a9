"""What of a recipe and its lock decides the root file system, as inputs of its step."""

from functools import partial

from assembler.configure import passwords
from assembler.layers.byte_code import digests
from assembler.layers.step import of_files, of_packages, of_table, of_values
from assembler.lockfile.model import LockedAccounts, LockedMachine, LockedToolbox
from assembler.recipe.model import Rootfs as RootfsRecipe

of_host_files = partial(of_files, "rootfs")
_ELSEWHERE = frozenset(["rootfs.packages", "rootfs.recommends", "rootfs.rules", "rootfs.root_password"])
"""Keys of the table that are no inputs as such: the lock has the packages, files have the rules, and passwords are
secrets."""


def of_tree(recipe: RootfsRecipe) -> RootfsRecipe:
    """The table without what is in the lock, and with the password as it is in the image.

    Its salt comes from the whole table, so it is hashed before anything is taken out.
    """
    hashed = passwords.of_root(recipe)
    users = passwords.of_users(recipe)
    return recipe.model_copy(update={"root_password": hashed, "users": users, "packages": [], "recommends": False})


def recipe_inputs(recipe: RootfsRecipe) -> dict[str, str]:
    """The keys of the recipe's table as inputs of its tree, but for what is in `recipe_secrets`."""
    files = [
        # Where a host file is does not matter: what is in it does, and counts by itself.
        file.model_copy(update={"source": file.source and "", **({"content": ""} if file.private else {})})
        for file in recipe.files
    ]
    steps = [
        # What a step brings along counts by itself, with its place; its name is for messages.
        step.model_copy(update={"name": "", "file": step.file and "", "files": {}})
        for step in recipe.run
    ]
    debconf = recipe.debconf.open
    users = {name: user.model_copy(update={"password": ""}) for name, user in recipe.users.items()}
    changed = {"files": files, "run": steps, "debconf": debconf, "users": users}
    dumped = of_table("rootfs", recipe.model_copy(update=changed))
    return {name: value for name, value in dumped.items() if name not in _ELSEWHERE}


def recipe_secrets(recipe: RootfsRecipe) -> dict[str, str]:
    """The secrets in the recipe's table as inputs of its tree.

    The password is there as it is in the image: to guess it by this costs as much as by the image itself.
    """
    contents = {file.path: file.content for file in recipe.files if file.private and file.content is not None}
    hashed = passwords.of_root(recipe)
    locked = {name: user.password for name, user in recipe.users.items() if user.has_password}
    answers = [(*where, answer.value) for *where, answer in recipe.debconf.listed() if answer.private]
    return {
        **(of_values(**{"rootfs.root_password": hashed}) if hashed != "!" else {}),
        **(of_values(**{"rootfs.users": locked}) if locked else {}),
        **(of_values(**{"rootfs.files": contents}) if contents else {}),
        **(of_values(**{"rootfs.debconf.answers": answers}) if answers else {}),
    }


def of_machine(given: tuple[LockedToolbox, LockedMachine] | None) -> dict[str, str]:
    """The machine in which scripts are executed, and the tools that make its disk."""
    if given is None:
        return {}
    tools, machine = given
    made_with = sorted(package.sha256 for package in tools.packages)
    return {
        **of_packages("machine", (*machine.emulator.packages, *machine.guest.packages)),
        **of_values(**{"machine tools": made_with}),
    }


def of_accounts(kept: LockedAccounts) -> dict[str, str]:
    """The numbers that accounts keep."""
    named = (("user", kept.users), ("group", kept.groups))
    return of_values(**{f"number of {kind} {name}": number for kind, given in named for name, number in given})


def of_python(tools: LockedToolbox | None) -> dict[str, str]:
    """The Python that makes byte code."""
    return of_values(**{"byte code": digests(tools)}) if tools else {}
