"""Packages that ask debconf's questions, drawn at random for comparing debconf over the tree with the real one."""

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LIBRARY = "# debconf's library\n"
"""In scripts: where it stands, and what tells of a command behind it."""
PLACE = "/w"
"""Where the packages' files are in the tree."""


@dataclass(frozen=True)
class Draw:
    """Packages and what is done with them."""

    files: Mapping[str, str]
    """By name; each character is a byte."""
    steps: Sequence[Sequence[str]]
    """Calls: ``select FILE``, or a script and its arguments."""


_NAMES = ("one", "two", "flag", "list", "several", "secret", "message", "words")
_VALUES = (
    "true", "false", "true", "false", "", "red", "green", "blue", "red, blue", "a b  c", "x\\ny", "b\\\\s", "a\\, b",
    "1", "${colour}", "é", "0", "  x ", "=", "a: b", "none", "/etc/x.conf", "-n", "ab\\", "none, all", "a = b",
)  # fmt: skip
_CHOICES = (
    "red, green, blue", "${choices}", "${choices}", "red", "a\\, b, red", "none, ${choices}, all", "",
    "green, \\${x}, red", "red,green", "0, 1", "two words, red",
)  # fmt: skip
_TEXTS = ("Some text about it.", ".", "  indented ${colour}", "more \\n of it  ", " x", "", "ende")
_FIELDS = (
    "choices", "description", "value", "owners", "type", "default", "template", "extended_description", "Choices-C",
    "priority", "choices-de.utf-8", "Description-de.UTF-8", "name", "default-de",
)  # fmt: skip
_WEIGHTS = {
    "db_input": 2.0, "db_go": 2.0, "db_get": 8.0, "db_set": 8.0, "db_subst": 3.0, "db_fset": 3.0, "db_fget": 3.0,
    "db_reset": 2.0, "db_metaget": 2.0, "db_register": 2.0, "db_unregister": 2.0, "db_beginblock": 0.5,
    "db_endblock": 0.5, "db_title": 1.0, "db_settitle": 1.0, "db_clear": 0.3, "db_purge": 0.2, "db_info": 0.5,
    "db_progress": 0.7, "db_version": 0.5, "db_capb": 0.5, "_db_cmd": 0.5, "db_x_loadtemplatefile": 0.5, "db_data": 0.3,
    "db_text": 0.3,
}  # fmt: skip


@dataclass
class Maker:
    """Draws packages."""

    rng: random.Random
    small: bool = False
    """Whether packages have little in them."""
    questions: list[str] = field(default_factory=list)

    def one(self, *texts: str) -> str:
        """Any of these."""
        return self.rng.choice(texts)

    def often(self, share: float) -> bool:
        """Whether it happens."""
        return self.rng.random() < share

    def value(self) -> str:
        """An answer."""
        return self.rng.choice(_VALUES)

    def template(self, name: str) -> str:
        """A stanza of that name."""
        kind = self.rng.choices(
            ("select", "boolean", "string", "multiselect", "note", "password", "text", "error", "title"),
            (5, 6, 6, 3, 2, 3, 1, 2, 0.3),
        )[0]
        lines = [f"Template: {name}", f"Type: {kind}"]
        if kind in {"select", "multiselect"} or self.often(0.03):
            choices = self.rng.choice(_CHOICES)
            lines.append(f"Choices: {choices}")
            if self.often(0.3):
                lines.append("Choices-de.UTF-8: rot, grün, blau")
            if self.often(0.1):
                lines.append("Choices-C: red, green, blue")
        if self.often(0.7):
            lines.append(f"Default: {self.value()}{self.one('', '', ' ')}")
        if self.often(0.05):
            lines.append("Default-en: english")
        if self.often(0.1):
            lines.append("Default-de.UTF-8: deutsch")
        lines.append("Description: " + self.one("What about ${colour}?", "Short", "Configure \\\\n now?", "Ünder"))
        lines += [f" {self.rng.choice(_TEXTS)}" for _ in range(self.rng.choice((0, 0, 1, 2, 4)))]
        if self.often(0.3):
            lines.append("Description-de.UTF-8: Was ist mit ${colour}?\n Etwas Text.")
        if self.often(0.05):
            lines.append("Description-en: In English\n And more.")
        return "\n".join(lines) + "\n"

    def package(self, name: str) -> dict[str, str]:
        """The files of a package."""
        own = [f"{name}/{one}" for one in self.rng.sample(_NAMES, self.rng.randint(1, 2 if self.small else 5))]
        if self.often(0.4):
            own.append("shared/q")
        if self.often(0.05):
            own.append("debconf/priority")
        files = {f"{name}.templates": "\n".join(map(self.template, own)) + self.one("", "", "", "\n")}
        self.questions += own
        if self.often(0.75):
            files[f"{name}.config"] = self.script(config=True)
        files[f"{name}.postinst"] = self.script(config=False)
        return files

    # --- scripts -----------------------------------------------------------------------------------------------------

    def script(self, *, config: bool) -> str:
        """A config script, or a postinst."""
        lines = ["#!/bin/sh", self.one("set -e", "", ""), LIBRARY.strip()]
        if self.often(0.7):
            lines.append("t db_version 2.0")
        if self.often(0.5):
            asked = self.one("backup", "escape", "backup escape", "escape", "", "multiselect")
            lines.append(f"t db_capb {asked}")
        lines += [f"t {self.command(config=config)}" for _ in range(self.rng.randint(1, 6 if self.small else 14))]
        if config and self.often(0.7):
            lines.append("t db_go")
        if self.often(0.05 if config else 0.6):
            lines.append("db_stop")
            if self.often(0.3):
                lines.append("echo after")
        if self.often(0.1):
            lines.append(f"exit {self.one('0', '1', '3')}")
        return "\n".join(lines) + "\n"

    def question(self) -> str:
        """A name."""
        if self.often(0.05):
            return self.one("no/such", "x", "debconf/priority", "new/made", "b/two", "a/one")
        return self.rng.choice([*self.questions, *self.questions, "new/made"])

    def command(self, *, config: bool) -> str:
        """A command of debconf's library."""
        of_config = {"db_input": 10.0, "db_go": 6.0} if config else {}
        weights = {**_WEIGHTS, **of_config}
        name = self.rng.choices(list(weights), list(weights.values()))[0]
        if self.often(0.02):
            return " ".join((name, *[self.question(), "a", "b", "c"][: self.rng.choice((0, 1, 1, 4))]))
        return f"{name} {self.operands(name)}"

    def operands(self, name: str) -> str:
        """What a command is told."""
        question, other, value = self.question(), self.question(), f"'{self.value()}'"
        match name:
            case "db_input" | "db_text":
                return f"{self.one('low', 'medium', 'medium', 'high', 'high', 'critical', 'urgent')} {question}"
            case "db_set":
                return f"{question} {self.one(value, value, value, 'two words', '', value + ' ' + value)}"
            case "db_subst":
                known = self.one(value, "red, green", "'red, green, a\\\\, b'", "none", "")
                return f"{question} {self.one('choices', 'choices', 'colour', 'x', 'a=b')} {known}"
            case "db_fset":
                flag = self.one("seen", "seen", "seen", "isdefault", "own")
                return f"{question} {flag} {self.one('true', 'false', 'maybe', '')}"
            case "db_fget":
                return f"{question} {self.one('seen', 'seen', 'isdefault', 'own')}"
            case "db_metaget":
                return f"{question} {self.rng.choice(_FIELDS)}"
            case "db_register":
                return f"{question} {self.one('new/made', 'new/other', other)}"
            case "db_title":
                return value
            case "db_info":
                return self.one("", question)
            case "db_progress":
                start = self.one("START 0 3", "start 0 10", "START 5 1", "START 0")
                return self.one(*[f"{start} {question}"] * 12, "STOP", "SET 1", "STEP 1", "frob", "")
            case "db_version":
                return self.one("1.0", "2", "2.1", "3", "", "2.0 3")
            case "db_capb":
                return self.one("backup", "escape", "", "backup multiselect escape")
            case "_db_cmd":
                return self.one(
                    f"EXIST {question}", f"VISIBLE low {question}", "FROB x", '""', "EXIST", "VISIBLE x",
                    "previous_module", f"input high {question}",
                )  # fmt: skip
            case "db_x_loadtemplatefile":
                file = self.one("more.templates", "more.templates", "nothing", "a.templates")
                return f'"${{0%/*}}/{file}" {self.one("", "", "owner")}'
            case "db_data":
                kind = self.one("string", "select", "boolean")
                return f"{self.one('new/data', question)} {self.one('type', 'type', 'description')} {kind}"
            case "db_get" | "db_reset" | "db_unregister" | "db_settitle":
                return question
        return ""

    def selections(self) -> str:
        """Answers for debconf-set-selections."""
        lines = []
        for _ in range(self.rng.randint(1, 4)):
            owner = self.one("a", "b", "other")
            kind = self.one("string", "boolean", "select", "password", "multiselect", "seen", "string", "error", "note")
            question = self.question()
            value = self.one("true", "false") if kind == "seen" else self.value()
            usual = [f"{owner} {question} {kind} {value}"] * 6
            lines.append(self.one(*usual, f"{owner}\t{question}  {kind}", "# note", owner))
        return "\n".join(lines) + self.one("\n", "\n", "")


def drawn(rng: random.Random) -> Draw:
    """One or two packages."""
    maker = Maker(rng, small=rng.random() < 0.4)
    names = ("a",) if maker.small else ("a", "b")
    files = {"more.templates": maker.template("more/x")}
    for name in names:
        files.update(maker.package(name))
    maker.questions.append("more/x")
    steps = [[f"{PLACE}/{name}.postinst", "configure", ""] for name in names]
    if rng.random() < 0.3:
        files["selections"] = maker.selections()
        steps.insert(rng.choice((0, 0, 0, 1)), ["select", f"{PLACE}/selections"])
    if rng.random() < 0.2:
        steps.append([f"{PLACE}/a.postinst", "configure", "1.0"])
    return Draw({name: text.encode().decode("latin-1") for name, text in files.items()}, steps)


def draws(seed: int) -> Iterator[Draw]:
    """Those of a seed, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        yield drawn(rng)


def sessions(seed: int) -> Iterator[Draw]:
    """Lines of the protocol about one package's questions, without end."""
    rng = random.Random(seed)  # noqa: S311  no secret
    while True:
        maker = Maker(rng)
        own = [f"a/{one}" for one in rng.sample(_NAMES, rng.randint(1, 5))]
        templates = "\n".join(map(maker.template, own))
        maker.questions += own
        commands = [maker.command(config=rng.random() < 0.5) for _ in range(rng.randint(1, 30))]
        lines = [
            re.sub("^(db_text|db_|_db_cmd )", lambda name: {"db_text": "input"}.get(name[0], ""), one)
            for one in commands
        ]
        lines = [one.replace('"${0%/*}/', f"{PLACE}/").replace('"', "").replace("'", "") for one in lines]
        files = {"a.templates": templates, "more.templates": maker.template("more/x"), "lines": "\n".join(lines) + "\n"}
        yield Draw({name: text.encode().decode("latin-1") for name, text in files.items()}, ())
