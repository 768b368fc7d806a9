"""Requests of .debs in files for the comparison with apt, drawn and built with the host's ``dpkg-deb``."""

import hashlib
import random
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from assembler.debian.index import Universe
from assembler.debian.mirrors import Mirrors
from assembler.debian.preferences import Listing, Policy
from assembler.lock.own import OwnPackages, listing, own_packages
from assembler.reading import Reach
from assembler.recipe.debs import LocalFiles
from assembler.recipe.model import Debian, DebianPackage, Recipe
from assembler.store.objects import Store
from assembler.store.transport import Transport


@dataclass(frozen=True)
class WithDebs:
    """What is asked for together with .debs."""

    debs: tuple[Path, ...]
    packages: tuple[str, ...]

    def own(self, store: Path, arch: str) -> OwnPackages:
        """The .debs as a recipe's."""
        digests = {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in self.debs}
        debs = [DebianPackage(path=str(path), sha256=digest) for path, digest in digests.items()]
        local = LocalFiles(reach=Reach(self.debs[0].parent), debs={digests[path]: path for path in self.debs})
        with Transport(offline=True) as transport:
            recipe = Recipe.model_validate({"name": "x", "arch": arch, "debian": Debian(sources="", debs=debs)})
            return own_packages(recipe, store=Store(store), transport=transport, mirrors=Mirrors({}, local=local))


def universe_with(
    texts: Sequence[tuple[str, bytes]], listings: Sequence[Listing], own: OwnPackages, arch: str
) -> Universe:
    """The archives with these .debs."""
    more = own.indices(arch)
    policy = Policy((*listings, *map(listing, more)))
    return Universe.from_indices([*texts, *((index.id, index.text) for index in more)], arch, policy=policy)


def drawn(universe: Universe, count: int, directory: Path, draw: random.Random) -> Iterator[WithDebs]:
    """Drawn requests: packages of new names and of known ones, of other versions, that need each other and others."""
    names = sorted(name for name in universe.names if universe.offer(name))
    for number in range(count):
        place = directory / f"debs-{number}"
        made: list[tuple[str, str]] = []
        packages: list[str] = []
        for index in range(draw.randint(1, 3)):
            name, version = f"local-{number}-{index}", "1.0"
            if draw.random() < 0.5:
                # Something that another package needs, which is asked for, too.
                other = draw.choice(names)
                needed = _needed(universe, other)
                name = draw.choice(needed or [other])
                packages += [other] if draw.random() < 0.6 else []
                known = universe.offer(name)
                assert known is not None
                version = draw.choice((known.version, f"{known.version}+local1", "0.1", "99:1"))
            if name in dict(made):
                continue
            made.append((name, version))
            _build(place, name, version, _fields(universe, made[:-1], names, draw))
        packages += draw.sample(names, draw.choice((0, 0, 1, 2)))
        yield WithDebs(tuple(sorted(place.glob("*.deb"))), tuple(dict.fromkeys(packages)))


def _needed(universe: Universe, name: str) -> list[str]:
    offer = universe.offer(name)
    assert offer is not None
    targets = [target for need in offer.dependencies if need.field == "Depends" for target in need.targets]
    return [other for other, _, _ in targets if universe.offer(other)]


def _fields(
    universe: Universe, made: Sequence[tuple[str, str]], names: Sequence[str], draw: random.Random
) -> dict[str, str]:
    def one() -> str:
        if made and draw.random() < 0.4:
            name, version = draw.choice(made)
            return f"{name} ({draw.choice(('=', '>=', '<<'))} {version})" if draw.random() < 0.5 else name
        name = draw.choice(names)
        offer = universe.offer(name)
        assert offer is not None
        return f"{name} ({draw.choice(('=', '>=', '>=', '<='))} {offer.version})" if draw.random() < 0.5 else name

    def some(most: int) -> str:
        return ", ".join(" | ".join(one() for _ in range(draw.choice((1, 1, 2)))) for _ in range(draw.randint(0, most)))

    fields = {"Architecture": draw.choice(("all", "amd64")), "Depends": some(3)}
    for field, chance in (("Pre-Depends", 0.1), ("Recommends", 0.3)):
        if draw.random() < chance:
            fields[field] = some(2)
    if draw.random() < 0.25:
        fields["Provides"] = draw.choice(names)
    for field in ("Conflicts", "Breaks"):
        if draw.random() < 0.15:
            fields[field] = draw.choice(names)
    return {field: value for field, value in fields.items() if value}


def _build(place: Path, name: str, version: str, fields: dict[str, str]) -> None:
    control = place / name / "DEBIAN/control"
    control.parent.mkdir(parents=True)
    text = {"Package": name, "Version": version, "Maintainer": "Nobody <nobody@example.org>", **fields}
    control.write_text("".join(f"{field}: {value}\n" for field, value in (text | {"Description": "drawn"}).items()))
    file = f"{name}_{quote(version)}_{fields['Architecture']}.deb"  # as apt calls its copies
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "-b", str(place / name), str(place / file)]
    subprocess.run(command, check=True, capture_output=True)
