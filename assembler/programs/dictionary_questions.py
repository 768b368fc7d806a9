"""What packages of dictionaries ask: their config scripts in perl, and that of dictionaries-common 1.29.5 and 1.30.10
to 1.31.4, ``dc-debconf-select.pl`` and ``dc-debconf-default-value.pl`` included.

Text is bytes, each a character.
"""

import re
from itertools import pairwise

from assembler.programs.debconf_client import ask, require_usual_perl
from assembler.programs.dictionaries import CACHE, SPACE, is_old, is_true, listed, lower, text_of, without_case, write
from assembler.programs.packages_known import Packages
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Kind, Tree

_LIBRARY = "/usr/share/dictionaries-common"
_SELECT, _DEFAULT = f"{_LIBRARY}/dc-debconf-select.pl", f"{_LIBRARY}/dc-debconf-default-value.pl"
_MAX_SCRIPT = 1 << 14
_NORSK = "/etc/dictionaries-common/norsk"
_FORM = re.compile(
    r"""#!/usr/bin/perl( -w)?
use Debconf::Client::ConfModule q\(:all\);
version \('2\.0'\);
my \$class += "(?P<kind>ispell|wordlist)";
my \$script += "/usr/share/dictionaries-common/dc-debconf-select\.pl";
(?P<elanguages>my \$has_elanguages += "/usr/share/dictionaries-common/elanguages";
if \( -e \$script && -e \$has_elanguages \)\{
|if \( -e \$script \)\{
)require \$script;
dc_debconf_select\(\$class\);
\}
(?:(?P<norsk>if \(-l "/etc/dictionaries-common/norsk"\) \{
my \$lang = readlink "/etc/dictionaries-common/norsk";
\$lang =~ s\|\^\.\*/\|\|;
set\("[a-z0-9.+-]+/whichvariant", \$lang\);
\}
)?if \(get\("(?P<question>[a-z0-9.+-]+/whichvariant)"\)\)\{
input \("medium","(?P=question)"\);
go\(\);
\}
)?"""
)
"""What these scripts say, without comments, empty lines and indentation."""
_SUFFIXES = ("", "-insane", "-huge", "-large", "-medium", "-small", "-gut")
_BY_LOCALE = {
    "bg": "bulgarian", "ca": "catalan", "cs": "czech", "da": "danish", "de": "ngerman", "de:1": "ogerman",
    "de_CH": "swiss", "en_US": "american", "en_US:1": "miscfiles", "en_CA": "canadian", "en_CA:1": "american",
    "en_GB": "british", "en_AU": "british", "eo": "esperanto", "es": "spanish", "fi": "finnish", "fo": "faroese",
    "fr": "french", "ga": "irish", "gd": "gaelic", "gl": "galician-minimos", "gv": "manx", "hu": "hungarian",
    "it": "italian", "lt": "lithuanian", "nb": "norwegian->bokma", "nl": "dutch", "nn": "norwegian->nynorsk",
    "pl": "polish", "pt": "portuguese", "pt_BR": "brazilian", "ru": "russian", "sv": "swedish", "tl": "tagalog",
    "uk": "ukrainian",
}  # fmt: skip
_TITLES = {
    "ispell": "Dictionaries-common: Ispell dictionary",
    "wordlist": "Dictionaries-common: Wordlist dictionary",
}
_LINKS = {"ispell": "ispell-dictionary.hash", "wordlist": "dictionary"}
_UNREGISTERED = (
    "dictionaries-common/languages", "dictionaries-common/move_old_usr_dict",
    "dictionaries-common/remove_old_usr_dict_link", "shared/packages-ispell", "shared/packages-wordlist",
)  # fmt: skip


def config(tree: Tree, path: str, packages: Packages | None) -> Program | None:
    """The config script at `path` of the tree; None when it is none of these."""
    inode = tree.get(path, follow=True)
    if path == "/var/lib/dpkg/info/dictionaries-common.config":
        return lambda process: _of_dictionaries_common(process, packages)
    if inode is None or inode.kind is not Kind.FILE or size_of(inode.content) > _MAX_SCRIPT:
        return None
    head, *rest = read(inode.content).decode("latin-1").split("\n")
    lines = [line.strip(" \t") for line in rest]
    form = _FORM.fullmatch("".join(f"{line}\n" for line in (head, *lines) if line and (line[0] != "#" or line == head)))
    if form is None:
        return None
    return lambda process: _of_dictionary(process, packages, form)


def _of_dictionary(process: Process, packages: Packages | None, form: re.Match[str]) -> int:
    require_usual_perl(process)
    ask(process, "VERSION", "2.0")
    tree = process.tree
    if tree.exists(_SELECT) and (not form["elanguages"].startswith("my") or tree.exists(f"{_LIBRARY}/elanguages")):
        is_old(packages)
        _Choice(process, form["kind"], own=False).ask()
    if form["norsk"] and tree.lexists(_NORSK):
        raise Refused("a variant of Norwegian is set by a link", why=_NORSK)
    if form["question"] and is_true(ask(process, "GET", form["question"])[1]):
        ask(process, "INPUT", "medium", form["question"])
        ask(process, "GO")
    return 0


def _of_dictionaries_common(process: Process, packages: Packages | None) -> int:
    require_usual_perl(process)
    is_old(packages)
    if process.tree.lexists("/etc/dictionary") or not process.tree.exists(_SELECT):
        raise Refused("dictionaries-common replaces an old system of dictionaries")
    ask(process, "VERSION", "2.0")
    for question in _UNREGISTERED:
        ask(process, "UNREGISTER", question)
    ask(process, "GO")
    for kind in ("ispell", "wordlist"):
        _Choice(process, kind, own=True).ask()
    return 0


class _Choice:
    """The question for the dictionary of a class that is the default."""

    def __init__(self, process: Process, kind: str, *, own: bool) -> None:
        if {"DICT_COMMON_DEBUG", "DEBCONF_RECONFIGURE"} & process.environment.keys():
            raise Refused("a dictionary is chosen with variables that change it")
        self.process = process
        self.kind = kind
        self.question = f"dictionaries-common/default-{kind}"
        self.own = own
        """Whether dictionaries-common itself asks; it need not load what guesses."""

    def ask(self) -> None:
        """dc_debconf_select."""
        packages = self._packages()
        languages = self._languages("languages", packages)
        new = {language for text in languages.values() for language in listed(text)}
        choices = ", ".join(without_case(new))
        before = listed(self._ask("METAGET", self.question, "choices-c")[1])[:-1]
        old = ", ".join(sorted(before, key=lower))
        priority = ""
        guesses = bool(new) and self.process.tree.exists(_DEFAULT)
        if guesses and not is_true(old):
            priority = self._guess() or priority
        current = self._current(new)
        if not is_true(current) and guesses:
            self.process.complain("trying harder to get a default value")
            priority = self._guess() or priority
            current = self._ask("GET", self.question)[1]
        if not new:
            return
        if not priority:
            good = is_true(current) and (current.startswith("Manual") or current in new)
            priority = "medium" if good else "high"
            if not good:
                self.process.complain(f'"{current}" does not correspond to any package')
        if choices != old:
            self._ask("FSET", self.question, "seen", "false")
            if self.process.tree.is_dir(CACHE):
                write(self.process, f"{CACHE}/flag-{self.kind}-new", "1\n")
        if self._ask("FGET", self.question, "seen")[1] == "false":
            choices, shown = self._all_choices(languages)
            self._ask("SUBST", self.question, "choices", choices)
            self._ask("SUBST", self.question, "echoices", shown)
        self._ask("INPUT", priority, self.question)
        self._ask("TITLE", _TITLES[self.kind])
        self._ask("GO")
        self._ask("SUBST", self.question, "echoices", choices)

    def _ask(self, *words: str) -> tuple[str, str]:
        return ask(self.process, *words)

    def _packages(self) -> list[str]:
        code, owners = self._ask("METAGET", f"shared/packages-{self.kind}", "owners")
        return [] if is_true(code) else listed(owners)

    def _languages(self, field: str, packages: list[str]) -> dict[str, str]:
        found = {}
        for package in packages:
            code, text = self._ask("METAGET", f"{package}/{field}", "default")
            if not is_true(code):
                found[package] = text.strip(" \t\n\r\f\v")
        return found

    def _all_choices(self, languages: dict[str, str]) -> tuple[str, str]:
        """The languages, and what is shown for them, in the order of these."""
        shown = self._languages("elanguages", list(languages))
        names: dict[str, str] = {}
        for package, text in languages.items():
            mine = listed(text)
            theirs = listed(shown.get(package, ""))
            for language, name in zip(mine, theirs if len(theirs) == len(mine) else mine, strict=True):
                if names.setdefault(language, name) != name:
                    raise Refused("a language has two names, and which counts is the order of a hash", why=language)
        ordered = sorted(names.items(), key=lambda item: lower(item[1]))
        if any(lower(one[1]) == lower(other[1]) for one, other in pairwise(ordered)):
            raise Refused("two languages have one name, and which is first is the order of a hash", why=str(ordered))
        return ", ".join(language for language, _ in ordered), ", ".join(name for _, name in ordered)

    def _current(self, new: set[str]) -> str:
        """dico_get_default_value."""
        path = f"{CACHE}/{self.kind}-default"
        system = ""
        if self.process.tree.is_file(path):
            lines = text_of(self.process, path).split("\n")
            system = next((line.strip(" \t\r\f\v") for line in lines if re.match(rf"{SPACE}*[^ \t\r\f\v#]", line)), "")
        value = self._ask("GET", self.question)[1]
        if not is_true(system) or system == value:
            return value
        self.process.complain(f'"{self.question}" is not "{system}"')
        if system in new:
            self._ask("SET", self.question, system)
            return system
        return value

    # --- guessing ----------------------------------------------------------------------------------------------------

    def _guess(self) -> str:
        """dc_set_default_value_for_class: the priority of what was found, if anything."""
        code, owners = self._ask("METAGET", f"shared/packages-{self.kind}", "owners")
        if is_true(code) or not listed(owners):
            return ""
        languages: dict[str, str] = {}
        for package in listed(owners):
            languages[package] = self._ask("GET", f"{package}/languages")[1]
            code, text = self._ask("GET", f"{package}/defaults")
            if not is_true(code):
                languages[package] = text
        language, country = self._locale()
        direct = [f"{language}_{country.upper()}", f"{language}_{country.upper()}:1", language, f"{language}:1"]
        priority = "low"
        guess = next((found for found in (self._named(key, languages) for key in direct) if is_true(found)), "")
        if not guess:
            priority = "medium"
            keys = sorted(_BY_LOCALE, key=lambda key: _rank(key, language))
            guess = next((found for found in (self._named(key, languages) for key in keys) if is_true(found)), "")
        if not guess:
            return ""
        code, before = self._ask("GET", self.question)
        if is_true(code) or before in {"", "0", "unset"}:
            self._ask("SET", self.question, guess)
        else:
            self.process.complain(f"{self.question} is already set")
        return priority

    def _locale(self) -> tuple[str, str]:
        """dc_guess_language_country_strings."""
        if self.process.tree.lexists(f"/etc/alternatives/{_LINKS[self.kind]}"):
            raise Refused("a dictionary was chosen by a link of alternatives")
        environment = self.process.environment
        named = environment.get("LANG", "") if self.process.tree.exists("/etc/default/locale") else ""
        if not is_true(named):
            code, named = self._ask("GET", "debian-installer/language")
            named = "" if is_true(code) else named
        named = next(
            filter(is_true, (named, *(environment.get(name, "") for name in ("LANG", "LC_MESSAGES", "LC_ALL")))), ""
        )
        if not named:
            return "en", "UNSET"
        country = ""
        if named in {"C", "POSIX"}:
            language = "en"
        else:
            language, country, *_ = [*re.sub(r"[.@].*\Z", "", named.partition(":")[0]).split("_"), "", ""]
        if not is_true(country):
            code, country = self._ask("GET", "debian-installer/country")
            country = "unset" if is_true(code) or not is_true(country) else country
        if not re.fullmatch("[A-Za-z]+", language) or not re.fullmatch("[A-Za-z]+", country):
            raise Refused("a language for which a dictionary is guessed", why=named)
        return language, country

    def _named(self, key: str, languages: dict[str, str]) -> str:
        """dc_extractlangname: the first of what the package for a locale has, of the first that is there."""
        name, _, variant = _BY_LOCALE.get(key, "").partition("->")
        if not name:
            return ""
        prefix = "" if name == "miscfiles" else self.kind[0]
        package = next((one for one in (f"{prefix}{name}{suffix}" for suffix in _SUFFIXES) if one in languages), "")
        found = [one for one in listed(languages.get(package, "")) if lower(variant) in lower(one)]
        return min(found, key=lambda one: ("tex" in lower(one), one), default="")


def _rank(key: str, language: str) -> tuple[bool, bool, bool, str]:
    """The order in which locales are tried: those of the language, then English ones, American first."""
    other, not_american, not_english = (
        re.match(pattern, key) is None for pattern in (f"{language}(_|:|$)", "en_US", "en_")
    )
    return other, not_american, not_english, key
