"""update-inetd(8) 4.53, a program in perl, with its module DebianNet 1.13: the lines of ``/etc/inetd.conf``.

Expressions are perl's, of which a few are known, and only whether they match counts. What it would ask is refused.
There is no inetd that runs, and invoke-rc.d starts none.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from assembler.programs.characters import Locale
from assembler.programs.inputs import Failure, content_of, look
from assembler.programs.regex import Regex, Work
from assembler.programs.regex_syntax import Dialect, parse
from assembler.shell.process import Process, Program
from assembler.shell.streams import Refused
from assembler.tree.staging import Kind

CONFIGURATION = "/etc/inetd.conf"
_ACTIONS = ("add", "remove", "enable", "disable")
_VALUES = ("file", "group", "comment-chars", "pattern")
_OFF = "#<off># "
"""What is before an entry that a maintainer script has turned off."""
_MAX_WORD = 400
_BYTES = Locale(utf8=False)
_PLAIN = r"[A-Za-z0-9_ \t/:<>#@,=~%&;!'\"-]"
_TOKENS = re.compile(rf"(\\[sSwt]|\\[^A-Za-z0-9\s]|{_PLAIN}|\.)([*+?]?)(?![*+?{{])")
_EITHER = re.compile(rf"\(({_PLAIN}*)\|({_PLAIN}*)\)(?![*+?{{])")
"""One of two texts, or one that may be missing."""
_SETS = {".": "[^\n]", "\\s": "[[:space:]]", "\\S": "[^[:space:]]", "\\w": "[[:alnum:]_]", "\\t": "\t"}


@dataclass(frozen=True, slots=True)
class _Call:
    process: Process
    work: Work
    path: str
    off: str
    pattern: str
    multi: bool

    def finds(self, *expressions: str) -> Callable[[str], bool]:
        """Whether all of perl's `expressions` match a line; an empty one is the one before it."""
        found = [_translated(self.work, each) for each in expressions if each]
        return lambda line: all(each.found(line) for each in found)

    def lines(self) -> list[str] | None:
        """Those of the configuration; None when it is not there."""
        there = look(self.process, self.path, follow=False)
        if there.inode is None:
            if there.error != "ENOENT":
                raise Refused("an inetd.conf that cannot be opened", why=self.path)
            return None
        if there.inode.kind is not Kind.FILE:
            raise Refused("an inetd.conf that is no file", why=self.path)
        try:
            text = content_of(self.process, self.path).decode("latin-1")
        except Failure as error:
            raise Refused("an inetd.conf that cannot be opened", why=self.path) from error
        return re.findall(r"[^\n]*\n|[^\n]+\Z", text)

    def write(self, lines: list[str]) -> None:
        """As a new file, which is moved there."""
        tree, path = self.process.tree, self.process.place(self.path)
        if not tree.is_dir("/tmp") or tree.lexists("/run/inetd.pid"):  # noqa: S108  the image's
            raise Refused("update-inetd without a directory for its file, or with an inetd that runs")
        tree.discard(path)
        tree.write(path, "".join(f"{line}\n" for line in lines).encode("latin-1"), 0o644)

    def alone(self, lines: list[str], service: str) -> None:
        """Raise Refused when it would ask whether more than one entry is meant."""
        if not self.multi and sum(map(self.finds(f"^{service}\\s+", self.pattern), lines)) > 1:
            raise Refused("update-inetd asks about several entries", why=service)


def update_inetd(process: Process) -> int:
    """``update-inetd --add ENTRY``, ``--remove``, ``--enable`` and ``--disable``."""
    action, argument, options = _arguments(process)
    if len(argument) > _MAX_WORD or re.search(r"[^ -~\t]", argument):
        raise Refused("update-inetd with these arguments", why=argument[:_MAX_WORD])
    is_blank = bool(re.search(r"\s|\\t", argument))
    if action == "add" and not is_blank:
        process.complain("update-inetd: error: the entry definition does not contain any whitespace characters")
        return 255
    if is_blank and action in {"enable", "disable"}:
        raise Refused("update-inetd with these arguments", why=argument)
    if ("group" in options and action != "add") or ("pattern" in options and action == "add") or "verbose" in options:
        process.complain("update-inetd: warning")
    call = _Call(
        process, Work(process.budget), options.get("file", CONFIGURATION), options.get("comment-chars", _OFF),
        options.get("pattern", ""), "multi" in options,
    )  # fmt: skip
    if action == "add":
        _add(call, argument, options.get("group", "OTHER"))
    elif action == "remove":
        _remove(call, argument)
    else:
        for service in argument.rstrip(",").split(","):
            (_enable if action == "enable" else _disable)(call, service)
    return 0


def _arguments(process: Process) -> tuple[str, str, dict[str, str]]:
    words = list(process.arguments)
    options: dict[str, str] = {}
    action = ""
    odd = Refused("update-inetd with these arguments", why=" ".join(words))
    while words and words[0].startswith("-"):
        name = words.pop(0).removeprefix("--")
        if name in _ACTIONS:
            action = name
        elif name in {"multi", "verbose"}:
            options[name] = ""
        elif name in _VALUES and words and words[0] not in {"", "0"} and not words[0].startswith("--"):
            options[name] = words.pop(0)
        else:
            raise odd
    if not action or len(words) != 1 or words[0] in {"", "0"}:
        raise odd
    # They stand for themselves, also where perl reads them as an expression.
    if not re.fullmatch(r"#[A-Za-z0-9_<># ]*", options.get("comment-chars", "#")):
        raise odd
    return action, words[0], options


def _add(call: _Call, entry: str, group: str) -> None:
    process = call.process
    if process.tree.exists("/etc/xinetd.conf") and process.tree.exists("/usr/sbin/xinetd"):
        process.complain("Note: xinetd currently is not fully supported by update-inetd.")
    lines = call.lines()
    if lines is None:
        process.complain(f"update-inetd: warning: cannot add service, {call.path} does not exist")
        return
    new = entry.replace("\\t", "\t")
    if not re.fullmatch(r"\w+", group, re.ASCII):
        raise Refused("a group of update-inetd that is not as usual", why=group)
    service = re.sub(r"(\W*\w+)\s+.*", r"\1", new, count=1, flags=re.ASCII)
    bare = re.sub(r"^#([A-Za-z].*)", r"\1", service)
    if any(map(call.finds(f"^{call.off}{bare}\\s+"), lines)):
        _enable(call, bare, pattern="")
        return
    if any(map(call.finds(f"^{bare}\\s+"), lines)):
        raise Refused("update-inetd adds an entry for a service that has one", why=bare)
    by_user = service.removeprefix("#")
    if any(map(call.finds(f"^#\\s*{bare}\\s+"), lines)) or (
        service.startswith("#") and any(map(call.finds(f"^{by_user}\\s+"), lines))
    ):
        return
    written: list[str] = []
    in_group = done = False
    for line in (each.removesuffix("\n") for each in lines):
        in_group = in_group or line.startswith(f"#:{group.upper()}:")
        if in_group and not re.search(r"[a-zA-Z#]", line):
            written.append(new)
            in_group, done = False, True
        written.append(line)
    call.write(written if done else [*written, new])


def _remove(call: _Call, service: str) -> None:
    lines = call.lines() or []
    call.alone(lines, service)
    call.alone(lines, f"{call.off}{service}")
    on, off = (call.finds(f"^{prefix}{service}\\s+", call.pattern) for prefix in ("", call.off))
    bare = [line.removesuffix("\n") for line in lines]
    kept = [line for line in bare if not on(line) and not off(line)]
    if len(kept) < len(lines):
        call.write(kept)


def _disable(call: _Call, service: str) -> None:
    lines = call.lines() or []
    call.alone(lines, service)
    _changed(call, lines, f"^{service}\\s+\\w+\\s+", call.pattern, lambda line: call.off + line)


def _enable(call: _Call, service: str, *, pattern: str | None = None) -> None:
    lines = call.lines()
    if lines is None:
        call.process.complain(f"update-inetd: warning: cannot enable service, {call.path} does not exist")
        return
    pattern = call.pattern if pattern is None else pattern
    size = len(call.off)
    _changed(call, lines, f"^{call.off}{service}\\s+\\w+\\s+", pattern, lambda line: line[size:])


def _changed(call: _Call, lines: list[str], first: str, pattern: str, change: Callable[[str], str]) -> None:
    is_meant = call.finds(first, pattern)
    bare = [line.removesuffix("\n") for line in lines]
    written = [change(line) if is_meant(line) else line for line in bare]
    if written != bare:
        call.write(written)


def _translated(work: Work, expression: str) -> Regex:
    """An expression of perl's as one of POSIX that matches the same lines."""
    rest = expression.removeprefix("^")
    made, at = "", 0
    while at < len(rest):
        if (either := _EITHER.match(rest, at)) is not None:
            one, other = either.groups()
            made += f"({one}|{other})" if one and other else f"({one}{other})?" if one or other else ""
            at = either.end()
            continue
        token = _TOKENS.match(rest, at)
        if token is None:
            raise Refused("an expression of perl's", why=expression)
        one, times = token.groups()
        made += _SETS.get(one, f"[{one[1:]}]" if one.startswith("\\") and one not in {"\\\\", "\\^"} else one) + times
        at = token.end()
    node, groups = parse("^" * (rest != expression) + made, Dialect(_BYTES, extended=True))
    return Regex(node, groups=groups, locale=_BYTES, work=work)


PROGRAMS: dict[str, Program] = {"update-inetd": update_inetd}
"""Programs by name."""
