"""Which dictionaries Emacs, jed and SquirrelMail have: what dictionaries-common 1.29.5 and 1.30.10 to 1.31.4 write.

Text is bytes, each a character. What would depend on the order of a hash of perl is refused.
"""

import re
from typing import TypeVar

from assembler.programs.dictionaries import CACHE, SPACE, Databases, Records, comment, listed, lower, parts, write
from assembler.shell.process import Process, as_text
from assembler.shell.streams import Refused

_CHARACTER_SETS = {
    "l1": "ISO8859-1", "koi8-r": "KOI8-R", "koi8-u": "KOI8-U", "cp1251": "CP1251",
    **{f"iso-8859-{number}": f"ISO8859-{number}" for number in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15)},
}  # fmt: skip
"""Which module of the C library has a set of characters that Python has with the same characters, letter by letter."""
_Value = TypeVar("_Value")
Entries = dict[str, list[str]]
"""What Emacs is told of dictionaries, by their name in it."""


def write_for_emacs(process: Process, databases: Databases) -> None:
    """``emacsen-ispell-dicts.el``."""
    if databases.old:
        kinds, with_locales = ["aspell", "hunspell", "ispell"], ["aspell", "hunspell"]
    else:
        kinds, with_locales = ["ispell", "aspell", "hunspell", "enchant"], ["aspell", "hunspell", "enchant"]
    found: dict[str, Entries] = {}
    locales: dict[str, dict[str, str]] = {}
    for kind in kinds:
        records = _for_enchant(databases) if kind == "enchant" else databases.load(kind)
        entries: Entries = found.setdefault(kind, {})
        names = locales.setdefault(kind, {})
        for _, fields in sorted(records.items()):
            more, more_names = _for_emacs(fields, kind)
            _merged(entries, more, ordered=not databases.old)
            _merged(names, more_names, ordered=not databases.old)
    text = "".join(_alist(kind, found[kind]) for kind in kinds if found[kind])
    text += "".join(_equivalents(kind, locales[kind]) for kind in with_locales)
    write(process, f"{CACHE}/emacsen-ispell-dicts.el", comment(";;; ") + text)


def _for_emacs(fields: dict[str, str], kind: str) -> tuple[Entries, dict[str, str]]:
    """What a dictionary adds: entries, and names by locale."""
    entries: Entries = {}
    locales: dict[str, str] = {}
    if fields.get("emacs-display") == "no":
        return entries, locales
    hash_name = fields["hash-name"]
    arguments = fields.get("ispell-args", f"-d {hash_name}")
    if not re.search("( |^)-d", arguments):
        arguments += f" -d {hash_name}"
    others = fields.get("otherchars", "[']")
    if '\\"' not in others:
        others = others.replace('"', '\\"', 1)
    mode = fields.get("extended-character-mode")
    words = '" "'.join(parts(f"{SPACE}+", arguments))
    for name in parts(f",{SPACE}*", fields.get("emacsen-names", fields.get("emacsen-name", hash_name))):
        entries[name] = [
            f'"{name}"',
            f'"{fields.get("casechars", "[a-zA-Z]")}"',
            f'"{fields.get("not-casechars", "[^a-zA-Z]")}"',
            f'"{others}"',
            "t" if fields.get("many-otherchars") == "yes" else "nil",
            f'("{words}")',
            "nil" if mode is None else f'"{mode}"',
            lower(fields["coding-system"]) if "coding-system" in fields else "nil",
        ]
        if kind != "ispell" and f"{kind}-locales" in fields:
            locales |= dict.fromkeys(listed(fields[f"{kind}-locales"]), name)
    return entries, locales


def _merged(found: dict[str, _Value], more: dict[str, _Value], *, ordered: bool) -> None:
    """Add to what there is. Raises Refused where something else is there under a name, and there is no order."""
    for name, value in more.items():
        if not ordered and found.get(name, value) != value:
            raise Refused("two dictionaries have one name in Emacs, and the order is that of a hash of perl", why=name)
        found[name] = value


def _for_enchant(databases: Databases) -> Records:
    """Those of hunspell and aspell under names that enchant has."""
    found: Records = {}
    taken: set[str] = set()
    for kind in ("hunspell", "aspell"):
        mine: set[str] = set()
        for key, fields in list(databases.load(kind).items()):
            if key in found:
                continue
            if f"{kind}-locales" in fields:
                fields["enchant-locales"] = fields[f"{kind}-locales"]
            name = fields.get("emacsen-name", fields["hash-name"])
            if not re.fullmatch("[a-z]{2}(|_[A-Z]{2})", fields["hash-name"]) or name in taken:
                continue
            if name in mine:
                raise Refused("two dictionaries have one name in Emacs, and the order is that of a hash", why=name)
            found[key] = fields
            mine.add(name)
        taken |= mine
    return found


def _alist(kind: str, entries: Entries) -> str:
    each = ("\n     ".join(entries[name]) for name in sorted(entries, reverse=True))
    lines = (f"(add-to-list 'debian-{kind}-only-dictionary-alist\n  '({entry}))\n" for entry in each)
    return f"\n;; Adding {kind} dicts\n\n{''.join(lines)}\n"


def _equivalents(kind: str, locales: dict[str, str]) -> str:
    if not locales:
        return f"\n\n;; No emacsen-{kind}-equivs entries were found\n"
    lines = "".join(f'     ("{locale}" "{name}")\n' for locale, name in sorted(locales.items()))
    return (
        f"\n\n;; An alist that will try to map {kind} locales to emacsen names"
        f"\n\n(setq debian-{kind}-equivs-alist '(\n{lines}))\n"
        f"\n;; Get default value for debian-{kind}-dictionary. Will be used if\n"
        f";; spellchecker is {kind} and ispell-local-dictionary is not set.\n"
        f";; We need to get it here, after debian-{kind}-equivs-alist is loaded\n\n"
        f"(setq debian-{kind}-dictionary (debian-ispell-get-{kind}-default))\n\n"
    )


def write_for_jed(process: Process, databases: Databases) -> None:
    """``jed-ispell-dicts.sl``."""
    text = comment("%%% ")
    for kind in ("aspell", "ispell"):
        plain: dict[str, str] = {}
        in_utf8: dict[str, str] = {}
        for _, fields in sorted(databases.load(kind).items()):
            if fields.get("jed-display") == "no":
                continue
            name = fields.get("emacsen-name", fields["hash-name"])
            more = _without_octal(fields.get("additionalchars", ""))
            others = _without_octal(re.sub(r"\]\Z", "", re.sub(r"^\[", "", fields.get("otherchars", "'"))))
            mode = [fields.get("extended-character-mode", "")] if kind == "ispell" else []
            head, last = [name, fields["hash-name"]], fields.get("ispell-args", "")
            plain[name] = f"  {kind}_add_dictionary (\n" + _call("    ", [*head, more, others, *mode, last])
            if kind == "aspell":
                coding = fields.get("coding-system", "l1")
                converted = [_as_utf8(process, coding, text) for text in (more, others)]
                in_utf8[name] = "    aspell_add_dictionary (\n" + _call("      ", [*head, *converted, last])
        if plain:
            calls = "\n".join(sorted(plain.values()))
            if kind == "aspell":
                first = "\n".join(sorted(in_utf8.values()))
                calls = f"  if (_slang_utf8_ok) {{\n{first}\n  }} else {{\n{calls}\n  }}"
            text += f"\n#ifexists {kind}_add_dictionary\n{calls}\n#endif\n"
    write(process, f"{CACHE}/jed-ispell-dicts.sl", text)


def _call(indent: str, arguments: list[str]) -> str:
    return ",\n".join(f'{indent}"{argument}"' for argument in arguments) + ");"


def _without_octal(text: str) -> str:
    return re.sub(r"\\([0-3][0-7][0-7])", lambda match: chr(int(match[1], 8)), text)


def _as_utf8(process: Process, coding: str, text: str) -> str:
    """What iconv(3) makes of text. Raises Refused for what is not sure to be the same here."""
    data = text.encode("latin-1")
    try:
        if lower(coding) in {"utf-8", "utf8"}:
            data.decode("utf-8")
            return text
        module = _CHARACTER_SETS[lower(coding)]
        libraries = [f"/usr/lib/{as_text(name)}/gconv/{module}.so" for name in process.tree.names("/usr/lib")]
        if any(map(process.tree.is_file, libraries)):
            return as_text(data.decode("latin-1" if coding == "l1" else lower(coding)))
    except (KeyError, UnicodeDecodeError) as error:
        raise Refused("a set of characters of a dictionary", why=coding) from error
    raise Refused("the C library has no module for a set of characters", why=coding)


def write_for_squirrelmail(process: Process, databases: Databases) -> None:
    """``sqspell.php``."""
    lines = []
    for kind in ("aspell", "ispell", "hunspell"):
        for key, fields in databases.load(kind).items():
            if re.search("[^a-z]tex[^a-z]", key, re.IGNORECASE | re.ASCII):
                continue
            match = re.fullmatch(r".*\((.+)\)", key)
            name = fields.get("squirrelmail", match[1] if match else "no")
            if lower(name) == "no" and (match is None or "squirrelmail" in fields):
                continue
            lines.append(f"  '{name} ({kind})' => '{kind} -a {_parameters(fields)}'")
    text = "<?php\n" + comment("### ") + "$SQSPELL_APP = array (\n" + ",\n".join(sorted(lines)) + "\n);\n"
    write(process, f"{CACHE}/sqspell.php", text)


def _parameters(fields: dict[str, str]) -> str:
    arguments = fields.get("ispell-args", "")
    named = any(word.startswith("-d") for word in parts(f"{SPACE}+", arguments))
    letters = f"-w {fields['additionalchars']}" if "additionalchars" in fields else ""
    mode = fields.get("extended-character-mode")
    shown = "" if mode is None else "-T " + mode.removeprefix("~")
    return f"{'' if named else '-d ' + fields['hash-name']} {letters} {shown} {arguments}"
