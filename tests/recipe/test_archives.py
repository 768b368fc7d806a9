"""Archives as tables: what is wrong with them, files with certificates, and recipes that add some to others."""

import base64
from pathlib import Path

import pytest

from assembler.debian.keyring import trusted
from assembler.errors import AssembleError, Problems
from assembler.lock.wanted import archives_of
from assembler.recipe.load import LoadedRecipe, load
from assembler.recipe.names import BEGIN
from assembler.recipe.portable import RECIPE, portable
from assembler.releases import BOOKWORM
from tests.debian.archives import certificate, fingerprint, secret


def recipe(directory: Path, text: str, name: str = "r.toml") -> LoadedRecipe:
    path = directory / name
    path.write_text(f'name = "x"\n{text}')
    return load(path)


def wrong(directory: Path, text: str) -> list[str]:
    with pytest.raises(Problems) as caught:
        recipe(directory, text)
    return [str(error).removeprefix(f"{directory}/") for error in caught.value.errors]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            "components = ['main']",
            "debian.archives[0]: names no suite (name some, or a directory: ./; a directory of .debs has a path)",
        ),
        ("suites = []", "debian.archives[0].suites: names no suite (name some, or a directory: ./; a"),
        ("suites = ['a']", 'debian.archives[0]: names no component (give components, as ["main"])'),
        ("suites = ['a', './']", "debian.archives[0].suites: './' is a directory, and others are suites"),
        ("suites = ['./'], uris = ['https://a'], components = ['b']", "components: a directory has no components"),
        ("suites = ['./']", "debian.archives[0]: says nowhere where the directory is (give uris, or a path)"),
        ("suites = ['../'], uris = ['https://a']", "debian.archives[0].suites[0]: '../' is not a suite"),
        ("suites = ['a/../b/'], uris = ['https://a']", "debian.archives[0].suites[0]: 'a/../b/' is not a suite"),
        ("suites = ['a'], components = ['b/']", "debian.archives[0].components[0]: 'b/' is not a component"),
        ("suites = ['./'], uris = ['ftp://a']", "debian.archives[0].uris[0]: 'ftp://a' is not an archive's address"),
        ("suites = ['./'], uris = ['https://me:pw@a']", "there is a login in an address"),
        ("suites = ['./'], uris = ['https://a'], signed_by = 'none.asc'", "signed_by: the certificate is missing"),
        ("suites = ['./'], uris = ['https://a'], signed_by = 'empty'", "signed_by: the file has no certificate in it"),
        ("suites = ['./'], uris = ['https://a'], signed_by = '/etc/passwd'", "is outside of the recipe's project"),
        ("suites = ['./'], uris = ['https://a'], trusted = true", "debian.archives[0].trusted: unknown key"),
    ],
)
def test_what_is_wrong_with_a_table(tmp_path: Path, table: str, message: str) -> None:
    (tmp_path / "empty").write_text("")
    (found,) = wrong(tmp_path, f"debian.archives = [{{ {table} }}]\n")
    assert message in found
    assert found.startswith("r.toml:2:"), found
    assert "pw" not in found


def test_certificates_of_files(tmp_path: Path) -> None:
    """Armored, as it is in the wild with a text before it, or in binary: what they say is part of the recipe."""
    armored = certificate()
    lines = armored.splitlines()
    start = lines.index("")
    body = [line for line in lines[start + 1 :] if line and line[0] not in "=-"]
    (tmp_path / "armored.asc").write_text(f"pub   rsa4096\n\n{armored}")
    (tmp_path / "binary.gpg").write_bytes(base64.b64decode("".join(body)))
    tables = [
        f'{{ uris = ["https://a"], suites = ["{name}/"], signed_by = "{name}" }}'
        for name in ("armored.asc", "binary.gpg")
    ]
    loaded = recipe(tmp_path, f"debian.archives = [{', '.join(tables)}]\n")
    for archive in archives_of(loaded.recipe)[3:]:
        assert archive.source.key.startswith(BEGIN)
        assert [each.fingerprint.upper() for each in trusted(archive)] == [fingerprint()]
    other = str(secret("other").extract_certificate())
    (tmp_path / "armored.asc").write_text(other)
    assert load(tmp_path / "r.toml").inputs_sha256 != loaded.inputs_sha256
    # On an image the recipe needs no such file.
    files = portable(loaded)
    assert BEGIN in files[RECIPE].decode()
    (tmp_path / "copy").mkdir()
    for name, data in files.items():
        (tmp_path / "copy" / name).write_bytes(data)
    assert load(tmp_path / "copy" / RECIPE).recipe.debian == loaded.recipe.debian


def test_recipes_add_archives_to_others(tmp_path: Path) -> None:
    for name, suite in (("a", "trixie-backports"), ("b", "experimental")):
        (tmp_path / f"{name}.toml").write_text(
            f'[[debian.archives_add]]\nsuites = ["{suite}"]\ncomponents = ["main"]\n'
        )
    loaded = recipe(tmp_path, 'extends = ["a.toml", "b.toml"]\n')
    suites = ["trixie", "trixie-updates", "trixie-security", "trixie-backports", "experimental"]
    found = archives_of(loaded.recipe)
    assert [archive.id for archive in found] == suites
    assert {archive.root for archive in found} == {"debian", "debian-security"}
    alone = recipe(tmp_path, 'debian.sources = ""\ndebian.archives = [{ suites = ["sid"], components = ["main"] }]\n')
    assert [archive.id for archive in archives_of(alone.recipe)] == ["sid"]
    twice = recipe(tmp_path, 'debian.archives = [{ suites = ["trixie"], components = ["contrib"] }]\n')
    assert archives_of(twice.recipe)[0].source.components == ("main", "contrib")
    table = '{ suites = ["trixie"], components = ["main"], check_valid_until = false }'
    other = recipe(tmp_path, f"debian.archives = [{table}]\n")
    match = r"r\.toml:2:\d+ debian.archives\[0\]: trixie is there twice, with other options"
    with pytest.raises(AssembleError, match=match), other.discreet():
        archives_of(other.recipe)


def test_recipes_add_paragraphs_to_others(tmp_path: Path) -> None:
    for name, components in (("a", "contrib"), ("b", "non-free-firmware")):
        text = f"Types: deb\nSuites: trixie\nComponents: {components}\n"
        (tmp_path / f"{name}.toml").write_text(f'debian.sources_add = """\n{text}"""\n')
    found = archives_of(recipe(tmp_path, 'extends = ["a.toml", "b.toml"]\n').recipe)
    assert [archive.id for archive in found] == ["trixie", "trixie-updates", "trixie-security"]
    assert found[0].source.components == ("main", "contrib", "non-free-firmware")
    own = 'debian.sources = "Types: deb\\nSuites: sid\\nComponents: main\\n"\n'
    (tmp_path / "c.toml").write_text(own)
    found = archives_of(recipe(tmp_path, 'extends = ["c.toml", "a.toml"]\n').recipe)
    assert [archive.id for archive in found] == ["sid", "trixie"]
    assert wrong(tmp_path, "debian.sources_add = []\n") == ["r.toml:2:8 debian.sources_add: must be a string"]


def test_a_release_is_short_for_its_archives(tmp_path: Path) -> None:
    loaded = recipe(tmp_path, 'debian.release = "bookworm"\n')
    assert [archive.id for archive in archives_of(loaded.recipe)] == [
        "bookworm",
        "bookworm-updates",
        "bookworm-security",
    ]
    said = recipe(tmp_path, f'[debian]\nsources = """\n{BOOKWORM.sources}"""\n')
    assert said.inputs_sha256 == loaded.inputs_sha256
    copy = tmp_path / "copy"
    copy.mkdir()
    for name, data in portable(loaded).items():
        (copy / name).write_bytes(data)
    assert load(copy / RECIPE).recipe.debian == loaded.recipe.debian
    more = 'debian.sources_add = "Types: deb\\nSuites: sid\\nComponents: main\\n"\n'
    for text in (f'{more}debian.release = "bookworm"\n', f'debian.release = "bookworm"\n{more}'):
        assert [archive.id for archive in archives_of(recipe(tmp_path, text).recipe)][0::3] == ["bookworm", "sid"]
    (tmp_path / "base.toml").write_text(more)
    on_top = recipe(tmp_path, 'extends = "base.toml"\ndebian.release = "testing"\n')
    assert [archive.id for archive in archives_of(on_top.recipe)] == ["testing", "testing-security", "sid"]
    assert "'buster' is not one of bookworm, trixie, testing" in wrong(tmp_path, 'debian.release = "buster"\n')[0]
    both = f'debian.release = "bookworm"\n{more.replace("_add", "")}'
    assert "debian.release: counts for nothing beside sources" in wrong(tmp_path, both)[0]


def test_pins_and_requests(tmp_path: Path) -> None:
    good = 'rootfs.packages = ["curl/trixie-backports", "jq=1.7*", "curl", "libc6:amd64=2.41-12"]\n'
    assert recipe(tmp_path, good).recipe.rootfs.packages[1] == "jq=1.7*"
    assert wrong(tmp_path, 'rootfs.packages = ["curl/a", "jq", "curl=1"]\n') == [
        "r.toml:2:36 rootfs.packages[2]: contradicts 'curl/a' (ask for one of them)"
    ]
    for pin in ("release n=a,", "release x=a", "origin a b", "version", "suite a", "version /a/", "release /x/"):
        (found,) = wrong(tmp_path, f'debian.pins = [{{ packages = ["a"], pin = "{pin}", priority = 5 }}]\n')
        assert "is not what apt_preferences(5) has after Pin:" in found, pin
    for name in ("/a/", "a b", "A", "src:", ""):
        (found,) = wrong(tmp_path, f'debian.pins = [{{ packages = ["{name}"], pin = "version 1", priority = 5 }}]\n')
        assert "is not a name of packages" in found, name
    assert (
        "is 0, which says nothing"
        in wrong(tmp_path, 'debian.pins = [{ packages = ["a"], pin = "version 1", priority = 0 }]\n')[0]
    )
    assert (
        "names no package" in wrong(tmp_path, 'debian.pins = [{ packages = [], pin = "version 1", priority = 1 }]\n')[0]
    )
