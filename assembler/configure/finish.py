"""What has to be done when files of a recipe have come into a configured tree: what dpkg's triggers would have done had
a package brought them, and what administrators call by hand after such files.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from assembler.configure.engine import Settings, told_again, trigger
from assembler.configure.errors import SettingError
from assembler.configure.job import Run
from assembler.debian.package import Unpacked
from assembler.errors import Place, Problems
from assembler.recipe.brought import INTERPRETER
from assembler.recipe.model import Rootfs
from assembler.tree.staging import Tree

_COMMANDS = (
    (r"/usr/local/share/ca-certificates/.+\.crt|/etc/ca-certificates\.conf", "/usr/sbin/update-ca-certificates"),
    (r"/etc/ld\.so\.conf(?:\.d/.+\.conf)?|/usr(?:/local)?/lib(?:32|64)?/.*\.so(?:\.[^/]*)?", "/usr/sbin/ldconfig"),
)
"""Files, and the program that has to be called after them, where the image has it."""
_MODULE = re.compile(r"/usr/lib/modules/([^/]+)/.+\.ko(?:\.[a-z0-9]+)?")


def finish(tree: Tree, recipe: Rootfs, packages: Sequence[Unpacked], settings: Settings) -> Iterator[Run]:
    """Do that in `tree`, which has the files of `recipe`, and whose `packages` are configured with `settings`.

    Returns what has to be executed, as it cannot be computed. Raises Problems where a recipe executes nothing.
    """
    paths = [tree.resolve(file.path) for file in recipe.files]
    if not paths:
        return
    commands = list(_commands(tree, paths))
    if recipe.scripts == "executed":
        left = [(command, "") for command in (*commands, *told_again(packages, settings, paths))]
    else:
        left = trigger(tree, packages, settings, paths, commands)
    if left and recipe.scripts == "computed":
        raise Problems(
            [
                SettingError(
                    "what has to be done after files of the recipe cannot be computed",
                    where=Place(key="rootfs.scripts"),
                    why=f"{command.splitlines()[-1]}: {why}",
                    hint='say scripts = "auto", which executes it',
                )
                for command, why in left
            ]
        )
    for command, why in left:
        name = f"after files of the recipe: {command.splitlines()[-1]}"
        yield Run(name=f"{name} ({why})" if why else name, script=INTERPRETER + f"{command}\n".encode())


def _commands(tree: Tree, paths: Collection[str]) -> Iterator[str]:
    """The commands that are called after files at `paths`."""
    for pattern, program in _COMMANDS:
        if any(re.fullmatch(pattern, path) for path in paths) and tree.exists(program):
            yield program.rpartition("/")[2]
    for release in sorted({found[1] for path in paths if (found := _MODULE.fullmatch(path))}):
        if tree.is_file(f"/usr/lib/modules/{release}/modules.order"):
            yield f"depmod {release}"
