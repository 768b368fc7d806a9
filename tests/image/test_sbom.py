"""Bills of materials and provenance: complete, valid, and the same every time."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from spdx_tools.spdx.parser.parse_anything import parse_file
from spdx_tools.spdx.validation.document_validator import validate_full_spdx_document

from assembler import __version__
from assembler.debian.documents import LARGEST_COPYRIGHT
from assembler.errors import AssembleError
from assembler.image import provenance, sbom
from assembler.image.licences import licences, short_names, spdx
from assembler.lockfile.model import LockedFile, LockedImage
from assembler.releases import TRIXIE
from assembler.tree.staging import Tree
from tests.lockfile.test_toml import ARCHIVE, LOCK

COPYRIGHT = b"""\
Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2000 Somebody
License: GPL-2+ or Expat

Files: debian/*
Copyright: 2001 Somebody
License: odd (licence)

License: GPL-3
 A stanza without files is only a text.
"""
ODD = "odd (licence)"
WHOLE = replace(
    LOCK,
    files=(
        LockedFile(
            name="kubelet", version="1.34.1", url="https://dl.k8s.io/kubelet", size=1, sha256="1" * 64,
            learned="recipe", witness="", role="kubernetes",
        ),
    ),
    images=(
        LockedImage(
            name="registry.k8s.io:443/pause:3.10", platform="linux/amd64", index="2" * 64, manifest="3" * 64, size=1,
            learned="first-use",
        ),
    ),
)  # fmt: skip
PARTS = list(sbom.parts(WHOLE, {"hello": short_names(COPYRIGHT)}))


def test_licences() -> None:
    assert short_names(COPYRIGHT) == ("Expat", "GPL-2+", "odd (licence)")
    assert short_names(b"This package was debianised by hand.") == ()
    assert [spdx(name) for name in ("Expat", "GPL-2+", "LGPL-2.1", "odd (licence)")] == [
        "MIT", "GPL-2.0-or-later", "LGPL-2.1-only", "LicenseRef-debian-odd-licence",
    ]  # fmt: skip


def test_copyright_files_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree()
    for name in ("a", "b", "c"):
        tree.write(f"/usr/share/doc/{name}/copyright", COPYRIGHT, parents=True)
    tree.write("/usr/share/doc/large/copyright", COPYRIGHT + bytes(LARGEST_COPYRIGHT), parents=True)
    names = ("Expat", "GPL-2+", "odd (licence)")
    assert licences(tree, tree.read, ["a", "b", "large", "none"]) == {"a": names, "b": names}
    monkeypatch.setattr("assembler.image.licences.MOST_LINES", 2 * COPYRIGHT.count(b"\n"))
    assert len(licences(tree, tree.read, ["a", "b"])) == 2
    with pytest.raises(AssembleError, match="copyright files are too large"):
        licences(tree, tree.read, ["a", "b", "c"])


def test_every_part_has_its_address_and_digest() -> None:
    assert [part.purl for part in PARTS] == [
        "pkg:deb/debian/hello@2.10-5?arch=amd64&distro=debian-13",
        "pkg:deb/debian/libc6@2.41-12?arch=amd64&distro=debian-13",
        "pkg:generic/kubelet@1.34.1?download_url=https://dl.k8s.io/kubelet",
        f"pkg:oci/pause@sha256:{'3' * 64}?repository_url=registry.k8s.io:443/pause&tag=3.10",
    ]


def test_a_package_of_the_recipes_own_is_nobodys_else() -> None:
    own = replace(LOCK.packages[0], archive="", path="dir/hello.deb")
    checksum = f"checksum=sha256:{own.sha256}"
    purl = sbom.package_url(own, [])
    assert purl == f"pkg:generic/hello@2.10-5?arch=amd64&{checksum}&file_name=dir/hello.deb"
    purl = sbom.package_url(replace(own, url="https://example.org/hello.deb"), [])
    assert purl == f"pkg:generic/hello@2.10-5?arch=amd64&{checksum}&download_url=https://example.org/hello.deb"


KEY = TRIXIE.keys[0].fingerprint


@pytest.mark.parametrize(
    ("root", "suite", "signed_by", "rest"),
    [
        ("debian", "trixie-updates", "", "debian/hello@2.10-5?arch=amd64&distro=debian-13"),
        ("debian-security", "bookworm-security", "", "debian/hello@2.10-5?arch=amd64&distro=debian-12"),
        ("debian", "trixie-backports", "", "debian/hello@2.10-5?arch=amd64&distro=debian-13"),
        ("debian", "sid", "", "debian/hello@2.10-5?arch=amd64&distro=debian-sid"),
        # A mirror of Debian's that the recipe names.
        ("https://mirror.example/debian", "trixie", KEY, "debian/hello@2.10-5?arch=amd64&distro=debian-13"),
        (
            "https://vendor.example/deb", "trixie", "D" * 40,
            "hello@2.10-5?arch=amd64&repository_url=https://vendor.example/deb",
        ),
    ],
)  # fmt: skip
def test_packages_of_others_are_not_debians(root: str, suite: str, signed_by: str, rest: str) -> None:
    archive = replace(ARCHIVE, root=root, suite=suite, signed_by=(signed_by,))
    others = replace(ARCHIVE, id="other", root="https://other.example")
    assert sbom.package_url(LOCK.packages[0], [others, archive]) == f"pkg:deb/{rest}"


@pytest.mark.parametrize(
    ("name", "repository"),
    [
        ("localhost:5000/pause:1", "localhost:5000/pause"),
        ("localhost:5000/pause", "localhost:5000/pause"),
        ("localhost/pause", "localhost/pause"),
        (f"localhost:5000/pause@sha256:{'3' * 64}", "localhost:5000/pause"),
    ],
)
def test_images_with_and_without_a_tag(name: str, repository: str) -> None:
    lock = replace(LOCK, packages=(), files=(), images=(replace(LOCK.images[0], name=name),))
    assert [part.name for part in sbom.parts(lock, {})] == [repository]


def test_the_boot_loader_is_in_the_bills_and_the_tools_are_not() -> None:
    hello, libc = LOCK.packages
    grub = replace(hello, name="grub-pc-bin", version="1:2.12-9+deb13u1", roles=("boot",), sha256="7" * 64)
    tool = replace(hello, name="squashfs-tools", roles=("tools",), sha256="8" * 64)
    lock = replace(LOCK, packages=(grub, hello, libc), tools=replace(LOCK.tools, packages=(tool,)))
    found = {part.name: part for part in sbom.parts(lock, {})}
    assert {"grub-pc-bin", "hello", "libc6"} < found.keys()
    assert "squashfs-tools" not in found
    assert (found["grub-pc-bin"].places, found["hello"].places) == (("boot",), ("initrd", "rootfs"))
    (bill,) = (
        each
        for each in json.loads(sbom.cyclonedx("x", 1, found.values()))["components"]
        if each["name"] == "grub-pc-bin"
    )
    assert {"name": "assembler:place", "value": "boot"} in bill["properties"]
    made = provenance.statement({}, lock, name="x", recipe_sha256="a" * 64, lock_sha256="b" * 64)
    sources = {each["uri"]: each for each in made["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert sources["pkg:deb/debian/squashfs-tools@2.10-5?arch=amd64&distro=debian-13"]["annotations"] == {
        "roles": ["tools"]
    }
    assert "pkg:deb/debian/grub-pc-bin@1:2.12-9%2Bdeb13u1?arch=amd64&distro=debian-13" in sources


def test_cyclonedx() -> None:
    text = sbom.cyclonedx("x", 1_700_000_000, PARTS)
    assert text == sbom.cyclonedx("x", 1_700_000_000, PARTS)
    bill = json.loads(text)
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    assert bill["metadata"]["timestamp"].startswith("2023-11-14T22:13:20")
    found = {each["name"]: each for each in bill["components"]}
    assert found["hello"]["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    assert len(found) == 4
    other = json.loads(sbom.cyclonedx("x", 1_700_000_001, PARTS))
    assert bill["serialNumber"] != other["serialNumber"]


def test_cyclonedx_as_written() -> None:
    """Everything that is known of a package, a file without a version and a container image; nothing that is not."""
    (kubelet,) = WHOLE.files
    bare = replace(WHOLE, packages=WHOLE.packages[:1], files=(replace(kubelet, version=""),))
    text = sbom.cyclonedx("x", 1_700_000_000, sbom.parts(bare, {"hello": short_names(COPYRIGHT)}))
    bill = json.loads(text)
    assert text.decode() == json.dumps(bill, indent=1, sort_keys=True) + "\n"
    purls = [
        "pkg:deb/debian/hello@2.10-5?arch=amd64&distro=debian-13",
        "pkg:generic/kubelet?download_url=https://dl.k8s.io/kubelet",
    ]
    pause = f"pkg:oci/pause@sha256:{'3' * 64}?repository_url=registry.k8s.io:443/pause&tag=3.10"
    assert {each["bom-ref"]: each for each in bill["components"]} == {
        purls[0]: {
            "type": "library",
            "name": "hello",
            "version": "2.10-5",
            "bom-ref": purls[0],
            "purl": purls[0],
            "hashes": [{"alg": "SHA-256", "content": "e" * 64}],
            "licenses": [{"license": each} for each in ({"id": "GPL-2.0-or-later"}, {"id": "MIT"}, {"name": ODD})],
            "properties": [
                {"name": "assembler:place", "value": "initrd"},
                {"name": "assembler:place", "value": "rootfs"},
                {"name": "debian:source", "value": "hello 2.10-5"},
            ],
        },
        purls[1]: {
            "type": "file",
            "name": "kubelet",
            "bom-ref": purls[1],
            "purl": purls[1],
            "hashes": [{"alg": "SHA-256", "content": "1" * 64}],
        },
        pause: {
            "type": "container",
            "name": "registry.k8s.io:443/pause",
            "version": f"sha256:{'3' * 64}",
            "bom-ref": pause,
            "purl": pause,
            "hashes": [{"alg": "SHA-256", "content": "3" * 64}],
        },
    }
    assert bill["metadata"] == {
        "component": {"bom-ref": "x", "name": "x", "type": "operating-system"},
        "timestamp": "2023-11-14T22:13:20+00:00",
        "tools": {"components": [{"name": "assembler", "type": "application", "version": __version__}]},
    }
    assert {"ref": "x", "dependsOn": [*purls, pause]} in bill["dependencies"]


def test_spdx_as_written() -> None:
    """The same in the other format, where what is not known has to be said."""
    (kubelet,) = WHOLE.files
    bare = replace(WHOLE, packages=WHOLE.packages[:1], files=(replace(kubelet, version=""),), images=())
    text = sbom.spdx_document("x", 1_700_000_000, sbom.parts(bare, {"hello": short_names(COPYRIGHT)}))
    document = json.loads(text)
    assert text.decode() == json.dumps(document, indent=1, sort_keys=True) + "\n"
    unknown = dict.fromkeys(("copyrightText", "downloadLocation", "licenseConcluded"), "NOASSERTION")
    hello, file = document["packages"]
    assert hello == {
        **unknown,
        "SPDXID": "SPDXRef-cfb387eb15148acb",
        "name": "hello",
        "versionInfo": "2.10-5",
        "checksums": [{"algorithm": "SHA256", "checksumValue": "e" * 64}],
        "comment": "in: initrd, rootfs",
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE_MANAGER",
                "referenceLocator": "pkg:deb/debian/hello@2.10-5?arch=amd64&distro=debian-13",
                "referenceType": "purl",
            }
        ],
        "filesAnalyzed": False,
        "licenseDeclared": "GPL-2.0-or-later AND LicenseRef-debian-odd-licence AND MIT",
        "sourceInfo": "built from hello 2.10-5",
    }
    assert {key: value for key, value in file.items() if key not in {"SPDXID", "checksums", "externalRefs"}} == {
        **unknown,
        "name": "kubelet",
        "filesAnalyzed": False,
        "licenseDeclared": "NOASSERTION",
    }
    assert document["hasExtractedLicensingInfos"] == [
        {
            "extractedText": "See the copyright files of the packages.",
            "licenseId": "LicenseRef-debian-odd-licence",
            "name": "odd-licence",
        }
    ]
    assert document["relationships"] == [
        {"relatedSpdxElement": each["SPDXID"], "relationshipType": "DESCRIBES", "spdxElementId": "SPDXRef-DOCUMENT"}
        for each in (hello, file)
    ]
    created = {"created": "2023-11-14T22:13:20Z", "creators": [f"Tool: assembler-{__version__}"]}
    assert document["creationInfo"] == created
    assert re.fullmatch(rf"{sbom.NAMESPACE}/x-[0-9a-f-]{{36}}", document["documentNamespace"])


def test_identifiers_are_of_all_that_is_in_a_bill() -> None:
    """Two bills have one identifier exactly when nothing in them differs."""
    one = PARTS[0]
    others = [
        ("x", 1, [one]),
        ("y", 1, [one]),
        ("x", 2, [one]),
        ("x", 1, []),
        ("x", 1, [replace(one, sha256="0" * 64)]),
        ("x", 1, [replace(one, licences=())]),
        ("x", 1, [replace(one, purl=PARTS[1].purl)]),
    ]
    found = [json.loads(sbom.cyclonedx(*each))["serialNumber"][-36:] for each in others]
    assert len(set(found)) == len(others)
    for each, identifier in zip(others[:2], found, strict=False):
        assert json.loads(sbom.spdx_document(*each))["documentNamespace"].endswith(identifier)


@pytest.mark.parametrize(
    ("name", "identifier"),
    [
        ("GPL-2", "GPL-2.0-only"),
        ("gpl-2.0", "GPL-2.0-only"),
        ("Apache-2.0", "Apache-2.0"),
        ("GPL-2.1", "LicenseRef-debian-GPL-2.1"),
        ("MIT.0", "MIT"),
        ("(a)/b", "LicenseRef-debian-a-b"),
    ],
)
def test_identifiers_of_licences(name: str, identifier: str) -> None:
    assert spdx(name) == identifier


def test_copyright_files_that_are_for_machines() -> None:
    """They say so at the beginning: in the first 400 bytes."""
    start = COPYRIGHT.index(b"copyright-format/1.0") + len("copyright-format/1.0")
    for before, names in ((400 - start, True), (401 - start, False)):
        assert bool(short_names(b"\n" * before + COPYRIGHT)) == names
    assert short_names(COPYRIGHT.replace(b"GPL-2+ or Expat", b"GPL-2 with exception AND ISC, MIT")) == (
        "GPL-2", "ISC", "MIT", "odd (licence)",
    )  # fmt: skip


def test_spdx(tmp_path: Path) -> None:
    text = sbom.spdx_document("x", 1_700_000_000, PARTS)
    assert text == sbom.spdx_document("x", 1_700_000_000, PARTS)
    path = tmp_path / "x.spdx.json"
    path.write_bytes(text)
    document = parse_file(str(path))
    assert validate_full_spdx_document(document) == []
    assert [package.name for package in document.packages] == ["hello", "libc6", "kubelet", "registry.k8s.io:443/pause"]
    assert str(document.packages[0].license_declared) == "GPL-2.0-or-later AND LicenseRef-debian-odd-licence AND MIT"


def test_provenance_as_written() -> None:
    """What the lock says, in its order; archives once, though tools come from them, too."""
    tool = replace(LOCK.packages[0], name="squashfs-tools", roles=("tools",), sha256="8" * 64)
    lock = replace(WHOLE, tools=replace(LOCK.tools, archives=LOCK.archives, packages=(tool,)))
    made = provenance.statement(
        {"b": "2" * 64, "a": "1" * 64},
        lock,
        name="x",
        recipe_sha256="a" * 64,
        lock_sha256="b" * 64,
        unexpiring=("trixie",),
        libraries={"zstandard": "1"},
    )
    assert [each["name"] for each in made["subject"]] == ["a", "b"]
    assert made["predicateType"] == "https://slsa.dev/provenance/v1"
    definition = made["predicate"]["buildDefinition"]
    assert definition["externalParameters"] == {
        "recipe": {"name": "x", "digest": {"sha256": "a" * 64}},
        "validUntilNotChecked": ["trixie"],
    }
    assert definition["internalParameters"] == {
        "sourceDateEpoch": lock.source_date_epoch,
        "architecture": lock.architecture,
        "lock": {"digest": {"sha256": "b" * 64}},
    }
    *packages, archive = definition["resolvedDependencies"]
    assert [each["uri"].partition("@")[0] for each in packages] == [
        "pkg:deb/debian/hello",
        "pkg:deb/debian/libc6",
        "pkg:generic/kubelet",
        "pkg:oci/pause",
        "pkg:deb/debian/squashfs-tools",
    ]
    (known,) = lock.archives
    assert archive == {
        "uri": f"{known.root}/dists/{known.suite}/InRelease",
        "digest": {"sha256": known.inrelease_sha256},
        "annotations": {"signedBy": list(known.signed_by), "date": known.date},
    }
    builder = made["predicate"]["runDetails"]["builder"]
    assert builder["version"] == {"assembler": __version__, "zstandard": "1"}
    text = provenance.text(made)
    assert text.decode() == json.dumps(made, indent=1, sort_keys=True) + "\n"
    bare = provenance.statement({}, lock, name="x", recipe_sha256="", lock_sha256="")
    assert "validUntilNotChecked" not in bare["predicate"]["buildDefinition"]["externalParameters"]


def test_provenance() -> None:
    made = provenance.statement({"node.iso": "9" * 64}, WHOLE, name="x", recipe_sha256="a" * 64, lock_sha256="b" * 64)
    assert made["_type"] == "https://in-toto.io/Statement/v1"
    assert made["subject"] == [{"name": "node.iso", "digest": {"sha256": "9" * 64}}]
    digests = {each["digest"]["sha256"] for each in made["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert {"1" * 64, "3" * 64, "b" * 64, *(package.sha256 for package in WHOLE.packages)} <= digests
    assert json.loads(provenance.text(made)) == made
