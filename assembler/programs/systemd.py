"""Units on and off: systemctl(1) on a tree that is not running.

systemctl is a class for one manager, ``Systemctl(tree)`` or ``Systemctl(tree, user=True)`` (``--global``), with a
method for each verb. Units are looked up and links made as systemd 252 to 262 do. In links to units, the path is the
one under ``/usr/lib``; under ``/lib`` where systemd was built for a ``/usr`` of its own, as before 255.
"""

import fnmatch
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from assembler.errors import Place
from assembler.programs.options import ProgramError, UsageError, parse_options
from assembler.programs.specifiers import Specifiers, conf_files, is_masked, unquote
from assembler.tree.staging import Inode, Kind, Tree

_SYSTEM_PATH = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
)
_SPLIT_PATH = (*_SYSTEM_PATH[:-1], "/lib/systemd/system", _SYSTEM_PATH[-1])
_USER_PATH = (
    "/etc/systemd/user", "/run/systemd/user", "/usr/local/share/systemd/user", "/usr/share/systemd/user",
    "/usr/local/lib/systemd/user", "/usr/lib/systemd/user",
)  # fmt: skip
_SINCE_254 = "UpheldBy"
_SUFFIXES = {"WantedBy": ".wants", "RequiredBy": ".requires", _SINCE_254: ".upholds"}
UNIT_NAME = re.compile(
    r"[\w:.\\-]+(@[\w:.\\-]*)?\.(service|socket|target|timer|path|mount|automount|swap|slice|scope|device)"
)
"""What systemd.unit(5) allows as the name of a unit."""


_NO_UNIT = 4
"""The exit status of is-enabled for a unit that is not there, as of systemd 257."""


class UnitError(ProgramError):
    """A unit that is missing, masked or cannot be understood."""


@dataclass(slots=True)
class Unit:
    """The [Install] section of a unit file, and where the file is."""

    name: str
    """As asked for, so with an instance."""
    path: str
    """Absolute path of the unit file, not resolved."""
    links: dict[str, list[str]] = field(default_factory=lambda: {key: [] for key in _SUFFIXES})
    """Units by WantedBy, RequiredBy and UpheldBy."""
    alias: list[str] = field(default_factory=list)
    also: list[str] = field(default_factory=list)
    default_instance: str = ""


def split_name(name: str) -> tuple[str, str | None, str]:
    """A unit name as prefix, instance (None without ``@``, "" for a template) and type with its dot."""
    stem, dot, kind = name.rpartition(".")
    prefix, at, instance = stem.partition("@")
    return prefix, instance if at else None, dot + kind


def template_of(name: str) -> str:
    """``getty@.service`` for ``getty@tty1.service``; the name itself without an instance."""
    prefix, instance, kind = split_name(name)
    return name if instance is None else f"{prefix}@{kind}"


def full_name(name: str) -> str:
    """Add ``.service`` to a name without a type, as systemctl does."""
    if not UNIT_NAME.fullmatch(name):
        name += ".service"
    if not UNIT_NAME.fullmatch(name):
        raise UnitError(f"{name!r} is no name of a unit")
    return name


class Systemctl:
    """``systemctl --root``: what unit files say, and the links under ``/etc/systemd`` that follow from it."""

    def __init__(self, tree: Tree, *, user: bool = False, split: bool = False) -> None:
        """`user` is ``--global``: the units of all users' managers. `split`: systemd looks in /lib first."""
        self.tree = tree
        self.split = split
        self.search = _USER_PATH if user else _SPLIT_PATH if split else _SYSTEM_PATH
        self.config = self.search[0]
        self._presets: list[tuple[str, str, list[str]]] | None = None
        self._preset_directory = "systemd/user-preset" if user else "systemd/system-preset"

    # --- looking -------------------------------------------------------------------------------------------------

    def find(self, name: str) -> str | None:
        """The path of the file for a unit, or of its template; None when there is none."""
        for candidate in dict.fromkeys((name, template_of(name))):
            for directory in self.search:
                if self.tree.lexists(f"{directory}/{candidate}"):
                    return f"{directory}/{candidate}"
        return None

    def _is_masked(self, name: str) -> bool:
        path = self.find(name)
        return path is not None and is_masked(self.tree, path)

    def load(self, name: str) -> Unit:
        """The unit `name` with aliases followed, so maybe of another name. Raises UnitError."""
        for _ in range(16):
            path = self.find(name)
            if path is None:
                raise UnitError(f"unit {name} does not exist")
            inode = self.tree.at(path)
            if is_masked(self.tree, path):
                raise UnitError(f"unit {name} is masked", where=Place(path=path))
            if inode.kind is Kind.FILE:
                return self._parse(name, path)
            target = posixpath.normpath(posixpath.join(posixpath.dirname(path), inode.target))
            other = posixpath.basename(target)
            if other == posixpath.basename(path):
                return self._parse(name, target)  # a linked unit file (systemctl link)
            prefix, instance, kind = split_name(other)
            own = split_name(name)[1]
            name = f"{prefix}@{own}{kind}" if instance == "" and own else other
        raise UnitError(f"unit {name} is an alias of itself")

    def _parse(self, name: str, path: str) -> Unit:
        unit = Unit(name, path)
        files = [path]
        for dropin in dict.fromkeys((f"{name}.d", f"{template_of(name)}.d")):
            files += conf_files(self.tree, dropin, roots=self.search)
        for file in files:
            self._read_install(unit, file)
        return unit

    def _read_install(self, unit: Unit, file: str) -> None:
        section = ""
        text = re.sub(r"\\\n(?:[ \t]*[#;].*\n)*", " ", self.tree.read_text(file))
        for line in text.splitlines():
            line = line.strip()  # noqa: PLW2901  the line without its margins is what all below means
            if not line or line[0] in "#;":
                continue
            if line.startswith("["):
                section = line
            elif section == "[Install]":
                key, _, value = (part.strip() for part in line.partition("="))
                words = unquote(value, Place(path=file)) if value else []
                lists = {**unit.links, "Alias": unit.alias, "Also": unit.also}
                if self.split:
                    del lists[_SINCE_254]
                if key in lists:
                    if words:
                        lists[key].extend(words)
                    else:
                        lists[key].clear()
                elif key == "DefaultInstance":
                    unit.default_instance = value

    def _expand(self, unit: Unit, text: str) -> str:
        prefix, instance, _ = split_name(unit.name)
        if not instance:
            instance = unit.default_instance
        extra = {"n": unit.name, "N": unit.name.rpartition(".")[0], "p": prefix, "i": instance or "",
                 "j": prefix.rpartition("-")[2]}  # fmt: skip
        return Specifiers(self.tree, extra).expand(text, Place(path=unit.path))

    # --- links ---------------------------------------------------------------------------------------------------

    def _wanted_links(self, unit: Unit) -> Iterator[tuple[str, str]]:
        """The (link, target) pairs that [Install] of a unit asks for; no target where a template lacks an instance."""
        _, instance, kind = split_name(unit.name)
        for alias in unit.alias:
            other = self._expand(unit, alias)
            prefix, other_instance, other_kind = split_name(other)
            if other_kind != kind or other == unit.name:
                continue
            if instance and other_instance == "":
                other = f"{prefix}@{instance}{kind}"
            yield f"{self.config}/{other}", unit.path
        name = unit.name
        if instance == "" and unit.default_instance:
            name = name.replace("@.", f"@{self._expand(unit, unit.default_instance)}.")
        for key, suffix in _SUFFIXES.items():
            for target in unit.links[key]:
                parent = self._expand(unit, target)
                # A template without an instance can only be wanted by a template.
                possible = split_name(name)[1] != "" or split_name(parent)[1] == ""
                yield f"{self.config}/{parent}{suffix}/{name}", unit.path if possible else ""

    def _closure(self, names: Sequence[str]) -> Iterator[Unit]:
        """The named units and those that they name in Also=; a missing one there is passed over."""
        seen: set[str] = set()
        pending = [(name, False) for name in names]
        while pending:
            name, auxiliary = pending.pop(0)
            if name in seen:
                continue
            seen.add(name)
            try:
                unit = self.load(name)
            except UnitError:
                if auxiliary:
                    continue
                raise
            yield unit
            pending += [(self._expand(unit, other), True) for other in unit.also]

    def enable(self, *names: str) -> None:
        """Make the links that [Install] asks for, here and in the units of Also=.

        Raises UnitError; for a template that only an instance can be enabled of, after the other units are done.
        """
        refused = self._enable(names)
        if refused:
            raise UnitError(f"the template {refused[0]} cannot be enabled without an instance")

    def _enable(self, names: Sequence[str]) -> list[str]:
        """As :meth:`enable`; gives the templates that lack an instance."""
        refused = []
        for unit in list(self._closure([full_name(name) for name in names])):
            for link, target in self._wanted_links(unit):
                if target:
                    self._link(link, target)
                else:
                    refused.append(unit.name)
        return refused

    def _link(self, link: str, target: str) -> None:
        found = self.tree.get(link)
        if found is not None and not self._leads_to(found, link, target):
            if found.kind is Kind.SYMLINK and link.count("/") > self.config.count("/") + 1:
                self.tree.remove(link)  # in a .wants directory only the name counts
                found = None
            else:
                raise UnitError("a file is in the way of a link to a unit", where=Place(path=link))
        # One that leads there by another path stays as it is.
        if found is None:
            self.tree.symlink(target, link, parents=True)

    def _leads_to(self, inode: Inode, link: str, target: str) -> bool:
        if inode.kind is not Kind.SYMLINK:
            return False
        absolute = posixpath.join(posixpath.dirname(link), inode.target)
        return self.tree.resolve(absolute) == self.tree.resolve(target)

    def disable(self, *names: str) -> None:
        """Remove all links to the units, and to those of Also=, under ``/etc/systemd``. Masked units keep theirs."""
        gone: set[str] = set()
        for name in map(full_name, names):
            if self._is_masked(name):
                continue
            gone.add(name)
            try:
                for unit in self._closure([name]):
                    gone.add(unit.name)
            except UnitError:
                continue
        self._remove_links(gone)

    def _remove_links(self, gone: set[str]) -> None:
        changed = True
        while changed:  # an alias that goes takes the links to it along
            changed = False
            for path, inode in list(self.tree.walk(self.config)) if self.tree.is_dir(self.config) else []:
                if inode.kind is not Kind.SYMLINK or inode.target == "/dev/null":
                    continue
                name, target = posixpath.basename(path), posixpath.basename(inode.target)
                if {name, template_of(name), target} & gone:
                    self.tree.remove(path)
                    directory = posixpath.dirname(path)
                    if directory != self.config and not self.tree.names(directory):
                        self.tree.remove(directory)
                    if name not in gone:
                        gone.add(name)
                    changed = True

    def mask(self, *names: str) -> None:
        """Make the units impossible to start: links to ``/dev/null``. Raises UnitError when a file is in the way."""
        for name in map(full_name, names):
            path = f"{self.config}/{name}"
            found = self.tree.get(path)
            if found is not None and not (found.kind is Kind.SYMLINK and found.target == "/dev/null"):
                raise UnitError("a file is in the way of a mask", where=Place(path=path))
            if found is None:
                self.tree.symlink("/dev/null", path, parents=True)

    def unmask(self, *names: str) -> None:
        """Undo :meth:`mask`."""
        for name in map(full_name, names):
            path = f"{self.config}/{name}"
            if self.tree.lexists(path) and is_masked(self.tree, path):
                self.tree.remove(path)

    def set_default(self, name: str) -> None:
        """``systemctl set-default``: the target that is booted. Raises UnitError."""
        target = name if UNIT_NAME.fullmatch(name) else f"{name}.target"
        path = self.load(target).path
        self.tree.symlink(path, f"{self.config}/default.target", parents=True)

    def is_enabled(self, name: str) -> bool:
        """Whether any link under ``/etc/systemd`` leads to the unit (``systemctl is-enabled``: enabled or alias)."""
        name = full_name(name)
        if not self.tree.is_dir(self.config):
            return False
        for path, inode in self.tree.walk(self.config):
            if inode.kind is not Kind.SYMLINK or inode.target == "/dev/null":
                continue
            if posixpath.basename(path) == name or posixpath.basename(inode.target) == name:
                return True
        return False

    def answers_enabled(self, name: str) -> bool:
        """What ``systemctl is-enabled`` says of a unit that is there: yes also of one that cannot be enabled itself."""
        name = full_name(name)
        if self._is_masked(name):
            return False
        if self.is_enabled(name) or self.load(name).name != name:
            return True
        unit = self.load(name)
        return not (unit.alias or any(unit.links.values()))

    # --- presets -------------------------------------------------------------------------------------------------

    def _rules(self) -> list[tuple[str, str, list[str]]]:
        """All rules of systemd.preset(5) in the order they are tried: action, pattern, instances."""
        if self._presets is None:
            self._presets = []
            for path in conf_files(self.tree, self._preset_directory, suffix=".preset"):
                for line in self.tree.read_text(path).splitlines():
                    words = line.split()
                    if words and words[0] in {"enable", "disable", "ignore"} and len(words) > 1:
                        self._presets.append((words[0], words[1], words[2:]))
        return self._presets

    def preset_of(self, name: str) -> tuple[str, list[str]]:
        """What the presets say of a unit: "enable", "disable" or "ignore", and instances for a template."""
        template = split_name(name)[1] == ""
        for action, pattern, instances in self._rules():
            if fnmatch.fnmatchcase(name, pattern):
                if template and action == "enable" and instances:
                    return action, [name.replace("@.", f"@{instance}.") for instance in instances]
                return action, [name]
            if (
                action == "enable"
                and instances
                and split_name(name)[1]
                and fnmatch.fnmatchcase(template_of(name), pattern)
            ):
                return ("enable" if split_name(name)[1] in instances else "disable"), [name]
        return "enable", [name]

    def preset(self, *names: str, enable_only: bool = False) -> None:
        """Enable or disable units as the presets say; `enable_only` is ``--preset-mode=enable-only``.

        Aliases are passed over. Raises UnitError for a unit that is missing, and for one that shall be enabled but is
        masked.
        """
        for name in map(full_name, names):
            if not self._is_masked(name) and self.load(name).name != name:
                continue
            action, chosen = self.preset_of(name)
            if action == "enable":
                self._enable(chosen)
            elif action == "disable" and not enable_only:
                self.disable(name)

    def preset_all(self, *, enable_only: bool = False) -> None:
        """``systemctl preset-all``: what first boot does, too. Aliases are passed over, and what cannot be enabled."""
        names = {
            name
            for directory in self.search
            for name in self.tree.names(directory)
            if UNIT_NAME.fullmatch(name) and self.tree.at(f"{directory}/{name}").kind in {Kind.FILE, Kind.SYMLINK}
        }
        for name in sorted(names):
            with suppress(UnitError):
                self.preset(name, enable_only=enable_only)

    def call(self, arguments: Sequence[str]) -> bool:
        """A command line of systemctl. False is what exit status 1 says (``is-enabled``).

        ``--system``, ``--user``, ``--global`` and ``--root`` are up to the caller; verbs that only a running manager
        answers do nothing, and ``is-active`` is False. Raises UnitError, UsageError.
        """
        options, words = parse_options(
            arguments,
            "system user global root= quiet|q no-reload now force|f preset-mode= no-ask-password no-block runtime"
            " full|l no-pager property|p= value type|t= all|a no-warn lines|n= output|o= signal|s= kill-whom=",
            program="systemctl",
        )
        verb, *names = words or [""]
        enable_only = options.get("preset-mode") == "enable-only"
        quiet_verbs = {"daemon-reload", "daemon-reexec", "start", "stop", "restart", "try-restart", "reload", "kill",
                       "reload-or-restart", "try-reload-or-restart", "reset-failed", "show", "cat"}  # fmt: skip
        verbs: dict[str, Callable[..., None]] = {
            "enable": self.enable, "disable": self.disable, "mask": self.mask, "unmask": self.unmask,
            "set-default": self.set_default,
        }  # fmt: skip
        if verb in verbs:
            verbs[verb](*names)
        elif verb == "preset":
            self.preset(*names, enable_only=enable_only)
        elif verb == "preset-all":
            self.preset_all(enable_only=enable_only)
        elif verb == "is-enabled":
            missing = [name for name in names if self.find(full_name(name)) is None]
            if missing and len(names) > 1:
                raise UsageError("systemctl is-enabled of several units, some of which are not there")
            if missing:
                raise UnitError(f"unit {missing[0]} does not exist").exits(_NO_UNIT if not self.split else 1)
            return any(self.answers_enabled(name) for name in names)
        elif verb in {"is-active", "is-failed", "is-system-running"}:
            return False
        elif verb not in quiet_verbs:
            raise UsageError(f"systemctl {verb} is not known here", why=" ".join(arguments))
        return True
