"""What dpkg would know of the packages at the moment when one of their scripts is carried out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from assembler.debian.dpkg_database import status_fields
from assembler.debian.package import Unpacked
from assembler.programs.packages_known import Known

UNPACKING, UNPACKED = "install reinstreq half-installed", "install ok unpacked"
CONFIGURING, INSTALLED = "install ok half-configured", "install ok installed"


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

    def _known(self, name: str, state: str) -> Known:
        found = self._made.get((name, state))
        if found is None:
            package = self.packages[name]
            fields = status_fields(package, self.digests, state)
            files = () if state == UNPACKING else package.paths
            found = self._made[name, state] = Known(fields, files)
        return found
