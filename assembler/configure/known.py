"""What dpkg would know of the packages at the moment when one of their scripts is carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assembler.debian.dpkg_database import status_fields
from assembler.debian.package import Unpacked
from assembler.programs.packages_known import Known

UNPACKING, UNPACKED = "install reinstreq half-installed", "install ok unpacked"
CONFIGURING, INSTALLED = "install ok half-configured", "install ok installed"
_MERGED = ("/bin/", "/lib/", "/lib32/", "/lib64/", "/libx32/", "/sbin/")


@dataclass(slots=True)
class AtThatTime:
    """The packages with their states, which change from script to script (see
    :class:`assembler.programs.packages_known.Packages`).
    """

    architecture: str
    digests: Mapping[str, str]
    """Of conffiles, as :func:`assembler.debian.dpkg_database.conffile_digests` gives them."""
    packages: Mapping[str, Unpacked]
    states: dict[str, str] = field(default_factory=dict)
    """By name; a package without one is not there yet."""
    _made: dict[tuple[str, str], Known] = field(default_factory=dict)

    def known(self) -> Sequence[Known]:
        """The packages that the status file would have."""
        return [self._known(name, state) for name, state in self.states.items()]

    def absent(self) -> frozenset[str]:
        """The paths that only packages ship which are not unpacked yet, with links of a merged /usr and without."""
        unpacked = {name for name, state in self.states.items() if state != UNPACKING}
        later = [each for name, each in self.packages.items() if name not in unpacked]
        there = {path for name in unpacked for path in self.packages[name].paths} if later else set[str]()
        found = {path for each in later for path in each.paths if path not in there}
        return frozenset({*found, *(f"/usr{path}" for path in found if path.startswith(_MERGED))})

    def _known(self, name: str, state: str) -> Known:
        found = self._made.get((name, state))
        if found is None:
            package = self.packages[name]
            fields = status_fields(package, self.digests, state)
            files = () if state == UNPACKING else package.paths
            found = self._made[name, state] = Known(fields, files)
        return found
