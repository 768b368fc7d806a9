"""What is random or dated is told by the package that it belongs to."""

import pytest

from assembler.api.random import _owner, _owners
from assembler.tree.staging import Tree


@pytest.mark.parametrize(
    ("path", "package"),
    [
        ("/var/lib/mysql/ibdata1", "mariadb-server"),
        ("/var/lib/mysql", "mariadb-server"),
        ("/etc/mysql/debian.cnf", ""),
        ("/etc/exim4/passwd.client", "exim4-config"),
        ("/srv", ""),
    ],
)
def test_whose_a_path_is(path: str, package: str) -> None:
    tree = Tree()
    shipped = {
        "mariadb-server": "/.\n/etc\n/etc/mysql\n/var\n/var/lib\n/var/lib/mysql\n",
        "mysql-common:amd64": "/.\n/etc\n/etc/mysql\n",
        "exim4-config": "/.\n/etc\n/etc/exim4\n/etc/exim4/passwd.client\n",
    }
    for name, text in shipped.items():
        tree.write(f"/var/lib/dpkg/info/{name}.list", text.encode(), parents=True)
    assert _owner(path, _owners(tree)) == package
