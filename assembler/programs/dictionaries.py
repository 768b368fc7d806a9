"""What dictionaries are installed: Debian::DictionariesCommon of dictionaries-common 1.29.5 and 1.30.10 to 1.31.4.

Packages of dictionaries bring a file of records below /var/lib/dictionaries-common; the records of a class (aspell,
hunspell, ispell, wordlist) are kept as a program in perl that has them as a hash. For hunspell, what its own files say
is added. Text is bytes, each a character; where the result would depend on the order of a hash of perl, it is refused.
"""

import re
from collections.abc import Iterable
from itertools import pairwise

from assembler.debian.version import compare
from assembler.programs.inputs import MAX_READ, Failure, content_of
from assembler.programs.packages_known import Packages, is_before, version_of
from assembler.shell.process import Process, as_path, as_text
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

CACHE = "/var/cache/dictionaries-common"
_INFO = "/var/lib/dictionaries-common"
_HUNSPELL = "/usr/share/hunspell"
_MAX_DATABASE, _MAX_FILE, _MAX_RECORD = 1 << 20, 1 << 16, 1 << 12
_SPACES = " \t\n\r\f\v"
SPACE = r"[ \t\n\r\f\v]"
"""What \\s is in perl for bytes."""
_FIELD = re.compile(rf"^([^:]+):{SPACE}*((?<!\n)[^\n]+){SPACE}*$", re.MULTILINE)
_HEAD = "package Debian::DictionariesCommon::dbfile;\n\n%dictionaries = (\n"
_QUOTED = r"'((?:[^\\']|\\.)*)'"
_ENTRY = re.compile(rf"  {_QUOTED} => {{\n((?:     {_QUOTED} => {_QUOTED},?\n)*)  }}", re.DOTALL)
_PAIR = re.compile(rf"     {_QUOTED} => {_QUOTED}", re.DOTALL)
_EMACS_NAMES = {
    "cs_CZ": "czech", "da_DK": "dansk", "de_DE": "german8", "en_GB": "british", "en_US": "american", "eo": "esperanto",
    "es": "castellano8", "es_ES": "castellano8", "fi_FI": "finnish", "fr_FR": "francais", "he_IL": "hebrew",
    "it_IT": "italiano", "nl_NL": "nederlands", "nn_NO": "norsk", "pl_PL": "polish", "pt_BR": "brasileiro",
    "pt_PT": "portugues", "ru_RU": "russian", "sk_SK": "slovak", "sl_SI": "slovenian", "sv_SE": "svenska",
}  # fmt: skip
Records = dict[str, dict[str, str]]
"""Dictionaries by the name of their language: fields by name."""


def is_old(packages: Packages | None) -> bool:
    """Whether dictionaries-common is that of Debian 12. Raises Refused for one that is not known."""
    version = version_of(packages, "dictionaries-common")
    if version and compare(version, "1.29.5") < 0:
        raise Refused("what dictionaries-common of this version does", why=version)
    return is_before(packages, "dictionaries-common", "1.29.5", "1.30.10")


def lower(text: str) -> str:
    """Perl's lc() of bytes."""
    return text.encode("latin-1").lower().decode("latin-1")


def is_true(text: str) -> bool:
    """Whether perl takes text for true."""
    return text not in {"", "0"}


def parts(pattern: str, text: str) -> list[str]:
    """Perl's split(): without empty parts at the end."""
    found = re.split(pattern, text)
    while found and not found[-1]:
        found.pop()
    return found


def listed(text: str) -> list[str]:
    """Perl's split() at commas with space around them."""
    pieces = text.split(",")
    # Space at both ends of the whole is kept.
    found = [piece.lstrip(_SPACES) if number else piece for number, piece in enumerate(pieces)]
    found[:-1] = [piece.rstrip(_SPACES) for piece in found[:-1]]
    while found and not found[-1]:
        found.pop()
    return found


def without_case(names: Iterable[str]) -> list[str]:
    """Names sorted whatever their case. Raises Refused where two differ in nothing else."""
    found = sorted(names, key=lower)
    if any(lower(one) == lower(other) and one != other for one, other in pairwise(found)):
        raise Refused(
            "names that differ in their case only, whose order is that of a hash of perl", why=", ".join(found)
        )
    return found


def comment(prefix: str) -> str:
    """The head of each file that is written."""
    lines = (
        "This file is part of the dictionaries-common package.",
        "It has been automatically generated.",
        "DO NOT EDIT!",
    )
    return "".join(f"{prefix}{line}\n" for line in lines)


def write(process: Process, path: str, text: str) -> None:
    """Write a file as perl's open() makes it. Raises Refused where it would fail."""
    there = process.tree.get(path, follow=True)
    if not process.tree.is_dir(path.rpartition("/")[0]) or (there is not None and there.kind is not Kind.FILE):
        raise Refused("a file of dictionaries cannot be written", why=path)
    process.budget.spend(len(text))
    process.tree.write(path, text.encode("latin-1"), 0o666 & ~process.umask)


def entries(process: Process, directory: str, suffix: str = "") -> list[str]:
    """The names in a directory that the pattern ``*SUFFIX`` finds."""
    names = map(as_text, process.tree.names(directory)) if process.tree.is_dir(directory) else ()
    return sorted(
        (name for name in names if name.endswith(suffix) and not name.startswith(".")), key=lambda x: (lower(x), x)
    )


def text_of(process: Process, path: str, most: int = _MAX_DATABASE) -> str:
    """The text of a file. Raises Refused where it cannot be read, or has more than `most` bytes."""
    try:
        found = content_of(process, path)
        if len(found) > most:
            raise Refused("a file of dictionaries is very large", why=path)
        return found.decode("latin-1")
    except Failure as error:
        raise Refused("a file of dictionaries cannot be read", why=str(error)) from error


class Databases:
    """The records of all classes, as one process has them: there is one hash, which each that is loaded replaces."""

    def __init__(self, process: Process, *, old: bool) -> None:
        self.process = process
        self.old = old
        self.current: Records = {}

    def load(self, kind: str) -> Records:
        """The hash, with the records of a class if its file exists, else with what it had."""
        path = f"{CACHE}/{kind}.db"
        if self.process.tree.exists(path):
            text = text_of(self.process, path)
            self.current.clear()
            self.current.update(parsed(text))
            if dumped(self.current) != text:
                raise Refused("a database of dictionaries that dictionaries-common has not written", why=path)
        return self.current

    def update(self, kind: str) -> None:
        """Write the file of a class."""
        found: Records = {}
        for name in entries(self.process, f"{_INFO}/{kind}"):
            if name.endswith("~"):
                continue
            path = f"{_INFO}/{kind}/{name}"
            if not self.process.tree.is_file(as_path(path)):
                raise Refused("what describes dictionaries is no file", why=path)
            found |= {
                language: fields | {"package": name}
                for language, fields in described(text_of(self.process, path, _MAX_FILE)).items()
            }
        if kind == "hunspell":
            found = self._with_installed(found)
        write(self.process, f"{CACHE}/{kind}.db", dumped(found))

    def _with_installed(self, declared: Records) -> Records:
        """With what the files of hunspell say, where no package has declared it."""
        if not self.process.tree.is_dir(_HUNSPELL):
            return {}
        found: Records = {}
        locales: dict[str, set[str]] = {}
        for name in entries(self.process, _HUNSPELL, ".aff"):
            inode = self.process.tree.at(as_path(f"{_HUNSPELL}/{name}"))
            if inode.kind is Kind.SYMLINK and not self.process.tree.exists(as_path(f"{_HUNSPELL}/{name}")):
                self.process.complain(f'Skipping broken symlink "{name}"')
                continue
            language = _base(name)
            fields = _fields_of_affixes(text_of(self.process, f"{_HUNSPELL}/{name}", MAX_READ), language)
            if inode.kind is Kind.SYMLINK:
                locales.setdefault(_base(as_text(inode.target)), set()).add(language)
            else:
                found[language] = fields
                locales.setdefault(language, set()).add(language)
        for language, fields in found.items():
            if language in locales:
                fields["hunspell-locales"] = ", ".join(sorted(locales[language]))
            fields["emacsen-name"] = _EMACS_NAMES.get(language, fields["emacsen-name"])
        names = {fields["emacsen-name"] for fields in declared.values() if "emacsen-name" in fields}
        hashes = {
            fields["hash-name"]
            for fields in declared.values()
            if ("emacsen-name" in fields or self.old) and fields.get("emacsen-name") != "english_american"
        }
        kept = {
            language: fields
            for language, fields in found.items()
            if fields["emacsen-name"] not in names
            and fields["hash-name"] not in hashes
            and not hashes.intersection(listed(fields["hunspell-locales"]))
        }
        return kept | declared


def described(text: str) -> Records:
    """The records of a file. Raises Refused for one without a language or a hash."""
    found: Records = {}
    for paragraph in re.split(r"\n\n+", text.lstrip("\n")):
        if not paragraph:
            continue
        if len(paragraph) > _MAX_RECORD:
            raise Refused("the record of a dictionary is very long", why=paragraph[:80])
        record = re.sub(r"^([^:]+):", lambda match: lower(match[1]) + ":", paragraph + "\n\n", flags=re.MULTILINE)
        fields = {match[1]: match[2] for match in _FIELD.finditer(record)}
        fields = {key: value for key, value in fields.items() if not re.fullmatch(f"{SPACE}+", value)}
        if "language" not in fields or "hash-name" not in fields:
            raise Refused("a record of a dictionary without its language or its hash", why=record[:80])
        language = fields.pop("language")
        found[language] = fields
    return found


def dumped(records: Records) -> str:
    """The file of a class."""
    each = []
    for name, fields in sorted(records.items()):
        lines = ",\n".join(f"     '{key}' => '{_quoted(value)}'" for key, value in sorted(fields.items()))
        each.append(f"  '{_quoted(name)}' => {{\n{lines}\n  }}")
    return comment("### ") + "\n" + _HEAD + ",\n".join(each) + "\n);\n\n1;\n"


def parsed(text: str) -> Records:
    """The records that :func:`dumped` has written; other text gives anything."""
    found: Records = {}
    position = text.find(_HEAD) + len(_HEAD)
    while entry := _ENTRY.match(text, position):
        found[_unquoted(entry[1])] = {_unquoted(key): _unquoted(value) for key, value in _PAIR.findall(entry[2])}
        position = entry.end() + len(",\n")
    return found


def _quoted(text: str) -> str:
    return re.sub(r"([\\'])", r"\\\1", text)


def _unquoted(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _base(path: str) -> str:
    found = parts(r"[/\\]", path)
    return re.sub(r"[^\n]aff\Z", "", found[-1]) if found else ""


def _fields_of_affixes(text: str, name: str) -> dict[str, str]:
    """What a file of affixes says of itself."""
    fields = {"hash-name": name, "emacsen-name": name, "package": "auto-detect"}

    def value(word: str) -> str | None:
        line = re.search(rf"^[ \t\r\f\v]*{word}([^\n]*)", text, re.MULTILINE)
        return line[1].strip(" \t\r\f\v") if line else None

    if (coding := value("SET")) is not None:
        fields["coding-system"] = lower(re.sub(r"^iso(?=[0-9])", "iso-", coding, flags=re.IGNORECASE | re.ASCII))
    if (letters := value("WORDCHARS")) is not None:
        fields["otherchars"] = f"[{letters}]"
    if (letters := value("TRY")) is not None:
        others = re.sub(r"[\0-\x7f]", "", letters)
        octal = "".join(f"\\{ord(char):o}" for char in others)
        fields["additionalchars"] = others
        fields["casechars"] = f"[a-zA-Z{octal}]"
        fields["not-casechars"] = f"[^a-zA-Z{octal}]"
    return fields
