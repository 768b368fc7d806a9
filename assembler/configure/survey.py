"""All scripts of all packages, and what takes care of each, told from their texts alone: nothing is carried out.

Triggers count as scripts: ``postinst triggered`` is one of its own for those that may be activated.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from assembler.configure import rules, triggers
from assembler.configure.effects import Effect
from assembler.configure.report import Handling, ScriptReport
from assembler.configure.rules import Rule
from assembler.debian.dpkg_database import ADMINDIR, CONTROL_DIRECTORY, info_name
from assembler.debian.package import Unpacked
from assembler.errors import AssembleError, Place
from assembler.shell.heads import is_for_sh, parsed
from assembler.shell.streams import Refused

ScriptName = Literal["preinst", "postinst", "triggered", "besides"]
SCRIPTS: tuple[ScriptName, ...] = ("preinst", "postinst")
"""The scripts that run when a package is installed. prerm and postrm never run on an image, config only asks."""
TRIGGERED: ScriptName = "triggered"
"""Stands for ``postinst triggered``, which is a script of its own here."""
BESIDES: ScriptName = "besides"
"""Stands for a rule that is carried out besides the scripts of its package, after its postinst."""


class UnhandledScript(AssembleError):
    """A script that nobody vouched for; `details` are the text to judge and the stanza to paste."""


_DO = "# do = '''commands'''   leave out when there is nothing to do on a fresh install"


@dataclass(frozen=True, slots=True)
class Script:
    """A script and what takes care of it."""

    package: str
    name: ScriptName
    text: bytes
    rule: Rule | None
    arch: str
    triggers: tuple[str, ...] = ()
    """What triggers it; all of them are one run of dpkg's."""
    first_boot: str = ""
    """Why it waits for the image's first boot, when it does."""
    info: str = ""
    """The name by which dpkg keeps the package's control files."""
    may_wait: str = ""
    """Why it may wait for the first boot, if it turns out that it cannot be carried out."""
    failed: str = ""
    """Why it could not be carried out, when that was tried."""
    executed: str = ""
    """Why dpkg carries it out in a machine, when it does."""
    effects: tuple[Effect, ...] = ()
    """What it has done, where that was asked for."""

    @property
    def file(self) -> str:
        """The control file that it is in."""
        return "preinst" if self.name == "preinst" else "postinst"

    @property
    def path(self) -> str:
        """Where it is while dpkg carries it out."""
        return f"{CONTROL_DIRECTORY}/preinst" if self.name == "preinst" else f"{ADMINDIR}/info/{self.info}.postinst"

    @property
    def odd(self) -> str:
        """Why it cannot be carried out on the tree, as far as its text tells; empty when it can."""
        return _odd(self.text)

    @property
    def handling(self) -> Handling:
        """How it is taken care of."""
        if self.first_boot:
            return "first boot"
        if self.executed:
            return "executed"
        if self.rule is not None:
            return "rule"
        return "unhandled" if self.odd or self.failed else "computed"

    @property
    def left(self) -> str:
        """Why it is left to dpkg, when it is."""
        return self.first_boot or self.executed

    def report(self) -> ScriptReport:
        """All about it in plain values."""
        rule = self.rule
        return ScriptReport(
            self.package,
            self.name,
            self.handling,
            rule.source if rule and not self.left else "",
            self.left or self.failed or (rule.reason if rule else self.odd),
            self.triggers,
            self.stanza() if self.handling == "unhandled" else "",
            self.effects,
        )

    def problem(self) -> UnhandledScript:
        """The error for a script that cannot be carried out on the tree, with the rule to fill in."""
        return UnhandledScript(
            "the script cannot be computed",
            where=Place(package=f"{self.package} {self.name}"),
            why=self.odd,
            hint=self.hint(),
            details=self.stanza().splitlines(),
        )

    def hint(self) -> str:
        """What to do where it cannot be computed."""
        return (
            f"read it and add a rule to a file that rootfs.rules names, or add {self.package} to rootfs.first_boot,"
            " or let it be executed"
        )

    def stanza(self, command: Sequence[str] = ()) -> str:
        """The rule for it, or for a command in it, to be filled in."""
        words = " ".join(command)
        if command and list(command) == words.split() and not set('\\"\n').intersection(words):
            lines = ("[[rule]]", f'package = "{self.package}"', f'command = "{words}"', 'reason = "..."', _DO)
            return "".join(f"{line}\n" for line in lines)
        digest = rules.text_key(self.package, self.package, self.text, self.arch)
        names = ", ".join(f'"{triggers.generic(trigger)}"' for trigger in self.triggers)
        lines = (
            "[[rule]]",
            f'package = "{self.package}"',
            f'script = "{self.name}"',
            *((f"trigger = [{names}]",) if names else ()),
            f'digest = ["{digest}"]',
            'reason = "..."',
            _DO,
        )
        return "".join(f"{line}\n" for line in lines)


@lru_cache(maxsize=4096)
def _odd(text: bytes) -> str:
    written = text.decode("latin-1")
    if not is_for_sh(written):
        return f"it is no script for sh: {written.partition(chr(10))[0][:80]}"
    try:
        parsed(written)
    except Refused as error:
        return str(error)
    return ""


_NONE: Mapping[str, str] = {}


def survey(
    packages: Sequence[Unpacked],
    arch: str,
    own: Sequence[Rule] = (),
    first_boot: Mapping[str, str] = _NONE,
    *,
    executed: Mapping[str, str] = _NONE,
    unpacked: Collection[str] = (),
    paths: Collection[str] = (),
) -> list[Script]:
    """Every script of `packages`, in their order: preinst, postinst, rules besides, then what triggers may have it do.

    `own` are rules that come before the built-in ones; scripts of packages in `first_boot` and `executed`, which have
    the reasons, are left to dpkg, on the first boot or in a machine, where it also unpacks those in `unpacked`. `paths`
    may trigger something besides those of packages.
    """
    known = (*own, *rules.built_in())
    possible = triggers.possible(packages, paths)
    found: list[Script] = []
    for package in packages:
        later, real = first_boot.get(package.name, ""), executed.get(package.name, "")
        for name in SCRIPTS:
            text = package.control.get(name)
            if text is None:
                continue
            script = Script(
                package.name,
                name,
                text,
                rules.find(known, package.name, name, text, arch),
                arch,
                info=info_name(package),
            )
            # dpkg runs preinst before it unpacks. One that cannot be computed has to wait, too.
            unhandled = script.handling == "unhandled"
            if name != "preinst" or unhandled or package.name in unpacked:
                script = replace(script, first_boot=later, executed=real)
            found.append(replace(script, may_wait=later))
        if real:
            continue
        found += [Script(package.name, BESIDES, b"", rule, arch) for rule in rules.besides(known, package.name)]
        if not later:
            found += _triggered(package, known, arch, possible)
    return found


def _triggered(package: Unpacked, known: Sequence[Rule], arch: str, possible: Collection[str]) -> list[Script]:
    """What its triggers have a package do, which is one run for all that are activated, but for those with a rule."""
    text = package.control.get("postinst")
    if text is None:
        return []
    by_rule: dict[Place | None, Script] = {}
    for _, interest in triggers.interests([package]):
        trigger = interest.trigger
        if trigger not in possible:
            continue
        rule = rules.find(known, package.name, TRIGGERED, text, arch, trigger=trigger)
        key = rule.position if rule else None
        names = (*(by_rule[key].triggers if key in by_rule else ()), trigger)
        by_rule[key] = Script(package.name, TRIGGERED, text, rule, arch, names, info=info_name(package))
    return list(by_rule.values())
