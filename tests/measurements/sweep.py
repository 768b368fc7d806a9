"""How many of Debian's packages have scripts that are computed: draws at random, checked as anybody's recipes are.

Two draws, the same every time for the same archive: `any` from all packages of a release's main (amd64), and `services`
from those whose dependencies name a helper of maintainer scripts (adduser, debconf, ucf ...), which do more than
byte-compile. Each has N packages with a preinst or postinst of their own. They are put on top of a small base in
groups, a package that cannot be beside another in another group, and each group is checked with ``scripts = "auto"``:
nothing is executed, but every script is carried out on the tree, or told why it is not. Passed over, and counted, are
packages that cannot be beside the base and those that bring more than a given size along.

Where a script is not computed, those of packages that need its package are carried out all the same, on what it has
left, so that each package of the draw is told of for itself.

    scripts/sweep [RELEASE...] [--count N] [--seeds N...] [--kinds KIND...] [--group N] [--largest MIB] [--store DIR]
        [--work DIR] [--write docs/sweep.md]
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assembler.debian.index import Universe
from assembler.debian.relations import parse_relations
from assembler.errors import AssembleError
from assembler.layers import rootfs
from assembler.releases import RELEASES
from tests.proofs.draws import Release
from tests.support.command import ROOT, arguments

HELPERS = frozenset({
    "adduser", "debconf", "dbconfig-common", "dbconfig-no-thanks", "init-system-helpers", "lsb-base", "openrc",
    "runit-helper", "sgml-base", "systemd-sysusers", "ucf", "update-inetd", "xml-core",
})  # fmt: skip
"""A package that depends on one of these calls it in its scripts, as a rule."""
KINDS = ("any", "services")
BEHIND = ("it needs ", "it comes after ")
"""With one of these begins why a package is executed whose own scripts may be computed."""


@dataclass
class Draw:
    """What became of one draw."""

    release: str
    kind: str
    seed: int
    passed_over: int = 0
    computed: list[str] = field(default_factory=list)
    executed: dict[str, str] = field(default_factory=dict)
    """By package, why its own scripts are not computed."""
    behind: dict[str, str] = field(default_factory=dict)
    """Those whose own scripts are computed, by package, with one that is executed and that they need."""
    refused: dict[str, str] = field(default_factory=dict)
    """Cannot be built, with the reason."""
    needed: dict[str, str] = field(default_factory=dict)
    """Packages that were brought along and are executed, with the reasons."""

    @property
    def number(self) -> int:
        """How many packages there were."""
        return len(self.computed) + len(self.executed) + len(self.behind) + len(self.refused)

    @property
    def share(self) -> float:
        """Of 100 packages, how many have scripts that are computed."""
        return 100 * (len(self.computed) + len(self.behind)) / self.number


def services(universe: Universe) -> Iterator[str]:
    """The packages that depend on a helper of scripts."""
    for name in universe.names:
        candidate = universe.candidate(name)
        relations = [candidate.fields.get(kind, "") for kind in ("Depends", "Pre-Depends")] if candidate else []
        groups = (group for text in relations for group in parse_relations(text, package=name))
        if any(relation.name in HELPERS for group in groups for relation in group):
            yield name


def carry_out(release: Release, kind: str, seed: int, options: argparse.Namespace) -> Draw:
    """Draw, and check in groups."""
    names = None if kind == "any" else list(services(release.universe))
    drawn = release.draw(options.count, seed, options.largest << 20, names)
    draw = Draw(release.name, kind, seed, len(drawn.large) + len(drawn.impossible))
    for group in release.grouped([candidate.name for candidate in drawn.packages], options.group):
        _check(release, group, draw)
        print(f"{release.name} {kind} {seed}: {draw.number} of {options.count}", file=sys.stderr, flush=True)
    return draw


def _check(release: Release, group: Sequence[str], draw: Draw) -> None:
    try:
        with release.project(group) as project:
            packages = project.lock.role("rootfs")
            project.means.fetch(packages)
            checked = rootfs.check(
                project.recipe.rootfs, packages, files=project.files("rootfs"), architecture=project.lock.architecture,
                epoch=project.epoch, store=project.means.store, thorough=True,
            )  # fmt: skip
        problem = str(checked.problems[0]) if checked.problems else ""
    except AssembleError as error:
        checked, problem = None, str(error)
    if checked is None or problem:
        if len(group) == 1:
            draw.refused[group[0]] = problem
            return
        for name in group:
            _check(release, [name], draw)
        return
    reasons = {script.package: script.reason for script in checked.scripts if script.handling == "executed"}
    for name in group:
        if name not in reasons:
            draw.computed.append(name)
        elif reasons[name].startswith(BEHIND):
            draw.behind[name] = reasons[name]
        else:
            draw.executed[name] = reasons[name]
    draw.needed |= {
        name: reason for name, reason in reasons.items() if name not in group and not reason.startswith(BEHIND)
    }


def cause(reason: str) -> str:
    """The kind of a reason: what is not computed, without where it is and with what arguments."""
    text = re.sub(r"^its \w+(?: cannot be computed)?: (?:line \d+: )?", "", reason)
    text = re.sub(r" in line \d+.*", "", text)
    text = re.sub(r"^/var/lib/dpkg/info/\S+\.config ", "a config script that is not for sh ", text)
    return text.partition(": ")[0]


def table(draws: Sequence[Draw]) -> str:
    """The result in Markdown."""
    lines = [
        (
            "| release, draw, seed | packages | computed | behind another | executed | refused | passed over |"
            " own scripts |"
        ),
        "|---|" + "--:|" * 7,
    ]
    for draw in draws:
        cells = (draw.number, len(draw.computed), len(draw.behind), len(draw.executed), len(draw.refused))
        numbers = " | ".join(map(str, (*cells, draw.passed_over)))
        lines.append(f"| {draw.release}, {draw.kind}, {draw.seed} | {numbers} | {draw.share:.1f} % |")
    return "\n".join(lines) + "\n"


def listed(reasons: Iterable[tuple[str, str]]) -> str:
    """What is not computed, the most frequent first, with packages, each once."""
    by_cause: dict[str, set[str]] = {}
    for name, reason in reasons:
        by_cause.setdefault(cause(reason), set()).add(name)
    lines = [
        f"- {text} ({len(names)}): {', '.join(sorted(names))}"
        for text, names in sorted(by_cause.items(), key=lambda item: (-len(item[1]), item[0]))
    ]
    return "\n".join(lines) + "\n"


def causes(draws: Sequence[Draw]) -> str:
    """What is not computed of the packages that were drawn."""
    return listed(item for draw in draws for item in (*draw.executed.items(), *draw.refused.items()))


def needed(draws: Sequence[Draw]) -> str:
    """What is not computed of packages that these brought along, but for those that were drawn as well."""
    known = {name for draw in draws for name in (*draw.executed, *draw.refused)}
    return listed(item for draw in draws for item in draw.needed.items() if item[0] not in known)


DOCUMENT = """\
# How much of Debian is computed

`scripts/sweep` takes packages of Debian's `main` (amd64) at random and checks recipes of them as `assemble check` does:
every preinst, postinst and trigger is carried out on the tree by the assembler's own shell, or the first command that
is not computed is told. This page is what it wrote with seeds {seeds}; each draw has {count} packages with scripts of
their own.

- `any` is drawn from all packages. Most have no script at all, and of the rest most do nothing but byte-compile Python.
- `services` is drawn from the packages that depend on a helper of maintainer scripts: adduser, debconf, ucf,
  init-system-helpers and the like. It says more about what people install on servers.

{table}
The last column has the packages of which all own scripts are computed. Those that are *behind another* need a package
that is executed, so that a build has the real dpkg configure them after that. Their own scripts were carried out here
on what the scripts of that package had left when they were given up. *Passed over* are packages that cannot be beside
the base, and those that bring more than {largest} MiB along.

What is not computed of packages that were drawn, by cause, with the number of packages:

{causes}
Likewise, of packages that they brought along, and that were not drawn themselves:

{needed}"""


def written(draws: Sequence[Draw], options: argparse.Namespace) -> str:
    """The document."""
    *others, last = map(str, options.seeds)
    seeds = f"{', '.join(others)} and {last}" if others else last
    return DOCUMENT.format(
        seeds=seeds, count=options.count, largest=options.largest, table=table(draws), causes=causes(draws),
        needed=needed(draws),
    )  # fmt: skip


def main() -> int:
    """Run the sweep; returns the exit status."""
    parser = arguments("sweep", __doc__)
    parser.add_argument("releases", nargs="*", metavar="RELEASE", help=f"of {', '.join(RELEASES)}; trixie if none")
    parser.add_argument("--count", type=int, default=500, help="packages in each draw (default: %(default)s)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[13], help="of the draws (default: 13)")
    parser.add_argument("--group", type=int, default=25, help="packages checked together (default: %(default)s)")
    parser.add_argument("--largest", type=int, default=40, help="MiB that one may bring along (default: %(default)s)")
    parser.add_argument("--kinds", nargs="*", choices=KINDS, default=KINDS, help="of draws")
    parser.add_argument("--store", type=Path, default=Path.home() / ".cache/assembler", help="where packages are kept")
    parser.add_argument("--work", type=Path, default=ROOT / "build/sweep", help="for recipes and locks")
    parser.add_argument("--write", type=Path, help="write the result into this document, after each draw")
    options = parser.parse_args()
    draws: list[Draw] = []
    for name in options.releases or ["trixie"]:
        release = Release(name, options.store, options.work)
        for kind in options.kinds:
            for seed in options.seeds:
                draws.append(carry_out(release, kind, seed, options))
                if options.write:
                    options.write.write_text(written(draws, options))
    print(table(draws), causes(draws), needed(draws), sep="\n")
    for draw in draws:
        for name, reason in {**draw.executed, **draw.refused, **draw.needed}.items():
            print(f"{draw.release} {draw.kind} {draw.seed} {name}: {reason}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
