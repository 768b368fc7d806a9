"""Language, keyboard and time zone of an image: locale.conf(5), keyboard(5), localtime(5)."""

import posixpath
import re
from collections.abc import Container, Iterator, Mapping

from assembler.configure.errors import SettingError
from assembler.configure.writing import write
from assembler.errors import Place, Problems
from assembler.recipe.document import did_you_mean
from assembler.recipe.model import Answer, Rootfs
from assembler.tree.staging import Inode, Kind, Tree

_LOCALES = "/usr/lib/locale"
_BUILT_IN = (f"{_LOCALES}/C.utf8",)
"""Directories of libc-bin's."""
_MOST_LINKS = 40
"""Links that lead to one another (MAXSYMLINKS)."""
_ARCHIVE = f"{_LOCALES}/locale-archive"
_QUESTION = "locales/locales_to_be_generated"
_SUPPORTED = "/usr/share/i18n/SUPPORTED"
"""All locales that can be generated, each with its character set; the package locales has it."""


def set_locale(tree: Tree, recipe: Rootfs) -> None:
    """locale.conf(5), which PAM reads as /etc/default/locale. Raises SettingError."""
    locale = recipe.locale
    _require(tree, locale)
    write(tree, "/etc/locale.conf", f"LANG={locale}\n")
    if tree.lexists("/etc/default/locale"):
        tree.remove("/etc/default/locale")
    tree.symlink("../locale.conf", "/etc/default/locale", parents=True)


def _is_built_in(locale: str) -> bool:
    """Whether a locale needs nothing besides libc-bin."""
    return locale.partition(".")[0] in {"C", "POSIX"}


def asked(tree: Tree, recipe: Rootfs, files: Mapping[str, bytes], installed: Container[str]) -> Rootfs:
    """`recipe` with the answers to the package locales, which generates what the recipe wants; unchanged where it
    answers itself, or the image does not have that package alone.

    `tree` has all packages unpacked, `files` are the bytes of files that the recipe names. Raises Problems.
    """
    wanted = {f"rootfs.locales[{index}]": name for index, name in enumerate(recipe.locales)}
    wanted = {key: name for key, name in {**wanted, "rootfs.locale": recipe.locale}.items() if not _is_built_in(name)}
    answered = "locales" in recipe.debconf.answers or any(
        _QUESTION.encode() in data for key, data in files.items() if key.startswith("rootfs.debconf.preseed")
    )
    if not wanted or answered or "locales" not in installed or "locales-all" in installed:
        return recipe
    known = {line.split()[0]: line.strip() for line in tree.read_text(_SUPPORTED).splitlines() if line.strip()}
    if unknown := {key: name for key, name in wanted.items() if name not in known}:
        raise Problems(
            [
                SettingError(f"there is no locale {name!r}", where=Place(key=key), hint=did_you_mean(name, known))
                for key, name in unknown.items()
            ]
        )
    chosen = ", ".join(sorted({known[name] for name in wanted.values()}))
    answers = {_QUESTION: Answer(value=chosen)}
    if not _is_built_in(recipe.locale):
        answers["locales/default_environment_locale"] = Answer(value=recipe.locale)
    debconf = recipe.debconf.model_copy(update={"answers": {**recipe.debconf.answers, "locales": answers}})
    return recipe.model_copy(update={"debconf": debconf})


def keep_locales(tree: Tree, recipe: Rootfs) -> None:
    """See to it that the image has those of `recipe.locales`; where each has a directory, that it has no others.

    Most files of such a directory are links to those of other locales, which stay then. Raises SettingError.
    """
    if not recipe.locales:
        return
    wanted = [name for name in (*recipe.locales, recipe.locale) if not _is_built_in(name)]
    for name in wanted:
        _require(tree, name)
    if tree.exists(_ARCHIVE):
        return
    kept: set[str] = set()
    for top in (*map(_directory, wanted), *_BUILT_IN):
        for path, inode in tree.walk(top) if tree.is_dir(top) else ():
            kept |= {path, *_targets(tree, path, inode)}
    kept |= {above for path in kept for above in _above(path)}
    for path in [path for path, _ in tree.walk(_LOCALES) if path.startswith(f"{_LOCALES}/") and path not in kept]:
        tree.discard(path)


def _targets(tree: Tree, path: str, inode: Inode) -> Iterator[str]:
    """What a link leads to, step by step."""
    steps = 0
    while inode.kind is Kind.SYMLINK and steps < _MOST_LINKS:
        steps += 1
        path = posixpath.normpath(posixpath.join(posixpath.dirname(path), inode.target))
        found = tree.get(path)
        if found is None:
            return
        yield path
        inode = found


def _above(path: str) -> list[str]:
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(2, len(parts))]


def _directory(locale: str) -> str:
    """Where the files of a locale are, as setlocale(3) looks for them: with its codeset in small letters and digits."""
    match = re.fullmatch(r"([^.@]+)(?:\.([^@]+))?(@.+)?", locale)
    name, codeset, modifier = match.groups() if match else (locale, "", "")
    codeset = re.sub(r"[^a-z0-9]", "", codeset.lower()) if codeset else ""
    return f"{_LOCALES}/{name}{'.' if codeset else ''}{codeset}{modifier or ''}"


def _require(tree: Tree, locale: str) -> None:
    """Raise SettingError when the image does not have a locale, or what is left of it does not work."""
    if _is_built_in(locale) or tree.exists(_ARCHIVE):
        return
    directory = _directory(locale)
    if not tree.is_dir(directory):
        known = [name for name in tree.names(_LOCALES) if tree.is_dir(f"{_LOCALES}/{name}")]
        near = did_you_mean(directory.rpartition("/")[2], known) if len(known) > 1 else ""
        raise SettingError(
            f"the image has no locale {locale!r}",
            where=Place(path=directory),
            hint=near or "C.UTF-8 is always there; for others, add the package locales or locales-all",
        )
    for path, inode in tree.walk(directory):
        if inode.kind is Kind.SYMLINK and not tree.exists(path):
            raise SettingError(
                f"the locale {locale!r} does not work",
                where=Place(path=path),
                why=f"it is a link to {inode.target}, which is not there",
                hint="name it in rootfs.locales, and exclude nothing of /usr/lib/locale",
            )


_KEYBOARD = "/etc/default/keyboard"
_LAYOUTS = "/usr/share/X11/xkb/rules/base.lst"
"""Layouts and variants, by name; xkb-data has it."""


def set_keymap(tree: Tree, recipe: Rootfs) -> None:
    """keyboard(5), which console-setup reads for the console. Raises SettingError."""
    if not recipe.keymap:
        return
    if not tree.is_file("/usr/bin/setupcon"):
        raise SettingError("nothing in the image sets up a keyboard", hint="add console-setup to rootfs.packages")
    wanted = [re.fullmatch(r"([a-z]+)(?:\((.+)\))?", each) for each in recipe.keymap.split(",")]
    pairs = [(found[1], found[2] or "") for found in wanted if found]
    if tree.is_file(_LAYOUTS):
        _require_known(tree.read_text(_LAYOUTS), pairs)
    lines = tree.read_text(_KEYBOARD).splitlines() if tree.is_file(_KEYBOARD) else ['XKBMODEL="pc105"', 'XKBOPTIONS=""']
    values = {"XKBLAYOUT": ",".join(each for each, _ in pairs), "XKBVARIANT": ",".join(each for _, each in pairs)}
    values["XKBVARIANT"] = values["XKBVARIANT"].strip(",") and values["XKBVARIANT"]
    kept = [line for line in lines if line.partition("=")[0] not in values]
    write(tree, _KEYBOARD, "\n".join([*kept, *(f'{key}="{value}"' for key, value in values.items())]) + "\n")


def _require_known(text: str, pairs: list[tuple[str, str]]) -> None:
    sections: dict[str, list[list[str]]] = {}
    section = ""
    for line in text.splitlines():
        if line.startswith("! "):
            section = line[2:].strip()
        elif line.strip():
            sections.setdefault(section, []).append(line.split(maxsplit=2))
    layouts = [fields[0] for fields in sections.get("layout", ())]
    for layout, variant in pairs:
        if layout not in layouts:
            raise SettingError(f"there is no keyboard layout {layout!r}", hint=did_you_mean(layout, layouts))
        variants = [fields[0] for fields in sections.get("variant", ()) if fields[1:2] == [f"{layout}:"]]
        if variant and variant not in variants:
            shown = did_you_mean(variant, variants) or f"it has: {', '.join(sorted(variants)) or 'none'}"
            raise SettingError(f"the layout {layout!r} has no variant {variant!r}", hint=shown)


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


def set_timezone(tree: Tree, recipe: Rootfs) -> None:
    """localtime(5), and Debian's /etc/timezone. Raises SettingError."""
    zone = recipe.timezone
    path = f"/usr/share/zoneinfo/{zone}"
    if not tree.is_file(path) and zone not in {"UTC", "Etc/UTC"}:
        raise SettingError(
            f"the image has no time zone {zone!r}", where=Place(path=path), hint=_hint_for_zone(tree, zone)
        )
    tree.symlink(path, "/etc/localtime")
    write(tree, "/etc/timezone", f"{zone}\n")
