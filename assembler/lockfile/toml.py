"""The lock as a file: TOML with one way to write each lock, so that a change of the lock is a small diff.

A package is one line, which begins with its name, version and architecture, as the file name of a .deb does. What can
be told from the rest (a source package of the same name and version) is left out. A digest over all of it tells a lock
that was edited, or merged line by line, from one that was made.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from pathlib import Path

from assembler.addresses import HINT, login_in
from assembler.errors import Place, Problems
from assembler.hostfile import replacing
from assembler.lockfile import former
from assembler.lockfile.errors import RESTORE, LockError
from assembler.lockfile.model import (
    FILE_ROLES,
    FIRST_ACCOUNT,
    LAST_ACCOUNT,
    LEARNED,
    ROLES,
    SCHEMA,
    TOOLS,
    Lock,
    LockedAccounts,
    LockedArchive,
    LockedBuild,
    LockedFile,
    LockedImage,
    LockedIndex,
    LockedLayer,
    LockedMachine,
    LockedOutput,
    LockedPackage,
    LockedTool,
    LockedToolbox,
    LockedVersion,
)
from assembler.lockfile.table import Table
from assembler.lockfile.values import ACCOUNT, ARCHITECTURE, EPOCH_END, NAME, PATH, SHA256, VERSION
from assembler.reading import MissingError, OutsideError, Reach, UnreadableError, read
from assembler.recipe.names import DIRECTORY
from assembler.toml.document import Document
from assembler.toml.document import read as read_toml
from assembler.toml.writing import pair as _pair
from assembler.toml.writing import text as _text
from assembler.toml.writing import value as _value

_HEADER = "# Every input of the image. Written by `assemble lock`: change the recipe, not this file."

SECRETS = r"(?:[0-9a-f]{2}){1,64}\$[0-9a-f]{64}"
MAX_LOCK = 8 << 20
"""Bytes; 20 000 packages have room in it."""
MOST_VALUES = 250_000
"""A package has at most ten."""

WORD = r"[A-Za-z0-9][A-Za-z0-9.+_~/-]*"
SUITE = rf"{WORD}|{DIRECTORY}"
URL = r"https?://[!-~]+"
ROOT = rf"{WORD}|{URL}|file:[!-~]+"
REFERENCE = rf"{WORD}(?::[0-9]+/{WORD})?(?::[A-Za-z0-9_][A-Za-z0-9_.-]*)?(?:@sha256:{SHA256})?"
"""The name of a container image, with its registry."""
PLATFORM = r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?"
WHY = rf"requested|essential|for {NAME}"
UPSTREAM = r"v?[0-9][A-Za-z0-9.+-]*"
"""A version as publishers outside of Debian write it."""
PROGRAM = r"[a-z0-9][a-z0-9_+.-]*"
FINGERPRINT = r"[0-9A-F]{40}|[0-9A-F]{64}"
DATE = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z"


_NO_END = 1 << 62
_OF_RECIPE = "recipe"
"""How the digest of a package was learned that is of no archive; as of `LEARNED`."""


# --- writing -----------------------------------------------------------------------------------------------------


def format_lock(lock: Lock) -> str:
    """The one text that stands for `lock`. Reading it back gives an equal lock."""
    body = _body(lock)
    # The recipe has been asked before; this is for what came from elsewhere.
    if found := login_in(body):
        raise LockError(f"there would be {found} in an address of the lock", hint=HINT)
    return f"{_HEADER}\n\n{_pair('integrity', _digest(body))}\n{body}"


def _digest(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


def _body(lock: Lock) -> str:
    lines = [
        _pair("schema", SCHEMA),
        _pair("assembler", lock.assembler),
        _pair("recipe_sha256", lock.recipe_sha256),
        _pair("source_date_epoch", lock.source_date_epoch),
        _pair("architecture", lock.architecture),
    ]
    lines += _sources("", lock.archives, lock.packages)
    if lock.kubernetes:
        lines += ["", "[kubernetes]", *(_pair(_text(each.name), _version(each)) for each in lock.kubernetes)]
    if lock.files:
        lines += ["", "[files]", *(_pair(_text(file.name), _file(file)) for file in lock.files)]
    if lock.images:
        lines += ["", "[images]", *(_pair(_text(image.name), _image(image)) for image in lock.images)]
    if lock.host_tools:
        lines += ["", "# Of the machine that locked.", "[toolchain]"]
        lines += [_pair(_text(tool.name), tool.version) for tool in lock.host_tools]
    if lock.libraries:
        lines += ["", "[libraries]", *(_pair(_text(one.name), one.version) for one in lock.libraries)]
    lines += ["", "# Run on the build machine, from the assembler's own source.", *_tools(lock.tools)]
    if lock.machine:
        lines += ["", "# The machine in which scripts are executed."]
        lines += [*_tools(lock.machine.emulator, "machine.emulator"), *_tools(lock.machine.guest, "machine.guest")]
    if lock.toolchain:
        lines += ["", "# What the kernel is compiled with.", *_tools(lock.toolchain, "toolchain")]
    for kind, accounts in (("users", lock.accounts.users), ("groups", lock.accounts.groups)):
        if accounts:
            lines += ["", f"[accounts.{kind}]", *(_pair(_text(name), number) for name, number in accounts)]
    if lock.build:
        lines += ["", "[build]", *_build(lock.build)]
    return "\n".join(lines) + "\n"


def format_tools(tools: LockedToolbox) -> str:
    """The text of tools alone, for those that belong to no lock."""
    return "\n".join(_tools(tools)) + "\n"


def _tools(tools: LockedToolbox, name: str = "tools") -> Iterable[str]:
    yield from (f"[{name}]", _pair("architecture", tools.architecture))
    yield from _sources(f"{name}.", tools.archives, tools.packages)


def _sources(prefix: str, archives: Iterable[LockedArchive], packages: Iterable[LockedPackage]) -> Iterable[str]:
    for archive in archives:
        yield from ("", f"[[{prefix}archives]]", *_archive(archive))
    yield from ("", f"[{prefix}packages]", *(_package(package) for package in packages))


def _archive(archive: LockedArchive) -> Iterable[str]:
    for key in ("id", "root", "suite", "components", "inrelease_sha256", "date", "valid_until"):
        yield _pair(key, getattr(archive, key))
    if archive.signature_sha256:
        yield _pair("signature_sha256", archive.signature_sha256)
    yield from ("signed_by = [", *(f"  {_text(fingerprint)}," for fingerprint in archive.signed_by), "]")
    yield "indices = ["
    for index in archive.indices:
        yield f"  {_value({'path': index.path, 'size': index.size, 'sha256': index.sha256})},"
    yield "]"


def _package(package: LockedPackage) -> str:
    values: dict[str, object] = {"roles": package.roles, "why": package.why}
    values |= {"archive": package.archive} if package.archive else {"learned": _OF_RECIPE}
    if package.source != package.name:
        values["source"] = package.source
    if package.source_version != package.version:
        values["source_version"] = package.source_version
    values |= {"size": package.size, "sha256": package.sha256, "path": package.path}
    if package.url:
        values["url"] = package.url
    return _pair(_text(f"{package.name}_{package.version}_{package.architecture}"), values)


def _file(file: LockedFile) -> Mapping[str, object]:
    values = {key: getattr(file, key) for key in ("role", "version", "size", "sha256", "learned", "witness", "url")}
    return {key: value for key, value in values.items() if value != ""}


def _version(each: LockedVersion) -> Mapping[str, object]:
    return {key: value for key in ("version", "learned", "witness") if (value := getattr(each, key))}


def _image(image: LockedImage) -> Mapping[str, object]:
    return {key: getattr(image, key) for key in ("platform", "index", "manifest", "size", "learned")}


def _build(build: LockedBuild) -> Iterable[str]:
    yield _pair("recipe_sha256", build.recipe_sha256)
    if build.secrets:
        yield _pair("secrets", build.secrets)
    yield _pair("assembler", build.assembler)
    yield from ("", "[build.outputs]")
    yield from (_pair(_text(out.name), {"size": out.size, "sha256": out.sha256}) for out in build.outputs)
    yield from ("", "[build.layers]")
    yield from (_pair(_text(layer.name), {"sha256": layer.sha256}) for layer in build.layers)


def write_lock(path: Path, lock: Lock) -> None:
    """Put `lock` at `path`, whole or not at all. Raises LockError when that cannot be written."""
    try:
        with replacing(path) as stream:
            stream.write(format_lock(lock).encode())
    except OSError as error:
        raise LockError(
            "the lock cannot be written",
            where=Place(file=str(path)),
            why=error.strerror or str(error),
            hint="it lies beside the recipe: copy that to a directory of yours, or see that there is room",
        ) from error


# --- reading -----------------------------------------------------------------------------------------------------


def read_lock(path: Path, reach: Reach | None = None) -> Lock | None:
    """The lock at `path`; None when there is none. Raises LockError or Problems when it is not one.

    One that lies beside a recipe, and may be a stranger's as that is, has to be within its `reach`.
    """
    text = read_text(path, reach)
    return None if text is None else parse_lock(text, str(path))


def read_text(path: Path, reach: Reach | None = None) -> str | None:
    """The text of the lock at `path`, whatever it is; as :func:`read_lock` otherwise."""
    where = Place(file=str(path))
    try:
        data = reach.read(path, limit=MAX_LOCK)[0] if reach else read(path, limit=MAX_LOCK)
    except MissingError:
        return None
    except OutsideError as error:
        raise LockError(
            "the lock is outside of the recipe's project", where=where, hint="put it beside the recipe itself"
        ) from error
    except UnreadableError as error:
        raise LockError(f"the lock {error.what}", where=where, why=error.why) from error
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise LockError("the lock is not text in UTF-8", where=Place(file=str(path)), hint=RESTORE) from error


def parse_lock(text: str, file: str) -> Lock:
    """The lock that `text` stands for; `file` is its name in errors.

    The order of keys and white space do not matter, everything else does. Those of former schemas are read as well, and
    there they do. Raises LockError when it is not TOML or of
    another schema, and Problems holding a LockError for everything else that is wrong.
    """
    document = _toml(text, file)
    data = document.values
    digest = ""
    if data.get("schema") in former.READ:
        data, digest = former.as_now(data), former.integrity(text)
    if data.get("schema") != SCHEMA:
        raise LockError(
            f"the lock is of another schema than {SCHEMA}",
            where=document.place(("schema",)),
            why=f"it says {data.get('schema')!r}",
            hint="delete it and run `assemble lock`, or use the version of the assembler that wrote it",
        )
    problems: list[LockError] = []
    top = Table(data, "", document, problems)
    top.number("schema")
    archives, packages = _read_sources(top, ROLES)
    files = [_read_file(table, key) for key, table in (top.named("files") if "files" in data else ())]
    kubernetes = [_read_version(table, key) for key, table in (top.named("kubernetes") if "kubernetes" in data else ())]
    images = [_read_image(table, key) for key, table in (top.named("images") if "images" in data else ())]
    libraries = _read_versions(top, "libraries") if "libraries" in data else ()
    toolchain, host_tools = _read_toolchain(top, data.get("toolchain"))
    lock = Lock(
        assembler=top.text("assembler", VERSION),
        recipe_sha256=top.sha256("recipe_sha256"),
        source_date_epoch=top.number("source_date_epoch", EPOCH_END - 1),
        architecture=top.text("architecture", ARCHITECTURE),
        archives=archives,
        packages=packages,
        tools=_read_toolbox(top.table("tools")),
        machine=_read_machine(top.table("machine")) if "machine" in data else None,
        kubernetes=tuple(sorted(kubernetes, key=lambda item: item.name)),
        files=tuple(sorted(files, key=lambda item: item.name)),
        images=tuple(sorted(images, key=lambda item: item.name)),
        toolchain=toolchain,
        host_tools=host_tools,
        libraries=libraries,
        accounts=_read_accounts(top.table("accounts")) if "accounts" in data else LockedAccounts(),
        build=_read_build(top.table("build")) if "build" in data else None,
    )
    integrity = top.sha256("integrity")
    top.close()
    if problems:
        raise Problems(sorted(problems, key=lambda error: (error.where.line, error.where.column)))
    if integrity != (found := digest or _digest(_body(lock))):
        raise LockError(
            "the lock has been edited",
            where=document.place(("integrity",)),
            why=f"its digest is {found}, not what `assemble lock` wrote: an edit by hand, or two locks merged",
            hint="restore it, or delete it and run `assemble lock`",
        )
    return lock


def parse_tools(text: str, file: str) -> LockedToolbox:
    """The tools that `text`, of :func:`format_tools`, stands for. Raises as :func:`parse_lock`."""
    problems: list[LockError] = []
    document = _toml(text, file)
    top = Table(document.values, "", document, problems)
    tools = _read_toolbox(top.table("tools"))
    top.close()
    if problems:
        raise Problems(sorted(problems, key=lambda error: (error.where.line, error.where.column)))
    return tools


def _toml(text: str, file: str) -> Document:
    if len(text) > MAX_LOCK:
        raise LockError("the lock is too large", where=Place(file=file), why=f"at most {MAX_LOCK} bytes are read")
    return read_toml(text, file, most=MOST_VALUES, error=LockError, what="the lock is not TOML", hint=RESTORE)


def _read_machine(table: Table) -> LockedMachine:
    return LockedMachine(
        emulator=_read_toolbox(table.table("emulator")),
        guest=_read_toolbox(table.table("guest")),
    )


def _read_toolbox(table: Table) -> LockedToolbox:
    archives, packages = _read_sources(table, (TOOLS,))
    return LockedToolbox(architecture=table.text("architecture", ARCHITECTURE), archives=archives, packages=packages)


def _read_sources(table: Table, roles: Collection[str]) -> tuple[tuple[LockedArchive, ...], tuple[LockedPackage, ...]]:
    archives = sorted((_read_archive(each) for each in table.tables("archives")), key=lambda item: item.id)
    known = {archive.id for archive in archives}
    if len(known) < len(archives):
        table.wrong("archives", "two have the same id")
    packages = [_read_package(each, key, known, roles) for key, each in table.named("packages")]
    packages.sort(key=lambda item: (item.name, item.architecture, item.version))
    return tuple(archives), tuple(packages)


def _read_archive(table: Table) -> LockedArchive:
    archive = LockedArchive(
        id=table.text("id", WORD),
        root=table.text("root", ROOT),
        suite=table.text("suite", SUITE),
        components=table.texts("components", WORD),
        inrelease_sha256=table.sha256("inrelease_sha256"),
        signature_sha256=table.sha256("signature_sha256") if "signature_sha256" in table else "",
        date=table.text("date", DATE),
        valid_until=table.text("valid_until", f"|{DATE}"),
        signed_by=tuple(sorted(table.texts("signed_by", FINGERPRINT))),
        indices=tuple(
            LockedIndex(path=index.text("path", PATH), size=index.number("size"), sha256=index.sha256())
            for index in table.tables("indices")
        ),
    )
    for key, end in (("date", EPOCH_END), ("valid_until", _NO_END)):
        try:
            moment = datetime.fromisoformat(getattr(archive, key) or "2000-01-01T00:00:00Z").timestamp()
        except ValueError:
            table.wrong(key, "there is no such day or time")
        else:
            if not 0 <= moment < end:
                table.wrong(key, "it is no time of an archive")
    return archive


def _read_package(table: Table, key: str, archives: set[str], allowed: Collection[str]) -> LockedPackage:
    match = re.fullmatch(rf"({NAME})_({VERSION})_({ARCHITECTURE})", key)
    if not match:
        table.wrong("", "it does not begin with a name, a version and an architecture, as a .deb does")
    name, version, architecture = match.groups() if match else ("", "", "")
    given = "learned" in table and TOOLS not in allowed
    package = LockedPackage(
        name=name,
        version=version,
        architecture=architecture,
        source=table.text("source", NAME) if "source" in table else name,
        source_version=table.text("source_version", VERSION) if "source_version" in table else version,
        size=table.number("size"),
        sha256=table.sha256(),
        path=table.text("path", PATH),
        archive="" if given else table.text("archive", WORD),
        roles=tuple(sorted(table.texts("roles", "|".join(allowed)))),
        why=table.text("why", WHY),
        url=table.text("url", URL) if given and "url" in table else "",
    )
    if given:
        table.text("learned", _OF_RECIPE)
    elif package.archive not in archives:
        table.wrong("archive", f"{package.archive!r} is not the id of an archive of this lock")
    if not package.roles:
        table.wrong("roles", "it is wanted for nothing")
    return package


def _read_toolchain(top: Table, given: object) -> tuple[LockedToolbox | None, tuple[LockedTool, ...]]:
    """Packages, or the versions of a host's programs."""
    if given is None:
        return None, ()
    if isinstance(given, dict) and "packages" in given:
        return _read_toolbox(top.table("toolchain")), ()
    return None, _read_versions(top, "toolchain")


def _read_versions(table: Table, key: str) -> tuple[LockedTool, ...]:
    found = (LockedTool(name=name, version=version) for name, version in table.pairs(key, PROGRAM, VERSION))
    return tuple(sorted(found, key=lambda item: item.name))


def _read_accounts(table: Table) -> LockedAccounts:
    users, groups = (
        tuple(sorted(table.numbers(kind, ACCOUNT, FIRST_ACCOUNT, LAST_ACCOUNT))) if kind in table else ()
        for kind in ("users", "groups")
    )
    return LockedAccounts(users=users, groups=groups)


def _read_file(table: Table, key: str) -> LockedFile:
    file = LockedFile(
        name=table.check("its name", key, NAME),
        version=table.text("version", VERSION) if "version" in table else "",
        url=table.text("url", URL),
        size=table.number("size"),
        sha256=table.sha256(),
        learned=table.text("learned", "|".join(LEARNED)),
        witness=table.text("witness", URL) if "witness" in table else "",
        role=table.text("role", "|".join(FILE_ROLES)),
    )
    if bool(file.witness) != (file.learned == "publisher"):
        table.wrong("witness", "a checksum file belongs to what was learned from its publisher, and to nothing else")
    return file


def _read_version(table: Table, key: str) -> LockedVersion:
    found = LockedVersion(
        name=table.check("its name", key, NAME),
        version=table.text("version", UPSTREAM),
        learned=table.text("learned", "recipe|known|publisher"),
        witness=table.text("witness", URL) if "witness" in table else "",
    )
    if bool(found.witness) != (found.learned == "publisher"):
        table.wrong("witness", "an address belongs to what was learned from its publisher, and to nothing else")
    return found


def _read_image(table: Table, key: str) -> LockedImage:
    return LockedImage(
        name=table.check("its name", key, REFERENCE),
        platform=table.text("platform", PLATFORM),
        index=table.sha256("index"),
        manifest=table.sha256("manifest"),
        size=table.number("size"),
        learned=table.text("learned", "recipe|first-use"),
    )


def _read_build(table: Table) -> LockedBuild:
    outputs = [
        LockedOutput(name=out.check("its name", key, WORD), size=out.number("size"), sha256=out.sha256())
        for key, out in table.named("outputs")
    ]
    layers = [
        LockedLayer(name=layer.check("its name", key, WORD), sha256=layer.sha256())
        for key, layer in table.named("layers")
    ]
    return LockedBuild(
        recipe_sha256=table.sha256("recipe_sha256"),
        secrets=table.text("secrets", SECRETS) if "secrets" in table else "",
        assembler=table.text("assembler", VERSION),
        outputs=tuple(sorted(outputs, key=lambda item: item.name)),
        layers=tuple(sorted(layers, key=lambda item: item.name)),
    )
