"""Debconf's programs: the front end that maintainer scripts start by sourcing its library, and what gives answers.

Followed are ``/usr/share/debconf/frontend``, debconf-set-selections(1) and debconf-escape(1) of debconf 1.5.82
(bookworm), 1.5.91 (trixie) and 1.5.92, with the front end Noninteractive and the configuration that Debian ships. The
library itself, ``/usr/share/debconf/confmodule``, is a script of the tree: it starts the front end in the place of the
script that sources it, which carries the same script out again, with a pipe from and to it as descriptors 0 and 1.
"""

import re

from assembler.debian.debconf import DebconfError, read_selections
from assembler.errors import Place
from assembler.programs.debconf_database import Database, Store
from assembler.programs.debconf_questions import Run
from assembler.programs.debconf_session import ConfModule
from assembler.shell.process import Process, Program, as_path
from assembler.shell.streams import NOWHERE, Refused, Stream
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind

FRONTEND = "/usr/share/debconf/frontend"
DIRECTORY = "/var/cache/debconf"
_FILES = {"config": 0o644, "passwords": 0o600, "templates": 0o644}
_MAX_TEMPLATES = 1 << 22
_MAX_LINE = 1 << 20
_PIPE = 1 << 16
_CONFIGURATION = (
    {"config": "configdb", "templates": "templatedb"},
    {"name": "config", "driver": "File", "mode": "644", "reject_type": "password",
     "filename": f"{DIRECTORY}/config.dat"},
    {"name": "passwords", "driver": "File", "mode": "600", "backup": "false", "required": "false",
     "accept_type": "password", "filename": f"{DIRECTORY}/passwords.dat"},
    {"name": "configdb", "driver": "Stack", "stack": "config, passwords"},
    {"name": "templatedb", "driver": "File", "mode": "644", "filename": f"{DIRECTORY}/templates.dat"},
)  # fmt: skip
"""What debconf.conf(5) of Debian says."""
_ELSEWHERE = (
    "DEBCONF_SYSTEMRC", "DEBCONF_DB_REPLACE", "DEBCONF_DB_OVERRIDE", "DEBCONF_DB_FALLBACK", "DEBCONF_DEBUG",
    "DPKG_ROOT", "DEBCONF_USE_CDEBCONF", "DEBCONF_C_VALUES", "DEBCONF_ADMIN_EMAIL", "LANGUAGE",
)  # fmt: skip
"""Variables with which debconf does something else than it does here."""


class Debconf:
    """Debconf on one tree. Its files are in the tree; what they say is kept from one run to the next."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[bytes, Store]] = {}
        self._locked = False

    def open(self, process: Process) -> Database | None:
        """The database, whose files are made where they are missing; None when another run of debconf has it.

        Raises Refused where the configuration is not Debian's, or the database not debconf's.
        """
        _require_usual(process)
        if self._locked:
            return None
        tree = process.tree
        if not tree.is_dir(DIRECTORY):
            if not tree.is_dir(DIRECTORY.rpartition("/")[0]):
                raise Refused("debconf has no place for its database")
            tree.mkdir(DIRECTORY, 0o777 & ~process.umask)
        stores = []
        for name, mode in _FILES.items():
            inode = tree.get(_place(name), follow=True)
            if inode is None:
                inode = tree.write(_place(name), b"", mode & ~process.umask)
            if inode.kind is not Kind.FILE:
                raise Refused("debconf's database is no file", why=_place(name))
            content = read(inode.content)
            before, store = self._kept.pop(name, (None, None))
            if store is None or before != content:
                store = Store(content.decode("latin-1"))
            inode.content = content
            stores.append(store)
        self._locked = True
        return Database(*stores)

    def close(self, process: Process, database: Database | None) -> None:
        """Write what has changed, or for None nothing."""
        self._locked = False
        self._kept.clear()
        if database is None:
            return
        tree = process.tree
        for name, store in zip(_FILES, (database.config, database.passwords, database.templates), strict=True):
            text = store.save()
            path = tree.resolve(_place(name), follow=True)
            if text is not None:
                mode = _FILES[name] & ~process.umask
                tree.put(path, Inode(Kind.FILE, mode, mtime=tree.mtime, content=text.encode("latin-1")))
            self._kept[name] = (read(tree.at(path).content), store)


def _place(name: str) -> str:
    return f"{DIRECTORY}/{name}.dat"


def _require_usual(process: Process) -> None:
    """Raise Refused where debconf is configured otherwise than Debian ships it."""
    tree, environment = process.tree, process.environment
    for name in _ELSEWHERE:
        if environment.get(name):
            raise Refused(f"debconf with ${name}")
    if environment.get("DEBIAN_FRONTEND", "").lower() != "noninteractive":
        raise Refused("debconf with a front end that is interactive")
    locale = environment.get("LC_ALL") or environment.get("LC_MESSAGES") or environment.get("LANG") or "C"
    if locale not in {"C", "C.UTF-8", "POSIX"}:
        raise Refused("debconf in another locale", why=locale)
    if tree.lexists("/root/.debconfrc"):
        raise Refused("debconf has a configuration of root's")
    if not tree.is_file("/etc/debconf.conf"):
        raise Refused("debconf has no configuration")
    if tuple(_stanzas(tree.read("/etc/debconf.conf").decode("latin-1"))) != _CONFIGURATION:
        raise Refused("debconf has a configuration that is not Debian's")


def _stanzas(text: str) -> list[dict[str, str]]:
    found = []
    for stanza in re.split(r"\n\n+", text):
        lines = [line.strip() for line in stanza.splitlines()]
        fields = [line.partition(":") for line in lines if line and not line.startswith("#")]
        if fields:
            found.append({key.strip().lower().replace("-", "_"): value.strip() for key, _, value in fields})
    return found


# --- a script that talks to debconf ----------------------------------------------------------------------------------


class Dialogue:
    """The pipes between debconf and a script, which writes lines of the protocol and reads answers."""

    def __init__(self, module: ConfModule, process: Process) -> None:
        self.module = module
        self.budget = process.budget
        self._line = bytearray()
        self._answers = bytearray()
        self._stopped = False
        self._late = 0

    @property
    def requests(self) -> "Requests":
        """The end that the script writes to."""
        return Requests(self)

    @property
    def answers(self) -> "Answers":
        """The end that the script reads from."""
        return Answers(self)

    def take(self, data: bytes) -> None:
        """What the script writes. Raises Refused."""
        self.budget.spend(len(data))
        if self._stopped:
            # Nobody reads it any more.
            self._late += len(data)
            if self._late > _PIPE:
                raise Refused("a script writes to debconf after STOP until the pipe is full")
            return
        self._line += data
        while (end := self._line.find(b"\n")) >= 0 and not self._stopped:
            line = bytes(self._line[:end])
            del self._line[: end + 1]
            self._asked(line)
        if len(self._line) > _MAX_LINE:
            raise Refused("a line for debconf is too long")

    def _asked(self, line: bytes) -> None:
        answer = self.module.answer(line.decode("latin-1"))
        if answer is None:
            self._stopped = True
            self._answers.clear()
            return
        self.budget.spend(len(answer))
        self._answers += answer.encode("latin-1") + b"\n"

    def give(self, size: int) -> bytes:
        """What the script reads. Raises Refused where it would wait for ever."""
        if size < 0 or self._stopped or not self._answers:
            raise Refused("something waits for debconf to say more", why="its standard input is debconf's answers")
        found = bytes(self._answers[:size])
        del self._answers[:size]
        return found

    def end(self) -> None:
        """The script has ended. Raises Refused where answers, or a line without an end, are left: whether debconf finds
        the pipe closed then is a matter of speed.
        """
        if (self._answers or self._line) and not self._stopped:
            raise Refused("a script leaves answers of debconf unread")
        self.module.finish()


class Requests:
    """Descriptor 1 of a script that debconf has started (see :class:`~assembler.shell.streams.Stream`)."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    def read(self, size: int = -1) -> bytes:
        """Not possible."""
        raise OSError("Bad file descriptor", size)

    def write(self, data: bytes) -> None:
        """Write lines to debconf."""
        self._dialogue.take(data)


class Answers:
    """Descriptor 0 of a script that debconf has started."""

    def __init__(self, dialogue: Dialogue) -> None:
        self._dialogue = dialogue

    def read(self, size: int = -1) -> bytes:
        """Read answers."""
        return self._dialogue.give(size)

    def write(self, data: bytes) -> None:
        """Not possible."""
        raise OSError("Bad file descriptor", len(data))


def frontend(debconf: Debconf) -> Program:
    """``/usr/share/debconf/frontend [--] SCRIPT [ARGUMENT ...]``: loads the templates of the script's package, carries
    its config script out (``configure VERSION``) when the script is a preinst or postinst, then the script.
    """

    def program(process: Process) -> int:
        words = process.arguments[1:] if process.arguments[:1] == ["--"] else process.arguments
        if not words or "/" not in words[0]:
            raise Refused("debconf's front end without the path of a script")
        database = debconf.open(process)
        if database is None:
            process.complain("debconf: the database is locked by another process")
            return 1
        saved: Database | None = None
        try:
            status, saves = _carried(process, database, words)
            if saves:
                saved = database
        finally:
            debconf.close(process, saved)
        return status

    return program


def _carried(process: Process, database: Database, words: list[str]) -> tuple[int, bool]:
    """The exit status of a script, its package's config script before it, and whether the database is saved."""
    script = words[0]
    run = Run(
        database,
        priority=process.environment.get("DEBIAN_PRIORITY"),
        marks_seen=process.environment.get("DEBCONF_NONINTERACTIVE_SEEN", "false") == "true",
        tells=lambda: _require_unread(process),
        load=lambda path: _templates(process, path),
    )
    owner = _owner(process, script)
    if not owner:
        _load_own(process, database, script)
    match = re.fullmatch(r"(.*[./])(preinst|postinst|prerm|postrm)", script)
    if match and (templates := _text(process, match[1] + "templates")) is not None:
        database.load_templates(templates, owner, Place(path=match[1] + "templates"))
    if match and match[2] in {"preinst", "postinst"} and process.tree.exists(process.place(match[1] + "config")):
        version = words[2] if len(words) > 2 else ""
        status = _talked(process, ConfModule(run, owner), [match[1] + "config", "configure", version])
        if status:
            return status, False
    return _talked(process, ConfModule(run, owner), words), True


def _talked(process: Process, module: ConfModule, words: list[str]) -> int:
    """The exit status of a script that talks to debconf."""
    inode = process.tree.get(process.place(words[0]), follow=True)
    if inode is None or inode.kind is not Kind.FILE or not inode.mode & 0o111:
        raise Refused("debconf cannot start a script", why=words[0])
    dialogue = Dialogue(module, process)
    errors = process.streams.get(2, NOWHERE)
    streams: dict[int, Stream] = {0: dialogue.answers, 1: dialogue.requests, 2: errors}
    status = process.call(words, {**process.environment, "DEBIAN_HAS_FRONTEND": "1"}, streams)
    dialogue.end()
    return status


def _owner(process: Process, script: str) -> str:
    """The package of a script."""
    if (named := process.environment.get("DEBCONF_PACKAGE", "")) not in {"", "0"}:
        return named
    if match := re.fullmatch(r".*/(.*?)\.(?:postinst|postrm|prerm)", script):
        return match[1]
    control = _text(process, "/var/lib/dpkg/tmp.ci/control")
    if control is None:
        return ""
    if not (found := re.search("^Package: (.*)", control, re.MULTILINE)):
        raise Refused("debconf does not find the name of a package", why=script)
    return found[1]


def _load_own(process: Process, database: Database, script: str) -> None:
    """The templates of a program that is no maintainer script, where it has some."""
    places = [f"{script}.templates"]
    if script.endswith("config"):
        places.append(script.removesuffix("config") + "templates")
    places.append(f"/usr/share/debconf/templates/{script.rpartition('/')[2]}.templates")
    for place in places:
        if (text := _text(process, place)) is not None:
            database.load_templates(text, "", Place(path=place))
            return


def _text(process: Process, path: str) -> str | None:
    """A file that debconf opens; None where there is none. Raises Refused for what is no file, or very large."""
    inode = process.tree.get(process.place(path), follow=True)
    if inode is None:
        return None
    if inode.kind is not Kind.FILE or size_of(inode.content) > _MAX_TEMPLATES:
        raise Refused("debconf opens what is no small file", why=path[:200])
    return read(inode.content).decode("latin-1")


def _templates(process: Process, path: str) -> str | None:
    """A file that a script names. Perl would take some names for more than that."""
    if not re.fullmatch(r"[-/.\w+@:~]+", path, re.ASCII) or path == "-":
        raise Refused("debconf opens a file of an unusual name", why=path[:200])
    return _text(process, path)


def _require_unread(process: Process) -> None:
    """An error message is shown, or sent as mail where that is possible: raise Refused where somebody reads it."""
    if process.captured:
        raise Refused("a message of debconf's is read")
    for directory in process.environment.get("PATH", "").split(":"):
        if process.tree.exists(as_path(f"{directory}/mail")):
            raise Refused("debconf sends an error message as mail")


# --- the other programs ----------------------------------------------------------------------------------------------


def set_selections(debconf: Debconf) -> Program:
    """``debconf-set-selections [--unseen] [--checkonly] [FILE ...]``."""

    def program(process: Process) -> int:
        options = {word for word in process.arguments if word.startswith("-") and word != "-"}
        names = [word for word in process.arguments if word not in options]
        if not options <= {"-u", "--unseen", "-c", "--checkonly"} or len(names) > 1:
            raise Refused("debconf-set-selections with these arguments", why=" ".join(process.arguments)[:200])
        text: str | None
        text = _text(process, names[0]) if names and names[0] != "-" else process.read().decode("latin-1")
        database = debconf.open(process)
        if database is None:
            process.complain("debconf: the database is locked by another process")
            return 1
        checks = bool(options & {"-c", "--checkonly"})
        saved: Database | None = None
        try:
            if text is None:
                raise Refused("debconf-set-selections of a file that is missing", why=names[0])
            status = select(database, text, unseen=bool(options & {"-u", "--unseen"}), checks=checks)
            saved = None if checks else database
        finally:
            debconf.close(process, saved)
        if status:
            process.complain("debconf-set-selections: error")
        return status

    return program


def select(database: Database, text: str, *, unseen: bool = False, checks: bool = False) -> int:
    """Give the answers of `text` as debconf-set-selections(1) does; its exit status. For `checks` none is given.

    Raises Refused for text that is absurd.
    """
    try:
        preseed = read_selections(text, "debconf-set-selections")
    except DebconfError as error:
        raise Refused("answers for debconf are not understood", why=str(error)) from error
    failed = bool(preseed.errors)
    for selection in () if checks else preseed.selections:
        name = selection.question
        if selection.sets_seen:
            if (item := database.change(name)) is None:
                failed = True
            else:
                item.flags["seen"] = selection.value
            continue
        if name not in database.templates.items:
            database.make_template(name, selection.owner, selection.type)
            database.set_field(name, "description", "Dummy template")
            database.set_field(name, "extended_description", _DUMMY)
        database.set_field(name, "type", selection.type)
        if database.question(name) is None:
            failed = True
            continue
        database.add_owner(name, selection.owner, selection.type)
        if (item := database.change(name)) is not None:
            item.fields["value"] = selection.value
            if not unseen:
                item.flags["seen"] = "true"
    return int(failed)


_DUMMY = (
    "This is a fake template used to pre-seed the debconf database. If you are seeing this, something is probably"
    " wrong."
)


def escape(process: Process) -> int:
    """``debconf-escape -e | -u``."""
    if process.arguments not in (["-e"], ["--escape"], ["-u"], ["--unescape"]):
        raise Refused("debconf-escape with these arguments", why=" ".join(process.arguments)[:200])
    text = process.read().decode("latin-1")
    if process.arguments[0] in {"-e", "--escape"}:
        made = text.replace("\\", "\\\\").replace("\n", "\\n")
    else:
        made = re.sub(r"\\(.)", lambda match: "\n" if match[1] == "n" else match[1], text)
    process.budget.spend(len(made))
    process.print(made)
    return 0


PROGRAMS: dict[str, Program] = {"debconf-escape": escape}
"""What needs no database; `frontend` and `set_selections` make the others."""
