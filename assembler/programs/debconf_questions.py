"""What debconf's questions say while a package is configured, and what the front end Noninteractive answers.

Followed are Debconf::Question, Debconf::Template and Debconf::FrontEnd::Noninteractive with its elements, of debconf
1.5.82, 1.5.91 and 1.5.92. Text is bytes, each a character.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from assembler.debian.debconf import elements
from assembler.programs.debconf_database import Database
from assembler.shell.streams import Refused

MAX_TEXT = 1 << 24
"""Characters of a template's text with variables in it."""
PRIORITIES = {"low": 0, "medium": 1, "high": 2, "critical": 3}
_VARIABLE = re.compile(r"(\\)?\$\{([^{}]+)\}")


@dataclass(slots=True, eq=False)
class Question:
    """A question as one run of debconf knows it; the database has what stays."""

    name: str
    priority: str | None = None


@dataclass(slots=True)
class Element:
    """What the next GO answers."""

    question: Question
    kind: str
    mark_seen: bool


@dataclass(slots=True)
class Run:
    """One run of debconf: of the config script and the script itself, over one database."""

    database: Database
    priority: str | None = None
    """``DEBIAN_PRIORITY``; without, it is asked of the database."""
    marks_seen: bool = True
    """``DEBCONF_NONINTERACTIVE_SEEN``: what nobody could see counts as seen."""
    tells: Callable[[], None] = lambda: None
    """Called for each error message that is shown. Raises Refused where somebody reads it."""
    load: Callable[[str], str | None] = lambda _path: None
    """The text of a file of templates; None when it cannot be opened."""
    progress: bool = False
    """Whether a progress bar has been started."""
    questions: dict[str, Question] = field(default_factory=dict)

    def question(self, name: str) -> Question | None:
        """A question that exists."""
        if (known := self.questions.get(name)) is not None:
            return known
        if self.database.question(name) is None:
            return None
        return self.questions.setdefault(name, Question(name))

    # --- what a question says ----------------------------------------------------------------------------------------

    def template_field(self, question: Question, key: str, *, english: bool = False) -> str:
        """A field of a question's template, in the locale C.UTF-8 or, for `english`, as the choices' values are."""
        template = self.database.item(question.name).fields.get("template", "")
        known = self.database.templates.items.get(template)
        if known is None:
            raise Refused("debconf has lost a template", why=template[:80])
        fields = known.fields
        names = ([key] if re.search("-c$", key) else [f"{key}-c", key]) if english else [f"{key}-en", key]
        if "-" in key:
            names.append(key.partition("-")[0])
        found = next((fields[name] for name in names if name in fields), "")
        if not english and f"{key}-en" not in fields:
            # Read only with Text::Iconv, which an image has or not.
            for name, value in fields.items():
                if name.startswith((f"{key}-en.", f"{key}-c.utf-8")) and value != found:
                    raise Refused("debconf's text depends on its translation to English", why=f"{template} {name}")
        return found

    def expanded(self, question: Question, text: str) -> str:
        """Text with the question's variables in it."""
        variables = self.database.item(question.name).variables
        pieces: list[str] = []
        size = position = 0
        for one in _VARIABLE.finditer(text):
            pieces += (text[position : one.start()], one[0][1:] if one[1] else variables.get(one[2], ""))
            position = one.end()
            size += len(pieces[-1])
            if size > MAX_TEXT:
                raise Refused("debconf's text is too long", why=f"more than {MAX_TEXT >> 20} MiB")
        return "".join((*pieces, text[position:]))

    def value(self, question: Question) -> str:
        """The answer, or the default."""
        value = self.database.item(question.name).fields.get("value")
        return self.template_field(question, "default") if value is None else value

    def kind(self, question: Question) -> str:
        """The type."""
        return self.own_field(question, "type")

    def own_field(self, question: Question, key: str) -> str:
        """A field of a question, or of its template."""
        value = self.database.item(question.name).fields.get(key)
        return self.template_field(question, key) if value is None else value

    def flag(self, question: Question, name: str) -> str:
        """A flag; `false` when it was never set."""
        flags = self.database.item(question.name).flags
        if name == "isdefault":
            return "false" if flags.get("seen") == "true" else "true"
        return flags.get(name, "false")

    def high_enough(self, priority: str) -> bool:
        """Whether questions of a priority are asked."""
        wanted = self.priority
        if wanted is None:
            question = self.question("debconf/priority")
            wanted = (self.value(question) if question else "") or "high"
            if wanted == "0":
                wanted = "high"
        return PRIORITIES[priority] >= PRIORITIES.get(wanted, 0)

    def answered(self, element: Element) -> str:
        """What the front end takes for an answer."""
        question = element.question
        value = self.value(question)
        if element.kind == "error":
            if self.flag(question, "seen") != "true":
                self.tells()
            return ""
        if element.kind == "text":
            return ""
        if element.kind == "select":
            choices = elements(self.expanded(question, self.template_field(question, "choices", english=True)))
            return value if value in choices else next(iter(choices), "")
        return value
