"""Fragments, what becomes of them, and why something did not take."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.errors import Problems
from assembler.kernel.config import Setting, apply, check, merge, parse_fragment, read_config
from assembler.kernel.kconfig import Symbols, read_symbols

RECIPES = Path(__file__).parents[2] / "recipes" / "kernel"

KCONFIG = {
    "Kconfig": """
mainmenu "Linux/$(ARCH) $(KERNELVERSION) Kernel Configuration"
source "init/Kconfig"
source "arch/$(SRCARCH)/Kconfig"
source "$(KCONFIG_EXT_PREFIX)somewhere/Kconfig"
""",
    "init/Kconfig": """
config MODULES
\tbool "Enable loadable module support"
config NET
\tbool "Networking support"
\thelp
\t  Unless you really know what you are doing, you should say Y here.

\t  config FAKE
\t  is not a symbol.

menu "Netfilter"
\tdepends on NET && \\
\t\tINET
config INET
\tbool
config TABLES
\ttristate "Tables"
\tdepends on !(BROKEN || OLD)
\tselect HASH if NET
config CHAINS
\ttristate "Chains" if TABLES
endmenu
config HASH
\tbool "A hash"
config HIDDEN
\ttristate
config SIZE
\tint "A size"
\trange 1 5
if NET
config DEEP
\tbool "Deep"
endif
choice
\tprompt "How"
config HOW_A
\tbool "A"
config HOW_B
\tbool "B"
endchoice
config BROKEN
\tbool
config OLD
\tbool
config CHECKED
\tbool "Checked"
\tdepends on SIZE > 3 && $(cc-option,-fno-such (thing))
""",
    "arch/x86/Kconfig": 'config X86\n\tdef_bool y\n\tselect HIDDEN\nconfig X86_ONLY\n\tbool "Only here"\n',
    "arch/arm64/Kconfig": 'config ARM64_ONLY\n\tbool "Only there"\n',
}


@pytest.fixture
def symbols(tmp_path: Path) -> Symbols:
    for name, text in KCONFIG.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return read_symbols(tmp_path, "x86")


def settings(text: str, name: str = "f.config") -> dict[str, Setting]:
    return merge([(name, text.encode())])


def problems(asked: dict[str, Setting], result: dict[str, str], symbols: Symbols) -> list[str]:
    with pytest.raises(Problems) as caught:
        check(asked, result, symbols, "6.12.1")
    return [str(error) for error in caught.value.errors]


def wrong(*fragments: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        merge([(f"{number}.config", text.encode()) for number, text in enumerate(fragments)])
    return [str(error) for error in caught.value.errors]


def test_fragments_are_settings_with_their_places() -> None:
    text = '# why\nCONFIG_A=y\n# CONFIG_B is not set\n\nCONFIG_C="a=b, c/d"\n  CONFIG_D=0x1F\n'
    text += "# CONFIG_E=y is a comment\n"
    found, wrong = parse_fragment("x.config", text.encode())
    assert not wrong
    assert [(each.symbol, each.value, each.line) for each in found] == [
        ("A", "y", 2),
        ("B", "n", 3),
        ("C", '"a=b, c/d"', 5),
        ("D", "0x1F", 6),
    ]


def test_all_that_is_wrong_in_fragments_is_told_at_once() -> None:
    told = wrong(
        "CONFIG_A=y # inline\nnonsense\nCONFIG_B=m\nCONFIG_C=y\nCONFIG_MODULES=y\n",
        "# CONFIG_C is not set\nCONFIG_D=yes\n",
    )
    assert [each.partition(": ")[0] for each in told] == [f"0.config:{line}" for line in (1, 2, 3, 5)] + [
        "1.config:2",
        "1.config:1",
    ]
    assert "CONFIG_A has no such value: y # inline" in told[0]
    assert "not a setting: nonsense" in told[1]
    assert "CONFIG_D has no such value: yes" in told[4]


def test_contradictions_name_both_places() -> None:
    (told,) = wrong("\nCONFIG_C=y\n", "CONFIG_B=y\n# CONFIG_C is not set\n")
    assert told == "1.config:2: CONFIG_C=n contradicts another fragment: 0.config:2 says y (keep one of the two)"


def test_the_same_wish_twice_is_no_contradiction() -> None:
    assert [each.value for each in merge([("a", b"CONFIG_C=y\n"), ("b", b"CONFIG_C=y\n")]).values()] == ["y"]


def test_modules_are_refused() -> None:
    told = wrong("CONFIG_A=m\nCONFIG_MODULES=y\n")
    assert "asks for a module" in told[0]
    assert "has to be off" in told[1]
    assert "built without modules" in told[1]


def test_what_takes_another_compiler_is_refused() -> None:
    told = wrong("CONFIG_RUST=y\n# CONFIG_CFI_CLANG is not set\nCONFIG_LTO_CLANG_THIN=y\n")
    assert told == [
        "0.config:1: CONFIG_RUST has to be off: it takes a compiler of Rust, and kernels are compiled with GCC alone",
        "0.config:3: CONFIG_LTO_CLANG_THIN has to be off: it takes Clang (LLVM=1), and kernels are compiled with GCC",
    ]


def test_modules_of_the_base_are_left_out() -> None:
    base = 'CONFIG_MODULES=y\nCONFIG_A=m\nCONFIG_B=m\nCONFIG_C=y\nCONFIG_S="x"\n# CONFIG_D is not set\n'
    values = read_config(apply(base, settings("CONFIG_B=y\nCONFIG_D=y\n# CONFIG_C is not set\n")))
    assert values["A"] == values["C"] == values["MODULES"] == values["GCC_PLUGINS"] == "n"
    assert values["B"] == values["D"] == "y"
    assert values["S"] == '"x"'


def test_what_took_is_no_problem(symbols: Symbols) -> None:
    asked = settings("CONFIG_NET=y\n# CONFIG_HASH is not set\nCONFIG_SIZE=3\n")
    check(asked, {"NET": "y", "SIZE": "3"}, symbols, "6.12.1")


def test_what_did_not_take_names_what_it_depends_on(symbols: Symbols) -> None:
    asked = settings("CONFIG_TABLES=y\n")
    (told,) = problems(asked, {"NET": "y", "OLD": "y"}, symbols)
    assert told.startswith("f.config:1: CONFIG_TABLES is not set, not y: it depends on ")
    assert "CONFIG_INET=y, which is not set" in told
    assert "CONFIG_OLD=n, which is y" in told
    assert "CONFIG_NET" not in told
    assert "BROKEN" not in told


def test_conditions_around_a_symbol_and_of_its_prompt_count(symbols: Symbols) -> None:
    assert "CONFIG_NET=y" in problems(settings("CONFIG_DEEP=y\n"), {}, symbols)[0]
    told = problems(settings("CONFIG_CHAINS=y\n"), {"NET": "y", "INET": "y"}, symbols)[0]
    assert "CONFIG_TABLES=y, which is not set" in told


def test_comparisons_and_macros(symbols: Symbols) -> None:
    (told,) = problems(settings("CONFIG_CHECKED=y\n"), {"SIZE": "2"}, symbols)
    assert "CONFIG_SIZE>3, which is 2" in told


def test_symbols_that_are_gone_are_named_as_such(symbols: Symbols) -> None:
    told = problems(
        settings("CONFIG_TABELS=y\nCONFIG_NFT_COUNTER=y\nCONFIG_ARM64_ONLY=y\n# CONFIG_GONE is not set\n"), {}, symbols
    )
    assert len(told) == 4
    assert "Linux 6.12.1 has no CONFIG_TABELS on this architecture (did you mean CONFIG_TABLES?)" in told[0]
    assert all("has no CONFIG_" in each for each in told)


def test_what_others_select_cannot_be_switched_off(symbols: Symbols) -> None:
    asked = settings("# CONFIG_HASH is not set\n")
    (told,) = problems(asked, {"NET": "y", "TABLES": "y", "HASH": "y"}, symbols)
    assert "CONFIG_HASH is y, not n: it is selected by CONFIG_TABLES" in told


def test_what_has_no_prompt_cannot_be_asked_for(symbols: Symbols) -> None:
    (told,) = problems(settings("CONFIG_HIDDEN=y\n"), {}, symbols)
    assert "it cannot be set: other symbols select it (ask for one of CONFIG_X86)" in told


def test_choices_and_ranges(symbols: Symbols) -> None:
    told = problems(settings("CONFIG_HOW_A=y\nCONFIG_SIZE=9\n"), {"HOW_B": "y", "SIZE": "5"}, symbols)
    assert "another choice was made" in told[0]
    assert "CONFIG_SIZE is 5, not 9" in told[1]


def test_nothing_may_be_a_module(symbols: Symbols) -> None:
    assert problems({}, {"NET": "m"}, symbols) == ["CONFIG_NET became a module (ask for it, or for it to be off)"]


def test_help_texts_hold_no_symbols(symbols: Symbols) -> None:
    assert "FAKE" not in symbols.definitions
    assert "ARM64_ONLY" not in symbols.definitions
    assert symbols.definitions["DEEP"][0].file == "init/Kconfig"


NAMES = st.from_regex(r"[A-Z][A-Z0-9_]{0,8}", fullmatch=True)
VALUES = st.one_of(
    st.sampled_from(["y", "n"]),
    st.integers(-9, 99).map(str),
    st.text(st.characters(codec="utf-8", exclude_characters='"\\', exclude_categories=["C", "Z"])).map('"{}"'.format),
)


@given(st.dictionaries(NAMES, VALUES))
def test_what_is_applied_is_read_back(wishes: dict[str, str]) -> None:
    asked = {name: Setting(name, value, "f", 1) for name, value in wishes.items()}
    values = read_config(apply("", asked))
    assert {name: values[name] for name in wishes} == wishes


@pytest.mark.parametrize(
    "value",
    [
        "-x$(id)",
        "$(shell id)",
        "`id`",
        "${HOME}",
        "$HOME",
        "x; id",
        "x && id",
        "x | id",
        "x > y",
        "x < y",
        "(x)",
        "{x,y}",
        "*",
        "?",
        "[a]",
        "~",
        "!x",
        "#x",
        "'x'",
        "x^y",
        "x\\\\",
        'x\\"; id; \\"',
        "x\\n",
        "x\ty",
        "x\x0by",
        "x\x85y",
        "x\u2028y",
        "\u00e9",
        "\ufffd",
    ],
)
@pytest.mark.parametrize("symbol", ["LOCALVERSION", "CMDLINE", "ANY_STRING"])
def test_strings_that_mean_something_to_a_shell_or_make_are_refused(symbol: str, value: str) -> None:
    (told,) = wrong(f'CONFIG_NET=y\nCONFIG_{symbol}="{value}"\n')
    assert told.startswith(f"0.config:2: CONFIG_{symbol} has a value that could mean something to make or a shell: ")
    assert "the character " in told


@given(st.text())
def test_a_string_is_safe_or_refused(text: str) -> None:
    """Whatever stands between the quotes: no character that a shell or make takes for more than itself gets through."""
    settings, _ = parse_fragment("f", f'CONFIG_X="{text}"\n'.encode("utf-8", "surrogatepass"))
    for setting in settings:
        assert not set(setting.value[1:-1]) & set("$`\\\"'\n\t;&|<>(){}[]*?~!#^")
        assert setting.value.isascii()
        assert setting.value.isprintable()


def test_strings_that_people_need_are_taken() -> None:
    text = (
        'CONFIG_CMDLINE="console=ttyS0,115200n8 root=/dev/vda1 ip=10.0.2.15::10.0.2.2:255.255.255.0 %x"\n'
        'CONFIG_LSM="landlock,lockdown,yama"\nCONFIG_LOCALVERSION="-mine.1+b2_x"\nCONFIG_DEFAULT_INIT="/sbin/init"\n'
        'CONFIG_INITRAMFS_SOURCE=""\nCONFIG_SYSTEM_TRUSTED_KEYS=""\nCONFIG_BOOT_CONFIG_EMBED_FILE=""\n'
        "CONFIG_HZ=250\nCONFIG_PHYSICAL_START=0x1000000\nCONFIG_SHIFT=-1\n"
    )
    assert len(settings(text)) == 10


@pytest.mark.parametrize(
    "symbol", ["INITRAMFS_SOURCE", "SYSTEM_TRUSTED_KEYS", "MODULE_SIG_KEY", "EXTRA_FIRMWARE", "EXTRA_FIRMWARE_DIR"]
)
def test_files_of_the_machine_that_compiles_are_not_named(symbol: str) -> None:
    (told,) = wrong(f'CONFIG_{symbol}="/etc/passwd"\n')
    assert f"CONFIG_{symbol} cannot be chosen: it names a file of the machine that compiles" in told


@pytest.mark.parametrize("value", ['"gcc 12"', "12", "0x1"])
def test_what_the_compilers_are_is_not_claimed(value: str) -> None:
    assert "it tells of the compilers that are there" in wrong(f"CONFIG_CC_VERSION_TEXT={value}\n")[0]


def test_names_are_made_of_less_than_other_strings() -> None:
    for value in ("../../x", "a b", "a,b", "x" * 33):
        assert "CONFIG_LOCALVERSION" in wrong(f'CONFIG_LOCALVERSION="{value}"\n')[0]


@pytest.mark.parametrize(
    "value", ["1$(id)", "\u0661", "1 2", "0x", "-", "--1", "1" * 21, "0x" + "f" * 17, "y;id", "1.5", ""]
)
def test_numbers_are_numbers(value: str) -> None:
    assert "CONFIG_HZ has no such value" in wrong(f"CONFIG_HZ={value}\n")[0]


def test_symbols_are_plain_names() -> None:
    for line in ("CONFIG_A$(id)=y", "CONFIG_\u00c9=y", "CONFIG_A B=y", "CONFIG_=y", "X=$(id)", "include /etc/passwd"):
        assert "not a setting" in wrong(line)[0]


def test_a_fragment_has_a_largest_size() -> None:
    assert "too large" in wrong("#" * ((1 << 20) + 1))[0]


@given(st.text())
def test_no_fragment_is_a_crash(text: str) -> None:
    with suppress(Problems):
        merge([("f", text.encode("utf-8", "surrogatepass"))])


@pytest.mark.parametrize("path", sorted(RECIPES.glob("*.config")), ids=lambda path: path.name)
def test_every_symbol_of_our_fragments_has_its_reason(path: Path) -> None:
    for block in re.split(r"\n\s*\n", path.read_text()):
        lines = block.strip().splitlines()
        asks = [re.match(r"CONFIG_|# CONFIG_\w+ is not set", line) is not None for line in lines]
        assert not any(asks) or not asks[0], f"{path.name}: no reason for {lines[0]}"
        # Below the reason come its symbols, and nothing in between.
        assert asks == sorted(asks), f"{path.name}: a comment inside of {lines[0]}"


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_our_fragments_do_not_contradict_one_another(architecture: str) -> None:
    other = {"amd64": "arm64", "arm64": "amd64"}[architecture]
    fragments = [(path.name, path.read_bytes()) for path in sorted(RECIPES.glob("*.config")) if path.stem != other]
    asked = merge(fragments, modular=True)
    assert asked["NETFILTER_XT_MATCH_COMMENT"].value == "y"
    total = sum(len(parse_fragment(*each)[0]) for each in fragments)
    assert total == len(asked), "a symbol stands in two fragments"


def said(fragment: str) -> tuple[str, str, str]:
    """What is wrong with the one line of a fragment that is wrong: what, why, and the advice."""
    with pytest.raises(Problems) as caught:
        merge([("f", fragment.encode())])
    (error,) = caught.value.errors
    return error.what, error.why, error.hint


def test_what_is_said_of_each_line() -> None:
    value = "one of y, n, a number, or a string in double quotes; comments stand on lines of their own"
    strings = "its strings have letters, digits, spaces and . _ , : = / + @ % - only"
    names = "its strings have letters, digits and . _ + - only"
    unsafe = "has a value that could mean something to make or a shell"
    of_the_host = "it names a file of the machine that compiles, which no fragment may read"
    assert said("x" * 61) == ("not a setting", "x" * 60, "write CONFIG_SYMBOL=value")
    assert said("CONFIG_A=" + "z" * 61) == ("CONFIG_A has no such value", "z" * 60, value)
    assert said('CONFIG_A="a;b"') == (f"CONFIG_A {unsafe}", "the character ';'", strings)
    assert said('CONFIG_LOCALVERSION="a/b"') == (f"CONFIG_LOCALVERSION {unsafe}", "the character '/'", names)
    assert said(f'CONFIG_A="{"x" * 2049}"') == ("the value of CONFIG_A is too long", "2049 characters", "")
    assert said(f'CONFIG_BUILD_SALT="{"x" * 33}"') == (
        "the value of CONFIG_BUILD_SALT is too long",
        "33 characters",
        "",
    )
    assert said('CONFIG_MODULE_SIG_KEY="x"') == ("CONFIG_MODULE_SIG_KEY cannot be chosen", of_the_host, "remove it")
    assert said("CONFIG_A=m") == ("CONFIG_A=m asks for a module", "", "=y builds it in")
    assert said("CONFIG_LOCALVERSION_AUTO=y")[0] == "CONFIG_LOCALVERSION_AUTO has to be off"
    assert said("#" * ((1 << 20) + 1)) == ("a fragment is too large", "more than 1048576 bytes", "")


def test_what_is_just_allowed() -> None:
    longest = "x" * 2048
    text = (
        f'CONFIG_A="{longest}"\nCONFIG_LOCALVERSION="{"x" * 32}"\nCONFIG_B={"1" * 20}\nCONFIG_C=-1\n'
        f'CONFIG_D=0x{"f" * 16}\nCONFIG_E=0X1\nCONFIG_F=""\n#CONFIG_G is not set\n#  CONFIG_H is not set\n'
        "# CONFIG_MODULES is not set\n# CONFIG_INITRAMFS_SOURCE is not set\nCONFIG_CC_VERSION_TEXT=n\n"
        'CONFIG_MODULE_SIG_KEY=""\n'
    )  # fmt: skip
    asked = settings(text)
    assert {name: setting.value for name, setting in asked.items() if setting.value != "n"} == {
        "A": f'"{longest}"', "LOCALVERSION": f'"{"x" * 32}"', "B": "1" * 20, "C": "-1", "D": "0x" + "f" * 16,
        "E": "0X1", "F": '""', "MODULE_SIG_KEY": '""',
    }  # fmt: skip
    assert [name for name, setting in asked.items() if setting.value == "n"] == [
        "G", "H", "MODULES", "INITRAMFS_SOURCE", "CC_VERSION_TEXT",
    ]  # fmt: skip
    largest = b"#" * (1 << 20)
    assert parse_fragment("f", largest) == ([], [])


def test_the_text_of_a_configuration() -> None:
    base = "CONFIG_A=y\nCONFIG_B=m\n# CONFIG_C is not set\nCONFIG_D=y\nnonsense\n"
    text = apply(base, settings('CONFIG_C=y\n# CONFIG_A is not set\nCONFIG_E="x"\n'))
    assert text.splitlines() == [
        "# CONFIG_A is not set",
        "# CONFIG_B is not set",
        "CONFIG_C=y",
        "CONFIG_D=y",
        "# CONFIG_MODULES is not set",
        "# CONFIG_GCC_PLUGINS is not set",
        "# CONFIG_LOCALVERSION_AUTO is not set",
        'CONFIG_E="x"',
    ]
    assert text.endswith("\n")


def test_kernels_that_take_modules() -> None:
    modules = b"CONFIG_MODULES=y\n"
    assert merge([("a", modules)], modular=True)["MODULES"].value == "y"
    with pytest.raises(Problems, match=r"a:1: CONFIG_MODULES has to be off: .* unless kernel.modules has some"):
        merge([("a", modules)])
    for fragment in (b"CONFIG_NET=y\n", b"# CONFIG_MODULES is not set\n"):
        with pytest.raises(Problems, match=r"the kernel would take no modules: .*add kernel/modules\.config"):
            merge([("a", fragment)], modular=True)
    with pytest.raises(Problems, match="asks for a module"):
        merge([("a", modules + b"CONFIG_NET=m\n")], modular=True)
