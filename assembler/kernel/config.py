"""Configurations of the kernel: fragments, the .config that they become, and whether that is what they asked for.

A fragment is what the kernel's own merge_config.sh reads: ``CONFIG_X=value`` and ``# CONFIG_X is not set``, everything
else on lines of its own being comments. Symbols are named without ``CONFIG_`` and an unset one has the value ``n``.

A fragment is data. The kernel's build hands strings of its configuration to make and to shells, unquoted here and
there, and takes some for names of files of this machine; so what means something to those is refused.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from assembler.errors import AssembleError, Place, Problems
from assembler.kernel.expression import Unmet
from assembler.kernel.kconfig import Symbols

_SET = re.compile(r"CONFIG_(\w+)=(.*)$", re.ASCII)
_UNSET = re.compile(r"#\s*CONFIG_(\w+) is not set$", re.ASCII)
_VALUE = re.compile(r'[ymn]|-?[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}|"(?:[^"\\]|\\.)*"')
_PLAIN = re.compile(r"[A-Za-z0-9 _.,:=/+@%-]{0,2048}")
"""What strings are made of: nothing in it means anything to a shell within one word, or to make."""
_WORD = re.compile(r"[A-Za-z0-9_.+-]{0,32}")
_WORDS = frozenset({"LOCALVERSION", "BUILD_SALT"})
"""Strings of which names are made: of the release, which directories are called by."""
_OF_THE_HOST: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("ACPI_CUSTOM_DSDT_FILE", "BOOT_CONFIG_EMBED_FILE", "BUILTIN_DTB_NAME", "BUILTIN_DTB_SOURCE"),
            *("CFG80211_EXTRA_REGDB_KEYDIR", "EFI_SBAT_FILE", "EXTRA_FIRMWARE", "EXTRA_FIRMWARE_DIR"),
            *("INITRAMFS_SOURCE", "MODULE_SIG_KEY", "SYSTEM_BLACKLIST_HASH_LIST", "SYSTEM_REVOCATION_KEYS"),
            *("SYSTEM_TRUSTED_KEYS", "UNUSED_KSYMS_WHITELIST"),
        ),
        "it names a file of the machine that compiles, which no fragment may read",
    ),
    **dict.fromkeys(
        (
            *("AS_VERSION", "BINDGEN_VERSION_TEXT", "CC_VERSION_TEXT", "CLANG_VERSION", "GCC_VERSION", "LD_VERSION"),
            *("LLD_VERSION", "PAHOLE_VERSION", "RUSTC_VERSION", "RUSTC_VERSION_TEXT", "RUSTC_LLVM_VERSION"),
        ),
        "it tells of the compilers that are there, which a fragment cannot know",
    ),
}
"""Symbols that have the value that the kernel's build gives them, and why. An empty string may be asked for."""
_LARGEST = 1 << 20
"""Bytes of a fragment: Debian's whole configurations have a third of that."""
_SHOWN = 4
"""Symbols that one message names."""


class ConfigError(AssembleError):
    """A fragment that cannot be read, contradicts another one, or did not take."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What a line of a fragment asks for."""

    symbol: str
    value: str
    """``y``, ``n``, ``m``, a number, or a string in its quotes."""
    file: str
    line: int

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(file=self.file, line=self.line)

    def __str__(self) -> str:
        return f"CONFIG_{self.symbol}={self.value}"


MODULES = "MODULES"
"""The symbol that is on for modules from outside alone: nothing of the kernel itself is a module."""
REQUIRED: Mapping[str, str] = {
    "GCC_PLUGINS": "compilers differ in the plugins they have, and some of these put random numbers into the kernel",
    "LOCALVERSION_AUTO": "it would put the state of a repository around the build into the release",
}
"""Symbols that are always off, and why."""
_WITHOUT = "kernels are built without modules, as everything is in the image, unless kernel.modules has some"
_NOT_HERE: Mapping[str, str] = {
    "RUST": "it takes a compiler of Rust, and kernels are compiled with GCC alone",
    **dict.fromkeys(
        ("AUTOFDO_CLANG", "CFI_CLANG", "LTO_CLANG_FULL", "LTO_CLANG_THIN", "PROPELLER_CLANG"),
        "it takes Clang (LLVM=1), and kernels are compiled with GCC",
    ),
}
"""Symbols that no kernel of ours can have, and why."""


def parse_fragment(name: str, data: bytes) -> tuple[list[Setting], list[ConfigError]]:
    """The settings of the fragment `data`, which errors call `name`, and an error for every line that is none."""
    settings: list[Setting] = []
    problems: list[ConfigError] = []
    if len(data) > _LARGEST:
        return [], [ConfigError("a fragment is too large", where=Place(file=name), why=f"more than {_LARGEST} bytes")]
    for number, raw in enumerate(data.decode("utf-8", "replace").split("\n"), 1):
        line = raw.strip()
        where = Place(file=name, line=number)
        if unset := _UNSET.match(line):
            settings.append(Setting(unset[1], "n", name, number))
        elif not line or line.startswith("#"):
            continue
        elif (match := _SET.match(line)) is None:
            problems.append(ConfigError("not a setting", where=where, why=line[:60], hint="write CONFIG_SYMBOL=value"))
        elif _VALUE.fullmatch(match[2]) is None:
            hint = "one of y, n, a number, or a string in double quotes; comments stand on lines of their own"
            why = match[2][:60]
            problems.append(ConfigError(f"CONFIG_{match[1]} has no such value", where=where, why=why, hint=hint))
        elif problem := _unsafe(match[1], match[2], where):
            problems.append(problem)
        else:
            settings.append(Setting(match[1], match[2], name, number))
    return settings, problems


def _unsafe(symbol: str, value: str, where: Place) -> ConfigError | None:
    """What is wrong with a value that could mean something to more than the kernel; None for one that is data."""
    name, text = f"CONFIG_{symbol}", value.removeprefix('"').removesuffix('"')
    if symbol in _OF_THE_HOST and text and value != "n":
        return ConfigError(f"{name} cannot be chosen", where=where, why=_OF_THE_HOST[symbol], hint="remove it")
    if not value.startswith('"'):
        return None
    allowed = _WORD if symbol in _WORDS else _PLAIN
    if allowed.fullmatch(text):
        return None
    wrong = next((character for character in text if not allowed.fullmatch(character)), "")
    letters = "letters, digits and . _ + -" if symbol in _WORDS else "letters, digits, spaces and . _ , : = / + @ % -"
    return ConfigError(
        f"{name} has a value that could mean something to make or a shell"
        if wrong
        else f"the value of {name} is too long",
        where=where,
        why=f"the character {wrong!r}" if wrong else f"{len(text)} characters",
        hint=f"its strings have {letters} only" if wrong else "",
    )


def merge(fragments: Sequence[tuple[str, bytes]], *, modular: bool = False) -> dict[str, Setting]:
    """What all `fragments`, (name, bytes) each, ask for together, by symbol; `modular` for a kernel that takes modules.

    Raises Problems with every line that is no setting, every pair that contradicts one another (with both places), and
    everything that a kernel of ours cannot be: modules, say.
    """
    asked: dict[str, Setting] = {}
    problems: list[AssembleError] = []
    never = {**REQUIRED, **_NOT_HERE, **({} if modular else {MODULES: _WITHOUT})}
    for name, data in fragments:
        settings, wrong = parse_fragment(name, data)
        problems += wrong
        for setting in settings:
            if setting.value == "m":
                hint = "=y builds it in"
                problems.append(ConfigError(f"{setting} asks for a module", where=setting.place, hint=hint))
            elif setting.value != "n" and (why := never.get(setting.symbol)):
                problems.append(ConfigError(f"CONFIG_{setting.symbol} has to be off", where=setting.place, why=why))
            elif (first := asked.setdefault(setting.symbol, setting)).value != setting.value:
                hint = "keep one of the two"
                why = f"{first.place} says {first.value}"
                problems.append(
                    ConfigError(f"{setting} contradicts another fragment", where=setting.place, why=why, hint=hint)
                )
    problems += _of_modules(asked, modular=modular)
    if problems:
        raise Problems(problems)
    return asked


def _of_modules(asked: Mapping[str, Setting], *, modular: bool) -> Iterator[ConfigError]:
    """What is wrong about modules from outside."""
    wants = asked.get(MODULES)
    if modular and (wants is None or wants.value != "y"):
        yield ConfigError(
            "the kernel would take no modules",
            where=Place(key="kernel.modules"),
            why=f"no fragment asks for CONFIG_{MODULES}=y",
            hint="add kernel/modules.config to kernel.fragments",
        )


def read_config(text: str) -> dict[str, str]:
    """The values in a .config by symbol. Symbols that are off may be missing."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        if match := _SET.match(line):
            values[match[1]] = match[2]
        elif unset := _UNSET.match(line):
            values[unset[1]] = "n"
    return values


def apply(base: str, asked: Mapping[str, Setting]) -> str:
    """The text of `base`, a .config, with what is `asked` in place of what it says: what ``make olddefconfig`` takes.

    What `base` has as modules is left out unless it is asked for: without modules it would all be built in.
    """
    values = {symbol: "n" if value == "m" else value for symbol, value in read_config(base).items()}
    values |= dict.fromkeys((MODULES, *REQUIRED), "n")
    values |= {setting.symbol: setting.value for setting in asked.values()}
    return "".join(_line(symbol, value) for symbol, value in values.items())


def _line(symbol: str, value: str) -> str:
    return f"# CONFIG_{symbol} is not set\n" if value == "n" else f"CONFIG_{symbol}={value}\n"


def check(asked: Mapping[str, Setting], result: Mapping[str, str], symbols: Symbols, version: str) -> None:
    """See that `result`, a complete configuration, is what was `asked`, for Linux `version`.

    Raises Problems with everything that did not take and why, in the order of the fragments, and whatever is a module.
    """
    problems = [
        _explained(setting, result.get(setting.symbol, "n"), result, symbols, version)
        for setting in asked.values()
        if result.get(setting.symbol, "n") != setting.value or setting.symbol not in symbols.definitions
    ]
    problems += [
        ConfigError(f"CONFIG_{symbol} became a module", hint="ask for it, or for it to be off")
        for symbol, value in result.items()
        if value == "m"
    ]
    if result.get("MODULE_SIG_KEY", '""') != '""':
        problems.append(
            ConfigError(
                "a random key would come into the kernel",
                where=Place(key="kernel.fragments"),
                why="CONFIG_MODULE_SIG_KEY names one that the build makes",
                hint='add CONFIG_MODULE_SIG_KEY="", as kernel/modules.config has it',
            )
        )
    if problems:
        raise Problems(problems)


def _explained(setting: Setting, value: str, result: Mapping[str, str], symbols: Symbols, version: str) -> ConfigError:
    """Why `setting` did not take but became `value`."""
    name = f"CONFIG_{setting.symbol}"
    if setting.symbol not in symbols.definitions:
        near = get_close_matches(setting.symbol, symbols.definitions, 1, 0.8)
        return ConfigError(
            f"Linux {version} has no {name} on this architecture",
            where=setting.place,
            hint=f"did you mean CONFIG_{near[0]}?" if near else "remove it: it has been dropped, or is another one's",
        )
    what = f"{name} is {'not set' if value == 'n' else value}, not {setting.value}"
    if setting.value == "n":
        by = symbols.selected_by(setting.symbol, result)
        why = f"it is selected by {_names(by)}" if by else "its default is on and it cannot be chosen"
        return ConfigError(what, where=setting.place, why=why, hint="switch those off as well" if by else "remove it")
    if not symbols.prompted(setting.symbol):
        selectors = [selection.by for selection in symbols.selections.get(setting.symbol, ())]
        hint = f"ask for one of {_names(selectors)}" if selectors else "remove it"
        return ConfigError(what, where=setting.place, why="it cannot be set: other symbols select it", hint=hint)
    blamed = symbols.unmet(setting.symbol, result)
    if blamed:
        return ConfigError(what, where=setting.place, why=f"it depends on {_wishes(blamed, result)}")
    return ConfigError(what, where=setting.place, why="another choice was made, or its value is out of range")


def _names(symbols: Iterable[str]) -> str:
    names = [f"CONFIG_{name}" for name in dict.fromkeys(symbols)]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _wishes(blamed: Sequence[Unmet], result: Mapping[str, str]) -> str:
    parts = []
    for each in blamed[:_SHOWN]:
        wanted = each.wanted if each.wanted[0] in "=!<>" else f"={each.wanted}"
        has = result.get(each.symbol, "n")
        parts.append(f"CONFIG_{each.symbol}{wanted}, which is {'not set' if has == 'n' else has}")
    return "; ".join(parts)
