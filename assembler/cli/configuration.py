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
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assembler import tomltext
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.document import did_you_mean
from assembler.store.routes import Login, Routes
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
    data = _read(path, required=required) if path else {}
    if "tools" not in data:
        return built_in()
    table = data["tools"]
    if not isinstance(table, dict) or set(table) != {"sources"} or not isinstance(table["sources"], str):
        raise ConfigurationError(
            "must be a table with the string sources", where=Place(file=str(path), key="tools"), hint="or leave it out"
        )
    source = of_user(table["sources"])
    try:
        source.archives  # noqa: B018  it is read to see that it can be
    except AssembleError as found:
        for error in found.errors if isinstance(found, Problems) else (found,):
            error.where = Place(file=str(path), line=error.where.line, key="tools.sources")
        raise
    return source


def _read(path: Path, *, required: bool) -> Mapping[str, Any]:
    """All of the file at `path`; nothing when there is none, unless it is `required`."""
    place = Place(file=str(path))
    try:
        return tomltext.loads(path.read_text("utf-8"), most=10_000)
    except FileNotFoundError as error:
        if not required:
            return {}
        raise ConfigurationError("there is no such configuration file", where=place, hint="it is the one in"
                                 " ASSEMBLE_CONFIG") from error  # fmt: skip
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError("the configuration cannot be read", where=place, why=why) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("the configuration is not TOML", where=place, why=str(error)) from error


def read_routes(path: Path, environ: Mapping[str, str], *, required: bool) -> Routes:
    """What the configuration file at `path` says; nothing special when there is none, unless it is `required`.

    Raises ConfigurationError, or Problems with everything that is wrong in it.
    """
    data = _read(path, required=required)
    problems: list[ConfigurationError] = []

    def wrong(key: str, what: str, hint: str = "") -> None:
        problems.append(ConfigurationError(what, where=Place(file=str(path), key=key), hint=hint))

    for key in data:
        if key not in _KNOWN:
            wrong(key, "unknown key", did_you_mean(key, _KNOWN) or f"known here: {', '.join(_KNOWN)}")
    pairs: dict[str, dict[str, str]] = {"rewrite": {}, "token_server": {}}
    for name, found in pairs.items():
        for prefix, target in _entries(data, name, wrong):
            for text in (prefix, target):
                if not isinstance(text, str) or not _is_prefix(text):
                    wrong(f'{name}."{prefix}"', *_NO_PREFIX)
                    break
            else:
                found[prefix] = target
    for registry, server in pairs["token_server"].items():
        if registry.startswith("https:") and not server.startswith("https:"):
            wrong(f'token_server."{registry}"', "a login for https would be sent over http", "as https://host/")
    redirects = data.get("redirects", [])
    if not isinstance(redirects, list) or not all(isinstance(text, str) and _is_prefix(text) for text in redirects):
        wrong("redirects", "must be a list of beginnings of addresses", _NO_PREFIX[1])
        redirects = []
    logins: dict[str, Login] = {}
    for prefix, table in _entries(data, "login", wrong):
        key = f'login."{prefix}"'
        if not _is_prefix(prefix):
            wrong(key, *_NO_PREFIX)
        elif not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            wrong(key, "must be a table of strings")
        elif unknown := sorted(set(table) - set(_LOGIN)):
            wrong(f"{key}.{unknown[0]}", "unknown key", f"known here: {', '.join(_LOGIN)}; secrets are never in here")
        elif set(table) not in ({"user", "password_env"}, {"token_env"}):
            wrong(key, "says no login", "give user and password_env, or token_env alone")
        else:
            secret = table.get("token_env") or table["password_env"]
            if not environ.get(secret):
                wrong(key, f"the environment variable {secret} is not set", "set it, or drop this login")
            elif "token_env" in table and not re.fullmatch(r"[!-~]+", environ[secret]):
                wrong(
                    key, f"the environment variable {secret} holds no token", "one is a word of ASCII, as RFC 6750 says"
                )
            value = environ.get(secret, "")
            logins[prefix] = Login(token=value) if "token_env" in table else Login(user=table["user"], password=value)
    if problems:
        raise Problems(problems)
    return Routes(
        rewrites=pairs["rewrite"], logins=logins, token_servers=pairs["token_server"], redirects=tuple(redirects)
    )


def _entries(data: Mapping[str, Any], name: str, wrong: Any) -> Iterator[tuple[str, Any]]:
    table = data.get(name, {})
    if isinstance(table, dict):
        yield from table.items()
    else:
        wrong(name, "must be a table")


def _is_prefix(text: str) -> bool:
    """Whether it ends with the host or a part of a path: https://a would be a prefix of https://a.example too."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and "@" not in text and text.endswith("/")
