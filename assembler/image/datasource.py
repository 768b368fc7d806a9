"""cloud-init's data sources: the volume by which each gets what a node is told, and what its files are called there.

Specification: https://docs.cloudinit.io/, "Datasources". Which of them a node looks for is in
recipes/files/90-livecd.cfg.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSource:
    """A data source that reads a volume."""

    name: str
    """As cloud-init's ``datasource_list`` has it."""
    label: str
    """The volume's label."""
    user_data: str
    meta_data: str
    network_config: str
    vendor_data: str

    @property
    def files(self) -> tuple[str, ...]:
        """Paths of all files that it reads, relative to the volume."""
        return self.user_data, self.meta_data, self.network_config, self.vendor_data


NOCLOUD = DataSource(
    name="NoCloud",
    label="cidata",
    user_data="user-data",
    meta_data="meta-data",
    network_config="network-config",
    vendor_data="vendor-data",
)
SEED = NOCLOUD
"""The one that seeds are for."""
