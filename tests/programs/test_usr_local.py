"""dh_usrlocal's directories, as a shell makes them."""

import pytest

from assembler.programs.usr_local import listed, make
from assembler.shell.grammar import parse_script
from tests.tree.disk import shown, tree_of

# As debhelper 13.24 writes it.
SNIPPET = """\
(
	default_mode=0755
	default_user=root
	default_group=root
	if [ -e /etc/staff-group-for-usr-local ]; then
		default_mode=02775
		default_group=staff
	fi
	while read line; do
		set -- $line
		dir="$1"; mode="$2"; user="$3"; group="$4"
		if [ "$mode" = "default" ]; then
			mode="$default_mode"
			user="$default_user"
			group="$default_group"
		fi
		if [ ! -e "$dir" ]; then
			if mkdir "$dir" 2>/dev/null; then
				if chown "$user":"$group" "$dir" ; then
					chmod "$mode" "$dir" || true
				fi
			fi
		fi
	done
) << DATA
@DATA
"""
LINES = "/usr/local/share default\n/usr/local/share/x default\n/usr/local/y/z default\n/usr/local/m 02770 root mail\n"


def test_the_snippet_is_recognised() -> None:
    assert listed(parse_script(SNIPPET.replace("@", LINES))) == LINES.splitlines()


@pytest.mark.parametrize(
    "snippet",
    [
        SNIPPET.replace("@", "/etc/x default\n"),
        SNIPPET.replace("@", "/usr/local/../x default\n").replace("..", "`id`"),
        SNIPPET.replace("@", LINES).replace("mkdir", "rmdir"),
        SNIPPET.replace("@", LINES) + "id\n",
    ],
)
def test_anything_else_is_not(snippet: str) -> None:
    assert listed(parse_script(snippet)) is None


def test_directories_are_made_where_their_parent_is() -> None:
    files = {"/usr/local/": "", "/etc/passwd": "root:x:0:0:::\n", "/etc/group": "root:x:0:\nstaff:x:50:\nmail:x:8:\n"}
    tree = tree_of(files)
    make(tree, LINES.splitlines())
    assert [path for path, _ in tree.walk("/usr/local")] == [
        "/usr/local", "/usr/local/m", "/usr/local/share", "/usr/local/share/x",
    ]  # fmt: skip
    shared, mail = tree.at("/usr/local/share"), tree.at("/usr/local/m")
    assert (shared.mode, shared.gid, mail.mode, mail.gid) == (0o755, 0, 0o2770, 8)
    tree = tree_of({**files, "/etc/staff-group-for-usr-local": ""})
    make(tree, LINES.splitlines())
    assert (tree.at("/usr/local/share/x").mode, tree.at("/usr/local/share/x").gid) == (0o2775, 50)


def test_a_line_of_another_kind_is_never_carried_out() -> None:
    tree = tree_of({"/usr/local/": ""})
    with pytest.raises(ValueError, match="not a line of dh_usrlocal's: /etc/x default"):
        make(tree, ["/etc/x default"])
    assert shown(tree) == {}
