"""The user's own configuration file: which servers stand in publishers' place, and how to be let in there.

    # ~/.config/assembler/config.toml, or the file that ASSEMBLE_CONFIG names
    [rewrite]
    "https://dl.k8s.io/" = "https://mirror.internal/k8s/"

    [login."https://mirror.internal/"]
    user = "robot"
    password_env = "MIRROR_PASSWORD"    # or token_env alone; without either, ~/.netrc

Secrets are never in the file, only the names of environment variables that hold them. Nothing of this enters a lock.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from assembler import tomltext
from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.document import did_you_mean
from assembler.store.routes import NO_ROUTES, Login, Routes

_TABLES = ("rewrite", "login")
_LOGIN = ("user", "password_env", "token_env")


class ConfigurationError(AssembleError):
    """The user's configuration file is wrong."""


def read_routes(path: Path, environ: Mapping[str, str], *, required: bool) -> Routes:
    """What the configuration file at `path` says; nothing special when there is none, unless it is `required`.

    Raises ConfigurationError, or Problems with everything that is wrong in it.
    """
    place = Place(file=str(path))
    try:
        data = tomltext.loads(path.read_text("utf-8"), most=10_000)
    except FileNotFoundError as error:
        if not required:
            return NO_ROUTES
        raise ConfigurationError("there is no such configuration file", where=place, hint="it is the one in"
                                 " ASSEMBLE_CONFIG") from error  # fmt: skip
    except OSError as error:
        why = error.strerror or str(error)
        raise ConfigurationError("the configuration cannot be read", where=place, why=why) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError("the configuration is not TOML", where=place, why=str(error)) from error
    problems: list[ConfigurationError] = []

    def wrong(key: str, what: str, hint: str = "") -> None:
        problems.append(ConfigurationError(what, where=Place(file=str(path), key=key), hint=hint))

    for key in data:
        if key not in _TABLES:
            wrong(key, "unknown key", did_you_mean(key, _TABLES) or f"known here: {', '.join(_TABLES)}")
    rewrites: dict[str, str] = {}
    for prefix, target in _entries(data, "rewrite", wrong):
        for text in (prefix, target):
            if not isinstance(text, str) or not _is_prefix(text):
                wrong(f'rewrite."{prefix}"', "not the beginning of an address",
                      "as https://host/path/, with / at its end and no user name in it")  # fmt: skip
                break
        else:
            rewrites[prefix] = target
    logins: dict[str, Login] = {}
    for prefix, table in _entries(data, "login", wrong):
        key = f'login."{prefix}"'
        if not _is_prefix(prefix):
            wrong(key, "not the beginning of an address", "as https://host/, with / at its end and no user name in it")
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
            value = environ.get(secret, "")
            logins[prefix] = Login(token=value) if "token_env" in table else Login(user=table["user"], password=value)
    if problems:
        raise Problems(problems)
    return Routes(rewrites=rewrites, logins=logins)


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
