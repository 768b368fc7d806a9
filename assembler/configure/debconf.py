"""What a recipe answers to debconf's questions: checked by the templates of the image's packages, and written for
debconf-set-selections(1).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assembler.debian.debconf import (
    DebconfError,
    Preseed,
    Selection,
    Template,
    elements,
    read_preseed,
    read_templates,
)
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place
from assembler.recipe.document import did_you_mean
from assembler.recipe.model import Debconf
from assembler.recipe.shapes import quoted
from assembler.toml.document import dotted

MAX_WARNINGS = 20
"""Warnings about one file of answers, or the recipe's own: a file that was written on a whole system has hundreds of
answers for other packages."""
MAX_PROBLEMS = 100
"""Problems that are told, all at once."""
_SHOWN = 12
"""Choices that a message has."""
_GUESSES = 30
"""Names that something nearest is looked for."""
_LONGEST = 200
"""Characters of a name that something nearest is looked for, and of one in a message."""

Templates = Mapping[str, Sequence[Template]]
"""Templates by their name: several packages may ask the same question."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selections:
    """A recipe's answers."""

    text: str = field(repr=False)
    """Them all, as debconf-set-selections(1) reads them, the later one of two to a question counting. Some may be
    secret."""
    public: str = ""
    """Those that are no secret."""
    asking: frozenset[str] = frozenset()
    """The packages that ask for what is answered with a secret: these are executed, so that no message shows it."""
    problems: tuple[AssembleError, ...]
    """What stops a build."""
    warnings: tuple[AssembleError, ...]
    """What is left out, or does nothing."""


def selections(debconf: Debconf, files: Mapping[str, bytes], packages: Sequence[Unpacked]) -> Selections:
    """The answers of the recipe's table `debconf` for an image of `packages`.

    `files` are the bytes of the files that the recipe names, by key (``rootfs.debconf.preseed[0]``).
    """
    if not debconf.preseed and not debconf.answers:
        return Selections(text="", problems=(), warnings=())
    templates, problems = templates_of(packages)
    judge = _Judge(templates, frozenset(package.name for package in packages), problems)
    for index, name in enumerate(debconf.preseed):
        try:
            judge.preseed(read_preseed(files[f"rootfs.debconf.preseed[{index}]"], name), name)
        except DebconfError as error:
            judge.problems.append(error)
    judge.answers(debconf)
    text = "".join(map(str, judge.selected))
    secret = {selection.question for selection in judge.selected if selection.type == "password"}
    asking = frozenset(package.name for package in packages if secret.intersection(_names(package)))
    public = "".join(str(selection) for selection in judge.selected if selection.question not in secret)
    return Selections(
        text=text, public=public, asking=asking, problems=tuple(judge.problems), warnings=tuple(judge.warnings)
    )


def _names(package: Unpacked) -> list[str]:
    """The names of the templates of a package."""
    text = package.control.get("templates", b"").decode("utf-8", "replace")
    return [line.partition(":")[2].strip() for line in text.splitlines() if line.lower().startswith("template:")]


def templates_of(packages: Sequence[Unpacked]) -> tuple[Templates, list[AssembleError]]:
    """The templates of all `packages`, and what is wrong with those that cannot be read."""
    found: dict[str, list[Template]] = {}
    problems: list[AssembleError] = []
    for package in packages:
        if "templates" in package.control:
            try:
                for template in read_templates(
                    package.control["templates"], Place(package=f"{package.name} templates")
                ):
                    found.setdefault(template.name, []).append(template)
            except DebconfError as error:
                problems.append(error)
    return found, problems


def wrong_value(template: Template, value: str) -> tuple[str, str]:
    """What of `value` is no answer to what `template` asks, and why; empty texts when it is one or cannot be judged.

    An empty one is none for a boolean only: where there are choices, debconf takes it for no answer.
    """
    if template.type == "boolean" and value not in {"true", "false"}:
        return value, f"{quoted(value)} is neither true nor false"
    if template.type not in {"select", "multiselect"} or not template.choices or not value:
        return "", ""
    chosen = elements(value) if template.type == "multiselect" else (value,)
    wrong = next((one for one in chosen if one not in template.choices), None)
    return ("", "") if wrong is None else (wrong, f"{quoted(wrong)} is not one of the choices")


def _listed(choices: Sequence[str]) -> str:
    more = len(choices) - _SHOWN
    return ", ".join(map(quoted, choices[:_SHOWN])) + (f" and {more} more" if more > 0 else "")


class _Judge:
    """Takes answers one after another, as debconf-set-selections(1) would."""

    def __init__(self, templates: Templates, packages: frozenset[str], problems: list[AssembleError]) -> None:
        self.templates = templates
        self.packages = packages
        self.problems = problems
        self.warnings: list[AssembleError] = []
        self.selected: list[Selection] = []
        self._answered: set[str] = set()
        self._guesses = 0

    def preseed(self, preseed: Preseed, name: str) -> None:
        """Take the answers of a file that is called `name`."""
        self._told(preseed.errors)
        warnings: list[AssembleError] = list(preseed.unknown)
        strangers: dict[str, list[Selection]] = {}
        for selection in preseed.selections:
            where = Place(file=name, line=selection.line, key=selection.question[:_LONGEST])
            if selection.owner not in self.packages:
                strangers.setdefault(selection.owner, []).append(selection)
            elif selection.question not in self.templates and not selection.sets_seen:
                warnings.append(self._unasked(selection.question, where))
            if selection.sets_seen:
                warnings += self._mark(selection, where)
            else:
                self._take(selection, where)
        for owner, theirs in strangers.items():
            warnings.append(self._stranger(owner, Place(file=name, line=theirs[0].line), len(theirs)))
        self._warned(sorted(warnings, key=lambda warning: warning.where.line), Place(file=name))

    def answers(self, debconf: Debconf) -> None:
        """Take the answers that stand in the recipe itself."""
        path = ("rootfs", "debconf", "answers")
        warnings = [
            self._stranger(owner, Place(key=dotted((*path, owner))), len(answers))
            for owner, answers in debconf.answers.items()
            if owner not in self.packages
        ]
        for owner, question, answer in debconf.listed():
            where = Place(key=dotted((*path, owner, question)))
            kind: str = answer.type or next((template.type for template in self.templates.get(question, ())), "")
            if question not in self.templates and owner in self.packages:
                warnings.append(self._unasked(question, where, left_out=not kind))
            if kind:
                self._take(Selection(owner, question, kind, answer.value, 0), where, named=answer.type is not None)
        self._warned(warnings, Place(key=dotted(path)))

    def _take(self, selection: Selection, where: Place, *, named: bool = True) -> None:
        """Judge an answer, and note it when it is one. Its type is the template's where it is not `named`."""
        error = _secret(selection, where, named=named) or self._wrong(selection, where)
        if error:
            self._told([error])
            return
        self._answered.add(selection.question)
        self.selected.append(selection)

    def _wrong(self, selection: Selection, where: Place) -> DebconfError | None:
        """What is wrong with an answer by the templates of its question; one that fits any of them is right."""
        if selection.value.endswith(("\\", "\r")):
            why = "debconf-set-selections(1) would read another one"
            return DebconfError("an answer ends in a backslash or carriage return", where=where, why=why)
        found: DebconfError | None = None
        for template in self.templates.get(selection.question, ()):
            if template.type != selection.type:
                what = f"the type is {quoted(template.type)}, not {quoted(selection.type)}"
                found = found or DebconfError(what, where=where, why="the package's template says so")
                continue
            wrong, what = wrong_value(template, selection.value)
            if not what:
                return None
            if found is None:
                found = DebconfError(what, where=where, hint=self._choice(wrong, template.choices or ()))
        return found

    def _mark(self, selection: Selection, where: Place) -> list[DebconfError]:
        """Note that a question has been seen, or not. Returns warnings."""
        if selection.value not in {"true", "false"}:
            self._told([DebconfError(f"{quoted(selection.value)} is neither true nor false", where=where)])
        elif selection.question in self._answered:
            self.selected.append(selection)
        else:
            what, hint = "a question is marked that nothing before answers", "answer it, or remove the line"
            return [DebconfError(what, where=where, hint=hint)]
        return []

    def _unasked(self, question: str, where: Place, *, left_out: bool = False) -> DebconfError:
        why = "it is left out, as nothing says of which type it is" if left_out else ""
        hint = self._near(question, tuple(self.templates))
        return DebconfError("no package of the image asks this question", where=where, why=why, hint=hint)

    def _stranger(self, owner: str, where: Place, count: int) -> DebconfError:
        what = f"{quoted(owner)} is no package of the image, and has {count} answer{'s' if count > 1 else ''}"
        return DebconfError(what, where=where, hint=self._near(owner, tuple(self.packages)))

    def _choice(self, wrong: str, choices: Sequence[str]) -> str:
        return self._near(wrong, choices) or (f"they are: {_listed(choices)}" if choices else "")

    def _near(self, word: str, candidates: Sequence[str]) -> str:
        """A question for the candidate nearest to `word`, while not many have been asked."""
        self._guesses += 1
        if self._guesses > _GUESSES or len(word) > _LONGEST:
            return ""
        return did_you_mean(word, [one for one in candidates if len(one) <= _LONGEST])

    def _told(self, errors: Sequence[AssembleError]) -> None:
        self.problems += errors[: max(MAX_PROBLEMS - len(self.problems), 0)]

    def _warned(self, warnings: Sequence[AssembleError], where: Place) -> None:
        self.warnings += warnings[:MAX_WARNINGS]
        if (more := len(warnings) - MAX_WARNINGS) > 0:
            self.warnings.append(DebconfError(f"there are {more} more warnings", where=where))


def _secret(selection: Selection, where: Place, *, named: bool) -> DebconfError | None:
    """What is wrong with a password that is not known to be a secret."""
    if selection.type != "password" or not selection.value:
        return None
    if selection.line:
        return DebconfError(
            "a password stands in a file of answers",
            where=where,
            why="such files go onto the medium with the recipe",
            hint='answer it in [rootfs.debconf.answers.PACKAGE], with type = "password"',
        )
    if named:
        return None
    return DebconfError(
        "the answer is a password, and does not say so",
        where=where,
        why="it would not be treated as a secret",
        hint='as { type = "password", value = ... }',
    )
