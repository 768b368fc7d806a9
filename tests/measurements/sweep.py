"""Classify the preinst and postinst of packages drawn from Debian main: how much of the archive is handled, by what.

    scripts/sweep [--count N] [--seed N] [--max-size KIB] [--work DIRECTORY] [--write docs/sweep.md]
                  [--show unhandled|nothing|calls] [--shortest N]

Two draws, the same every time for the same archive: `any` from all packages, and `services` from those whose
dependencies name a helper of maintainer scripts (adduser, debconf, ucf ...), which do more than byte-compile. Packages
are drawn until N of them have a script; of each only its control files are kept, so a run continues where another
stopped. Exit status 1 when the analysis of a script fails in another way than by refusing it.
"""

import argparse
import json
import random
import sys
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from assembler.cli import environment
from assembler.configure import rules
from assembler.configure.scripts import SCRIPTS, Analysis, analyse
from assembler.configure.snippets import split
from assembler.debian import mirrors
from assembler.debian.deb import read_control
from assembler.debian.index import Universe
from assembler.debian.package import Candidate
from assembler.debian.relations import parse_relations
from assembler.debian.release import choose_indices, fetch_indices, fetch_release, read_index
from assembler.debian.sources import archives, parse_sources
from assembler.errors import AssembleError, Place
from assembler.recipe.model import Debian
from assembler.store.download import Download
from assembler.store.objects import Store
from assembler.store.transport import Transport
from tests.support.command import ROOT, arguments

ARCHITECTURE = "amd64"
SOURCES = "Types: deb\nSuites: trixie\nComponents: main\n"
LAYERS = ("nothing", "snippets", "calls", "rule", "unhandled")
HELPERS = frozenset({
    "adduser", "debconf", "dbconfig-common", "dbconfig-no-thanks", "init-system-helpers", "lsb-base", "openrc",
    "runit-helper", "sgml-base", "systemd-sysusers", "ucf", "update-inetd", "xml-core",
})  # fmt: skip
"""A package that depends on one of these calls it in its scripts, as a rule."""
BATCH = 40
"""Packages fetched at a time."""


@dataclass
class Draw:
    """What one draw found."""

    name: str
    looked_at: int = 0
    """Packages fetched, with scripts or without."""
    analyses: list[Analysis] = field(default_factory=list)
    texts: dict[tuple[str, str], str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)

    def packages(self) -> set[str]:
        """Those that have a script."""
        return {package for package, _ in self.texts}

    def counts(self) -> Counter[str]:
        """Scripts by layer."""
        return Counter(analysis.layer for analysis in self.analyses)

    def package_counts(self) -> Counter[str]:
        """Packages by the highest layer that one of their scripts needs."""
        highest: dict[str, int] = {}
        for analysis in self.analyses:
            highest[analysis.package] = max(highest.get(analysis.package, 0), LAYERS.index(analysis.layer))
        return Counter(LAYERS[layer] for layer in highest.values())


class Archive:
    """Debian main, and the control files of its packages."""

    def __init__(self, work: Path, transport: Transport) -> None:
        settings = environment.read()
        self._mirrors = mirrors.choose(Debian(), override=settings.mirror)
        self._transport = transport
        self._store = Store(work / "store")
        self._kept = work / "control"
        self._kept.mkdir(parents=True, exist_ok=True)
        (archive,) = archives(parse_sources(SOURCES))
        release = fetch_release(archive, mirrors=self._mirrors, transport=transport, now=datetime.now(UTC))
        indices = choose_indices(release, archive, ARCHITECTURE)
        fetch_indices(
            [(archive, release, index) for index in indices],
            store=self._store, transport=transport, mirrors=self._mirrors,
        )  # fmt: skip
        self.date = release.date
        self.universe = Universe.from_indices(
            [(archive.id, read_index(self._store, release, index)) for index in indices], ARCHITECTURE
        )

    def scripts(self, candidates: Sequence[Candidate]) -> Iterator[dict[str, str]]:
        """The control files that are scripts, of each package in turn."""
        missing = [candidate for candidate in candidates if not self._path(candidate).exists()]
        downloads = [
            Download(
                candidate.sha256,
                candidate.size,
                tuple(mirrors.join(base, candidate.filename) for base in self._mirrors.bases("debian")),
                candidate.name,
            )
            for candidate in missing
        ]
        self._transport.download(self._store, downloads)
        for candidate in missing:
            file = self._store.path(candidate.sha256)
            _, control = read_control(file, Place(package=candidate.name))
            texts = {name: control[name].decode("latin-1") for name in SCRIPTS if name in control}
            self._path(candidate).write_text(json.dumps(texts), "ascii")
            file.unlink()
        for candidate in candidates:
            yield {
                name: text.encode("latin-1").decode("utf-8", "surrogateescape")
                for name, text in json.loads(self._path(candidate).read_text("ascii")).items()
            }

    def _path(self, candidate: Candidate) -> Path:
        return self._kept / f"{candidate.sha256}.json"


def services(universe: Universe) -> Iterator[str]:
    """The packages that depend on a helper of scripts."""
    for name in universe.names:
        candidate = universe.candidate(name)
        relations = [candidate.fields.get(kind, "") for kind in ("Depends", "Pre-Depends")] if candidate else []
        groups = (group for text in relations for group in parse_relations(text, package=name))
        if any(relation.name in HELPERS for group in groups for relation in group):
            yield name


def draw(archive: Archive, name: str, names: Iterable[str], options: argparse.Namespace) -> Draw:
    """Draw packages until `--count` of them have a script, and analyse these."""
    order = sorted(names)
    random.Random(options.seed).shuffle(order)  # noqa: S311  a sample, not a secret
    found = Draw(name)
    drawn = (
        candidate
        for candidate in (archive.universe.candidate(name) for name in order)
        if candidate is not None and candidate.size <= options.max_size << 10
    )
    while len(found.packages()) < options.count and (batch := list(islice(drawn, BATCH))):
        for candidate, texts in zip(batch, archive.scripts(batch), strict=True):
            if len(found.packages()) == options.count:
                break
            found.looked_at += 1
            for script, text in texts.items():
                found.texts[candidate.name, script] = text
                try:
                    found.analyses.append(judge(candidate.name, script, text))
                except Exception:  # noqa: BLE001  the question is whether there are any
                    found.failures.append(f"{candidate.name} {script}: {traceback.format_exc()}")
        print(f"{name}: {len(found.packages())} with scripts of {found.looked_at}", file=sys.stderr, flush=True)
    return found


def judge(package: str, script: str, text: str) -> Analysis:
    """The analysis of a script, with the layer `rule` when there is one for what is left of it."""
    analysis = analyse(package, script, text, ARCHITECTURE)
    if analysis.layer == "unhandled" and rules.find(rules.built_in(), package, script, analysis.residual, ARCHITECTURE):
        return Analysis(package, script, "rule", analysis.tools, (), (), analysis.residual)
    return analysis


def table(draws: Sequence[Draw]) -> str:
    """The result in Markdown."""
    lines = [
        "| draw | looked at | with scripts | " + " | ".join(LAYERS) + " | handled |",
        "|---|--:|--:" + "|--:" * 6 + "|",
    ]
    for found in draws:
        for what, counts in (("packages", found.package_counts()), ("scripts", found.counts())):
            total = counts.total()
            cells = [str(counts[layer]) for layer in LAYERS]
            handled = f"{100 * (total - counts['unhandled']) / total:.1f} %" if total else ""
            looked = str(found.looked_at) if what == "packages" else ""
            lines.append(f"| {found.name}, {what} | {looked} | {total} | {' | '.join(cells)} | {handled} |")
    return "\n".join(lines) + "\n"


def unknown_tools(draws: Sequence[Draw]) -> Counter[str]:
    """Tools that generated a part of an unhandled script."""
    return Counter(
        snippet.tool
        for found in draws
        for analysis in found.analyses
        if analysis.layer == "unhandled"
        for snippet in split(found.texts[analysis.package, analysis.script])[1]
        if snippet.tool not in analysis.tools
    )


DOCUMENT = """\
# How much of Debian is configured without running a script

`scripts/sweep` takes packages of trixie's `main` (amd64) at random and asks for every preinst and postinst what the
assembler would do with it. This page is what it wrote for the archive of {date}, with seed {seed}. Each draw goes on
until {count} packages with a script are found; packages above {size} KiB are passed over, to be kind to the mirror.

- `any` is drawn from all packages. Most have no script at all, and of the rest most do nothing but byte-compile Python.
- `services` is drawn from the packages that depend on a helper of maintainer scripts: adduser, debconf, ucf,
  init-system-helpers and the like. It says more about what people install on servers.

{table}
A script counts under the highest layer that any part of it needs, and a package under that of its scripts:

- **nothing**: all of it is for upgrades, removals or errors;
- **snippets**: parts generated by debhelper and its add-ons;
- **calls**: commands written by hand, all of them understood;
- **rule**: text that a person has read and written a rule for;
- **unhandled**: nobody has. A build with such a package stops and shows the text, unless the recipe has a rule for it
  or leaves the package to its first boot.

No analysis failed. Rules are written for packages that people put on nodes, so they hardly count in a random draw: what
`any` shows is how far the general layers carry.

Tools with parts that are not known, in scripts that are unhandled:

{tools}"""


def document(archive: Archive, draws: Sequence[Draw], options: argparse.Namespace) -> str:
    """The page for the documentation."""
    return DOCUMENT.format(
        date=f"{archive.date:%Y-%m-%d}",
        seed=options.seed,
        count=options.count,
        size=options.max_size,
        table=table(draws),
        tools="".join(f"- {tool} ({count})\n" for tool, count in unknown_tools(draws).most_common()) or "None.\n",
    )


def main() -> int:
    """Run the sweep; 1 when an analysis failed."""
    parser = arguments("sweep", __doc__)
    parser.add_argument(
        "--count", type=int, default=500, help="packages with scripts in each draw (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=13, help="of the draws (default: %(default)s)")
    parser.add_argument("--max-size", type=int, default=1024, help="largest .deb in KiB (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=ROOT / "build/sweep", help="what is kept between runs")
    parser.add_argument("--write", type=Path, help="write the result into this document")
    parser.add_argument("--show", choices=LAYERS, help="print the scripts that ended in this layer")
    parser.add_argument("--shortest", type=int, default=0, metavar="N", help="print only the N shortest of them")
    options = parser.parse_args()
    with Transport() as transport:
        archive = Archive(options.work, transport)
        draws = [
            draw(archive, "any", archive.universe.names, options),
            draw(archive, "services", services(archive.universe), options),
        ]
    if options.show:
        show(draws, options.show, options.shortest)
    print(table(draws))
    for tool, count in unknown_tools(draws).most_common():
        print(f"{count:5} scripts with an unknown part by {tool}")
    failures = [failure for found in draws for failure in found.failures]
    print(*failures, sep="\n", end="")
    if options.write and not failures:
        options.write.write_text(document(archive, draws, options))
    return 1 if failures else 0


def show(draws: Sequence[Draw], layer: str, shortest: int) -> None:
    """Print scripts that ended in `layer`: the residual where there is one, else the text."""
    shown: dict[tuple[str, str], str] = {}
    for found in draws:
        for analysis in found.analyses:
            if analysis.layer == layer:
                key = analysis.package, analysis.script
                shown[key] = analysis.residual or found.texts[key]
    for (package, script), text in sorted(shown.items(), key=lambda item: len(item[1]))[: shortest or None]:
        print(f"=== {package} {script}\n{text}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except AssembleError as error:
        sys.exit(f"sweep: {error}")
