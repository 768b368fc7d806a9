"""Locales and keyboards of an image."""

from pathlib import Path

import pytest

from assembler.configure.errors import SettingError
from assembler.configure.localization import asked, keep_locales, set_keymap, set_locale
from assembler.errors import Problems
from assembler.recipe.model import Rootfs
from assembler.tree.staging import Tree
from tests.tree.disk import shown, tree_of

LOCALES = "/usr/lib/locale"
FILES = {
    f"{LOCALES}/C.utf8/LC_CTYPE": "c",
    f"{LOCALES}/aa_DJ.utf8/LC_COLLATE": "collate",
    f"{LOCALES}/aa_DJ.utf8/LC_CTYPE": "ctype",
    f"{LOCALES}/de_AT.utf8/LC_CTYPE": "->../aa_DJ.utf8/LC_CTYPE",
    f"{LOCALES}/de_DE.utf8/LC_CTYPE": "->../de_AT.utf8/LC_CTYPE",
    f"{LOCALES}/de_DE.utf8/LC_COLLATE": "->../aa_DJ.utf8/LC_COLLATE",
    f"{LOCALES}/de_DE.utf8/LC_TIME": "time",
    f"{LOCALES}/de_DE.utf8/LC_MESSAGES/SYS_LC_MESSAGES": "->../../fr_FR/LC_MESSAGES/SYS_LC_MESSAGES",
    f"{LOCALES}/fr_FR/LC_MESSAGES/SYS_LC_MESSAGES": "oui",
    f"{LOCALES}/fr_FR/LC_TIME": "temps",
    f"{LOCALES}/de_DE@euro/LC_TIME": "time",
}


def test_only_those_are_kept_and_what_they_are_made_of() -> None:
    tree = tree_of(FILES)
    keep_locales(tree, Rootfs(locales=["de_DE.UTF-8"]))
    assert set(shown(tree)) == set(FILES) - {
        f"{LOCALES}/fr_FR/LC_TIME",
        f"{LOCALES}/de_DE@euro/LC_TIME",
    }
    assert not tree.exists(f"{LOCALES}/de_DE@euro")
    for path in shown(tree):
        assert tree.exists(path)


@pytest.mark.parametrize("name", ["fr_FR", "de_DE@euro", "de_DE.utf8", "de_DE.UTF-8"])
def test_names_are_those_of_setlocale(name: str) -> None:
    tree = tree_of(FILES)
    set_locale(tree, Rootfs(locale=name))
    assert tree.read_text("/etc/locale.conf") == f"LANG={name}\n"


def test_one_that_does_not_work_is_refused() -> None:
    files = {path: text for path, text in FILES.items() if "aa_DJ" not in path}
    with pytest.raises(SettingError, match=r"the locale 'de_DE.UTF-8' does not work") as caught:
        set_locale(tree_of(files), Rootfs(locale="de_DE.UTF-8"))
    assert "a link to ../aa_DJ.utf8/LC_COLLATE, which is not there" in str(caught.value)
    with pytest.raises(SettingError, match=r"the image has no locale 'de_CH.UTF-8'"):
        set_locale(tree_of(FILES), Rootfs(locale="de_CH.UTF-8"))
    with pytest.raises(SettingError, match=r"the image has no locale 'it_IT'"):
        keep_locales(tree_of(FILES), Rootfs(locales=["it_IT"]))


def test_with_an_archive_nothing_is_looked_for_and_nothing_removed() -> None:
    tree = tree_of({**FILES, f"{LOCALES}/locale-archive": "x"})
    keep_locales(tree, Rootfs(locales=["it_IT"], locale="xx_XX.UTF-8"))
    assert set(FILES) < set(shown(tree))


def test_the_package_locales_is_asked_for_them() -> None:
    tree = tree_of({"/usr/share/i18n/SUPPORTED": "de_DE ISO-8859-1\nde_DE.UTF-8 UTF-8\nen_GB.UTF-8 UTF-8\n"})
    recipe = Rootfs(locale="en_GB.UTF-8", locales=["de_DE", "en_GB.UTF-8", "C.UTF-8"])
    answers = asked(tree, recipe, {}, {"locales"}).debconf.answers["locales"]
    assert {question: answer.value for question, answer in answers.items()} == {
        "locales/locales_to_be_generated": "de_DE ISO-8859-1, en_GB.UTF-8 UTF-8",
        "locales/default_environment_locale": "en_GB.UTF-8",
    }
    assert asked(tree, Rootfs(locales=["C.UTF-8"]), {}, {"locales"}).debconf.answers == {}
    assert asked(tree, recipe, {}, set()) == recipe
    assert asked(tree, recipe, {}, {"locales", "locales-all"}) == recipe
    own = Rootfs.model_validate({"locale": "de_DE", "debconf": {"answers": {"locales": {"a/b": "c"}}}})
    assert asked(tree, own, {}, {"locales"}) == own
    preseed = {"rootfs.debconf.preseed[0]": b"locales locales/locales_to_be_generated multiselect x\n"}
    assert asked(tree, recipe, preseed, {"locales"}) == recipe
    with pytest.raises(Problems, match=r"rootfs.locale: there is no locale 'de_DE.UTF8'"):
        asked(tree, Rootfs(locale="de_DE.UTF8"), {}, {"locales"})


LIST = """\
! model
  pc105           Generic
! layout
  de              German
  us              English (US)
! variant
  nodeadkeys      de: German (no dead keys)
  intl            us: English (US, intl., with dead keys)
! option
  grp             Switching to another layout
"""


def keyboard(keymap: str, before: str = "") -> str:
    tree = tree_of({"/usr/bin/setupcon": "", "/usr/share/X11/xkb/rules/base.lst": LIST})
    if before:
        tree.write("/etc/default/keyboard", before.encode(), parents=True)
    set_keymap(tree, Rootfs(keymap=keymap))
    return tree.read_text("/etc/default/keyboard")


def test_keyboards() -> None:
    usual = 'XKBMODEL="pc105"\nXKBOPTIONS=""\n'
    assert keyboard("de") == f'{usual}XKBLAYOUT="de"\nXKBVARIANT=""\n'
    assert keyboard("de(nodeadkeys)") == f'{usual}XKBLAYOUT="de"\nXKBVARIANT="nodeadkeys"\n'
    assert keyboard("us,de(nodeadkeys)") == f'{usual}XKBLAYOUT="us,de"\nXKBVARIANT=",nodeadkeys"\n'
    before = '# mine\nXKBMODEL="pc104"\nXKBLAYOUT="us"\nBACKSPACE="guess"\n'
    assert keyboard("de", before) == '# mine\nXKBMODEL="pc104"\nBACKSPACE="guess"\nXKBLAYOUT="de"\nXKBVARIANT=""\n'


def test_keyboards_that_there_are_not() -> None:
    for keymap, told in (
        ("dee", "there is no keyboard layout 'dee' .did you mean de"),
        ("us(nodeadkeys)", "the layout 'us' has no variant 'nodeadkeys' .it has: intl"),
    ):
        with pytest.raises(SettingError, match=told):
            keyboard(keymap)
    with pytest.raises(SettingError, match=r"nothing in the image sets up a keyboard .add console-setup"):
        set_keymap(Tree(), Rootfs(keymap="de"))


def test_the_list_is_as_the_host_has_it() -> None:
    """Where the host has xkb-data, all its layouts are taken."""
    path = Path("/usr/share/X11/xkb/rules/base.lst")
    assert LIST.startswith("! model")
    if path.is_file():
        tree = tree_of({"/usr/bin/setupcon": "", "/usr/share/X11/xkb/rules/base.lst": path.read_text("utf-8")})
        set_keymap(tree, Rootfs(keymap="de(nodeadkeys),fr(oss)"))
