"""Change single random bytes of an ISO, one at a time, and see that `assemble verify` names what was hit each time.

    scripts/mutate-image out/node.iso [--number 200] [--seed 1]

The image itself is left alone: a copy is changed, in memory where /dev/shm is.
"""

import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from assembler.audit.image import Image
from assembler.audit.verify import Finding, sealed, verify
from assembler.formats.seal import SEAL, Area
from assembler.image.names import ISO_SQUASHFS
from tests.support.command import arguments


def expected(areas: list[Area], place: int) -> str:
    """The name of what lies at `place`."""
    return next(area.name for area in areas if area.offset <= place < area.end)


def right(finding: Finding, name: str, place: int) -> bool:
    """Whether `finding` is about the byte at `place`, which belongs to `name`."""
    if finding.path.startswith(f"{ISO_SQUASHFS}!"):
        return name == ISO_SQUASHFS and finding.offset <= place < finding.offset + finding.size
    return finding.path == name


def main() -> int:
    """Returns the exit status."""
    parser = arguments("mutate-image", __doc__)
    parser.add_argument("image", type=Path)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    wishes = parser.parse_args()
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as directory:
        copy = Path(directory) / wishes.image.name
        shutil.copyfile(wishes.image, copy)
        if found := verify(copy).findings:
            print(f"the image is not sound to begin with: {found[0]}")
            return 1
        seal = Image(copy).seal
        areas = [*(area for area, _ in seal.areas), Area(seal.offset, seal.size, f"[{SEAL}]")]
        chance = random.Random(wishes.seed)  # noqa: S311  to be repeatable, not secret
        # Most bytes are in the squashfs: a half is drawn from all bytes, the other from all areas with the same chance.
        names = sorted({area.name for area in areas})
        places = [chance.randrange(copy.stat().st_size) for _ in range(wishes.number // 2)]
        for _ in range(wishes.number - len(places)):
            name = chance.choice(names)
            area = chance.choice([area for area in areas if area.name == name])
            places.append(chance.randrange(area.offset, area.end))
        missed, hit, slowest = 0, Counter[str](), 0.0
        for place in places:
            with copy.open("r+b") as stream:
                stream.seek(place)
                before = stream.read(1)
                stream.seek(place)
                stream.write(bytes([before[0] ^ chance.randrange(1, 256)]))
            began = time.monotonic()
            findings = list(sealed(Image(copy)))
            slowest = max(slowest, time.monotonic() - began)
            name = expected(areas, place)
            # A file's digest does not tell which of its blocks is wrong, so neighbours may be named, too.
            if any(right(finding, name, place) for finding in findings):
                hit[next(finding.path for finding in findings if right(finding, name, place))] += 1
            else:
                missed += 1
                print(f"byte {place} of {name}: {findings[:3]}")
            with copy.open("r+b") as stream:
                stream.seek(place)
                stream.write(before)
        for path, number in sorted(hit.items()):
            print(f"{number:4}  {path}")
        print(f"{len(places) - missed} of {len(places)} changes were named rightly; the slowest took {slowest:.2f} s")
        return 1 if missed or verify(copy).findings else 0


if __name__ == "__main__":
    sys.exit(main())
