"""A recipe of one's own to begin with, on top of one that comes along, with what people change first."""

import os
from pathlib import Path

from assembler.carried import RECIPES
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.builtin import PREFIX, located

NAME = "node"
RECIPE, USER_DATA, IGNORED = f"{NAME}.toml", "user-data", ".gitignore"
"""The files that are written."""

_RECIPE = """\
# A node of your own, on top of a recipe that comes with the assembler. Build it with
#
#     assemble {recipe}
#
# What is not said here is as it is there; LIST_add adds to a list of it. All that a recipe can say: assemble schema

name = "{name}"
extends = "{base}"

[args]
# The name of the machine.
HOSTNAME = "{name}"
# Root's password is "root", on the console only, until you give another or its hash, as mkpasswd(1) prints it, from a
# file that only you can read:
#
#     assemble {recipe} --arg-file ROOT_PASSWORD=password
{more}
[rootfs]
# Debian packages beside those that it has.
packages_add = [
  # "vim-tiny",
]

# A file of the image, with its text here, or with source = "..." in a file beside this one.
# [[rootfs.files_add]]
# path = "/etc/motd"
# content = \"\"\"
# This node is ours.
# \"\"\"

[cloudinit]
# What one machine is to be, beside the image: who may log in over SSH, files, commands. It goes into
# cloud-init-seed.iso, so that one image serves many machines.
user_data = "{user_data}"
# Nobody can log in over SSH before a key is here or in {user_data}.
# ssh_authorized_keys = ["ssh-ed25519 AAAA... you@example.org"]
"""

_KUBERNETES = """
# A version of Kubernetes, or 1.36 for the newest patch of it.
# KUBERNETES_VERSION = "1.36"
"""
_IGNORED = """\
# What assemble makes of a recipe. Its lock, NAME.lock.toml, is to be committed: with it the same bytes come out again.
/out/
/audit/
/rebuilt/
# Disks that assemble run keeps.
*.qcow2
# For --arg-file ROOT_PASSWORD=password
/password
"""


_ANOTHER = "name another directory: assemble init DIRECTORY"


def base(name: str) -> str:
    """What ``extends`` says for the recipe that somebody calls `name`: ``k8s`` is ``builtin:k8s.toml``.

    Raises RecipeError when no such recipe comes along.
    """
    full = PREFIX + name.removeprefix(PREFIX).removesuffix(".toml") + ".toml"
    located(full, Path(), Place(), recipe=True)
    return full


def begin(directory: Path, name: str) -> tuple[Path, ...]:
    """Write a recipe on top of the one that is called `name`, user-data and .gitignore into `directory`; their paths.

    Nothing that is there is changed. Raises RecipeError for an unknown recipe, Problems with everything that is in the
    way, before anything is written, and AssembleError when it cannot be written.
    """
    on = base(name)
    more = _KUBERNETES if on.removeprefix(PREFIX).startswith("k8s") else ""
    texts = {
        RECIPE: _RECIPE.format(name=NAME, recipe=RECIPE, base=on, more=more, user_data=USER_DATA),
        USER_DATA: (RECIPES / "cloud-init/user-data").read_text("utf-8"),
        IGNORED: _IGNORED,
    }
    paths = {directory / file: text for file, text in texts.items()}
    if in_the_way := [path for path in paths if os.path.lexists(path)]:
        raise Problems([_taken(path) for path in in_the_way])
    try:
        directory.mkdir(parents=True, exist_ok=True)
        for path, text in paths.items():
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
    except OSError as error:
        why = error.strerror or str(error)
        where = Place(file=os.fsdecode(error.filename or directory))
        raise AssembleError("this cannot be written", where=where, why=why, hint=_ANOTHER) from error
    return tuple(paths)


def _taken(path: Path) -> AssembleError:
    return AssembleError(
        "this is there already, and is not overwritten",
        where=Place(file=str(path)),
        hint=_ANOTHER,
    )
