"""openssl(1) 3.0 to 3.6, as far as it makes keys, certificates and parameters: each node makes them itself.

A command is noted, and stand-ins are in the tree for what it makes, with the modes that openssl gives: private keys are
for their owner alone. What would fail, or ask, is refused, and so is whatever prints to somebody, but for the hash of a
certificate's subject, of which scripts make the name of a link.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from assembler.programs.context import ExecutionContext
from assembler.programs.inputs import look
from assembler.programs.node_work import Command, Made, Text, Word
from assembler.programs.openssl_requests import asks, settings_of
from assembler.shell.process import Process
from assembler.shell.streams import NOWHERE, Opened, Pipe, Refused
from assembler.tree.content import Unmade, read, size_of
from assembler.tree.staging import Inode, Kind

_DIGESTS = "sha1 sha224 sha256 sha384 sha512"
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_BITS = range(512, 8193)
"""Of keys and parameters: less is refused by openssl, and more takes an hour."""
_PLAIN = re.compile(r"[A-Za-z0-9_:.,=@ /*+-]+")
_DROPPED = re.compile(r"DPKG_|DEB|SOURCE_DATE_EPOCH\Z|PWD\Z|OLDPWD\Z|_\Z")
"""Variables that a node does not have."""
_SAMPLE = "openssl with these arguments"
_DEFAULTS = "/usr/lib/ssl/openssl.cnf"
_LARGEST = 1 << 16
"""Bytes of a file of settings."""


@dataclass(frozen=True, slots=True)
class _Kind:
    """A command of openssl's: its options by what follows them."""

    flags: str = ""
    values: str = ""
    """Followed by a text."""
    inputs: str = ""
    """Followed by a file that a command has made."""
    files: str = ""
    """Followed by a file of the image."""
    keys: str = ""
    """Followed by a file that is made, with a private key in it."""
    others: str = "out"
    """Followed by a file that is made."""
    private: bool = False
    """Whether what goes to -out is a private key, unless the public one is asked for."""
    number: str = ""
    """What a number behind the options says: bits, or bytes."""
    reads: bool = False
    """Whether it reads its standard input where nothing else is named."""


_KINDS: Mapping[str, _Kind] = {
    "dhparam": _Kind("2 5 dsaparam", number="bits"),
    "ec": _Kind("pubout", inputs="in", private=True, reads=True),
    "ecparam": _Kind("genkey noout", "name", private=True),
    "genpkey": _Kind("", "algorithm pkeyopt", private=True),
    "genrsa": _Kind("3 F4 f4 traditional", number="bits", private=True),
    "pkey": _Kind("pubout", inputs="in", private=True, reads=True),
    "rand": _Kind("base64 hex", number="bytes"),
    "req": _Kind(
        f"new x509 nodes noenc batch utf8 {_DIGESTS}", "newkey days subj addext extensions reqexts set_serial",
        "key", "config", "keyout",
    ),
    "rsa": _Kind("pubout traditional", inputs="in", private=True, reads=True),
    "x509": _Kind(
        f"req {_DIGESTS}", "days extensions set_serial", "in signkey key", "extfile", reads=True,
    ),
}  # fmt: skip
_NEEDED = {"ecparam": {"genkey", "name"}, "genpkey": {"algorithm"}, "x509": {"req"}}
"""Options without which these do something else."""


@dataclass(frozen=True, slots=True)
class _Output:
    """A word for a file that is made."""

    path: str


@dataclass(slots=True)
class _Call:
    """The arguments of a call, as they are read."""

    words: list[Word | _Output] = field(default_factory=list)
    given: dict[str, str] = field(default_factory=dict)
    number: str = ""
    stdin: bytes = b""
    """What is typed where it asks."""
    reads: set[int] = field(default_factory=set)
    outputs: dict[str, bool] = field(default_factory=dict)
    """Paths of what is made, in the order in which openssl opens them, and whether only the owner may read it."""
    settings: bytes = b""
    """The text of the file of the image that is named."""
    defaults: tuple[tuple[str, bytes], ...] = ()


def openssl(process: Process, context: ExecutionContext) -> int:
    """``openssl``: a file that is made, and later made by each node; and ``openssl x509 -noout -hash``."""
    name, *arguments = process.arguments or [""]
    if name == "x509" and {"-hash", "-subject_hash"} & set(arguments):
        return _hash(process, context, arguments)
    kind = _KINDS.get(name)
    if kind is None or any(variable.startswith("OPENSSL") for variable in process.environment):
        raise _refused(process)
    call = _read(process, kind, arguments)
    _check(process, name, call)
    if process.complains:
        raise Refused("what openssl says is read")
    stdin = _stdin(process, kind, call)
    environment = tuple((key, value) for key, value in sorted(process.environment.items()) if not _DROPPED.match(key))
    made: dict[str, Made] = {}
    numbers: dict[int, Made] = {}
    for path, private in call.outputs.items():
        made[path] = _written(process, context, path, private=private, numbers=numbers)
    stdout = None
    if "out" not in call.given:
        stdout = _printed(process, context)
        numbers[stdout.number] = stdout
    words = [made[word.path] if isinstance(word, _Output) else word for word in call.words]
    context.node.commands.append(
        Command(
            package=context.package,
            words=("openssl", name, *words),
            makes=frozenset(each.number for each in (*made.values(), *([stdout] if stdout else ()))),
            reads=frozenset(call.reads) | ({stdin.number} if isinstance(stdin, Made) else set()),
            environment=environment,
            stdin=stdin,
            stdout=stdout,
            defaults=call.defaults,
        )
    )
    return 0


def _refused(process: Process) -> Refused:
    return Refused(_SAMPLE, why=" ".join(("openssl", *process.arguments))[:200])


def _read(process: Process, kind: _Kind, arguments: Sequence[str]) -> _Call:
    """The options of a call. Raises Refused for all that is not in the table, or is given twice."""
    call = _Call()
    of = {option: what for what in ("flags", "values", "inputs", "files", "keys", "others")
          for option in str(getattr(kind, what)).split()}  # fmt: skip
    words = iter(arguments)
    for word in words:
        option = word.removeprefix("-").removeprefix("-")
        what = of.get(option, "") if word.startswith("-") else ""
        if kind.number and _NUMBER.fullmatch(word) and not call.number:
            call.number = word
            call.words.append(word)
            if next(words, None) is not None:
                raise _refused(process)
            break
        if not what or option in call.given:
            raise _refused(process)
        value = "" if what == "flags" else _next(process, words)
        call.given[option] = value
        call.words.append(word)
        if what in {"keys", "others"}:
            public = what == "others" and (not kind.private or "pubout" in arguments or "-pubout" in arguments)
            call.outputs[value] = call.outputs.get(value, False) or not public
            call.words.append(_Output(value))
        elif what == "inputs":
            number = _number_at(process, value)
            call.reads.add(number)
            call.words.append(Made(number))
        elif what == "files":
            call.settings = _settings(process, value)
            call.words.append(Text(call.settings))
        elif what == "values":
            if not value or value.startswith("-") or not _PLAIN.fullmatch(value):
                raise _refused(process)
            call.words.append(value)
    return call


def _settings(process: Process, name: str) -> bytes:
    """The text of a file of settings. Raises Refused."""
    inode = look(process, name).inode
    if inode is None or inode.kind is not Kind.FILE or isinstance(inode.content, Unmade):
        raise Refused("a file that openssl reads", why=name)
    if size_of(inode.content) > _LARGEST:
        raise Refused(f"a file of more than {_LARGEST >> 10} KiB that openssl reads", why=name)
    return read(inode.content)


def _next(process: Process, words: Iterator[str]) -> str:
    value = next(words, None)
    if value is None:
        raise _refused(process)
    return value


def _check(process: Process, name: str, call: _Call) -> None:
    """Raise Refused for what openssl would not do, or would ask somebody for."""
    given = call.given
    if not _NEEDED.get(name, set()) <= given.keys():
        raise _refused(process)
    if name in {"dhparam", "genrsa"} and int(call.number or 2048) not in _BITS:
        raise _refused(process)
    if name == "rand" and (not call.number or int(call.number) > 1 << 16):
        raise _refused(process)
    for option in ("days", "set_serial"):
        if option in given and not _NUMBER.fullmatch(given[option]):
            raise _refused(process)
    if name == "ecparam" and given["name"] not in {"prime256v1", "secp256k1", "secp384r1", "secp521r1"}:
        raise Refused("a curve of openssl", why=given["name"])
    if name == "genpkey" and not (
        (
            given["algorithm"].upper() == "RSA"
            and _bits(given.get("pkeyopt", "rsa_keygen_bits:2048"), "rsa_keygen_bits:")
        )
        or (given["algorithm"].lower() == "ed25519" and "pkeyopt" not in given)
    ):
        raise _refused(process)
    if name == "x509" and (
        ("signkey" in given) == ("key" in given) or ("extensions" in given and "extfile" not in given)
    ):
        raise _refused(process)
    if "extfile" in given and given.get("extensions", "default") not in settings_of(call.settings.decode("latin-1")):
        raise Refused("the extensions that openssl reads", why=given["extfile"])
    if name == "req":
        _check_request(process, call)


def _bits(text: str, prefix: str) -> bool:
    number = text.removeprefix(prefix)
    return text.startswith(prefix) and _NUMBER.fullmatch(number) is not None and int(number) in _BITS


def _check_request(process: Process, call: _Call) -> None:
    given = call.given
    if not {"new", "newkey", "x509"} & given.keys():
        raise _refused(process)
    if "key" in given:
        if {"newkey", "keyout"} & given.keys():
            raise _refused(process)
    elif "keyout" not in given or not {"nodes", "noenc"} & given.keys():
        # The key would be in a file that the configuration names, or somebody would be asked for its password.
        raise _refused(process)
    elif (kind := given.get("newkey", "rsa")) != "rsa" and not _bits(kind, "rsa:"):
        raise _refused(process)
    if "x509" not in given and "set_serial" in given:
        raise _refused(process)

    def typed() -> str:
        source = process.streams.get(0, NOWHERE)
        if not isinstance(source, Pipe) and source is not NOWHERE:
            raise Refused("what openssl reads", why="no text of the script's")
        call.stdin = process.read()
        return call.stdin.decode("latin-1")

    if "config" in given:
        text = call.settings
    else:
        text = _settings(process, _DEFAULTS)
        call.defaults = ((_DEFAULTS, text),)
    if problem := asks(
        text.decode("latin-1"), typed, subject=given.get("subj"), batch="batch" in given,
        certificate="x509" in given,
        sections=[given[each] for each in ("extensions", "reqexts") if each in given],
    ):  # fmt: skip
        raise Refused(f"openssl req {problem}", why=" ".join(process.arguments)[:200])


def _stdin(process: Process, kind: _Kind, call: _Call) -> bytes | Made:
    """What a command reads that names no file."""
    source = process.streams.get(0, NOWHERE)
    if kind.reads:
        if "in" in call.given:
            return b""
        if isinstance(source, Opened) and source.readable and isinstance(source.inode.content, Unmade):
            return Made(source.inode.content.offset)
        raise Refused("what openssl reads")
    return call.stdin


def _number_at(process: Process, name: str) -> int:
    """The number of what a command has made that is read now. Raises Refused for anything else."""
    inode = look(process, name).inode
    if inode is None or not isinstance(inode.content, Unmade):
        raise Refused("openssl reads what no command of a script has made", why=name)
    return inode.content.offset


def _written(
    process: Process, context: ExecutionContext, name: str, *, private: bool, numbers: dict[int, Made]
) -> Made:
    """A stand-in in the tree for what goes to the file `name`. Raises Refused."""
    there = look(process, name)
    if there.inode is None:
        if not name or there.error != "ENOENT" or len(there.missing) != 1 or there.missing[0] == ".":
            raise Refused("openssl cannot write there", why=name)
        made = context.node.new()
        mode = 0o600 if private else 0o666 & ~process.umask
        process.tree.write(f"{there.place.rstrip('/')}/{there.missing[0]}", made, mode)
    else:
        if there.inode.kind is not Kind.FILE:
            raise Refused("openssl cannot write there", why=name)
        if isinstance(there.inode.content, Unmade) and there.inode.content.offset in numbers:
            return numbers[there.inode.content.offset]
        made = context.node.new()
        _put(there.inode, made, process)
    numbers[made.offset] = Made(made.offset)
    return numbers[made.offset]


def _put(inode: Inode, made: Unmade, process: Process) -> None:
    inode.content = made
    inode.mtime = process.tree.mtime


def _printed(process: Process, context: ExecutionContext) -> Made:
    """A stand-in for what goes to the standard output, which has to be a file that is empty. Raises Refused."""
    stream = process.streams.get(1, NOWHERE)
    if not isinstance(stream, Opened) or isinstance(stream.inode.content, Unmade) or size_of(stream.inode.content):
        raise Refused("openssl prints what each node makes itself", why=" ".join(process.arguments)[:200])
    made = context.node.new()
    _put(stream.inode, made, process)
    return Made(made.offset)


def _hash(process: Process, context: ExecutionContext, arguments: Sequence[str]) -> int:
    """``openssl x509 -noout -hash``, ``-in FILE`` or of the standard input."""
    words = list(arguments)
    name = ""
    if "-in" in words[:-1]:
        at = words.index("-in")
        name = words[at + 1]
        del words[at : at + 2]
    if sorted(words) not in (["-hash", "-noout"], ["-noout", "-subject_hash"]):
        raise _refused(process)
    if name:
        number = _number_at(process, name)
    else:
        source = process.streams.get(0, NOWHERE)
        if not isinstance(source, Opened) or not isinstance(source.inode.content, Unmade):
            raise Refused("what openssl reads")
        number = source.inode.content.offset
    if not any(number in command.makes and "-x509" in command.words for command in context.node.commands):
        raise Refused("the hash of what is no certificate of its own", why=name)
    told = process.budget.supposed.answer("the hash of a certificate that each node makes", context.node.hashed(number))
    process.print(f"{told}\n")
    return 0
