"""Debconf's side of the protocol of debconf-devel(7): one answer for each line that a script sends.

Followed is Debconf::ConfModule of debconf 1.5.82, 1.5.91 and 1.5.92 with the front end Noninteractive, which shows
nothing, takes what is there already, or the default, and never goes back. Text is bytes, each a character.
"""

import re
from collections.abc import Callable

from assembler.errors import Place
from assembler.programs.debconf_database import Database, lower
from assembler.programs.debconf_questions import PRIORITIES, Element, Question, Run
from assembler.shell.streams import Refused

_OK, _ESCAPED, _BAD, _SYNTAX, _SKIPPED = "0", "1", "10", "20", "30"
_TYPES = frozenset({"boolean", "error", "multiselect", "note", "password", "select", "string", "text"})
"""Types that the front end has an element for; of others it dies."""
_WORDS = re.compile(r"(\\.|\s+)", re.ASCII)
_META = re.compile(r"(?:type|description|extended_description|choices|default)(?:-[-_@.a-z0-9]+)?", re.ASCII)
_COUNT = "Incorrect number of arguments"
_MAX_ELEMENTS = 10_000

Answer = tuple[str, ...]


class ConfModule:
    """What debconf knows of one script that talks to it."""

    def __init__(self, run: Run, owner: str) -> None:
        self.run = run
        self.owner = owner
        self.capabilities: tuple[str, ...] = ()
        self.seen: list[Question] = []
        self.busy: list[str] = []
        self.elements: list[Element] = []
        self.backed_up = False

    @property
    def database(self) -> Database:
        """Its database."""
        return self.run.database

    @property
    def escapes(self) -> bool:
        """Whether the script asked for text with escapes."""
        return "escape" in self.capabilities

    def answer(self, line: str) -> str | None:
        """The answer to a line without its end; None when the script is through with debconf. Raises Refused."""
        words = _unescaped(line) if self.escapes else re.split(r"\s+", line.strip(" \t\n\r\f\v"), flags=re.ASCII)
        if words == [""] and not self.escapes:
            words = []
        if not words:
            return f'{_SYNTAX} Bad line "{line}" received from confmodule.'
        command = lower(words[0])
        if command == "stop":
            return None
        carry_out = _COMMANDS.get(command)
        if carry_out is None:
            if "\n" in command:
                raise Refused("an answer of debconf's would have several lines", why=line[:80])
            return f'{_SYNTAX} Unsupported command "{command}" (full line was "{line}") received from confmodule.'
        return _first_line(" ".join(carry_out(self, words[1:])))

    def finish(self) -> None:
        """The script has ended: what was asked has been seen."""
        for question in self.seen:
            if (item := self.database.change(question.name)) is not None:
                item.flags["seen"] = "true"
        self.seen = []

    # --- questions ---------------------------------------------------------------------------------------------------

    def input(self, words: list[str]) -> Answer:
        """``INPUT PRIORITY QUESTION``."""
        if len(words) != 2:
            return _SYNTAX, _COUNT
        priority, name = words
        question = self.run.question(name)
        if question is None:
            return _BAD, f'"{name}" doesn\'t exist'
        if priority not in PRIORITIES:
            return _SYNTAX, f'"{priority}" is not a valid priority'
        question.priority = priority
        kind = self.run.kind(question)
        visible = kind == "error" or (self.run.high_enough(priority) and self.run.flag(question, "seen") != "true")
        kind = (kind[:1].lower() if kind[:1].isascii() else kind[:1]) + kind[1:]
        if kind not in _TYPES:
            raise Refused("debconf's front end dies of a type", why=f"{name} is of type {kind!r}"[:200])
        if len(self.elements) > _MAX_ELEMENTS:
            raise Refused("a script asks too many questions at once")
        self.busy.append(name)
        if not any(element.question is question for element in self.elements):
            self.elements.append(Element(question, kind, visible and self.run.marks_seen))
        return _SKIPPED, "question skipped"

    def go(self, words: list[str]) -> Answer:
        """``GO``."""
        if words:
            return _SYNTAX, _COUNT
        values = [(element, self.run.answered(element)) for element in self.elements]
        for element, value in values:
            self._put(element.question, value)
            if element.mark_seen:
                self.seen.append(element.question)
        self.elements, self.busy = [], []
        return _OK, "ok"

    def clear(self, words: list[str]) -> Answer:
        """``CLEAR``."""
        if words:
            return _SYNTAX, _COUNT
        self.elements, self.busy = [], []
        return (_OK,)

    def get(self, words: list[str]) -> Answer:
        """``GET QUESTION``."""
        if len(words) != 1:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        return _missing(words[0]) if question is None else self._told(self.run.value(question))

    def set(self, words: list[str]) -> Answer:
        """``SET QUESTION VALUE``."""
        if not words:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        if question is None:
            return _missing(words[0])
        self._put(question, " ".join(words[1:]))
        return _OK, "value set"

    def reset(self, words: list[str]) -> Answer:
        """``RESET QUESTION``."""
        if len(words) != 1:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        if question is None:
            return _missing(words[0])
        self._put(question, self.run.own_field(question, "default"))
        self._set_flag(question, "seen", "false")
        return (_OK,)

    def subst(self, words: list[str]) -> Answer:
        """``SUBST QUESTION VARIABLE VALUE``."""
        if len(words) < 2:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        if question is None:
            return _missing(words[0])
        if (item := self.database.change(question.name)) is not None:
            item.variables[words[1]] = " ".join(words[2:])
        return (_OK,)

    def fget(self, words: list[str]) -> Answer:
        """``FGET QUESTION FLAG``."""
        if len(words) != 2:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        return _missing(words[0]) if question is None else (_OK, self.run.flag(question, words[1]))

    def fset(self, words: list[str]) -> Answer:
        """``FSET QUESTION FLAG VALUE``."""
        if len(words) < 3:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        if question is None:
            return _missing(words[0])
        flag, value = words[1], " ".join(words[2:])
        if flag == "seen":
            self.seen = [one for one in self.seen if one is not question]
        if flag == "isdefault":
            self._set_flag(question, "seen", "false" if value == "true" else "true")
            return _OK, self.run.flag(question, flag)
        self._set_flag(question, flag, value)
        return _OK, value

    def metaget(self, words: list[str]) -> Answer:
        """``METAGET QUESTION FIELD``."""
        if len(words) != 2:
            return _SYNTAX, _COUNT
        question = self.run.question(words[0])
        if question is None:
            return _missing(words[0])
        value = self._meta(question, lower(words[1]))
        return (_BAD, f"{words[1]} does not exist") if value is None else self._told(value)

    def _meta(self, question: Question, key: str) -> str | None:
        run = self.run
        if key == "value":
            return run.value(question)
        if key == "name":
            return question.name
        if key == "priority":
            return question.priority
        item = self.database.item(question.name)
        if key == "owners":
            return ", ".join(sorted(item.owners))
        if key == "template":
            return item.fields.get("template", "")
        if not _META.fullmatch(key):
            raise Refused("a field of a question that only debconf itself knows", why=key[:80])
        if key in {"description", "extended_description", "choices"}:
            return run.expanded(question, run.template_field(question, key))
        value = run.own_field(question, key)
        return run.expanded(question, value) if re.match("(description|extended_description|choices)-", key) else value

    def register(self, words: list[str]) -> Answer:
        """``REGISTER TEMPLATE QUESTION``."""
        if len(words) != 2:
            return _SYNTAX, _COUNT
        template, name = words
        known = self.run.question(template)
        if known is None:
            return _BAD, f'No such template, "{template}"'
        if template not in self.database.templates.items:
            raise Refused("a question is made of what is no template", why=template[:80])
        kind = self.run.kind(known)
        if self.run.question(name) is None:
            self.database.make_question(name, self.owner, kind)
        self.database.add_owner(name, self.owner, kind)
        self.database.set_template(name, template)
        return (_OK,)

    def unregister(self, words: list[str]) -> Answer:
        """``UNREGISTER QUESTION``."""
        if len(words) != 1:
            return _SYNTAX, _COUNT
        (name,) = words
        if self.run.question(name) is None:
            return _missing(name)
        if name in self.busy:
            return _BAD, f"{name} is busy, cannot unregister right now"
        self._disown(name)
        return (_OK,)

    def purge(self, words: list[str]) -> Answer:
        """``PURGE``."""
        if words:
            return _SYNTAX, _COUNT
        for name in self.database.names():
            self._disown(name)
        return (_OK,)

    def visible(self, words: list[str]) -> Answer:
        """``VISIBLE PRIORITY QUESTION``: debconf answers so whatever the priority."""
        if len(words) != 2:
            return _SYNTAX, _COUNT
        return _missing(words[1]) if self.run.question(words[1]) is None else (_OK, "true")

    def exist(self, words: list[str]) -> Answer:
        """``EXIST QUESTION``."""
        if len(words) != 1:
            return _SYNTAX, _COUNT
        return _OK, "false" if self.run.question(words[0]) is None else "true"

    # --- the rest ----------------------------------------------------------------------------------------------------

    def version(self, words: list[str]) -> Answer:
        """``VERSION [NUMBER]``."""
        if len(words) > 1:
            return _SYNTAX, _COUNT
        if words:
            number = _whole(words[0])
            if number != 2:
                return _SKIPPED, f"Version too {'low' if number < 2 else 'high'} ({words[0]})"
        return _OK, "2.0"

    def capb(self, words: list[str]) -> Answer:
        """``CAPB [CAPABILITY ...]``."""
        self.capabilities = tuple(words)
        return _OK, "multiselect", "escape", ""

    def title(self, _words: list[str]) -> Answer:
        """``TITLE TEXT``: of what is never shown."""
        return (_OK,)

    def block(self, _words: list[str]) -> Answer:
        """``BEGINBLOCK``, ``ENDBLOCK``."""
        return (_OK,)

    def set_title(self, words: list[str]) -> Answer:
        """``SETTITLE QUESTION``."""
        if len(words) != 1:
            return _SYNTAX, _COUNT
        return (_OK,) if self.run.question(words[0]) else (_BAD, f'"{words[0]}" doesn\'t exist')

    def info(self, words: list[str]) -> Answer:
        """``INFO [QUESTION]``."""
        if len(words) > 1:
            return _SYNTAX, _COUNT
        known = not words or self.run.question(words[0]) is not None
        return (_OK,) if known else (_BAD, f'"{words[0]}" doesn\'t exist')

    def progress(self, words: list[str]) -> Answer:
        """``PROGRESS START|SET|STEP|INFO|STOP ...``."""
        if not words:
            return _SYNTAX, _COUNT
        command, rest = lower(words[0]), words[1:]
        counts = {"start": 3, "set": 1, "step": 1, "info": 1, "stop": 0}
        if command not in counts:
            return _SYNTAX, "Unknown subcommand"
        if len(rest) != counts[command]:
            return _SYNTAX, _COUNT
        if command == "start":
            least, most = map(_integer, rest[:2])
            if least > most:
                return _SYNTAX, f"min ({rest[0]}) > max ({rest[1]})"
        if command in {"start", "info"} and self.run.question(rest[-1]) is None:
            return _missing(rest[-1])
        if command != "start" and not self.run.progress:
            raise Refused("debconf dies of a progress bar that was not started")
        if command in {"set", "step"}:
            _integer(rest[0])
        self.run.progress = command != "stop"
        return _OK, "OK"

    def data(self, words: list[str]) -> Answer:
        """``DATA TEMPLATE FIELD VALUE``. Raises Refused for fields: they need Text::Iconv, which an image may lack."""
        if len(words) < 3:
            return _SYNTAX, _COUNT
        template, item = words[:2]
        value = re.sub(r'\\([n"\\])', lambda match: "\n" if match[1] == "n" else match[1], " ".join(words[2:]))
        if template not in self.database.templates.items:
            if template in self.database.templates.gone:
                raise Refused("a template that was removed is made again by DATA", why=template[:80])
            if item != "type":
                return _BAD, f"Template data field '{item}' received before type field"
            if value in {"", "0"} or template in {"", "0"}:
                raise Refused("debconf dies of a template without a type", why=template[:80])
            self.database.make_template(template, self.owner or "unknown", value)
            return (_OK,)
        if item == "type":
            return _BAD, "Template type already set"
        raise Refused("a template's field is set by DATA", why=template[:80])

    def load_templates(self, words: list[str]) -> Answer:
        """``X_LOADTEMPLATEFILE FILE [OWNER]``."""
        if len(words) not in {1, 2}:
            return _SYNTAX, _COUNT
        text = self.run.load(words[0])
        if text is None:
            return _BAD, f"failed to open {words[0]}: No such file or directory"
        owner = words[1] if len(words) > 1 else self.owner
        self.database.load_templates(text, owner, Place(path=words[0]))
        return (_OK,)

    # --- parts -------------------------------------------------------------------------------------------------------

    def _put(self, question: Question, value: str) -> None:
        if (item := self.database.change(question.name)) is not None:
            item.fields["value"] = value

    def _set_flag(self, question: Question, flag: str, value: str) -> None:
        if (item := self.database.change(question.name)) is not None:
            item.flags[flag] = value

    def _disown(self, name: str) -> None:
        if self.database.remove_owner(name, self.owner):
            self.run.questions.pop(name, None)

    def _told(self, value: str) -> Answer:
        if self.escapes:
            return _ESCAPED, value.replace("\\", "\\\\").replace("\n", "\\n")
        return _OK, value


_COMMANDS: dict[str, Callable[[ConfModule, list[str]], Answer]] = {
    "beginblock": ConfModule.block,
    "capb": ConfModule.capb,
    "clear": ConfModule.clear,
    "data": ConfModule.data,
    "endblock": ConfModule.block,
    "exist": ConfModule.exist,
    "fget": ConfModule.fget,
    "fset": ConfModule.fset,
    "get": ConfModule.get,
    "go": ConfModule.go,
    "info": ConfModule.info,
    "input": ConfModule.input,
    "metaget": ConfModule.metaget,
    "progress": ConfModule.progress,
    "purge": ConfModule.purge,
    "register": ConfModule.register,
    "reset": ConfModule.reset,
    "set": ConfModule.set,
    "settitle": ConfModule.set_title,
    "subst": ConfModule.subst,
    "title": ConfModule.title,
    "unregister": ConfModule.unregister,
    "version": ConfModule.version,
    "visible": ConfModule.visible,
    "x_loadtemplatefile": ConfModule.load_templates,
}


def _missing(name: str) -> Answer:
    return _BAD, f"{name} doesn't exist"


def _first_line(answer: str) -> str:
    return answer.partition("\n")[0]


def _unescaped(line: str) -> list[str]:
    """The words of a line with escapes."""
    words: list[str] = []
    word = ""
    for chunk in _WORDS.split(line):
        if chunk == "\\n":
            word += "\n"
        elif len(chunk) == 2 and chunk[0] == "\\":
            word += chunk[1]
        elif chunk and not chunk.strip(" \t\n\r\f\v"):
            words.append(word)
            word = ""
        else:
            word += chunk
    return [*words, word] if word else words


def _whole(text: str) -> int:
    """What Perl's int() makes of a version."""
    if not re.fullmatch(r"[0-9]{1,9}(\.[0-9]*)*", text):
        raise Refused("a version of debconf's protocol is no number", why=text[:80])
    return int(text.partition(".")[0])


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise Refused("a progress bar without whole numbers", why=text[:80])
    return int(text)
