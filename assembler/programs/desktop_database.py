"""update-desktop-database(1) of desktop-file-utils 0.26 to 0.28: which .desktop files are for which types, in
mimeinfo.cache. What it writes is sorted, so that the order in which a file system has its entries does not show.

Files are read as GKeyFile of GLib reads them. A file in an unusual form is refused; GLib would pass over some of them.
"""

import re
from collections.abc import Iterator

from assembler.programs.inputs import options_of
from assembler.shell.process import Process, Program, as_text
from assembler.shell.streams import Refused
from assembler.tree.content import read, size_of
from assembler.tree.staging import Inode, Kind

_DIRECTORIES = ("/usr/local/share/applications", "/usr/share/applications")
"""Where XDG_DATA_DIRS is not set."""
_CACHE = "mimeinfo.cache"
_MAX_FILE, _MAX_FILES, _MAX_DEPTH = 1 << 20, 20_000, 8
_BYTES_A_STEP, _NAMES_A_STEP = 1 << 10, 100
"""Bytes that count as a command of a script."""
_SPACES = " \t\n\v\f\r"
_GROUP = re.compile(r"\[([^\[\]\x00-\x1f\x7f]+)\][ \t]*")
_PAIR = re.compile(r"([A-Za-z0-9-]+)(\[[A-Za-z0-9_.@-]+\])?[ \t]*=[ \t]*(.*)")
_TYPE = re.compile(r"([^/]*)/([^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]+)")
_X = re.compile(r"[Xx]-[^\x00-\x20\x7f()<>@,;:\\\"/\[\]?=]*")
_MEDIA = frozenset({
    "application", "audio", "chemical", "font", "image", "inode", "message", "model", "multipart", "text", "video",
    "x-content", "x-directory", "x-scheme-handler",
})  # fmt: skip
"""mu_mime_type_is_valid(): those that are valid, or only discouraged."""
_EXCEPTIONS = frozenset({"misc/ultravox", "flv-application/octet-stream"}) | {
    f"zz-application/zz-winassoc-{name}"
    for name in ("123", "cab", "cdr", "doc", "hlp", "ini", "lwp", "lzh", "mdb", "uu", "xls")
}


def update_desktop_database(process: Process) -> int:
    """``update-desktop-database [-q] [-v] [DIRECTORY...]``."""
    options, names = options_of(process, "q|quiet v|verbose")
    if not names and process.environment.get("XDG_DATA_DIRS"):
        raise Refused("directories of data that are not the usual ones", why="XDG_DATA_DIRS")
    if "q" not in options:
        process.complain("update-desktop-database: what it finds wrong")
    done = [_update(process, process.place(name)) for name in names or _DIRECTORIES]
    return 0 if any(done) else 1


def _update(process: Process, place: str) -> bool:
    """Whether there is such a directory; its cache is made."""
    tree = process.tree
    directory = tree.get(place, follow=True)
    if directory is None or directory.kind is not Kind.DIR:
        return False
    target = tree.get(f"{place}/{_CACHE}")
    if target is not None and target.kind is Kind.DIR:
        raise Refused("a directory in the way of a cache", why=f"{place}/{_CACHE}")
    files: dict[str, list[str]] = {}
    known: set[str] = set()
    for name, path, inode in _files(process, place, "", 0):
        process.budget.look(size_of(inode.content) + 1, _BYTES_A_STEP)
        if name in known or len(known) >= _MAX_FILES:
            raise Refused("desktop files of one name, or very many", why=path)
        known.add(name)
        for kind in _types(inode, path):
            files.setdefault(kind, []).append(as_text(name))
    lines = [f"{kind}={''.join(f'{name};' for name in sorted(files[kind]))}\n" for kind in sorted(files)]
    text = "".join(("[MIME Cache]\n", *lines)).encode("latin-1")
    process.budget.spend(len(text))
    tree.discard(f"{place}/{_CACHE}")
    tree.write(f"{place}/{_CACHE}", text, 0o666 & ~process.umask)
    return True


def _files(process: Process, place: str, prefix: str, depth: int) -> Iterator[tuple[str, str, Inode]]:
    """process_desktop_files(): the names of .desktop files as the cache has them, with their paths."""
    if depth > _MAX_DEPTH:
        raise Refused("directories of desktop files within one another", why=place)
    tree = process.tree
    names = tree.names(place)
    process.budget.look(len(names) + 1, _NAMES_A_STEP)
    for name in names:
        path = f"{place}/{name}"
        inode = tree.get(path, follow=True)
        if inode is None:
            continue
        if inode.kind is Kind.DIR:
            yield from _files(process, path, f"{prefix}{name}-", depth + 1)
        elif name.endswith(".desktop") and inode.kind is Kind.FILE:
            yield f"{prefix}{name}", path, inode


def _types(inode: Inode, path: str) -> list[str]:
    """process_desktop_file(): the types that a file is for, each once, as text whose characters are bytes."""
    if size_of(inode.content) > _MAX_FILE:
        raise Refused("a very large desktop file", why=path)
    entry = _entry(read(inode.content), path)
    if entry.get("Hidden", "").rstrip(_SPACES) in {"true", "1"}:
        return []
    value = entry.get("MimeType", "")
    if "\\" in value:
        raise Refused("types with escapes in a desktop file", why=path)
    types = dict.fromkeys(word.rstrip(_SPACES) for word in value.split(";"))
    return [as_text(word) for word in types if _is_valid(word)]


def _entry(content: bytes, path: str) -> dict[str, str]:
    """The group ``Desktop Entry``."""
    found: dict[str, str] = {}
    group = ""
    try:
        lines = content.decode().split("\n")
    except UnicodeDecodeError as error:
        raise Refused("a desktop file with text that is not UTF-8", why=path) from error
    for line in lines:
        text = line.removesuffix("\r").lstrip(_SPACES)
        if not text or text.startswith("#"):
            continue
        head = _GROUP.fullmatch(text)
        pair = None if text.startswith("[") else _PAIR.fullmatch(text)
        if head:
            group = head.group(1)
        elif pair is None or not group or "\0" in text or (pair.group(1) == "Encoding" and pair.group(3) != "UTF-8"):
            raise Refused("an unusual desktop file", why=path)
        elif group == "Desktop Entry" and not pair.group(2):
            found[pair.group(1)] = pair.group(3)
    return found


def _is_valid(word: str) -> bool:
    """mu_mime_type_is_valid(), where what is discouraged is valid, too."""
    match = _TYPE.fullmatch(word)
    return bool(match and (match.group(1) in _MEDIA or _X.fullmatch(match.group(1)) or word in _EXCEPTIONS))


PROGRAMS: dict[str, Program] = {"update-desktop-database": update_desktop_database}
"""Programs by name."""
