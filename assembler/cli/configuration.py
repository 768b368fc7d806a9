"""The user's own configuration file: which servers stand in publishers' place, how to be let in there, and by whom.

    # ~/.config/assembler/config.toml, or the file that ASSEMBLE_CONFIG names
    [rewrite]
    "https://dl.k8s.io/" = "https://mirror.internal/k8s/"

    [login."https://mirror.internal/"]
    user = "robot"
    password_env = "MIRROR_PASSWORD"    # or token_env alone; without either, ~/.netrc

    [tools]                             # deb822 sources of the programs that run on this machine, in place of Debian 13
    sources = '''
    ...'''

    [token_server]                      # which other server gets a registry's login, if the registry names it
    "https://mirror.internal/" = "https://login.internal/"

And above the tables, where any server may redirect to, even if that is inside and the server is not:

    redirects = ["https://storage.internal/"]

Secrets are never in the file, only the names of environment variables that hold them. Nothing of this enters a lock.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.document import did_you_mean
from assembler.store.routes import Login, Routes
from assembler.toml.document import Document, decode
from assembler.toml.document import read as read_toml
from assembler.toml.positions import Path as KeyPath
from assembler.toml.writing import key as written
from assembler.tools.source import ToolSource, built_in, of_user

_KNOWN = ("rewrite", "login", "token_server", "redirects", "tools")
_LOGIN = ("user", "password_env", "token_env")
_NO_PREFIX = ("not the beginning of an address", "as https://host/path/, with / at its end and no user name in it")


class ConfigurationError(AssembleError):
    """The user's configuration file is wrong."""


def read_tool_source(path: Path | None, *, required: bool) -> ToolSource:
    """Where the tools that build come from: what the file at `path` says in its table ``tools``, else the built-in.

    Raises ConfigurationError, SourcesError, or Problems with everything that is wrong with the sources.
    """
    document = _read(path, required=required) if path else _NOTHING
    if "tools" not in document.values:
        return built_in()
    table = document.values["tools"]
    if not isinstance(table, dict) or set(table) != {"sources"} or not isinstance(table["sources"], str):
        raise ConfigurationError(
            "must be a table with the string sources", where=document.place(("tools",)), hint="or leave it out"
        )
    source = of_user(table["sources"])
    try:
        source.archives  # noqa: B018  it is read to see that it can be
    except AssembleError as found:
        for error in found.errors if isinstance(found, Problems) else (found,):
            error.where = _in_text(document, ("tools", "sources"), error.where.line)
        raise
    return source


def _in_text(document: Document, path: KeyPath, line: int) -> Place:
    """Where the 1-based `line` of the string at `path` stands: a string of one line has it where it begins."""
    place = document.place(path)
    opening = document.text.split("\n")[place.line - 1][place.column - 1 :]
    if line == 0 or not re.search(r"('''|\"{3})$", opening.rstrip()):
        return place
    return Place(place.file, place.line + line, 0, place.key)


_NOTHING = Document("", "", {})


def _read(path: Path, *, required: bool) -> Document:
    """All of the file at `path`; nothing when there is none, unless it is `required`."""
    place = Place(file=str(path))
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        if not required:
            return _NOTHING
        raise ConfigurationError("there is no such configuration file", where=place, hint="it is the one in"
                                 " ASSEMBLE_CONFIG") from error  # fmt: skip
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError("the configuration cannot be read", where=place, why=why) from error
    text = decode(data, str(path), ConfigurationError)
    return read_toml(text, str(path), most=10_000, error=ConfigurationError, what="the configuration is not TOML")


def read_routes(path: Path, environ: Mapping[str, str], *, required: bool) -> Routes:
    """What the configuration file at `path` says; nothing special when there is none, unless it is `required`.

    Raises ConfigurationError, or Problems with everything that is wrong in it.
    """
    document = _read(path, required=required)
    data = document.values
    problems: list[ConfigurationError] = []

    def wrong(where: KeyPath, what: str, hint: str = "") -> None:
        name = ".".join(written(str(part)) for part in where)
        problems.append(ConfigurationError(what, where=document.place(where, name), hint=hint))

    for key in data:
        if key not in _KNOWN:
            wrong((key,), "unknown key", did_you_mean(key, _KNOWN) or f"known here: {', '.join(_KNOWN)}")
    pairs: dict[str, dict[str, str]] = {"rewrite": {}, "token_server": {}}
    for name, found in pairs.items():
        for prefix, target in _entries(data, name, wrong):
            for text in (prefix, target):
                if not isinstance(text, str) or not _is_prefix(text):
                    wrong((name, prefix), *_NO_PREFIX)
                    break
            else:
                found[prefix] = target
    for registry, server in pairs["token_server"].items():
        if registry.startswith("https:") and not server.startswith("https:"):
            wrong(("token_server", registry), "a login for https would be sent over http", "as https://host/")
    redirects = data.get("redirects", [])
    if not isinstance(redirects, list) or not all(isinstance(text, str) and _is_prefix(text) for text in redirects):
        wrong(("redirects",), "must be a list of beginnings of addresses", _NO_PREFIX[1])
        redirects = []
    logins: dict[str, Login] = {}
    for prefix, table in _entries(data, "login", wrong):
        where = ("login", prefix)
        if not _is_prefix(prefix):
            wrong(where, *_NO_PREFIX)
        elif not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            wrong(where, "must be a table of strings")
        elif unknown := sorted(set(table) - set(_LOGIN)):
            wrong((*where, unknown[0]), "unknown key", f"known here: {', '.join(_LOGIN)}; secrets are never in here")
        elif set(table) not in ({"user", "password_env"}, {"token_env"}):
            wrong(where, "says no login", "give user and password_env, or token_env alone")
        else:
            secret = table.get("token_env") or table["password_env"]
            if not environ.get(secret):
                wrong(where, f"the environment variable {secret} is not set", "set it, or drop this login")
            elif "token_env" in table and not re.fullmatch(r"[!-~]+", environ[secret]):
                wrong(
                    where,
                    f"the environment variable {secret} holds no token",
                    "one is a word of ASCII, as RFC 6750 says",
                )
            value = environ.get(secret, "")
            logins[prefix] = Login(token=value) if "token_env" in table else Login(user=table["user"], password=value)
    if problems:
        raise Problems(sorted(problems, key=lambda error: (error.where.line, error.where.column)))
    return Routes(
        rewrites=pairs["rewrite"], logins=logins, token_servers=pairs["token_server"], redirects=tuple(redirects)
    )


def _entries(data: Mapping[str, Any], name: str, wrong: Any) -> Iterator[tuple[str, Any]]:
    table = data.get(name, {})
    if isinstance(table, dict):
        yield from table.items()
    else:
        wrong((name,), "must be a table")


def _is_prefix(text: str) -> bool:
    """Whether it ends with the host or a part of a path: https://a would be a prefix of https://a.example too."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in text and text.endswith("/")
