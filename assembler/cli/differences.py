"""What differs between two images, as lines for people."""

from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from assembler.cli.session import Session

if TYPE_CHECKING:
    from assembler.audit.compare import Change, Comparison


def tell(current: Session, found: "Comparison", diffoscope: Mapping[str, str] = MappingProxyType({})) -> None:
    """Say what differs; `diffoscope` is what that program said of paths."""
    from assembler.lock.changes import describe  # noqa: PLC0415  --help need not wait

    for line in describe(found.lock):
        current.say(f"lock: {line}")
    for package in found.packages:
        versions = " -> ".join(version or "none" for version in (package.old, package.new))
        current.say(f"package {package.name}:{package.architecture}: {versions}")
    for change in found.changes:
        for line in _lines(change):
            current.say(line)
        if change.path in diffoscope:
            current.quote(diffoscope[change.path])


def _lines(change: "Change") -> Iterator[str]:
    from assembler.audit.listing import shortened  # noqa: PLC0415  --help need not wait

    package = f" ({change.package})" if change.package else ""
    yield f"{change.layer}: {change.path}{package}"
    if change.offset >= 0:
        yield f"  bytes: from {change.offset} on; {change.bytes} differ"
    for name, (old, new) in change.fields.items():
        yield f"  {name}: {shortened(old) or 'none'} -> {shortened(new) or 'none'}"
