"""Loading recipes: extends, arguments, and everything that is wrong told at once with its place."""

import hashlib
import json
import os
import textwrap
from pathlib import Path

import pytest

from assembler.errors import AssembleError, Place, Problems
from assembler.recipe.load import MAX_SEED, LoadedRecipe, load
from assembler.recipe.named import MAX_FILE


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(text), newline="")
    return path


def recipe(text: str, **args: str) -> LoadedRecipe:
    return load(write("r.toml", text), args)


def problems(text: str, **args: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        recipe(text, **args)
    return str(caught.value).split("\n")


pytestmark = pytest.mark.usefixtures("directory")


def test_defaults() -> None:
    loaded = recipe("name = 'x'")
    assert loaded.recipe.rootfs.hostname == "localhost"
    assert loaded.recipe.rootfs.root_password == "!"
    assert loaded.path == Path("r.toml")
    assert loaded.lock_path == Path("x.lock.toml")
    assert loaded.sources == (Path("r.toml"),)
    assert loaded.files == {}


def test_lock_is_beside_the_recipe() -> None:
    assert load(write("a/b/r.toml", "name = 'x'")).lock_path == Path("a/b/x.lock.toml")


# --- digest ------------------------------------------------------------------------------------------------------


def test_digest_is_of_canonical_json() -> None:
    loaded = recipe("name = 'x'\n[rootfs]\npackages = ['mc', 'bé']".replace("bé", "vim"))
    text = '{"name":"x","rootfs":{"packages":["mc","vim"]}}'
    assert loaded.sha256 == hashlib.sha256(text.encode()).hexdigest()


def test_digest_ignores_how_it_is_written() -> None:
    one = recipe("name = 'x'\narch = 'amd64'\n[rootfs]\nhostname = 'h'\npackages = ['mc']\n")
    other = recipe("# comment\r\nname = \"x\"\r\nrootfs.packages = ['mc']\r\nrootfs.hostname = 'h'\r\n")
    assert one.sha256 == other.sha256
    write("base.toml", "name = 'y'\n[args]\nP = 'mc'\n[rootfs]\nhostname = 'h'")
    extended = recipe("extends = 'base.toml'\nname = 'x'\n[rootfs]\npackages_add = ['${P}']")
    assert extended.recipe.rootfs == one.recipe.rootfs
    assert extended.inputs_sha256 == one.inputs_sha256


def test_order_of_packages_counts() -> None:
    assert (
        recipe("name = 'x'\nrootfs.packages = ['a1', 'b1']").sha256
        != recipe("name = 'x'\nrootfs.packages = ['b1', 'a1']").sha256
    )


def test_only_inputs_need_a_new_lock() -> None:
    text = "name = 'x'\nrootfs.packages = ['${P}']\nrootfs.hostname = '${H}'\nargs = {P = 'mc', H = 'h'}\n"
    first = recipe(text)
    renamed = recipe(text, H="other")
    assert renamed.sha256 != first.sha256
    assert renamed.inputs_sha256 == first.inputs_sha256
    assert recipe(text, P="vim").inputs_sha256 != first.inputs_sha256
    for change in ("kernel.package = 'linux-image-amd64'", "arch = 'arm64'", "epoch = 0", "debian.mirror = 'http://m'"):
        assert recipe(text + change).inputs_sha256 != first.inputs_sha256


# --- extends -----------------------------------------------------------------------------------------------------


def test_tables_merge_and_lists_are_replaced() -> None:
    write("base.toml", "name = 'base'\n[rootfs]\npackages = ['mc']\nhostname = 'h'\nenable = ['a.service']")
    loaded = recipe("extends = 'base.toml'\nname = 'x'\n[rootfs]\npackages = ['vim']")
    assert loaded.recipe.name == "x"
    assert loaded.recipe.rootfs.packages == ["vim"]
    assert loaded.recipe.rootfs.hostname == "h"
    assert loaded.recipe.rootfs.enable == ["a.service"]
    assert loaded.sources == (Path("base.toml"), Path("r.toml"))


def test_appending() -> None:
    write("base.toml", "[rootfs]\npackages = ['mc']\n[[rootfs.files]]\npath = '/a'\ncontent = ''")
    write("mixin.toml", "[rootfs]\npackages_add = ['vim']\nenable_add = ['b.service']")
    loaded = recipe("""\
        extends = ['base.toml', 'mixin.toml']
        name = 'x'
        [rootfs]
        packages_add = ['htop']
        [[rootfs.files_add]]
        path = '/b'
        link = 'a'
        """)
    assert loaded.recipe.rootfs.packages == ["mc", "vim", "htop"]
    assert loaded.recipe.rootfs.enable == ["b.service"]
    assert [file.path for file in loaded.recipe.rootfs.files] == ["/a", "/b"]


def test_replacing_and_appending_in_one_file() -> None:
    write("base.toml", "[rootfs]\npackages = ['mc']")
    loaded = recipe("extends = 'base.toml'\nname = 'x'\n[rootfs]\npackages_add = ['b1']\npackages = ['a1']")
    assert loaded.recipe.rootfs.packages == ["a1", "b1"]


def test_a_base_of_two_bases_counts_once() -> None:
    write("base.toml", "[rootfs]\nhostname = 'base'\npackages_add = ['mc']")
    write("one.toml", "extends = 'base.toml'\n[rootfs]\nhostname = 'one'")
    write("two.toml", "extends = 'base.toml'\n[rootfs]\npackages_add = ['vim']")
    loaded = recipe("extends = ['one.toml', 'two.toml']\nname = 'x'")
    assert loaded.recipe.rootfs.hostname == "one"
    assert loaded.recipe.rootfs.packages == ["mc", "vim"]


def test_extends_is_relative_to_the_file_that_says_so() -> None:
    write("lib/deep/base.toml", "rootfs.hostname = 'deep'")
    write("lib/mid.toml", "extends = 'deep/base.toml'")
    assert recipe("extends = 'lib/mid.toml'\nname = 'x'").recipe.rootfs.hostname == "deep"


def test_cycle() -> None:
    write("a.toml", "extends = 'b.toml'")
    write("b.toml", "# here\nextends = ['r.toml']")
    assert problems("extends = 'a.toml'") == [
        "b.toml:2:12 extends[0]: a recipe cannot extend itself: r.toml -> a.toml -> b.toml -> r.toml"
    ]


def test_missing_and_broken_bases_are_all_told() -> None:
    write("broken.toml", "a = \n")
    write("bse.toml", "")
    assert problems("name = 'x'\nextends = ['base.toml', 'broken.toml', '.']") == [
        "r.toml:2:12 extends[0]: the recipe is missing: there is no base.toml (did you mean bse.toml?)",
        (
            "broken.toml:1:5: not valid TOML: Invalid value"
            " (strings are in quotes, lists in brackets, true and false in lower case)"
        ),
        "r.toml:2:40 extends[2]: the recipe is not a file: .",
    ]


@pytest.mark.parametrize("value", ["3", "[3]", "''", "{a = 1}"])
def test_extends_of_a_wrong_type(value: str) -> None:
    assert problems(f"extends = {value}") == ["r.toml:1:1 extends: must be a file name or an array of file names"]


def test_append_that_is_no_list() -> None:
    assert problems("name = 'x'\nrootfs.packages_add = 'mc'") == ["r.toml:2:8 rootfs.packages_add: must be an array"]


# --- arguments ---------------------------------------------------------------------------------------------------


def test_arguments_everywhere_but_in_keys_and_arguments() -> None:
    loaded = recipe(
        """\
        name = 'x'
        [args]
        HOST = "h1"
        P = "mc"
        [rootfs]
        hostname = "${HOST}"
        packages = ["${P}", "${P}-data"]
        [[rootfs.files]]
        path = "/etc/${HOST}"
        content = "${HOST} is ${HOST}, not ${host}, $HOST, $(HOST), $$, ${HOST:-x}, $${HOST} or $${OTHER}"
        """,
        HOST="h2",
    )
    assert loaded.recipe.rootfs.hostname == "h2"
    assert loaded.recipe.rootfs.packages == ["mc", "mc-data"]
    assert loaded.recipe.rootfs.files[0].path == "/etc/h2"
    assert loaded.recipe.rootfs.files[0].content == (
        "h2 is h2, not ${host}, $HOST, $(HOST), $$, ${HOST:-x}, ${HOST} or ${OTHER}"
    )
    assert loaded.recipe.args == {"HOST": "h2", "P": "mc"}


def test_values_are_not_replaced_again() -> None:
    loaded = recipe("name = 'x'\nargs = {A = '1', B = '2'}\nrootfs.hostname = 'h'\nlivecd.cmdline = '${A}'", A="${B}")
    assert loaded.recipe.livecd.cmdline == ["${B}"]


def test_arguments_of_a_base_are_overridden() -> None:
    write("base.toml", "[args]\nA = 'a1'\nB = 'b1'\n[rootfs]\npackages = ['${A}', '${B}']")
    loaded = recipe("extends = 'base.toml'\nname = 'x'\nargs.A = 'a2'", B="b2")
    assert loaded.recipe.rootfs.packages == ["a2", "b2"]


def test_undeclared_and_unknown_arguments() -> None:
    text = "name = 'x'\nargs = {ROOT_PASSWORD = 'p'}\nrootfs.packages = ['mc', '${ROOT_PASWORD} ${FOO}']"
    assert problems(text, ROOT_PASWORD="x", root_password="y", Q="z") == [
        "r.toml --arg ROOT_PASWORD: the recipe has no argument ROOT_PASWORD (did you mean ROOT_PASSWORD?)",
        "r.toml --arg root_password: the recipe has no argument root_password (did you mean ROOT_PASSWORD?)",
        "r.toml --arg Q: the recipe has no argument Q (it has: ROOT_PASSWORD)",
        (
            "r.toml:3:26 rootfs.packages[1]: ${ROOT_PASWORD} is not an argument of this recipe"
            " (did you mean ROOT_PASSWORD?; for that text itself write $${ROOT_PASWORD})"
        ),
    ]


def test_names_of_arguments() -> None:
    assert problems("name = 'x'\n[args]\nlower = 'a'\nN = 1") == [
        "r.toml:3:1 args.lower: 'lower' is not an argument name (upper-case letters, digits and underscores)",
        "r.toml:4:1 args.N: must be a string, not an integer (put it in quotes)",
    ]


# --- files -------------------------------------------------------------------------------------------------------


def test_files_are_found_beside_the_recipe_that_names_them() -> None:
    write("lib/files/one", "from lib")
    write("files/one", "from here")
    write("lib/seed", "#cloud-config\n{}")
    write("lib/base.toml", "cloudinit.user_data = 'seed'\n[[rootfs.files]]\npath = '/1'\nsource = 'files/one'")
    loaded = recipe("extends = 'lib/base.toml'\nname = 'x'\n[[rootfs.files_add]]\npath = '/2'\nsource = 'files/one'")
    assert {key: (str(file.path), file.data) for key, file in loaded.files.items()} == {
        "rootfs.files[0].source": ("lib/files/one", b"from lib"),
        "rootfs.files[1].source": ("files/one", b"from here"),
        "cloudinit.user_data": ("lib/seed", b"#cloud-config\n{}"),
    }


def test_missing_unreadable_and_large_files() -> None:
    os.mkfifo("pipe")
    with Path("large").open("wb") as stream:
        stream.truncate(MAX_FILE + 1)
    write("files/motd", "")
    found = problems("""\
        name = 'x'
        [cloudinit]
        user_data = 'files/mtd'
        meta_data = 'pipe'
        network_config = 'large'
        [[rootfs.files]]
        path = '/a'
        source = "a\\u0000b"
        """)
    assert found == [
        "r.toml:3:1 cloudinit.user_data: the file is missing: there is no files/mtd (did you mean motd?)",
        "r.toml:4:1 cloudinit.meta_data: the file is not a file: pipe",
        (
            "r.toml:5:1 cloudinit.network_config: the file is too large:"
            f" {MAX_FILE + 1} bytes; at most {MAX_SEED} are read"
        ),
        "r.toml:8:1 rootfs.files[0].source: the file cannot be read: a\x00b: embedded null byte",
    ]


# --- text --------------------------------------------------------------------------------------------------------


def test_byte_order_mark_and_crlf() -> None:
    path = Path("r.toml")
    path.write_bytes(b"\xef\xbb\xbfname = 'x'\r\n[rootfs]\r\nhostname = 'h'\r\n")
    assert load(path).recipe.rootfs.hostname == "h"
    path.write_bytes(b"\xef\xbb\xbfname = 'x'\r\n[rootfs]\r\nhostnam = 'h'\r\n")
    with pytest.raises(Problems, match=r"^r.toml:3:1 rootfs.hostnam: unknown key \(did you mean hostname\?\)$"):
        load(path)


def test_not_utf8() -> None:
    path = Path("r.toml")
    path.write_bytes("# ünü\nname = 'ü".encode() + b"\xff'\n")
    with pytest.raises(Problems, match=r"^r.toml:2:10: byte 0xff is not UTF-8 \(save the file as UTF-8\)$"):
        load(path)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("name = 'x'\nname = 'y'\n", "r.toml:2:"),
        ("[a]\n[a]\n", "r.toml:2:"),
        ("name = 'x", "r.toml:1:"),
        ('name = """\n\nx', "r.toml:3:"),
        ("name", "r.toml:1:5: not valid TOML: Expected '=' after a key in a key/value pair"),
    ],
)
def test_syntax_errors(text: str, place: str) -> None:
    (line,) = problems(text)
    assert line.startswith(place)
    assert "not valid TOML: " in line


def test_nested_without_end() -> None:
    (line,) = problems("name = " + "[" * 100_000)
    assert line.startswith("r.toml:1:40: not valid TOML: Values are nested too deeply")


def test_missing_recipe() -> None:
    write("live.toml", "")
    with pytest.raises(Problems, match=r"^livecd.toml: the recipe is missing: .*\(did you mean live.toml\?\)$"):
        load(Path("livecd.toml"))


def test_directory_instead_of_recipe() -> None:
    with pytest.raises(Problems, match=r"^.: the recipe is not a file: .$"):
        load(Path())


# --- values ------------------------------------------------------------------------------------------------------


def test_everything_wrong_at_once() -> None:
    write("base.toml", "[rootfs]\npackages = ['mc']\nhostname = 'under_score'\n")
    found = problems("""\
        extends = "base.toml"
        arch = "amd65"
        epoch = "1"
        packages = []

        [rootfs]
        packages_add = ["mc", "Bad",
          3, 'ok', 'ok']
        timezone = ["Etc/UTC"]
        recomends = true
        exclude = ["usr/share/doc"]
        [[rootfs.files]]
        path = "etc/x"
        content = "a"
        link = "b"
        [[rootfs.files]]
        content = "a"
        mode = "888"
        [livecd]
        timeout = 61
        compression = "zst"
        [livecdd]
        """)
    assert found == [
        (
            "base.toml:3:1 rootfs.hostname: 'under_score' is not a host name (letters, digits and inner hyphens, labels"
            " of at most 63 separated by dots, 64 in all (RFC 1123))"
        ),
        "r.toml name: is missing (Name of the image; the lock is `NAME.lock.toml` beside the recipe)",
        "r.toml:2:1 arch: 'amd65' is not one of amd64, arm64 (did you mean amd64?)",
        "r.toml:3:1 epoch: must be an integer, not a string",
        "r.toml:4:1 packages: unknown key (it belongs in [rootfs])",
        (
            "r.toml:7:23 rootfs.packages_add[1]: 'Bad' is not a package name (lower-case letters, digits and + - ."
            " only, at least two characters; then perhaps /SUITE or =VERSION)"
        ),
        "r.toml:8:3 rootfs.packages_add[2]: must be a string, not an integer (put it in quotes)",
        "r.toml:8:12 rootfs.packages_add[4]: 'ok' is listed twice (remove one of them)",
        "r.toml:9:1 rootfs.timezone: must be a string, not an array",
        "r.toml:10:1 rootfs.recomends: unknown key (did you mean recommends?)",
        (
            "r.toml:11:12 rootfs.exclude[0]: 'usr/share/doc' is not a path pattern"
            " (patterns are absolute: begin with /; * matches / too, as in dpkg)"
        ),
        (
            "r.toml:13:1 rootfs.files[0].path: 'etc/x' is not an absolute path in the image"
            " (begin with /, end with a name, and use no . or .. in between)"
        ),
        "r.toml:15:1 rootfs.files[0].link: contradicts content (give exactly one of content, source, url and link)",
        "r.toml:16:1 rootfs.files[1].path: is missing (Absolute path in the image)",
        "r.toml:18:1 rootfs.files[1].mode: '888' is not a file mode (octal permission bits in quotes, as '0644')",
        "r.toml:20:1 livecd.timeout: must be less than or equal to 60",
        "r.toml:21:1 livecd.compression: 'zst' is not one of zstd, xz, lz4, gzip (did you mean zstd?)",
        "r.toml:22:2 livecdd: unknown key (did you mean livecd?)",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rootfs.files = [{path = '/a'}]", "rootfs.files[0]: says nothing of what the file is"),
        ("rootfs.files = [{path = '/a', link = ''}]", "rootfs.files[0].link: is empty"),
        ("rootfs.files = [{path = '/a', source = ''}]", "rootfs.files[0].source: is empty"),
        ("rootfs.files = [{path = '/a', link = 'b', mode = '0644'}]", "rootfs.files[0].mode: a symbolic link has none"),
        (
            "rootfs.files = [{path = '/a', content = ''}, {path = '/a', content = ''}]",
            "rootfs.files[1].path: '/a' is given twice",
        ),
        (
            "rootfs.files = [{path = '/a/b/c', content = ''}, {path = '/a', content = ''}]",
            "rootfs.files[0].path: '/a/b/c' is below '/a', which is a file",
        ),
        ("rootfs = {enable = ['a.service'], mask = ['a.service']}", "rootfs.mask[0]: 'a.service' is in enable too"),
        ("livecd = {compression = 'xz', compression_level = 1}", "livecd.compression_level: xz has no levels"),
        ("livecd.compression_level = 23", "livecd.compression_level: 23 is no level of zstd"),
        ("livecd.compression_level = 0", "livecd.compression_level: 0 is no level of zstd"),
        ("rootfs.recommends = 'yes'", "rootfs.recommends: must be true or false, not a string"),
        ("rootfs.recommends = 1", "rootfs.recommends: must be true or false, not an integer"),
        ("rootfs = 1", "rootfs: must be a table, not an integer"),
        ("rootfs.packages = 'mc'", "rootfs.packages: must be an array, not a string (put it in brackets)"),
        ("epoch = true", "epoch: must be an integer, not a boolean"),
        ("epoch = 1.0", "epoch: must be an integer, not a float"),
        ("epoch = 2024-01-01", "epoch: must be an integer, not a date or time"),
        ("epoch = -1", "epoch: must be greater than or equal to 0"),
        ("zzz = 1", "zzz: unknown key (known here: name, arch, epoch, args,"),
        ('"a.b" = 1', "'a.b': unknown key"),
    ],
)
def test_one_thing_wrong(text: str, expected: str) -> None:
    (line,) = problems(f"name = 'x'\n{text}")
    assert line.split(" ", 1)[1].startswith(expected)


def test_a_password_is_never_shown() -> None:
    (line,) = problems("name = 'x'\nrootfs.root_password = \"$6$secret\"")
    assert "secret" not in line
    assert line.startswith("r.toml:2:8 rootfs.root_password: the value is not a password (")


def test_json_of_recipe_is_complete() -> None:
    """Layer keys are made of it, so nothing may get lost."""
    loaded = recipe("name = 'x'\nrootfs.files = [{path = '/a', content = 'é'}]")
    assert json.loads(loaded.recipe.model_dump_json())["rootfs"]["files"][0]["content"] == "é"


# --- kernel ------------------------------------------------------------------------------------------------------


def test_a_vanilla_kernel_names_its_fragments() -> None:
    write("base/kernel/a.config", "CONFIG_A=y\n")
    write("kernel/b.config", "CONFIG_B=y\n")
    write(
        "base/base.toml",
        "name = 'x'\n[kernel]\nsource = 'vanilla'\npackage = 'linux-source-6.12'\nfragments = ['kernel/a.config']",
    )
    loaded = recipe("extends = 'base/base.toml'\n[kernel]\nfragments_add = ['kernel/b.config']")
    assert [loaded.files[f"kernel.fragments[{number}]"].data for number in (0, 1)] == [b"CONFIG_A=y\n", b"CONFIG_B=y\n"]
    other = recipe("extends = 'base/base.toml'")
    assert other.inputs_sha256 == loaded.inputs_sha256, "no fragment changes what is locked"
    assert other.sha256 != loaded.sha256


def test_debians_kernel_is_not_configured() -> None:
    (told,) = problems("name = 'x'\n[kernel]\nfragments = []")
    assert "Debian's kernel is taken as it is" in told


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("package = 'linux-image-amd64'", "not compiled from a package of binaries"),
        ("", "name a linux-source-* package, or a url"),
        ("package = 'linux-source-6.12'\nsha256 = '" + "0" * 64 + "'", "there is no url that it is of"),
        ("url = 'https://example/x'\nsha256 = 'abc'", "is not a SHA-256"),
        ("url = 'https://example/x'", "nothing says which tarball that has to be"),
        ("url = 'https://example/x'\nsha256 = ''", "nothing says which tarball that has to be"),
        ("url = 'https://example/x'\nversion = '6.12'", "add sha256"),
        ("package = 'linux-source-6.12'\nversion = '6.12$(id)'", "is not a version"),
        ("package = 'linux-source-6.12'\nversion = '6.12;id'", "is not a version"),
        ("package = 'linux-source-6.12 x'", "is not a package name"),
        ("package = 'linux-source-6.12'\nbase = 'defconfig X=y'", "is not one of defconfig, tinyconfig"),
        ("url = 'https://example/x'\nfragments = ['']", "is empty"),
        ("url = 'https://example/x'\nfragments = ['a', 'a']", "listed twice"),
        ("url = 'https://example/x'\nbase = 'allmodconfig'", "is not one of defconfig, tinyconfig"),
    ],
)
def test_what_a_vanilla_kernel_cannot_be(text: str, message: str) -> None:
    write("a", "")
    assert any(message in told for told in problems(f"name = 'x'\n[kernel]\nsource = 'vanilla'\n{text}"))


def test_what_contradicts_something_is_found_in_the_recipe(tmp_path: Path) -> None:
    (tmp_path / "base.toml").write_text('[rootfs]\npackages = ["one", "two=1.*"]\n')
    (tmp_path / "top.toml").write_text('extends = "base.toml"\nname = "top"\n\nrootfs.packages_add = ["three"]\n')
    loaded = load(tmp_path / "top.toml")
    for other, details in (
        ("two", [f"the other is at {tmp_path}/base.toml:2:20 rootfs.packages[1] two"]),
        ("x", []),
        ("", []),
    ):
        error = AssembleError("conflicts", where=Place(package="three"))
        error.against = Place(package=other)
        told = loaded.told(error)
        assert str(told.where) == f"{tmp_path}/top.toml:4:24 rootfs.packages[2] three"
        assert (list(told.details), bool(told.hint)) == (details, bool(details))
