"""Bills of materials: CycloneDX 1.6 and SPDX 2.3, in JSON. The same bytes for the same lock.

Every package that the image has something of (boot loader, initrd and kernel included), every upstream file and every
container image is a component with its digest and its purl. The licences are those of the machine-readable copyright
files in the root file system.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

from assembler import __version__, releases
from assembler.debian.mirrors import MAIN, SECURITY
from assembler.image.licences import spdx
from assembler.lockfile.model import Lock, LockedArchive, LockedPackage

_SPACE = UUID("6a2b7c1e-6a0f-5b0c-9a53-6f3f0f6f4a11")
"""Of the identifiers made here; they are version 5, from names."""
NAMESPACE = "https://spdx.org/spdxdocs"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A component."""

    name: str
    version: str
    purl: str
    sha256: str
    licences: tuple[str, ...]
    """Debian's short names."""
    source: str = ""
    """Source package and its version."""
    places: tuple[str, ...] = ()
    """Where a package is in the image, of `ROLES`."""
    kind: str = "library"


def parts(lock: Lock, licences: Mapping[str, tuple[str, ...]]) -> Iterator[Part]:
    """What the image of `lock` consists of, sorted: packages, then upstream files, then container images."""
    for package in lock.packages:
        yield Part(
            name=package.name,
            version=package.version,
            purl=package_url(package, lock.archives),
            sha256=package.sha256,
            licences=licences.get(package.name, ()),
            source=f"{package.source} {package.source_version}",
            places=package.roles,
        )
    for file in lock.files:
        yield Part(
            name=file.name,
            version=file.version,
            purl=_purl("generic", None, file.name, file.version or None, {"download_url": file.url}),
            sha256=file.sha256,
            licences=(),
            kind="file",
        )
    for image in lock.images:
        repository, _, tag = image.name.partition("@")[0].rpartition(":")
        if not repository or "/" in tag:
            repository, tag = image.name.partition("@")[0], ""
        yield Part(
            name=repository,
            version=f"sha256:{image.manifest}",
            purl=_purl(
                "oci",
                None,
                repository.rpartition("/")[2],
                f"sha256:{image.manifest}",
                {"repository_url": repository, **({"tag": tag} if tag else {})},
            ),
            sha256=image.manifest,
            licences=(),
            kind="container",
        )


def package_url(package: LockedPackage, archives: Iterable[LockedArchive]) -> str:
    """The purl of a package (https://github.com/package-url/purl-spec) from one of `archives`: Debian's, with its
    release; one of others, with its address; or one of the recipe's own.
    """
    qualifiers = {"arch": package.architecture}
    if not package.archive:
        given = {"download_url": package.url} if package.url else {"file_name": package.path}
        qualifiers |= {"checksum": f"sha256:{package.sha256}", **given}
        return _purl("generic", None, package.name, package.version, qualifiers)
    archive = next(each for each in archives if each.id == package.archive)
    if archive.root in {MAIN, SECURITY} or not releases.keys().keys().isdisjoint(archive.signed_by):
        qualifiers["distro"] = releases.distribution(archive.suite)
        return _purl("deb", "debian", package.name, package.version, qualifiers)
    return _purl("deb", None, package.name, package.version, qualifiers | {"repository_url": archive.root})


def _purl(kind: str, namespace: str | None, name: str, version: str | None, qualifiers: Mapping[str, str]) -> str:
    from packageurl import PackageURL  # noqa: PLC0415  only for this

    return str(PackageURL(kind, namespace, name, version, dict(qualifiers)).to_string())


def cyclonedx(name: str, epoch: int, found: Iterable[Part]) -> bytes:
    """The bill in CycloneDX 1.6; `epoch` (seconds) is its time."""
    from cyclonedx.model import HashAlgorithm, HashType, Property  # noqa: PLC0415  takes a while
    from cyclonedx.model.bom import Bom, BomMetaData  # noqa: PLC0415
    from cyclonedx.model.component import Component, ComponentType  # noqa: PLC0415
    from cyclonedx.model.tool import ToolRepository  # noqa: PLC0415
    from cyclonedx.output import make_outputter  # noqa: PLC0415
    from cyclonedx.schema import OutputFormat, SchemaVersion  # noqa: PLC0415
    from packageurl import PackageURL  # noqa: PLC0415

    listed = list(found)
    kinds = {"library": ComponentType.LIBRARY, "file": ComponentType.FILE, "container": ComponentType.CONTAINER}
    components = [
        Component(
            type=kinds[part.kind],
            name=part.name,
            version=part.version or None,
            bom_ref=part.purl,
            purl=PackageURL.from_string(part.purl),
            hashes=[HashType(alg=HashAlgorithm.SHA_256, content=part.sha256)],
            licenses=[_licence(each) for each in part.licences],
            properties=[
                *([Property(name="debian:source", value=part.source)] if part.source else []),
                *(Property(name="assembler:place", value=place) for place in part.places),
            ],
        )
        for part in listed
    ]
    image = Component(type=ComponentType.OPERATING_SYSTEM, name=name, bom_ref=name)
    bom = Bom(
        components=components,
        serial_number=uuid5(_SPACE, _identity(name, epoch, listed)),
        metadata=BomMetaData(
            component=image,
            timestamp=datetime.fromtimestamp(epoch, UTC),
            tools=ToolRepository(
                components=[Component(type=ComponentType.APPLICATION, name="assembler", version=__version__)]
            ),
        ),
    )
    bom.register_dependency(image, components)
    text = make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string()
    return (json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n").encode()


def _licence(name: str) -> Any:
    from cyclonedx.model.license import DisjunctiveLicense  # noqa: PLC0415  as above

    identifier = spdx(name)
    if identifier.startswith("LicenseRef-"):
        return DisjunctiveLicense(name=name)
    return DisjunctiveLicense(id=identifier)


def spdx_document(name: str, epoch: int, found: Iterable[Part]) -> bytes:
    """The bill in SPDX 2.3; `epoch` (seconds) is its time."""
    from license_expression import get_spdx_licensing  # noqa: PLC0415  takes a while
    from spdx_tools.spdx import model as typed_model  # noqa: PLC0415  takes a while
    from spdx_tools.spdx.writer.json.json_writer import write_document_to_stream  # noqa: PLC0415

    model: Any = typed_model  # it says nothing of what it exports
    listed = list(found)
    licensing = get_spdx_licensing()
    packages, relationships, references = [], [], set()
    for part in listed:
        identifiers = sorted({spdx(each) for each in part.licences})
        references |= {each for each in identifiers if each.startswith("LicenseRef-")}
        own = f"SPDXRef-{hashlib.sha256(part.purl.encode()).hexdigest()[:16]}"
        packages.append(
            model.Package(
                spdx_id=own,
                name=part.name,
                version=part.version or None,
                download_location=model.SpdxNoAssertion(),
                files_analyzed=False,
                checksums=[model.Checksum(model.ChecksumAlgorithm.SHA256, part.sha256)],
                license_declared=licensing.parse(" AND ".join(identifiers)) if identifiers else model.SpdxNoAssertion(),
                license_concluded=model.SpdxNoAssertion(),
                copyright_text=model.SpdxNoAssertion(),
                source_info=f"built from {part.source}" if part.source else None,
                comment=f"in: {', '.join(part.places)}" if part.places else None,
                external_references=[
                    model.ExternalPackageRef(model.ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", part.purl)
                ],
            )
        )
        relationships.append(model.Relationship("SPDXRef-DOCUMENT", model.RelationshipType.DESCRIBES, own))
    document = model.Document(
        creation_info=model.CreationInfo(
            spdx_version="SPDX-2.3",
            spdx_id="SPDXRef-DOCUMENT",
            name=name,
            document_namespace=f"{NAMESPACE}/{name}-{uuid5(_SPACE, _identity(name, epoch, listed))}",
            creators=[model.Actor(model.ActorType.TOOL, f"assembler-{__version__}")],
            created=datetime.fromtimestamp(epoch, UTC).replace(tzinfo=None),
        ),
        packages=packages,
        relationships=relationships,
        extracted_licensing_info=[
            model.ExtractedLicensingInfo(
                license_id=each,
                extracted_text="See the copyright files of the packages.",
                license_name=each.removeprefix("LicenseRef-debian-"),
            )
            for each in sorted(references)
        ],
    )
    out = io.StringIO()
    write_document_to_stream(document, out, validate=False)
    return (json.dumps(json.loads(out.getvalue()), indent=1, sort_keys=True) + "\n").encode()


def _identity(name: str, epoch: int, found: Iterable[Part]) -> str:
    lines: list[Any] = [name, epoch, *((part.purl, part.sha256, part.licences) for part in found)]
    return hashlib.sha256(json.dumps(lines).encode()).hexdigest()
