"""What an image says of itself, printed."""

import pytest

from assembler.cli.main import call
from assembler.image import sbom
from tests.audit.conftest import Make, system
from tests.image.test_sbom import PARTS


def test_an_image_prints_what_it_holds(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    path = "/live/contents/sbom.cdx.json"
    bill = sbom.cyclonedx("x", 1_700_000_000, PARTS)
    assert call(["sbom", str(make("x", system(), listed={path: bill}))]) == 0
    assert capsys.readouterr().out.encode() == bill
    forged = make("forged", system(), listed={path: bill}, extra={path: bill.replace(b"2.10-5", b"2.10-6")})
    assert call(["sbom", str(forged)]) == 1
    said = capsys.readouterr()
    assert (said.out, "not what the image's list of contents says" in said.err) == ("", True)
    assert call(["sbom", str(forged), "--format", "spdx"]) == 1
    assert "the image has no such file" in capsys.readouterr().err
