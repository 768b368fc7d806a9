"""What the types cannot say: how the values of a recipe go together.

These look at the plain values before they are typed, so that one pass tells of everything; a value of a wrong type is
the business of the types and passes over here.
"""

import re
from collections.abc import Iterator
from typing import Any

from assembler.recipe import additions_checks as additions
from assembler.recipe import names
from assembler.recipe.addresses import logins
from assembler.recipe.parameters import name_of
from assembler.recipe.short import brought
from assembler.releases import DEFAULT
from assembler.toml.positions import Path as KeyPath

Problem = tuple[KeyPath, str, str]
"""Key path, cause, hint."""

MAX_STEPS = 100
"""Steps of a recipe's own."""
_SET = {
    "livecd.label": "give livecd.label another value",
    "livecd.medium": "leave it out: it tells this image's medium from others",
    "livecd.state": "give livecd.state another value",
}
"""Kernel parameters that a recipe cannot set, and what to do instead."""
_LEVELS = {"zstd": 22, "gzip": 9}
_LONGEST = 511
"""Bytes of a password that anybody can log in with (PAM_MAX_RESP_SIZE and CRYPT_MAX_PASSPHRASE_SIZE, less one)."""
_TARBALL = "tarball that has to be, and compiling it runs what is in it"
_UNIQUE: tuple[tuple[str, str], ...] = (
    ("rootfs", "packages"),
    ("rootfs", "first_boot"),
    ("rootfs", "enable"),
    ("rootfs", "disable"),
    ("rootfs", "mask"),
    ("rootfs", "locales"),
    ("rootfs", "modules"),
    ("rootfs", "certificates"),
    ("rootfs", "remove"),
    ("artifacts", "formats"),
    ("kubernetes", "extra_images"),
    ("kernel", "fragments"),
    ("initrd", "modules"),
    ("initrd", "firmware"),
    ("initrd", "from_image"),
    ("cloudinit", "ssh_authorized_keys"),
)


def check(data: dict[str, Any]) -> Iterator[Problem]:
    """Everything that contradicts itself in `data`, the plain values of a whole recipe."""
    for table, name in _UNIQUE:
        yield from _duplicates((table, name), _list(data, table, name))
    yield from _archives(_list(data, "debian", "archives"))
    yield from _debs(_list(data, "debian", "debs"))
    yield from _pins(_list(data, "debian", "pins"))
    yield from _requests(_list(data, "rootfs", "packages"))
    yield from _password(_table(data, "rootfs").get("root_password"))
    yield from logins(data)
    yield from _units(data)
    yield from _files("rootfs", _list(data, "rootfs", "files"), "content, source, url and link")
    yield from _files("initrd", _list(data, "initrd", "files"), "content, source and link")
    yield from _readable(_list(data, "initrd", "files"))
    yield from additions.check(_table(data, "rootfs"))
    for name in ("rules", "certificates"):
        yield from _empty(("rootfs", name), _list(data, "rootfs", name))
    yield from _run(_list(data, "rootfs", "run"))
    yield from _preseed(_preseeds(data))
    yield from _answers(_table(data, "rootfs").get("debconf"))
    yield from _kernel(_table(data, "kernel"))
    yield from _ids(_table(data, "rootfs").get("ids"))
    yield from _compression(_table(data, "livecd"))
    yield from _cmdline(_list(data, "livecd", "cmdline"))
    yield from _kubernetes(_table(data, "kubernetes"))


def named_files(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str]]:
    """The key path and name of every host file that a recipe names, but for those in :func:`named_trees`."""
    for table in ("rootfs", "initrd"):
        for index, file in enumerate(_list(data, table, "files")):
            if isinstance(file, dict) and isinstance(file.get("source"), str):
                yield (table, "files", index, "source"), file["source"]
    for key in ("rules", "certificates"):
        for index, name in enumerate(_list(data, "rootfs", key)):
            if isinstance(name, str) and name:
                yield ("rootfs", key, index), name
    for index, name in enumerate(_preseeds(data)):
        if isinstance(name, str) and name:
            yield ("rootfs", "debconf", "preseed", index), name
    for index, step in enumerate(_list(data, "rootfs", "run")):
        if isinstance(step, dict) and isinstance(step.get("file"), str) and step["file"]:
            yield ("rootfs", "run", index, "file"), step["file"]
    for index, name in enumerate(_list(data, "kernel", "fragments")):
        if isinstance(name, str):
            yield ("kernel", "fragments", index), name
    for index, name in enumerate(_list(data, "kubernetes", "manifests")):
        if isinstance(name, str) and name:
            yield ("kubernetes", "manifests", index), name
    cloudinit = _table(data, "cloudinit")
    for key in ("user_data", "meta_data", "network_config"):
        if isinstance(cloudinit.get(key), str) and cloudinit[key]:
            yield ("cloudinit", key), cloudinit[key]


def named_trees(data: dict[str, Any]) -> Iterator[tuple[KeyPath, str, str]]:
    """Every host file or directory that a step brings along: key path, the step's place for it, and its name."""
    for index, step in enumerate(_list(data, "rootfs", "run")):
        for key, target, name in brought(step.get("files")) if isinstance(step, dict) else ():
            yield ("rootfs", "run", index, "files", key), target, name


def _preseeds(data: dict[str, Any]) -> list[Any]:
    debconf = _table(data, "rootfs").get("debconf")
    return _list({"debconf": debconf}, "debconf", "preseed")


def _preseed(names: list[Any]) -> Iterator[Problem]:
    yield from _duplicates(("rootfs", "debconf", "preseed"), names)
    yield from _empty(("rootfs", "debconf", "preseed"), names)


def _answers(debconf: Any) -> Iterator[Problem]:
    answers = debconf.get("answers") if isinstance(debconf, dict) else None
    for package, questions in answers.items() if isinstance(answers, dict) else ():
        for question, answer in questions.items() if isinstance(questions, dict) else ():
            if isinstance(answer, dict) and answer.get("type") == "password" and answer.get("value") == "":
                path = ("rootfs", "debconf", "answers", package, question, "value")
                yield path, "the password is empty", "give it by an argument: --arg-file NAME=PATH"


def _archives(tables: list[Any]) -> Iterator[Problem]:
    for index, table in enumerate(tables):
        if not isinstance(table, dict):
            continue
        path = ("debian", "archives", index)
        suites, components = _strings(table.get("suites")), _strings(table.get("components"))
        flat = [suite for suite in suites if suite.endswith("/")]
        local = isinstance(table.get("path"), str)
        if local and table.get("uris"):
            yield (*path, "path"), "contradicts uris", "keep one of the two"
        if table.get("path") == "":
            yield (*path, "path"), "is empty", "name a directory"
        if local and not table.get("suites"):
            for key in ("components", "signed_by", "check_valid_until"):
                if key in table:
                    hint = "remove it; or give suites, for an archive with a signed Release"
                    yield (*path, key), "a directory of .debs has none", hint
        elif "files" in table:
            yield (*path, "files"), "is for a directory of .debs, which has a path and no suites", "remove it"
        if local and "suites" not in table:
            continue
        if not table.get("suites"):
            where = (*path, "suites") if "suites" in table else path
            yield where, "names no suite", "name some, or a directory: ./; a directory of .debs has a path"
        elif suites and len(flat) not in {0, len(suites)}:
            yield (*path, "suites"), f"'{flat[0]}' is a directory, and others are suites", "give it a table of its own"
        elif flat and components:
            yield (*path, "components"), "a directory has no components", "leave them out, or the slash of suites"
        elif flat and not table.get("uris") and not local:
            yield path, "says nowhere where the directory is", "give uris, or a path"
        elif suites and not flat and not components:
            yield path, "names no component", 'give components, as ["main"]'


def _debs(tables: list[Any]) -> Iterator[Problem]:
    for index, table in enumerate(tables):
        if not isinstance(table, dict):
            continue
        path = ("debian", "debs", index)
        if bool(table.get("path")) == bool(table.get("url")):
            yield path, "needs exactly one of path and url", "name a .deb by its file, or its address and SHA-256"
        elif table.get("url"):
            yield from _fetched(path, table, "package that has to be")


def _strings(value: Any) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _pins(pins: list[Any]) -> Iterator[Problem]:
    for index, pin in enumerate(pins):
        if isinstance(pin, dict) and pin.get("priority") == 0:
            yield ("debian", "pins", index, "priority"), "is 0, which says nothing", "give another number, or no pin"
        if isinstance(pin, dict) and pin.get("packages") == []:
            yield ("debian", "pins", index, "packages"), "names no package", 'name some, or all with "*"'


def _requests(packages: list[Any]) -> Iterator[Problem]:
    """A package may be there by its name, and once with a version or a suite."""
    first: dict[str, str] = {}
    for index, package in enumerate(packages):
        name, *narrowed = names.request(package) if isinstance(package, str) else ("",)
        if any(narrowed) and first.setdefault(name, package) != package:
            yield ("rootfs", "packages", index), f"contradicts '{first[name]}'", "ask for one of them"


def _run(steps: list[Any]) -> Iterator[Problem]:
    if len(steps) > MAX_STEPS:
        yield ("rootfs", "run", MAX_STEPS), f"a recipe has at most {MAX_STEPS} steps", "do more in one of them"
    for index, step in enumerate(steps[:MAX_STEPS]):
        if not isinstance(step, dict):
            continue
        path = ("rootfs", "run", index)
        if step.get("script") is None and step.get("file") is None:
            yield path, "says nothing of what is executed", "give script or file"
        elif step.get("script") is not None and step.get("file") is not None:
            yield (*path, "file"), "contradicts script", "give exactly one of script and file"
        if step.get("file") == "":
            yield (*path, "file"), "is empty", "name a file"
        yield from _brought((*path, "files"), step.get("files"))


def _brought(path: KeyPath, files: Any) -> Iterator[Problem]:
    named = list(brought(files))
    targets = {target for _, target, _ in named}
    seen: set[str] = set()
    for key, target, name in named:
        if not name or not target:
            yield (*path, key), "names no file", "name a file or directory below the project"
        elif target in seen:
            hint = 'give one of them another name, as { "name" = "file" }'
            yield (*path, key), f"'{target}' is brought twice", hint
        elif above := next((one for one in _above(f"/{target}") if one[1:] in targets), ""):
            yield (*path, key), f"'{target}' is below '{above[1:]}', which is brought, too", "give it another name"
        seen.add(target)


def _table(data: dict[str, Any], name: str) -> dict[str, Any]:
    table = data.get(name)
    return table if isinstance(table, dict) else {}


def _list(data: dict[str, Any], table: str, name: str) -> list[Any]:
    value = _table(data, table).get(name)
    return value if isinstance(value, list) else []


def _duplicates(path: KeyPath, values: list[Any]) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for index, value in enumerate(values):
        if isinstance(value, str) and first.setdefault(value, index) != index:
            yield (*path, index), f"'{value}' is listed twice", "remove one of them"


def _password(password: Any) -> Iterator[Problem]:
    if isinstance(password, str) and not password.startswith("$") and len(password.encode(errors="replace")) > _LONGEST:
        hint = "crypt(5) and PAM take no longer one"
        yield ("rootfs", "root_password"), f"the password has more than {_LONGEST} bytes", hint


def _units(data: dict[str, Any]) -> Iterator[Problem]:
    wishes: dict[str, str] = {}
    for wish in ("enable", "disable", "mask"):
        for index, unit in enumerate(_list(data, "rootfs", wish)):
            if isinstance(unit, str) and wishes.setdefault(unit, wish) != wish:
                yield ("rootfs", wish, index), f"'{unit}' is in {wishes[unit]} too", "keep it in one of the two lists"


def _ids(ids: Any) -> Iterator[Problem]:
    for kind in ("users", "groups"):
        table = ids.get(kind) if isinstance(ids, dict) else None
        first: dict[int, str] = {}
        for name, number in table.items() if isinstance(table, dict) else ():
            if isinstance(number, int) and first.setdefault(number, name) != name:
                yield ("rootfs", "ids", kind, name), f"{first[number]} has {number} already", "give it another number"


def _readable(files: list[Any]) -> Iterator[Problem]:
    for index, file in enumerate(files):
        mode = file.get("mode") if isinstance(file, dict) else None
        if isinstance(mode, str) and re.fullmatch("[0-7]{3,5}", mode) and not int(mode, 8) & 0o004:
            what = "everybody who has the medium can read what is in the initrd"
            yield ("initrd", "files", index, "mode"), what, "let all read it, or leave it out if it is a secret"


def _files(table: str, files: list[Any], choices: str) -> Iterator[Problem]:
    first: dict[str, int] = {}
    plain = {file["path"] for file in files if isinstance(file, dict) and _is_plain(file)}
    for index, file in enumerate(files):
        if not isinstance(file, dict):
            continue
        path = (table, "files", index)
        given = [key for key in ("content", "source", "link") if file.get(key) is not None]
        given += ["url"] if file.get("url") and table == "rootfs" else []
        if not given:
            yield path, "says nothing of what the file is", f"give one of {choices}"
        elif len(given) > 1:
            yield (*path, given[1]), f"contradicts {given[0]}", f"give exactly one of {choices}"
        elif given == ["link"]:
            for key in ("mode", "owner", "group"):
                if key in file:
                    yield (*path, key), "a symbolic link has none", "remove it"
        yield from _fetched(path, file, "file that has to be")
        yield from _template(path, file)
        if file.get("source") == "" or file.get("link") == "":
            yield (*path, given[0]), "is empty", "name a file" if given[0] == "source" else "name a target"
        name = file.get("path")
        if isinstance(name, str) and (long := next((part for part in name.split("/") if len(part.encode()) > 255), "")):
            yield (*path, "path"), f"'{long[:20]}…' is too long", "a name has at most 255 bytes (NAME_MAX)"
        if isinstance(name, str) and first.setdefault(name, index) != index:
            yield (*path, "path"), f"'{name}' is given twice", "remove one of them"
        if isinstance(name, str) and (above := next((one for one in _above(name) if one in plain), "")):
            yield (*path, "path"), f"'{name}' is below '{above}', which is a file", "remove one of them"


def _fetched(where: KeyPath, table: dict[str, Any], what: str, hint: str = "add sha256") -> Iterator[Problem]:
    """An address and a digest belong together: nothing else says which one `what` is."""
    if table.get("url") and not table.get("sha256"):
        yield (*where, "url"), f"nothing says which {what}", hint
    elif table.get("sha256") and not table.get("url"):
        yield (*where, "sha256"), "there is no url that it is of", "add url, or remove it"


def _template(path: KeyPath, file: dict[str, Any]) -> Iterator[Problem]:
    if file.get("template") and file.get("source") is None:
        yield (*path, "template"), "is for the file that source names", "remove it; content is a template anyway"


def _is_plain(file: dict[str, Any]) -> bool:
    """Whether an entry of ``rootfs.files`` makes a regular file."""
    return isinstance(file.get("path"), str) and file.get("link") is None


def _above(path: str) -> Iterator[str]:
    """The directories that a path lies in, but for the root."""
    while path := path.rpartition("/")[0]:
        yield path


def _kubernetes(table: dict[str, Any]) -> Iterator[Problem]:
    manifests, kubectl = _list({"kubernetes": table}, "kubernetes", "manifests"), table.get("kubectl")
    yield from _empty(("kubernetes", "manifests"), manifests)
    if manifests and isinstance(kubectl, dict) and kubectl.get("source") == "none":
        yield ("kubernetes", "kubectl", "source"), "manifests are applied with kubectl", "remove one of the two"
    for name, part in table.items():
        if not isinstance(part, dict):
            continue
        source = part.get("source", "upstream")
        if source == "debian" and name in ("kubelet", "kubeadm"):
            yield ("kubernetes", name, "source"), f"Debian has no {name}", "take it from upstream"
        if source == "docker" and name != "containerd":
            yield ("kubernetes", name, "source"), f"Docker's archive has no {name}", "take it from upstream or Debian"
        if source != "upstream":
            for key in ("version", "url", "sha256"):
                if part.get(key):
                    yield ("kubernetes", name, key), f"is ignored with source = '{source}'", "remove one of the two"

    containerd, runc = (part if isinstance(part := table.get(name), dict) else {} for name in ("containerd", "runc"))
    if containerd.get("source") == "docker" and runc.get("source") == "debian":
        yield (
            ("kubernetes", "runc", "source"),
            "containerd.io has a runc of its own, and conflicts with Debian's",
            'say source = "none", or "upstream"',
        )


def _modules(kernel: dict[str, Any]) -> Iterator[Problem]:
    entries = kernel.get("modules")
    for index, entry in enumerate(entries if isinstance(entries, list) else []):
        if not isinstance(entry, dict):
            continue
        where = ("kernel", "modules", index)
        if bool(entry.get("package")) == bool(entry.get("url")):
            yield where, "needs exactly one of package and url", "name a DKMS package, or a tarball"
        else:
            yield from _fetched(where, entry, _TARBALL)


def _kernel(kernel: dict[str, Any]) -> Iterator[Problem]:
    yield from _modules(kernel)
    if kernel.get("source", "distro") == "distro":
        for key in ("url", "sha256", "version", "base", "toolchain", "fragments"):
            if key in kernel:
                yield ("kernel", key), "Debian's kernel is taken as it is", 'remove it, or say source = "vanilla"'
        return
    url, package = kernel.get("url"), kernel.get("package")
    source = "add sha256, which kernel.org has in sha256sums.asc beside the tarballs; or take a linux-source-* package"
    yield from _fetched(("kernel",), kernel, _TARBALL, source)
    if not url and (package is None or (isinstance(package, str) and package.startswith("linux-image-"))):
        where = ("kernel",) if package is None else ("kernel", "package")
        yield (
            where,
            "a kernel is not compiled from a package of binaries",
            f"name a linux-source-* package, or a url; {DEFAULT.name} has {DEFAULT.kernel_source}",
        )
    yield from _empty(("kernel", "fragments"), kernel["fragments"] if isinstance(kernel.get("fragments"), list) else [])


def _empty(path: KeyPath, names: list[Any]) -> Iterator[Problem]:
    for index, name in enumerate(names):
        if name == "":
            yield (*path, index), "is empty", "name a file"


def _cmdline(parameters: list[Any]) -> Iterator[Problem]:
    """The boot menu sets some parameters itself, each entry its own."""
    for index, parameter in enumerate(parameters):
        name = name_of(parameter) if isinstance(parameter, str) else ""
        if name in _SET:
            yield ("livecd", "cmdline", index), f"{name} is set by the image itself", _SET[name]


def _compression(livecd: dict[str, Any]) -> Iterator[Problem]:
    kind, level = livecd.get("compression", "zstd"), livecd.get("compression_level")
    if not isinstance(level, int) or isinstance(level, bool) or kind not in ("zstd", "gzip", "xz", "lz4"):
        return
    if kind not in _LEVELS:
        yield ("livecd", "compression_level"), f"{kind} has no levels", "remove it"
    elif not 1 <= level <= _LEVELS[kind]:
        yield ("livecd", "compression_level"), f"{level} is no level of {kind}", f"1 to {_LEVELS[kind]}"
