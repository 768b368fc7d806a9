"""cat, head, tail, wc, cut, uniq, tee and tac's kin: text line by line, after GNU coreutils 9.1 to 9.7.

Text is bytes; what looks at characters of the locale (``wc -w``, ``-m``, ``uniq -i``) is refused where these are not
ASCII. What a program has read of a file that is its standard input is behind its position, as lseek(2) leaves it there.
"""

import re
from collections.abc import Callable, Sequence

from assembler.programs.inputs import (
    MAX_LINES,
    NULL,
    Failure,
    IsADirectory,
    ascii_only,
    content_of,
    each_content,
    lines,
    look,
    once,
    options_of,
    text,
    written,
)
from assembler.shell.process import Process, Program
from assembler.shell.streams import NOWHERE, Opened, Refused
from assembler.tree.content import size_of
from assembler.tree.staging import Kind

_MAX_COUNT = 1 << 40
_MAX_RANGES = 200


def cat(process: Process) -> int:
    """``cat``."""
    _, names = options_of(process, "u")
    return each_content(process, names, lambda _name, data: process.print(text(data)))


# --- head and tail ---------------------------------------------------------------------------------------------------


def head(process: Process) -> int:
    """``head -n``, ``-c``, ``-q`` and ``-v``, and a number as an option at the front."""
    options, names = options_of(
        process,
        "n|lines= c|bytes= q|quiet|silent v|verbose",
        repeated={"n", "c"},
        arguments=_numbered(process.arguments),
    )
    unit, count, sign = _amount(options)
    return _ends(process, options, names, lambda name: _first(process, name, unit, count, least=sign == "-"))


def _first(process: Process, name: str, unit: str, count: int, *, least: bool) -> bytes:
    """The beginning of an operand; `least`: all but the last `count`."""
    stream = process.streams.get(0, NOWHERE)
    if name == "-" and least and isinstance(stream, Opened):
        raise Refused("all but the end of a file that is the standard input")
    if not count and not least:
        if name != "-":
            raise Refused("nothing of a file", why=name)
        return b""
    data = content_of(process, name)
    if least:
        return _without_last(data, unit, count)
    kept = data[:count] if unit == "c" else b"".join(lines(data)[:count])
    if name == "-" and isinstance(stream, Opened):
        stream.position -= len(data) - len(kept)
    return kept


def _without_last(data: bytes, unit: str, count: int) -> bytes:
    if unit == "c":
        return data[: max(0, len(data) - count)]
    parts = lines(data)
    return b"".join(parts[: max(0, len(parts) - count)])


def tail(process: Process) -> int:
    """``tail -n``, ``-c``, ``-q`` and ``-v``, and a number as an option at the front."""
    options, names = options_of(
        process,
        "n|lines= c|bytes= q|quiet|silent v|verbose",
        repeated={"n", "c"},
        arguments=_numbered(process.arguments, 1),
    )
    unit, count, sign = _amount(options)
    if not count and sign != "+":
        return 0

    def end(name: str) -> bytes:
        try:
            return _last(content_of(process, name), unit, count, sign)
        except IsADirectory as error:
            raise Refused("the end of a directory", why=name) from error

    return _ends(process, options, names, end)


def _last(data: bytes, unit: str, count: int, sign: str) -> bytes:
    if sign == "+":
        return data[max(0, count - 1) :] if unit == "c" else b"".join(lines(data)[max(0, count - 1) :])
    return data[max(0, len(data) - count) :] if unit == "c" else b"".join(lines(data)[-count:])


def _numbered(words: Sequence[str], most: int | None = None) -> list[str]:
    """The arguments, with a number at the front, and `most` operands behind it, as the option that it stands for."""
    if words and re.fullmatch(r"-[0-9]+", words[0]):
        if most is not None and (len(words) > most + 1 or words[-1].startswith("-")) and len(words) > 1:
            raise Refused("an old form of an option, and others", why=words[0])
        return ["-n", words[0][1:], *words[1:]]
    if words and re.match(r"[-+][0-9]", words[0]):
        raise Refused("an old form of an option", why=words[0])
    return list(words)


def _amount(options: dict[str, str]) -> tuple[str, int, str]:
    """Unit, number and sign of what is asked for. Raises Refused."""
    once(options, "n", "c")
    if {"n", "c"} <= options.keys():
        raise Refused("both lines and bytes are asked for")
    unit = "c" if "c" in options else "n"
    match = re.fullmatch(r"([-+]?)([0-9]+)", options.get(unit, "10"))
    if match is None or int(match.group(2)) > _MAX_COUNT:
        raise Refused("a number that is not understood", why=options[unit])
    return unit, int(match.group(2)), match.group(1)


def _ends(process: Process, options: dict[str, str], names: list[str], part: Callable[[str], bytes]) -> int:
    """Print a part of each operand, with headers where there are several; the exit status."""
    headers = "v" in options or (len(names) > 1 and "q" not in options)
    if "v" in options and "q" in options:
        raise Refused("headers that are both wanted and not")
    status, first = 0, True
    for name in names or ["-"]:
        title = "standard input" if name == "-" else name
        header = (f"==> {title} <==\n" if first else f"\n==> {title} <==\n") if headers else ""
        try:
            data = part(name)
        except Failure as error:
            process.complain(str(error))
            status = 1
            if not isinstance(error, IsADirectory):
                continue
            data = b""
        process.print(header + text(data))
        first = False
    return status


# --- wc --------------------------------------------------------------------------------------------------------------


def wc(process: Process) -> int:
    """``wc -l``, ``-w``, ``-c`` and ``-m``."""
    options, names = options_of(process, "l|lines w|words c|bytes m|chars")
    wanted = [each for each in "lwmc" if each in options] or ["l", "w", "c"]
    width = _width(process, names, wanted)
    total = dict.fromkeys(wanted, 0)
    status = 0
    for name in names or ["-"]:
        try:
            data = content_of(process, name)
        except Failure as error:
            process.complain(str(error))
            status = 1
            if not isinstance(error, IsADirectory):
                continue
            data = b""
        counts = {each: _count(data, each) for each in wanted}
        for each, number in counts.items():
            total[each] += number
        _print_counts(process, counts, width, name if names else "")
    if len(names) > 1:
        _print_counts(process, total, width, "total")
    return status


def _count(data: bytes, what: str) -> int:
    if what == "l":
        return data.count(b"\n")
    if what == "c":
        return len(data)
    ascii_only(data, "words and characters")
    if what == "m":
        return len(data)
    if re.search(rb"[^\x20-\x7e\t\n\v\f\r]", data):
        raise Refused("words of text with control characters are counted")
    return sum(1 for _ in re.finditer(rb"[^ \t\n\v\f\r]+", data))


def _print_counts(process: Process, counts: dict[str, int], width: int, name: str) -> None:
    shown = " ".join(f"{number:{width}}" for number in counts.values())
    process.print(f"{shown} {name}\n" if name else f"{shown}\n")


def _width(process: Process, names: list[str], wanted: list[str]) -> int:
    """How wide numbers are: as the size of all files together, seven where one has no size."""
    if len(names) <= 1 and len(wanted) == 1:
        return 1
    size, least = 0, 1
    for name in names or ["-"]:
        stream = process.streams.get(0, NOWHERE)
        if name == "-" and isinstance(stream, Opened):
            size += size_of(stream.inode.content)
            continue
        null = name == "-" or (name and process.place(name) == NULL)
        inode = None if null else look(process, name).inode
        if null or (inode is not None and inode.kind is not Kind.FILE):
            least = 7
        elif inode is not None:
            size += size_of(inode.content)
    return max(least, len(str(size)))


# --- cut -------------------------------------------------------------------------------------------------------------


def cut(process: Process) -> int:
    """``cut -f`` with ``-d``, ``-s`` and ``--output-delimiter``, ``-c`` and ``-b``; ``--complement`` of each."""
    options, names = options_of(
        process,
        "b|bytes= c|characters= f|fields= d|delimiter= s|only-delimited complement output-delimiter= n",
        repeated={"b", "c", "f", "d"},
    )
    once(options, "b", "c", "f", "d")
    lists = [each for each in "bcf" if each in options]
    if len(lists) != 1:
        process.complain("cut: one list has to be given")
        return 1
    (unit,) = lists
    if unit != "f" and "output-delimiter" in options:
        raise Refused("a delimiter for the output of cut, without fields")
    if unit != "f" and ({"d", "s"} & options.keys()):
        process.complain("cut: a delimiter, without fields")
        return 1
    delimiter = options.get("d", "\t")
    if options.get("output-delimiter") == "":
        raise Refused("cut with an empty delimiter for its output")
    if not delimiter or not delimiter.isascii():
        raise Refused("a delimiter of cut that is no ASCII character", why=delimiter)
    ranges = _ranges(options[unit])
    if len(delimiter) > 1 or ranges is None:
        process.complain("cut: the delimiter or the list is not valid")
        return 1
    chosen = _slices(ranges, complement="complement" in options)

    def show(_name: str, data: bytes) -> None:
        if unit == "c":
            ascii_only(data, "characters")
        out = []
        for line in lines(data):
            whole = line.removesuffix(b"\n")
            if unit != "f":
                out.append(b"".join(whole[each] for each in chosen))
                continue
            if whole.count(delimiter.encode("latin-1")) > MAX_LINES:
                raise Refused("a line of too many fields")
            fields = whole.split(delimiter.encode("latin-1"))
            if len(fields) == 1:
                if "s" not in options:
                    out.append(whole)
                continue
            joint = options.get("output-delimiter", delimiter).encode("latin-1")
            out.append(joint.join(field for each in chosen for field in fields[each]))
        process.print(text(b"".join(line + b"\n" for line in out)))

    return each_content(process, names, show)


def _slices(ranges: list[tuple[int, int]], *, complement: bool) -> list[slice]:
    """Where the chosen fields or bytes are, in order, each once."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + 1:
            found[-1] = found[-1][0], max(last, found[-1][1])
        else:
            found.append((first, last))
    if complement:
        ends = [0, *(each for pair in found for each in (pair[0], pair[1])), _MAX_COUNT]
        found = [(ends[at] + 1, ends[at + 1] - 1) for at in range(0, len(ends), 2)]
    return [slice(first - 1, last) for first, last in found if first <= last]


def _ranges(words: str) -> list[tuple[int, int]] | None:
    """The ranges of a list; None when it is not valid. Raises Refused."""
    found: list[tuple[int, int]] = []
    for word in re.split(r"[, \t]", words):
        match = re.fullmatch(r"([0-9]*)(-?)([0-9]*)", word)
        if match is None or word in {"", "-"}:
            return None
        first, dash, last = match.groups()
        low = int(first or 1)
        high = (int(last) if last else _MAX_COUNT) if dash else low
        if max(low, high) > _MAX_COUNT:
            raise Refused("a number that is not understood", why=words)
        if low < 1 or high < low:
            return None
        found.append((low, high))
    if len(found) > _MAX_RANGES:
        raise Refused("a list of many ranges", why=words[:80])
    return found


# --- uniq and tee ----------------------------------------------------------------------------------------------------


def uniq(process: Process) -> int:
    """``uniq -c``, ``-d`` and ``-u``."""
    options, names = options_of(process, "c|count d|repeated u|unique")
    if len(names) > 1:
        raise Refused("uniq with a file for its output")
    if "c" in options and {"d", "u"} & options.keys():
        raise Refused("uniq that counts some lines only")
    counted: list[tuple[bytes, int]] = []

    def take(_name: str, data: bytes) -> None:
        for line in lines(data):
            whole = line.removesuffix(b"\n")
            if counted and counted[-1][0] == whole:
                counted[-1] = whole, counted[-1][1] + 1
            else:
                counted.append((whole, 1))

    status = each_content(process, names, take)
    for line, number in counted:
        if ("d" in options and number == 1) or ("u" in options and number > 1):
            continue
        process.print((f"{number:7} " if "c" in options else "") + text(line) + "\n")
    return status


def tee(process: Process) -> int:
    """``tee``, with ``-a``."""
    options, names = options_of(process, "a|append")
    source = process.streams.get(0, NOWHERE)
    if isinstance(source, Opened) and any(look(process, name).inode is source.inode for name in names):
        raise Refused("tee writes what it reads")
    data = process.read()
    process.print(text(data))
    status = 0
    for name in names:
        try:
            written(process, name, data, appends="a" in options)
        except Failure as error:
            process.complain(str(error))
            status = 1
    return status


PROGRAMS: dict[str, Program] = {
    "cat": cat,
    "cut": cut,
    "head": head,
    "tail": tail,
    "tee": tee,
    "uniq": uniq,
    "wc": wc,
}
"""Programs by name."""
