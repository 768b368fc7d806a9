"""XML and SGML catalogs, as the programs of Debian 13 write them."""

import pytest

from assembler.programs.markup_catalogs import update_catalog, update_xmlcatalog
from assembler.programs.options import UsageError
from assembler.tree.staging import Tree
from tests.tree.disk import tree_of

HEAD, FOOT = '<?xml version="1.0"?>\n<catalog>\n', "</catalog>\n"
LOCAL = "/usr/share/xml/polkit-1/catalog.xml"


def fresh() -> Tree:
    files = {"catalog.header": HEAD, "catalog.footer": FOOT}
    return tree_of({
        **{f"/usr/share/xml-core/{name}": text for name, text in files.items()},
        LOCAL: "", "/etc/xml/": "", "/var/lib/xml-core/": "", "/etc/sgml/": "", "/var/lib/sgml-base/": "",
    })  # fmt: skip


def test_a_package_and_the_root_catalog() -> None:
    tree = fresh()
    common = ["--sort", "--add", "--package", "polkitd"]
    entries = (("system", "http://example.org/a.dtd"), ("public", "-//B//EN"), ("uri", "urn:c"))
    for kind, name in entries:
        assert update_xmlcatalog(tree, [*common, "--type", kind, "--id", name, "--local", LOCAL])
    for kind, name in entries[:2]:
        assert update_xmlcatalog(tree, [*common, "--root", "--type", kind, "--id", name])
    assert tree.read_text("/etc/xml/polkitd.xml") == (
        f'{HEAD}<delegatePublic publicIdStartString="-//B//EN" catalog="file://{LOCAL}"/>\n'
        f'<delegateSystem systemIdStartString="http://example.org/a.dtd" catalog="file://{LOCAL}"/>\n'
        f'<delegateURI uriStartString="urn:c" catalog="file://{LOCAL}"/>\n{FOOT}'
    )
    assert tree.read_text("/var/lib/xml-core/catalog") == (
        '<delegatePublic publicIdStartString="-//B//EN"><catalog="file:///etc/xml/polkitd.xml">\n'
        '<delegateSystem systemIdStartString="http://example.org/a.dtd"><catalog="file:///etc/xml/polkitd.xml">\n'
    )
    assert tree.names("/etc/xml") == ["catalog", "catalog.old", "polkitd.xml", "polkitd.xml.old"]
    assert "urn:c" not in tree.read_text("/etc/xml/polkitd.xml.old")


def test_a_local_catalog() -> None:
    tree = fresh()
    call = ["--add", "--local", "/etc/xml/own.xml", "--file", LOCAL, "--type", "public", "--id", "x"]
    assert update_xmlcatalog(tree, call)
    assert tree.read_text("/etc/xml/own.xml") == f'{HEAD}<public publicId="x" uri="{LOCAL}"/>\n{FOOT}'
    assert tree.names("/var/lib/xml-core") == ["_etc_xml_own.xml"]
    assert update_xmlcatalog(tree, call)
    tree.write("/other", b"")
    assert not update_xmlcatalog(tree, [*call[:4], "/other", *call[5:]])


@pytest.mark.parametrize(
    "words",
    [
        ["--add", "--root", "--package", "absent", "--type", "uri", "--id", "x"],
        ["--add", "--package", "p", "--local", "/absent", "--type", "uri", "--id", "x"],
        ["--add", "--package", "p", "--local", LOCAL, "--type", "other", "--id", "x"],
        ["--add", "--package", "p", "--local", LOCAL, "--type", "uri"],
        ["--add", "--type", "uri", "--id", "x"],
        ["--add", "--root", "--package", "p", "--local", LOCAL, "--type", "uri", "--id", "x"],
        ["--add", "--root", "--package", "p", "--file", LOCAL, "--type", "uri", "--id", "x"],
        ["--add", "--root", "--type", "uri", "--id", "x"],
        ["--add", "--package", "p", "--local", LOCAL, "--file", LOCAL, "--type", "uri", "--id", "x"],
        ["--add", "--package", "p", "--type", "uri", "--id", "x"],
        ["--add", "--local", "/etc/xml/own.xml", "--type", "uri", "--id", "x"],
    ],
)
def test_calls_that_fail(words: list[str]) -> None:
    tree = fresh()
    for name in ("p", "None"):
        tree.write(f"/etc/xml/{name}.xml", b"")
    assert not update_xmlcatalog(tree, words)
    assert tree.names("/etc/xml") == ["None.xml", "p.xml"]


def test_calls_that_are_not_known() -> None:
    with pytest.raises(UsageError):
        update_xmlcatalog(fresh(), ["--del", "--root", "--type", "uri", "--id", "x"])
    with pytest.raises(UsageError):
        update_catalog(fresh(), ["--add", "a", "b"])
    for words in (["--add", "--root", "x"], ["--root"]):
        with pytest.raises(UsageError, match="not known"):
            update_xmlcatalog(fresh(), words)


def test_sgml_catalogs_whose_parts_are_missing_are_left_out() -> None:
    tree = fresh()
    catalogs = {
        "b.cat": '-- all there --\nCATALOG "/usr/share/xml/polkit-1/catalog.xml"\n',
        "a.cat": "BASE /usr/share/xml\ncatalog 'polkit-1/catalog.xml'\n",
        "c.cat": "CATALOG /absent\n",
        "d.cat": "-- CATALOG /absent --\n",
        ".e.cat": "",
        "f": "",
        "g.cat": "->/nowhere",
        "h.cat": "BASE \"/usr/share\" --x--CATALOG 'xml/polkit-1/catalog.xml'\n",
        "i.cat": "CATALOG b.cat CATALOG ' \n",
        "k.cat": "CATALOG b.cat PUBLIC 'x' /absent\n",
    }
    for name, text in catalogs.items():
        if text.startswith("->"):
            tree.symlink(text[2:], f"/etc/sgml/{name}")
        else:
            tree.write(f"/etc/sgml/{name}", text.encode())
    update_catalog(tree, ["--quiet", "--update-super"])
    text = tree.read_text("/var/lib/sgml-base/supercatalog")
    assert text.splitlines()[4:] == [f"CATALOG /etc/sgml/{name}.cat" for name in "abdhk"]
