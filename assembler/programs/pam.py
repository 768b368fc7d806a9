"""pam-auth-update(8): ``/etc/pam.d/common-*`` from the profiles that packages put into ``/usr/share/pam-configs``."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from assembler.errors import AssembleError, Place
from assembler.programs.options import UsageError
from assembler.tree.staging import Tree

TYPES = ("auth", "account", "password", "session", "session-noninteractive")
_PROFILES = "/usr/share/pam-configs"
_TEMPLATES = "/usr/share/pam"
_STATE = "/var/lib/pam"
_PRIMARY = '# here are the per-package modules (the "Primary" block)'
_FALLBACK = "# here's the fallback if no module succeeds"
_ADDITIONAL = '# and here are more per-package modules (the "Additional" block)'
_END = "# end of pam-auth-update config"
_PERMIT = "[default=1]\t\t\tpam_permit.so"

Profile = Mapping[str, str]
"""The fields of one profile, continuation lines joined by newlines."""


class PamError(AssembleError):
    """Files of PAM that cannot be put together."""


def parse_profile(text: str) -> dict[str, str]:
    """Read a profile; ``-Final`` in names of fields is dropped, Session doubles as Session-noninteractive."""
    profile: dict[str, str] = {}
    name = ""
    for line in text.split("\n"):
        match = re.match(r"(\S+):(?:\s+(.*))?$", line.rstrip())
        if match:
            name = match[1].removesuffix("-Final")
            profile[name] = match[2] or ""
        elif name and line.strip():
            profile[name] = f"{profile[name]}\n{line.strip()}".lstrip()
    if profile.get("Session-Interactive-Only") != "yes":
        for suffix in ("-Type", "", "-Initial"):
            if f"Session{suffix}" in profile:
                profile[f"Session-noninteractive{suffix}"] = profile[f"Session{suffix}"]
    return profile


def _profiles(tree: Tree) -> dict[str, dict[str, str]]:
    """All profiles by name, the highest priority first."""
    found = {}
    for name in tree.names(_PROFILES):
        if name.endswith("~") or re.fullmatch("#.+#", name):
            continue
        profile = parse_profile(tree.read_text(f"{_PROFILES}/{name}"))
        if not any("pam_tally" in value for value in profile.values()):
            found[name] = profile
    return dict(sorted(found.items(), key=lambda item: (_priority(item[0], item[1]), item[0]), reverse=True))


def _priority(name: str, profile: Profile) -> int:
    try:
        return int(profile.get("Priority", "0"))
    except ValueError as error:
        raise PamError("the priority is no number", where=Place(path=f"{_PROFILES}/{name}")) from error


def _blocks(profiles: Mapping[str, Profile], enabled: Iterable[str], kind: str) -> dict[str, list[tuple[str, str]]]:
    """The (profile, lines) of the Primary and the Additional block of one of `TYPES`."""
    title = kind[0].upper() + kind[1:]
    blocks: dict[str, list[tuple[str, str]]] = {"Primary": [], "Additional": []}
    for name in enabled:
        profile = profiles[name]
        block = blocks.get(profile.get(f"{title}-Type", ""))
        if block is not None:
            initial = "" if block else profile.get(f"{title}-Initial", "")
            block.append((name, initial or profile.get(title, "")))
    return blocks


def _config(template: str, blocks: Mapping[str, Sequence[tuple[str, str]]], kind: str, where: Place) -> str:
    """A template with its two blocks filled in. Raises PamError when a marker is missing."""
    word = kind.removesuffix("-noninteractive")
    output: list[str] = []
    markers = [(_PRIMARY, "Primary"), (_FALLBACK, ""), (_ADDITIONAL, "Additional"), (_END, "")]
    skipping = False
    for line in template.splitlines():
        at_marker = bool(markers) and line.startswith(markers[0][0])
        if skipping and not at_marker:
            continue
        output.append(line)
        if at_marker:
            block = markers.pop(0)[1]
            skipping = bool(block)
            if block:
                output += _block_lines(blocks[block], word, additional=block == "Additional")
    if markers:
        raise PamError(f"the template has no line {markers[0][0]!r}", where=where)
    return "".join(f"{line}\n" for line in output)


def _block_lines(block: Sequence[tuple[str, str]], word: str, *, additional: bool) -> list[str]:
    lines = [line for _, text in block for line in text.split("\n") if line]
    if not lines and not additional:
        return [f"{word}\t{_PERMIT}"]
    output = []
    # "end" in a control is a jump over all that follows; nothing may jump off the end of the stack.
    for count, line in zip(range(len(lines) - additional, -2, -1), lines, strict=False):
        match = re.match(r"((?:\[[^]]+\]|\w+)\s+\S+)\s*(.*)", line)
        if match is None:
            raise PamError(f"{line!r} is no line of PAM")
        output.append(f"{word}\t{match[1].replace('end', str(count))} {' '.join(match[2].split())}")
    return output


def _saved(blocks: Mapping[str, Sequence[tuple[str, str]]]) -> str:
    primary = blocks["Primary"] or [("null", _PERMIT)]
    return "".join(f"Module: {name}\n{text}\n" for name, text in [*primary, *blocks["Additional"]] if text)


def _saved_modules(tree: Tree) -> set[str] | None:
    """The profiles of the last run; None before the first."""
    if not all(tree.is_file(f"{_STATE}/{kind}") for kind in TYPES):
        return None
    texts = (tree.read_text(f"{_STATE}/{kind}") for kind in TYPES)
    return {name for text in texts for name in re.findall(r"^Module: (.*)$", text, re.MULTILINE)}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to, as debconf is told."""

    names: Mapping[str, str]
    """The profiles that there are and what they are called, the highest priority first."""
    enabled: Sequence[str]
    new: bool
    """Whether there are some that were not seen before."""
    asks: bool
    """Whether none was enabled, so that the question is one of high priority."""


def pam_auth_update(tree: Tree, arguments: Sequence[str], answer: Callable[[], str] = lambda: "") -> Outcome:
    """``pam-auth-update --package [--force] [--enable|--disable|--remove PROFILE...]``, with nothing asked.

    Profiles not seen before are enabled by their default; the first time, those that the `answer` of debconf names.
    Without ``--force``, files under ``/etc/pam.d`` that are not as the last run left them are PamError, where the
    program would leave them alone. Raises UsageError, PamError.
    """
    chosen: dict[str, set[str]] = {"--enable": set(), "--disable": set(), "--remove": set()}
    force, into = False, None
    for word in (
        word for at, word in enumerate(arguments) if word != "--root" and [*arguments, ""][at - 1] != "--root"
    ):
        if word in chosen:
            into = chosen[word]
        elif word.startswith("--"):
            if word not in {"--package", "--force"}:
                raise UsageError(f"pam-auth-update: unknown option {word!r}")
            force, into = force or word == "--force", None
        elif into is not None:
            into.add(word)
    profiles = {name: profile for name, profile in _profiles(tree).items() if name not in chosen["--remove"]}
    before = _saved_modules(tree)
    if before is not None and not force:
        _check_unchanged(tree, before)
    seen = set(tree.read_text(f"{_STATE}/seen").splitlines()) if tree.is_file(f"{_STATE}/seen") else set()
    kept = set(filter(None, answer().split(", "))) if before is None else before
    wanted = (kept | chosen["--enable"]) - chosen["--disable"]
    asks = not wanted & set(profiles)
    if asks:
        seen = set()
    seen |= chosen["--disable"]
    wanted |= {name for name, profile in profiles.items() if profile.get("Default") == "yes" and name not in seen}
    enabled = _without_conflicts(profiles, [name for name in profiles if name in wanted])
    new = any(name not in seen for name in profiles)
    if not enabled:
        raise PamError("no PAM profile is enabled", where=Place(path=_PROFILES))
    tree.mkdir(_STATE, parents=True)
    tree.write(f"{_STATE}/seen", "".join(f"{name}\n" for name in profiles).encode())
    for kind in TYPES:
        blocks = _blocks(profiles, enabled, kind)
        template = f"{_TEMPLATES}/common-{kind}"
        text = _config(tree.read_text(template), blocks, kind, Place(path=template))
        tree.discard(f"/etc/pam.d/common-{kind}")
        tree.write(f"/etc/pam.d/common-{kind}", text.encode("utf-8", "surrogateescape"), parents=True)
        tree.write(f"{_STATE}/{kind}", _saved(blocks).encode("utf-8", "surrogateescape"))
    names = {name: profile.get("Name", "") for name, profile in profiles.items()}
    return Outcome(names, enabled, new, asks and not force)


def _check_unchanged(tree: Tree, before: set[str]) -> None:
    profiles = {name: profile for name, profile in _profiles(tree).items() if name in before}
    for kind in TYPES:
        path = f"/etc/pam.d/common-{kind}"
        template = f"{_TEMPLATES}/common-{kind}"
        expected = _config(tree.read_text(template), _blocks(profiles, profiles, kind), kind, Place(path=template))
        if before - {"null"} <= set(profiles) and tree.read_text(path) != expected:
            raise PamError(
                "the file is not as pam-auth-update left it", where=Place(path=path), hint="--force writes it again"
            )


def _without_conflicts(profiles: Mapping[str, Profile], enabled: Sequence[str]) -> list[str]:
    """Drop from each pair that conflicts the one of lower priority."""
    kept = list(enabled)
    for name in enabled:
        if name in kept:
            against = profiles[name].get("Conflicts", "").split(", ")
            kept = [other for other in kept if other not in against]
    return kept
