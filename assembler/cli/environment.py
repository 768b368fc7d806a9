"""What the user's environment says: the only reader of environment variables, apart from what requests reads itself."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from assembler.errors import AssembleError
from assembler.machine import host_architecture, processors
from assembler.store.objects import PATIENCE

_DIGITS = 10
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """The environment of one call, as plain values."""

    store: Path
    """Root of the content-addressed store, absolute: `ASSEMBLE_STORE`, else ``assembler`` in the user's cache directory
    (`XDG_CACHE_HOME`, ``~/.cache``)."""
    trust_store: bool = False
    """Whether the user trusts everybody who can write to the store."""
    lock_timeout: float = PATIENCE
    """`ASSEMBLE_LOCK_TIMEOUT`: seconds that what another build holds in the store is waited for."""
    configuration: Path | None
    """The user's configuration file: `ASSEMBLE_CONFIG`, else ``assembler/config.toml`` in the directory for such files
    (`XDG_CONFIG_HOME`, ``~/.config``); None when there is no home directory."""
    configured: bool
    """Whether `ASSEMBLE_CONFIG` names it, so that it must be there."""
    values: Mapping[str, str] = field(repr=False, compare=False)
    """All of the environment, for the secrets that the configuration file names."""
    mirror: str
    """`ASSEMBLE_MIRROR`: base address of a Debian archive, or nothing."""
    snapshots: tuple[str, ...]
    """`ASSEMBLE_SNAPSHOT`: base addresses of archives of what Debian's archives once held, separated by spaces."""
    jobs: int
    """Processors that this process may use."""
    architecture: str
    """Debian architecture of this machine; empty when tools run on it cannot be had."""
    search: str
    """`PATH`, without what stands for the working directory or lies in it."""
    color: bool | None
    """False with `NO_COLOR`, True with `FORCE_COLOR`, otherwise None: whether there is a terminal decides."""
    dumb: bool
    """Whether the terminal cannot move its cursor (`TERM=dumb`, or no `TERM`)."""


def read(store: Path | None = None, environ: Mapping[str, str] | None = None) -> Settings:
    """The settings in `environ`, by default this process's; `store` is what the user chose, if anything.

    Raises AssembleError when there is no home directory to keep the store in, or a number is none.
    """
    values = os.environ if environ is None else environ
    return Settings(
        # Tools run in other directories, and must find what they are given.
        store=(store or _store(values)).absolute(),
        lock_timeout=_seconds(values, "ASSEMBLE_LOCK_TIMEOUT", PATIENCE),
        configuration=_configuration(values),
        configured=bool(values.get("ASSEMBLE_CONFIG")),
        values=values,
        mirror=values.get("ASSEMBLE_MIRROR", ""),
        snapshots=tuple(values.get("ASSEMBLE_SNAPSHOT", "").split()),
        jobs=processors(),
        architecture=host_architecture(),
        search=_absolute(values.get("PATH", os.defpath)),
        color=color(values),
        dumb=values.get("TERM", "dumb") == "dumb",
    )


def color(environ: Mapping[str, str] | None = None) -> bool | None:
    """Whether the user wants colours or none; None when nothing is said. See https://no-color.org/."""
    values = os.environ if environ is None else environ
    if values.get("NO_COLOR"):
        return False
    return True if values.get("FORCE_COLOR") else None


def _absolute(search: str) -> str:
    return os.pathsep.join(directory for directory in search.split(os.pathsep) if os.path.isabs(directory))  # noqa: PTH117  text


def _configuration(values: Mapping[str, str]) -> Path | None:
    if values.get("ASSEMBLE_CONFIG"):
        return Path(values["ASSEMBLE_CONFIG"])
    directory, home = Path(values.get("XDG_CONFIG_HOME", "")), Path(values.get("HOME", ""))
    if not directory.is_absolute():
        directory = home / ".config"
    return directory / "assembler/config.toml" if directory.is_absolute() else None


def _seconds(values: Mapping[str, str], name: str, default: float) -> float:
    text = values.get(name, "")
    if not text:
        return default
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        raise AssembleError(f"{name} is not a number of seconds", why=text[:_SHOWN], hint="as 3600, or leave it out")
    return float(text)


def _store(values: Mapping[str, str]) -> Path:
    if values.get("ASSEMBLE_STORE"):
        return Path(values["ASSEMBLE_STORE"])
    cache = Path(values.get("XDG_CACHE_HOME", ""))
    if not cache.is_absolute():  # relative ones do not count (XDG Base Directory Specification)
        home = Path(values.get("HOME", ""))
        if not home.is_absolute():
            raise AssembleError(
                "there is no home directory to keep the store in", hint="set HOME, or give --store DIRECTORY"
            )
        cache = home / ".cache"
    return cache / "assembler"
