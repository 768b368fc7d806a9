"""The settings of a recipe, put into a configured tree: name, root's password, locale, time zone, units, files."""

import hashlib
from collections.abc import Callable, Mapping
from functools import partial

from assembler.configure import caches
from assembler.errors import AssembleError, Place, Problems
from assembler.programs.accounts import AccountError, Accounts
from assembler.programs.sha_crypt import SALT_CHARACTERS, sha512_crypt
from assembler.programs.shadow import set_password
from assembler.programs.systemd import Systemctl, UnitError, full_name
from assembler.recipe.model import File, Rootfs
from assembler.tree.staging import Inode, Kind, Tree, TreeError

_LOCALES = "/usr/lib/locale"
_LATER_KEYS = ("scripts", "byte_code", "debconf", "run")
"""Keys that came after the salt of passwords was defined: without them, images have the salt that they had before."""


class SettingError(AssembleError):
    """A setting that the image cannot have."""


def apply(tree: Tree, recipe: Rootfs, files: Mapping[str, bytes], epoch: int) -> None:
    """Put the settings of `recipe` into `tree`.

    `files` are the bytes of files that the recipe names by `source`, by the key that does so
    (``rootfs.files[3].source``); `epoch` in seconds is the day of the password's change. Raises Problems with all
    settings that cannot be made.
    """
    problems: list[AssembleError] = []
    settings: tuple[tuple[str, Callable[[Tree, Rootfs], None]], ...] = (
        ("rootfs.hostname", _hostname),
        ("rootfs.root_password", partial(_root_password, epoch=epoch)),
        ("rootfs.locale", _locale),
        ("rootfs.timezone", _timezone),
        ("rootfs.exclude", _exclusions),
    )
    for key, setting in settings:
        try:
            setting(tree, recipe)
        except AssembleError as error:
            problems.append(_at(key, error))
    written: dict[str, str] = {}
    for index, file in enumerate(recipe.files):
        key = f"rootfs.files[{index}]"
        try:
            _require_free(tree, file, key, written)
            _file(tree, file, files, key)
        except AssembleError as error:
            problems.append(_at(key, error))
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
                problems.append(_at(f"rootfs.{verb}[{index}]", error))
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


def _at(key: str, error: AssembleError) -> SettingError:
    """`error`, said of a key of the recipe."""
    where = Place(key=key, path=error.where.path)
    return SettingError(error.what, where=where, why=error.why, hint=error.hint)


def _write(tree: Tree, path: str, text: str) -> None:
    """Write a file of configuration as new: a link or a file of other modes that is there is replaced."""
    if tree.lexists(path):
        tree.remove(path)
    tree.write(path, text.encode(), parents=True)


def _hostname(tree: Tree, recipe: Rootfs) -> None:
    """hostname(5), and its name in hosts(5) on the address that Debian keeps for it."""
    name = recipe.hostname
    short, dot, _ = name.partition(".")
    _write(tree, "/etc/hostname", f"{name}\n")
    if name == "localhost":
        return
    names = f"{name} {short}" if dot else name
    lines = tree.read_text("/etc/hosts").splitlines() if tree.is_file("/etc/hosts") else ["127.0.0.1\tlocalhost"]
    kept = [line for line in lines if line.split()[:1] != ["127.0.1.1"]]
    at = next((index + 1 for index, line in enumerate(kept) if line.split()[:1] == ["127.0.0.1"]), 0)
    kept.insert(at, f"127.0.1.1\t{names}")
    _write(tree, "/etc/hosts", "".join(f"{line}\n" for line in kept))


def hashed_password(recipe: Rootfs) -> str:
    """Root's field of shadow(5): a crypt(5) hash, and ``!`` for none, are taken as they are; all else is a password in
    clear, which is hashed here.

    The salt comes from the rest of the recipe, so that a rebuild gives the same bytes; but not from `_LATER_KEYS`. It
    must not come from the password: a salt made from it by one round of a hash would spare whoever guesses all the
    rounds of SHA-crypt.
    """
    hashed = recipe.root_password
    if hashed != "!" and not hashed.startswith("$"):
        seed = recipe.model_dump_json(exclude={"root_password", *_LATER_KEYS}).encode()
        digest = hashlib.sha512(b"root password salt\0" + seed).digest()
        hashed = sha512_crypt(hashed.encode(), "".join(SALT_CHARACTERS[byte % 64] for byte in digest[:16]))
    return hashed


def _root_password(tree: Tree, recipe: Rootfs, epoch: int) -> None:
    """Root's password, hashed."""
    if not tree.is_file("/etc/passwd"):
        raise SettingError("the image has no /etc/passwd", hint="base-passwd makes it; it is essential")
    set_password(tree, "root", hashed_password(recipe), epoch=epoch)


def _locale(tree: Tree, recipe: Rootfs) -> None:
    """locale.conf(5), which PAM reads as /etc/default/locale."""
    locale = recipe.locale
    name, _, codeset = locale.partition(".")
    directory = f"{_LOCALES}/{name}.{codeset.replace('-', '').lower()}" if codeset else f"{_LOCALES}/{name}"
    if name not in {"C", "POSIX"} and not tree.is_dir(directory) and not tree.exists(f"{_LOCALES}/locale-archive"):
        raise SettingError(
            f"the image has no locale {locale!r}",
            where=Place(path=directory),
            hint="C.UTF-8 is always there; locales-all has the others",
        )
    _write(tree, "/etc/locale.conf", f"LANG={locale}\n")
    if tree.lexists("/etc/default/locale"):
        tree.remove("/etc/default/locale")
    tree.symlink("../locale.conf", "/etc/default/locale", parents=True)


_ZONES = "/usr/share/zoneinfo/tzdata.zi"
"""All zones and links, as zic(8) reads them; tzdata has it."""


def _hint_for_zone(tree: Tree, zone: str) -> str:
    if not tree.is_file(_ZONES):
        return "add tzdata to rootfs.packages"
    for line in tree.read_text(_ZONES).splitlines():
        match line.split():
            case ["L", today, former] if former == zone:
                return f"it is called {today} today; names of former times are in the package tzdata-legacy"
    return "zones are called as /usr/share/zoneinfo/tzdata.zi has them: Europe/Berlin"


def _timezone(tree: Tree, recipe: Rootfs) -> None:
    """localtime(5), and Debian's /etc/timezone."""
    zone = recipe.timezone
    path = f"/usr/share/zoneinfo/{zone}"
    if not tree.is_file(path) and zone not in {"UTC", "Etc/UTC"}:
        raise SettingError(
            f"the image has no time zone {zone!r}", where=Place(path=path), hint=_hint_for_zone(tree, zone)
        )
    tree.symlink(path, "/etc/localtime")
    _write(tree, "/etc/timezone", f"{zone}\n")


def _exclusions(tree: Tree, recipe: Rootfs) -> None:
    """Have dpkg in the image leave out the same paths when packages are upgraded there (dpkg.cfg(5))."""
    if recipe.exclude and tree.is_dir("/etc/dpkg/dpkg.cfg.d"):
        lines = [f"path-exclude={pattern}" for pattern in recipe.exclude]
        lines += [f"path-include={pattern}" for pattern in recipe.include]
        _write(tree, "/etc/dpkg/dpkg.cfg.d/image-excludes", "".join(f"{line}\n" for line in lines))


def _require_free(tree: Tree, file: File, key: str, written: dict[str, str]) -> None:
    """Raise SettingError when another file of the recipe is at the same place, by another name; note it otherwise.

    `written` are the keys of the files before it, by their places.
    """
    parent, _, name = file.path.rpartition("/")
    place = f"{tree.resolve(parent or '/', follow=True).rstrip('/')}/{name}"
    other = written.setdefault(place, key)
    if other != key:
        raise SettingError(
            "two files of the recipe are at the same place",
            where=Place(path=file.path),
            why=f"{other} is at {place}, too",
            hint="remove one of them",
        )


def _file(tree: Tree, file: File, files: Mapping[str, bytes], key: str) -> None:
    """One file; parents that are missing are made, what is there is replaced but for a directory."""
    found = tree.get(file.path)
    if found is not None and found.kind is Kind.DIR:
        raise SettingError("a directory is in the way of a file", where=Place(path=file.path))
    if file.link is not None:
        tree.symlink(file.link, file.path, parents=True)
        return
    accounts = Accounts(tree)
    data = files[f"{key}.source"] if file.source is not None else (file.content or "").encode()
    try:
        uid, gid = accounts.uid(file.owner), accounts.gid(file.group)
    except AccountError as error:
        raise SettingError(
            error.what, where=Place(path=file.path), hint="the accounts are those of the image's packages"
        ) from error
    tree.put(file.path, Inode(Kind.FILE, int(file.mode, 8), uid, gid, tree.mtime, content=data), parents=True)
