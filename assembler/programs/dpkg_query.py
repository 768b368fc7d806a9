"""dpkg-query, after dpkg 1.21 to 1.23: what is known of packages, of their files, and whose a file is.

Messages go to the standard error. A package that others mention and that is not installed is known too: with patterns
and by its name it is listed as such.
"""

import re
from collections.abc import Callable, Sequence

from assembler.debian.version import compare
from assembler.programs.dpkg_helpers import diversions
from assembler.programs.packages_known import Known, Packages, mentioned, version_of
from assembler.shell import patterns
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Refused

_SHORT = {"W": "show", "l": "list", "s": "status", "L": "listfiles", "S": "search", "f": "showformat"}
_ACTIONS = frozenset({"show", "list", "status", "listfiles", "search"})
_ABBREVIATED = {
    "not-installed": "n", "config-files": "c", "half-installed": "H", "unpacked": "U", "half-configured": "F",
    "triggers-awaited": "W", "triggers-pending": "t", "installed": "i",
}  # fmt: skip
_WANTED = {"unknown": "u", "install": "i", "hold": "h", "deinstall": "r", "purge": "p"}
_HEADER = """\
Desired=Unknown/Install/Remove/Purge/Hold
| Status=Not/Inst/Conf-files/Unpacked/halF-conf/Half-inst/trig-aWait/Trig-pend
|/ Err?=(none)/Reinst-required (Status,Err: uppercase=bad)
"""
_NEW_TABLE = "1.23"
"""The dpkg whose table of packages is another."""
_USAGE = 2
_MAX_PATTERN = 300


def query(process: Process, packages: Packages | None) -> int:
    """``dpkg-query``, with ``-W`` and ``-f``, ``-l``, ``-s``, ``-L`` and ``-S``. Raises Refused without packages."""
    action, form, words = _arguments(process.arguments)
    if packages is None:
        raise Refused("what dpkg knows of packages", why=" ".join(process.arguments))
    asked = _Query(process, packages)
    if action == "show":
        return asked.show(form, words)
    if action == "list":
        return asked.list(words)
    if not words and action != "status":
        process.complain("dpkg-query: needs at least one argument")
        return _USAGE
    if action == "search":
        return asked.search(words)
    return asked.each(words, files=action == "listfiles")


def _arguments(arguments: Sequence[str]) -> tuple[str, str, list[str]]:
    """What is asked for, the format, and the operands. Raises Refused."""
    words = list(arguments)
    actions: list[str] = []
    form = "${binary:Package}\\t${Version}\\n"
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word == "--":
            break
        names = [word[2:]] if word.startswith("--") else list(word[1:])
        while names:
            name, equals, value = names.pop(0).partition("=") if word.startswith("--") else (names.pop(0), "", "")
            name = name if word.startswith("--") else _SHORT.get(name, "")
            if name in _ACTIONS and not equals:
                actions.append(name)
            elif name == "showformat":
                rest = "".join(names)
                names = []
                if rest:
                    form = rest.removeprefix("=")
                elif equals:
                    form = value
                elif words:
                    form = words.pop(0)
                else:
                    raise Refused("an option of dpkg-query without its value")
            elif name != "no-pager":
                raise Refused("an option of dpkg-query that is not computed", why=word)
    if len(actions) != 1:
        raise Refused("dpkg-query without one question", why=" ".join(arguments))
    return actions[0], form, words


class _Query:
    def __init__(self, process: Process, packages: Packages) -> None:
        self.process = process
        self.native = packages.architecture
        self.dpkg = version_of(packages, "dpkg")
        self.found = packages.known()
        names = [package.name for package in self.found]
        self.several = len(set(names)) < len(names)

    def candidates(self, words: Sequence[str]) -> list[Known]:
        """The packages that may be meant by patterns, those that are mentioned alone included, in order."""
        names = {word.partition(":")[0] for word in words}
        if any(re.search(r"[*?\[]", name) for name in names):
            found = list(self.found)
            wanted = mentioned(found) - {package.name for package in found}
        else:
            found = [package for package in self.found if package.name in names]
            missing = names - {package.name for package in found}
            wanted = missing & mentioned(self.found) if missing else set()
        return _sorted([*found, *(Known({"Package": name}) for name in wanted)])

    def installed(self) -> list[Known]:
        """All packages of which there is something, in order."""
        return _sorted([package for package in self.found if package.is_installed])

    def name(self, package: Known) -> str:
        """A package's name, with its architecture where that is not told by it."""
        foreign = package.architecture not in {self.native, "all", ""}
        if foreign or self.several:
            raise Refused("packages of several architectures", why=package.name)
        same = package.fields.get("Multi-Arch") == "same"
        return f"{package.name}:{package.architecture}" if same else package.name

    def matching(self, words: Sequence[str]) -> tuple[list[Known], int]:
        """The packages that patterns are for, all that are installed without one; and 1 when one is for none."""
        if not words:
            return self.installed(), 0
        candidates = self.candidates(words)
        found = [[package for package in candidates if self.is_for(word, package)] for word in words]
        for word, which in zip(words, found, strict=True):
            if not which:
                self.process.complain(f"dpkg-query: no packages found matching {word}")
        chosen = [package for package in candidates if any(package in which for which in found)]
        return chosen, 0 if all(found) else 1

    def is_for(self, word: str, package: Known) -> bool:
        """Whether a pattern, maybe with an architecture, is for a package."""
        glob, colon, architecture = word.partition(":")
        if colon and architecture not in {self.native, "all"}:
            raise Refused("the architecture of a package", why=word)
        if not re.fullmatch(r"[A-Za-z0-9.+*?\[\]!_-]{1,300}", glob) or "[^" in glob:
            raise Refused("a pattern for packages that is not computed", why=word)
        if colon and not package.is_installed and package.name == glob:
            raise Refused("the architecture of a package that is not installed", why=word)
        try:
            matched = patterns.matches(package.name, glob)
        except patterns.PatternError as error:
            raise Refused("a pattern that is not understood", why=word) from error
        return matched and (not colon or package.architecture == architecture)

    # --- questions ---------------------------------------------------------------------------------------------------

    def show(self, form: str, words: Sequence[str]) -> int:
        pieces = _pieces(form)
        found, status = self.matching(words)
        for package in found:
            self.process.print(
                "".join(piece if isinstance(piece, str) else self.field(package, *piece) for piece in pieces)
            )
        return status

    def field(self, package: Known, name: str, width: int) -> str:
        """What a format's field has."""
        value = self.value(package, name)
        if width and not value.isascii():
            raise Refused("the width of text that is not ASCII")
        if width:
            value = value[: abs(width)]
        return value.rjust(width) if width > 0 else value.ljust(-width)

    def value(self, package: Known, name: str) -> str:
        want, flag, status = package.status
        virtual: dict[str, Callable[[], str]] = {
            "binary:Package": lambda: self.name(package),
            "binary:Summary": lambda: _summary(package) or "(no description available)",
            "binary:Synopsis": lambda: _summary(package) or "(no description available)",
            "db:Status-Abbrev": lambda: _abbreviation(package),
            "db:Status-Want": lambda: want,
            "db:Status-Status": lambda: status,
            "db:Status-Eflag": lambda: flag,
            "source:Package": lambda: _source(package)[0],
            "source:Version": lambda: _source(package)[1],
        }
        if name in virtual:
            return as_text(virtual[name]())
        if ":" in name or "-fsys" in name:
            raise Refused("a field of dpkg-query that is not computed", why=name)
        fields = {each.lower(): value for each, value in package.fields.items()}
        fields.setdefault("status", "unknown ok not-installed")
        value = as_text(fields.get(name.lower(), ""))
        if name.lower() == "conffiles":
            return value.removeprefix("\n")
        return value

    def list(self, words: Sequence[str]) -> int:
        if "COLUMNS" in self.process.environment:
            raise Refused("a width of the terminal")
        found, status = self.matching(words)
        if not found:
            if not words:
                self.process.complain("dpkg-query: no packages found")
            return status
        if self.process.captured and compare(self.dpkg or "0", _NEW_TABLE) >= 0:
            raise Refused("the table that dpkg -l prints, as of dpkg 1.23")
        rows = [
            (
                self.name(package), package.fields.get("Version", "<none>"), package.architecture or "<none>",
                _summary(package) or "(no description available)",
            )
            for package in found
        ]  # fmt: skip
        if not all(text.isascii() for row in rows for text in row):
            raise Refused("the width of text that is not ASCII")
        widths = [max(least, *(len(row[at]) for row in rows)) for at, least in enumerate((14, 12, 12, 33))]
        if not all(package.architecture for package in found):
            # The width is that of what it has, which is nothing.
            lengths = [len(package.architecture) for package in found]
            widths[2] = max(12, *lengths)
        lines = [_HEADER, "||/ " + _row(("Name", "Version", "Architecture", "Description"), widths) + "\n"]
        lines.append("+++-" + "-".join("=" * width for width in widths) + "\n")
        for package, row in zip(found, rows, strict=True):
            lines.append(f"{_abbreviation(package)} {_row(row, widths)}\n")
        self.process.print("".join(lines))
        return status

    def each(self, words: Sequence[str], *, files: bool) -> int:
        """``-s`` and ``-L`` of packages."""
        status = 0
        out = [_stanza(package) for package in self.installed()] if not words else []
        if out:
            out.append("")
        for word in words:
            name, colon, architecture = word.partition(":")
            if colon and architecture not in {self.native, "all"}:
                raise Refused("the architecture of a package", why=word)
            if not re.fullmatch(r"[a-z0-9][a-z0-9.+-]*", name):
                raise Refused("a name that is none of a package", why=word)
            found = [package for package in self.found if package.name == name and package.is_installed]
            if not found:
                self.process.complain(f"dpkg-query: package {word} is not installed")
                status = 1
                out.append("")
                continue
            package = found[0]
            if len(found) > 1 or (colon and package.architecture != architecture):
                raise Refused("packages of several architectures", why=word)
            if files:
                out.append(self.listed(package))
            else:
                out.append(_stanza(package))
        self.process.print("\n".join(out))
        return status

    def listed(self, package: Known) -> str:
        diverted = {path for path, _, _ in diversions(self.process.tree)}
        if any(path in diverted for path in package.files):
            raise Refused("the files of a package with diversions", why=package.name)
        if not package.files:
            raise Refused("the files of a package without any", why=package.name)
        return as_text("".join(f"{path}\n" for path in package.files))

    def search(self, words: Sequence[str]) -> int:
        status = 0
        shown = 0
        for word in words:
            if word.endswith(("/", "/.")) or re.search(r"[\[\]\\]", word) or not word or "//" in word:
                raise Refused("a pattern for files that is not computed", why=word)
            self.process.budget.spend(sum(len(package.files) for package in self.found))
            if not word.isascii() or len(word) > _MAX_PATTERN:
                raise Refused("a pattern for files that is not ASCII", why=word)
            exact = word.startswith("/") and not re.search(r"[*?]", word)
            glob = word if exact or word.startswith(("/", "*", "?")) else f"*{word}*"
            if re.match(r"[*?]", word) and not exact:
                glob = word
            if any(self.touches(glob, path, to) for path, to, _ in diversions(self.process.tree)):
                raise Refused("whose a file is that is diverted", why=word)
            owners: dict[str, list[str]] = {}
            for package in self.found:
                for path in package.files:
                    if path == glob if exact else patterns.matches(path, glob):
                        owners.setdefault(path, []).append(self.name(package))
            if not owners:
                self.process.complain(f"dpkg-query: no path found matching pattern {word}")
                status = 1
            shown = max([shown + len(owners) * (not exact), *map(len, owners.values())])
            if shown > 1 and self.process.captured:
                raise Refused("the order in which dpkg-query has packages and paths", why=word)
            self.process.print("".join(f"{', '.join(names)}: {as_text(path)}\n" for path, names in owners.items()))
        return status

    @staticmethod
    def touches(glob: str, path: str, to: str) -> bool:
        """Whether a diversion has to do with a pattern."""
        return patterns.matches(path, glob) or patterns.matches(to, glob)


def _sorted(packages: Sequence[Known]) -> list[Known]:
    return sorted(packages, key=lambda package: (package.name, package.architecture))


def _stanza(package: Known) -> str:
    """The fields of a package as dpkg writes them."""
    return as_text(
        "".join(
            f"{name}:{value if value.startswith(chr(10)) else ' ' + value}\n" for name, value in package.fields.items()
        )
    )


def _row(texts: Sequence[str], widths: Sequence[int]) -> str:
    *first, last = texts
    return " ".join([*(text.ljust(width) for text, width in zip(first, widths, strict=False)), last])


def _summary(package: Known) -> str:
    return package.fields.get("Description", "").split("\n")[0]


def _abbreviation(package: Known) -> str:
    want, flag, status = package.status
    return _WANTED[want] + _ABBREVIATED[status] + ("R" if flag == "reinstreq" else " ")


def _source(package: Known) -> tuple[str, str]:
    name, _, version = package.fields.get("Source", package.name).partition(" ")
    return name, version.strip("()") or package.fields.get("Version", "")


def _pieces(form: str) -> list[str | tuple[str, int]]:
    """The text, and the fields with their width, of a format. Raises Refused."""
    found: list[str | tuple[str, int]] = []
    for match in re.finditer(r"\$\{([^}]*)\}|\\(.)|([^\\$]+|.)", form, re.DOTALL):
        name, escaped, plain = match.groups()
        if name is not None:
            field, semicolon, width = name.partition(";")
            if not field or (semicolon and not re.fullmatch(r"-?[0-9]{1,4}", width)):
                raise Refused("a format of dpkg-query that is not computed", why=form)
            found.append((field, int(width or 0)))
        elif escaped is not None:
            if escaped not in "nt\\r":
                raise Refused("a format of dpkg-query that is not computed", why=form)
            found.append({"n": "\n", "t": "\t", "r": "\r"}.get(escaped, escaped))
        else:
            if plain in {"$", "\\"}:
                raise Refused("a format of dpkg-query that is not computed", why=form)
            found.append(plain)
    return found


def programs(packages: Packages | None) -> dict[str, Program]:
    """``dpkg-query`` by name, for these packages."""
    return {"dpkg-query": lambda process: query(process, packages)}


PROGRAMS: dict[str, Program] = programs(None)
"""Programs by name, where nothing is known of packages."""
