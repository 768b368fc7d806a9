"""The settings of a recipe, put into a configured tree: name, root's password, language, units, files."""

from collections.abc import Callable, Mapping
from functools import partial

from assembler.configure import added, caches, localization, passwords
from assembler.configure.errors import SettingError
from assembler.configure.writing import write
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.shadow import set_password
from assembler.programs.systemd import Systemctl, UnitError, full_name
from assembler.recipe.model import Rootfs
from assembler.tree.content import Content
from assembler.tree.staging import Tree, TreeError


def apply(tree: Tree, recipe: Rootfs, files: Mapping[str, Content], epoch: int) -> None:
    """Put the settings of `recipe` into `tree`.

    `files` are the bytes of files that the recipe names by `source`, by the key that does so
    (``rootfs.files[3].source``); `epoch` in seconds is the day of the password's change. Raises Problems with all
    settings that cannot be made.
    """
    problems: list[AssembleError] = []
    settings: tuple[tuple[str, Callable[[Tree, Rootfs], None]], ...] = (
        ("rootfs.hostname", _hostname),
        ("rootfs.root_password", partial(_root_password, epoch=epoch)),
        ("rootfs.locale", localization.set_locale),
        ("rootfs.locales", localization.keep_locales),
        ("rootfs.keymap", localization.set_keymap),
        ("rootfs.timezone", localization.set_timezone),
        ("rootfs.exclude", _exclusions),
    )
    for key, setting in settings:
        try:
            setting(tree, recipe)
        except AssembleError as error:
            problems.append(SettingError.of(key, error))
    problems += [SettingError.of(key, error) for key, error in added.put_in(tree, recipe, files, epoch)]
    caches.prepare(tree)
    systemctl = Systemctl(tree)
    for verb, units, change in (
        ("enable", recipe.enable, partial(_enable, systemctl)),
        ("disable", recipe.disable, systemctl.disable),
        ("mask", recipe.mask, systemctl.mask),
    ):
        for index, unit in enumerate(units):
            try:
                change(unit)
            except (UnitError, TreeError) as error:
                problems.append(SettingError.of(f"rootfs.{verb}[{index}]", error))
    if problems:
        raise Problems(problems)


def _enable(systemctl: Systemctl, name: str) -> None:
    """Enable a unit that says what shall start it; systemctl does nothing for others, and says so."""
    unit = systemctl.load(full_name(name))
    if not (any(unit.links.values()) or unit.alias or unit.also):
        raise UnitError(
            "the unit does not say what starts it",
            where=Place(path=unit.path),
            why="there is no WantedBy in its section [Install]",
            hint="add it to a unit of your own (WantedBy=multi-user.target); leave one of others out, which they start",
        )
    systemctl.enable(name)


def _hostname(tree: Tree, recipe: Rootfs) -> None:
    """hostname(5), and its name in hosts(5) on the address that Debian keeps for it."""
    name = recipe.hostname
    short, dot, _ = name.partition(".")
    write(tree, "/etc/hostname", f"{name}\n")
    if name == "localhost":
        return
    names = f"{name} {short}" if dot else name
    lines = tree.read_text("/etc/hosts").splitlines() if tree.is_file("/etc/hosts") else ["127.0.0.1\tlocalhost"]
    kept = [line for line in lines if line.split()[:1] != ["127.0.1.1"]]
    at = next((index + 1 for index, line in enumerate(kept) if line.split()[:1] == ["127.0.0.1"]), 0)
    kept.insert(at, f"127.0.1.1\t{names}")
    write(tree, "/etc/hosts", "".join(f"{line}\n" for line in kept))


def _root_password(tree: Tree, recipe: Rootfs, epoch: int) -> None:
    """Root's password, hashed."""
    if not tree.is_file("/etc/passwd"):
        raise SettingError("the image has no /etc/passwd", hint="base-passwd makes it; it is essential")
    set_password(tree, "root", passwords.of_root(recipe), epoch=epoch)


def _exclusions(tree: Tree, recipe: Rootfs) -> None:
    """Have dpkg in the image leave out the same paths when packages are upgraded there (dpkg.cfg(5))."""
    if recipe.exclude and tree.is_dir("/etc/dpkg/dpkg.cfg.d"):
        lines = [f"path-exclude={pattern}" for pattern in recipe.exclude]
        lines += [f"path-include={pattern}" for pattern in recipe.include]
        write(tree, "/etc/dpkg/dpkg.cfg.d/image-excludes", "".join(f"{line}\n" for line in lines))
