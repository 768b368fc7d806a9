"""Debconf's database: questions with what was answered, and templates, as debconf 1.5 keeps them in files.

Followed are Debconf::DbDriver::Cache, ::File and ::Stack, Debconf::Format::822 and Debconf::Template of debconf 1.5.82
(bookworm), 1.5.91 (trixie) and 1.5.92, which differ in nothing that matters here, with the stack of drivers of
debconf.conf(5) as Debian ships it. All text is bytes, each a character.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from assembler.debian.debconf import DebconfError, stanza_fields
from assembler.errors import Place
from assembler.shell.streams import Refused

MAX_DATABASE = 1 << 26
"""Bytes of a file of the database; with a thousand packages the templates have some 10 MB."""
_SPACE = " \t\n\r\f\v"
_PASSWORD = re.compile("password", re.IGNORECASE | re.ASCII)
_KNOWN_FIELDS = ("description", "choices", "default", "type", "indices", "help")
"""Fields of templates, but for ``-LANGUAGE`` behind them; debconf would take some others for names of functions."""


@dataclass(slots=True)
class Item:
    """A question, or a template, whose owners are questions and which has neither flags nor variables."""

    owners: set[str] = field(default_factory=set)
    fields: dict[str, str] = field(default_factory=dict)
    flags: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)


def read_items(text: str) -> dict[str, Item]:
    """What a file of the database says, as Debconf::Format::822 reads it. Raises Refused where that is no text of its
    own.
    """
    found: dict[str, Item] = {}
    for stanza in re.split(r"\n\n+", text.strip("\n")):
        if stanza:
            name, item = _read_item(stanza)
            if name is not None:
                found[name] = item
    return found


def _read_item(stanza: str) -> tuple[str | None, Item]:
    name: str | None = None
    item = Item()
    in_variables = False
    for line in stanza.split("\n"):
        if in_variables and line.startswith(tuple(_SPACE)):
            variable = re.split(r"\s*=\s?", line.lstrip(_SPACE), maxsplit=1, flags=re.ASCII)
            item.variables[variable[0]] = _joined(variable, line).replace("\\n", "\n")
            continue
        in_variables = False
        pieces = re.split(r":\s?", line, maxsplit=1, flags=re.ASCII)
        key, value = lower(pieces[0]), _joined(pieces, line)
        if key == "owners":
            item.owners.update(_listed(value))
        elif key == "flags":
            item.flags.update(dict.fromkeys(_listed(value), "true"))
        elif key == "variables":
            in_variables = True
        elif key == "name":
            name = value
        elif key:
            item.fields[key] = value.replace("\\n", "\n")
    return name, item


def _joined(pieces: list[str], line: str) -> str:
    if len(pieces) == 1:
        raise Refused("a line of debconf's database is not understood", why=repr(line[:80]))
    return pieces[1]


def _listed(value: str) -> list[str]:
    found = re.split(r",\s+", value, flags=re.ASCII)
    while found and not found[-1]:
        found.pop()
    return found


def lower(text: str) -> str:
    """Text in lower case as Perl makes it of bytes: letters of ASCII alone."""
    return re.sub("[A-Z]+", lambda match: match[0].lower(), text)


def _upper_first(text: str) -> str:
    return (text[:1].upper() if text[:1].isascii() else text[:1]) + text[1:]


def written(name: str, item: Item) -> str:
    """An item as Debconf::Format::822 writes it, with the empty line behind it."""
    for one in (name, *item.owners, *item.flags, *item.variables):
        if "\n" in one:
            raise Refused("a name in debconf's database has an end of line", why=repr(one[:80]))
    lines = [f"Name: {name}"]
    lines += [f"{_upper_first(key)}: {_escaped(item.fields[key])}" for key in sorted(item.fields)]
    if item.owners:
        lines.append(f"Owners: {', '.join(sorted(item.owners))}")
    if flags := sorted(flag for flag, value in item.flags.items() if value == "true"):
        lines.append(f"Flags: {', '.join(flags)}")
    if item.variables:
        lines.append("Variables:")
        lines += [f" {key} = {_escaped(item.variables[key])}" for key in sorted(item.variables)]
    return "\n".join(lines) + "\n\n"


def _escaped(value: str) -> str:
    return value.replace("\n", "\\n")


class Store:
    """One file of the database (Debconf::DbDriver::File)."""

    def __init__(self, text: str = "") -> None:
        """Raises Refused for a text that it is not."""
        if len(text) > MAX_DATABASE:
            raise Refused("debconf's database is too large", why=f"more than {MAX_DATABASE >> 20} MiB")
        self.items = read_items(text)
        self.gone: set[str] = set()
        """What was removed since it was last saved."""
        self._dirty: set[str] = set()
        self._texts = {name: written(name, item) for name, item in self.items.items()}

    def change(self, name: str) -> Item | None:
        """An item that is going to be changed; None when it does not exist."""
        if name in self.items:
            self._dirty.add(name)
        return self.items.get(name)

    def add_owner(self, name: str, owner: str) -> None:
        """Have an item be owned, making it where it does not exist."""
        item = self.items.setdefault(name, Item())
        if owner not in item.owners:
            item.owners.add(owner)
            self._dirty.add(name)

    def remove_owner(self, name: str, owner: str) -> None:
        """Have an item no longer be owned; it goes with its last owner."""
        if (item := self.items.get(name)) is None:
            return
        if owner in item.owners:
            item.owners.discard(owner)
            self._dirty.add(name)
        if not item.owners:
            del self.items[name]
            self.gone.add(name)
            self._dirty.add(name)

    def save(self) -> str | None:
        """The text of the file; None when nothing has changed, so that it is not written.

        What was changed is then as it is read back: a file cannot tell a backslash and an ``n`` from an end of line,
        and keeps no flag but those that are true.
        """
        if not self._dirty:
            return None
        for name in self._dirty:
            self._texts.pop(name, None)
            if name in self.items:
                self._texts[name] = written(name, self.items[name])
        text = "".join(self._texts[name] for name in sorted(self._texts))
        for name in self._dirty & self.items.keys():
            again = read_items(self._texts[name])
            self.items[name] = again[name]
            self._texts[name] = written(name, again[name])
        self._dirty.clear()
        self.gone.clear()
        return text


@dataclass(slots=True)
class Database:
    """The files of debconf.conf(5) as Debian has it."""

    config: Store
    passwords: Store
    """Questions whose type has the word; all others are in `config`."""
    templates: Store

    def question(self, name: str) -> Store | None:
        """Where a question is; None when it does not exist."""
        return next((store for store in (self.config, self.passwords) if name in store.items), None)

    def item(self, name: str) -> Item:
        """A question that exists, to look at. Raises Refused when it does not."""
        store = self.question(name)
        if store is None:
            raise Refused("debconf has lost a question", why=name[:80])
        return store.items[name]

    def change(self, name: str) -> Item | None:
        """A question, to change it; None when it does not exist."""
        store = self.question(name)
        return None if store is None else store.change(name)

    def names(self) -> Iterator[str]:
        """The names of all questions."""
        yield from tuple(self.config.items)
        yield from tuple(self.passwords.items)

    def add_owner(self, name: str, owner: str, kind: str) -> None:
        """Have a question be owned. It is made where it does not exist, by the type `kind`."""
        store = self.question(name)
        if store is None:
            store = self.passwords if _PASSWORD.search(kind) else self.config
        store.add_owner(name, owner)

    def make_question(self, name: str, owner: str, kind: str) -> None:
        """A new question (Debconf::Question->new)."""
        self.add_owner(name, owner, kind)
        if (item := self.change(name)) is not None:
            item.flags["seen"] = "false"

    def set_template(self, name: str, template: str) -> None:
        """Say which template a question has."""
        item = self.item(name)
        before = item.fields.get("template")
        if before == template:
            return
        if before:
            self.templates.remove_owner(before, name)
        if (changed := self.change(name)) is not None:
            changed.fields["template"] = template
        self.templates.add_owner(template, name)

    def remove_owner(self, name: str, owner: str) -> bool:
        """Have a question no longer be owned; whether that was its end."""
        store = self.question(name)
        if store is None:
            return False
        template = store.items[name].fields.get("template", "")
        store.remove_owner(name, owner)
        if not template or name in store.items:
            return False
        self.templates.remove_owner(template, name)
        return True

    def make_template(self, name: str, owner: str, kind: str) -> None:
        """A template and its question (Debconf::Template->new)."""
        known = self.templates.items.get(name)
        exists = known is not None and bool(known.owners)
        if self.question(name) is not None:
            self.add_owner(name, owner, kind)
        else:
            self.make_question(name, owner, kind)
            self.set_template(name, name)
        if exists:
            missing = [one for one in self.templates.items[name].owners if self.question(one) is None]
            for one in missing:
                self.make_question(one, owner, kind)
                self.set_template(one, name)
            return
        self.templates.add_owner(name, name)
        self.set_field(name, "type", kind)

    def set_field(self, template: str, key: str, value: str) -> None:
        """Set a field of a template that exists."""
        if (item := self.templates.change(template)) is not None:
            item.fields[key] = value

    def load_templates(self, text: str, owner: str, where: Place) -> None:
        """The templates of a package, which owns them.

        Raises Refused where debconf would die of the file, having loaded what is before, and for fields that no
        template of Debian has.
        """
        for number, stanza in enumerate(_records(text), 1):
            try:
                first, extended = stanza_fields(stanza, number, where)
            except DebconfError as error:
                raise Refused("debconf dies of templates", why=str(error)) from error
            for key in first:
                if key and key != "template" and re.sub("-.+", "", key) not in _KNOWN_FIELDS:
                    raise Refused("a template has an unknown field", why=key[:80])
            if not first.get("type") or first["template"] == "0" or first["type"] == "0":
                raise Refused("debconf dies of templates", why=f"{first['template'][:80]} has no type")
            name = first["template"]
            self.make_template(name, owner or "unknown", first["type"])
            if (item := self.templates.change(name)) is not None:
                del first["template"]
                item.fields.clear()
                item.fields.update({key: value for key, value in first.items() if key})
                item.fields.update({f"extended_{key}": value for key, value in extended.items() if key})


def _records(text: str) -> list[str]:
    """The stanzas of a file of templates, as Perl reads them with two ends of line between records."""
    records = text.split("\n\n")
    if records and not records[-1]:
        records.pop()
    return [record.strip("\n") for record in records]
