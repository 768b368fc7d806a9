"""The compilers out of the lock: all that they start is theirs, and nothing of the host is ever run."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARM64
from assembler.kernel.locked_tools import opened
from assembler.kernel.toolchain import Toolchain
from assembler.lock.compilers import packages
from assembler.store.objects import Store
from assembler.tools.confinement import Confinement, finish, start
from tests.support.toolboxes import cache, own_tools

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def toolchain() -> Iterator[Toolchain]:
    store = Store(cache())
    with opened(own_tools(packages(AMD64, AMD64)), store, AMD64, "6.1.2-x") as toolchain:
        library = Path(toolchain.starts[toolchain.starts.index("--preload") + 1])
        assert library.is_file()
        yield toolchain
    assert not library.parent.exists()


def run(toolchain: Toolchain, directory: Path, script: str, *args: str) -> tuple[int, str]:
    """Status and output of a script of the toolchain's shell, with nothing but the toolchain and a directory."""
    process = start(
        [*toolchain.starts, "sh", f"{Path(toolchain.make).parent}/sh", "-c", script, "sh", *args],
        Confinement(runs=(*toolchain.runs, directory), reads=toolchain.reads, writes=(directory,), attributes=True),
        environment={"PATH": toolchain.search, "LC_ALL": "C", "TMPDIR": str(directory), **toolchain.variables},
        cwd=directory,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    with process:
        assert process.stdout is not None
        said = process.stdout.read().decode()
        return finish(process), said


def compiled(toolchain: Toolchain, directory: Path, source: str, then: str = "") -> tuple[int, str]:
    """The same of a program in C, and what is to be done then."""
    (directory / "a.c").write_text(source)
    return run(toolchain, directory, f"gcc {toolchain.options} -o a a.c && ./a{then}")


@pytest.mark.parametrize(
    "call", ["./where", "/bin/sh -c ./where", "env -i /usr/bin/sh -c ./where", "perl -e 'exec q(./where)'"]
)
def test_names_of_the_hosts_programs_are_the_toolchains(toolchain: Toolchain, tmp_path: Path, call: str) -> None:
    (tmp_path / "where").write_text("#!/usr/bin/env dash\nreadlink /proc/self/exe\n")
    (tmp_path / "where").chmod(0o755)
    assert run(toolchain, tmp_path, call) == (0, f"{Path(toolchain.starts[0]).resolve()}\n")


@pytest.mark.parametrize(
    ("script", "said"),
    [
        (
            "perl -e 'print qx(echo a; echo b); system(q(exit 3)); print $? >> 8, system(qw(sh -c), q(kill -9 $$))'",
            "a\nb\n720575940379279359",
        ),
        (
            "perl -e 'open my $p, q(-|), q(echo x | tr x y) or die; print <$p>; close $p; print $?;'",
            "y\n0",
        ),
        (
            "perl -e '$SIG{INT} = q(IGNORE); exec {q(sh)} q(other), q(-c), q(echo $0; kill -INT $$; echo on)'",
            "other\non\n",
        ),
        (
            'python3 -c \'import os; p = os.popen("cat; exit 2", "w"); p.write("to"); print(p.close())\'',
            "to512\n",
        ),
        (
            'python3 -c \'import os; os.execlp("env", "env", "-i", "A=1", "env")\'',
            "A=1\n",
        ),
        (
            'python3 -c \'import subprocess as s; print(s.run(["echo", "", "a b"], stdout=-1))\'',
            "CompletedProcess(args=['echo', '', 'a b'], returncode=0, stdout=b' a b\\n')\n",
        ),
        (
            'python3 -c \'import os; os.posix_spawnp("printf", ["x", "%s.", "1", ""], {}); os.wait()\'',
            "1..",
        ),
        (
            'awk \'BEGIN { "echo a; echo b" | getline x; print x; print "c" | "cat; cat"; print system("exit 4") }\'',
            "a\nc\n4\n",
        ),
        (
            "printf '#!/bin/sh -e\\nfalse\\necho no\\n' > s; chmod +x s; ./s; echo $?",
            "1\n",
        ),
        (
            "printf '#! /usr/bin/env  perl  \\nprint qq(<@ARGV>)' > s; chmod +x s; ./s 'a b' c",
            "<a b c>",
        ),
        (
            "printf '#!/usr/bin/awk -f\\nBEGIN { print ARGV[1] }\\n' > s; chmod +x s; ./s x",
            "x\n",
        ),
        (
            "printf '#!%s/t\\n' $PWD > s; printf '#!/bin/echo of-t\\n' > t; chmod +x s t; ./s x | sed s,$PWD,.,",
            "of-t ./t ./s x\n",
        ),
        (
            "echo 'echo shell $1' > s; chmod +x s; ./s 1; env ./s 2; find s -exec ./s {} \\; ; echo s | xargs ./s",
            "shell 1\nshell 2\nshell s\nshell s\n",
        ),
        (
            "printf '#!\\necho by the shell\\n' > s; chmod +x s; env ./s",
            "by the shell\n",
        ),
        (
            "printf '#!/nothing\\n' > s; chmod +x s; perl -e 'exec {q(./s)} q(s); print $! + 0'",
            "2",
        ),
        (
            "echo x > s; perl -e 'exec {q(./s)} q(s); print $! + 0'; perl -e 'exec {q(./none)} q(s); print $! + 0'",
            "132",
        ),
        (
            "mkdir a b; echo 'echo second' > b/prog; chmod +x b/prog; touch a/prog; PATH=$PWD/a:$PWD/b:$PATH env prog",
            "second\n",
        ),
        (
            "printf '#!%s/s\\n' $PWD > s; chmod +x s; perl -e 'exec {q(./s)} q(s); print $! + 0'",
            "40",
        ),
        (
            "env sh -c 'exit 7'; echo $?; nice true; echo $?; env nosuch; echo $?; timeout 9 sh -c 'exit 5'; echo $?",
            "7\n0\nenv: 'nosuch': No such file or directory\n127\n5\n",
        ),
    ],
)
def test_programs_are_started_as_by_the_host(toolchain: Toolchain, tmp_path: Path, script: str, said: str) -> None:
    """What is said is what Debian's own programs say with nothing between them and the kernel."""
    assert run(toolchain, tmp_path, script) == (0, said)


def test_what_is_compiled_on_the_way_runs(toolchain: Toolchain, tmp_path: Path) -> None:
    (tmp_path / "a.c").write_text(
        "#include <libelf.h>\n#include <openssl/evp.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <zlib.h>\n"
        "int main(void) {"
        ' printf("%d %d %s\\n", elf_version(EV_CURRENT) == EV_CURRENT, EVP_sha256() != 0, zlibVersion());'
        ' fflush(stdout); return system("./b"); }\n'
    )
    (tmp_path / "b.c").write_text(
        '#include <unistd.h>\nint main(void) { return execl("/bin/echo", "e", "by b", NULL); }\n'
    )
    options = toolchain.options
    status, said = run(
        toolchain, tmp_path,
        f"gcc {options} -o a a.c -lelf -lcrypto -lz && gcc {options} -o b b.c && ./a && gcc {options} -v -E - < b.c",
    )  # fmt: skip
    assert status == 0, said
    first, second, *rest = said.splitlines()
    assert first.startswith("1 1 1.")
    assert second == "by b"
    looked = rest[rest.index("#include <...> search starts here:") + 1 : rest.index("End of search list.")]
    own = Path(toolchain.make).parent.parent
    assert looked
    assert all(Path(os.path.normpath(line.strip())).is_relative_to(own) for line in looked)


def test_streams_of_earlier_commands_are_closed_in_later_ones(toolchain: Toolchain, tmp_path: Path) -> None:
    """But not the later one's own end, which may have the same number."""
    source = (
        '#include <stdio.h>\n#include <unistd.h>\nint main(void) { close(0); FILE *r = popen("sleep 0.2", "r");'
        ' FILE *w = popen("cat > out", "w");'
        ' fputs("hello", w); return pclose(w) + pclose(r); }\n'
    )
    assert compiled(toolchain, tmp_path, source, "; cat out") == (0, "hello")


def test_nothing_of_the_host_is_run_or_read(toolchain: Toolchain, tmp_path: Path) -> None:
    # Past the library that is preloaded, as a program might that knows of it.
    source = (
        "#include <dirent.h>\n#include <stdio.h>\n#include <sys/syscall.h>\n#include <unistd.h>\n"
        'int main(void) { char *argv[] = {"sh", "-c", "echo bad", NULL}; syscall(SYS_execve, "/bin/sh", argv, NULL);'
        ' perror("/bin/sh"); FILE *f = fopen("/bin/sh", "r"); perror("its bytes");'
        # Headers are below it, where there are any.
        ' DIR *d = opendir("/usr"); perror("/usr"); return f || d; }\n'
    )
    said = "/bin/sh: Permission denied\nits bytes: Permission denied\n/usr: Permission denied\n"
    assert compiled(toolchain, tmp_path, source) == (0, said)


def test_a_cross_compiler_comes_with_it() -> None:
    assert set(packages(ARM64, AMD64)) - set(packages(AMD64, AMD64)) == {"gcc-aarch64-linux-gnu"}
    assert set(packages(AMD64, ARM64)) - set(packages(ARM64, ARM64)) == {"gcc-x86-64-linux-gnu"}


def test_neither_the_running_kernel_nor_this_machine_is_told_of(toolchain: Toolchain, tmp_path: Path) -> None:
    asks = (
        "uname -r && uname -n && hostname && uname -v && uname -s && python3 -c 'import os; print(os.uname().release)'"
    )
    told = ["6.1.2-x", "assembler", "assembler", "#1", "Linux", "6.1.2-x"]
    assert run(toolchain, tmp_path, asks) == (0, "".join(f"{line}\n" for line in told))
    source = """
#include <stdio.h>
#include <sys/utsname.h>
#include <unistd.h>
int main(void) {
    struct utsname us;
    char name[3];
    int small = gethostname(name, sizeof name);
    return uname(&us) || puts(us.release) < 0 || small != -1;
}
"""
    assert compiled(toolchain, tmp_path, source) == (0, "6.1.2-x\n")


def test_a_program_is_told_of_its_stack(toolchain: Toolchain, tmp_path: Path) -> None:
    """msync(2) says what the kernel has mapped: all up to the end that is told, and nothing behind it."""
    source = """
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
int main(void) {
    unsigned long begin, end, page = 4096;
    char name[20];
    FILE *maps = fopen("/proc/self/maps", "r"), *other = fopen("none", "r");
    if (!maps || other || fscanf(maps, "%lx-%lx %*s %*s %*s %*s %19s", &begin, &end, name) != 3)
        return 9;
    int last = msync((void *)(end - page), page, MS_ASYNC), next = msync((void *)end, page, MS_ASYNC);
    printf("%s %d %d %d", name, last, next, next && errno == ENOMEM);
    return begin > (unsigned long)&begin || end < (unsigned long)&begin;
}
"""
    assert compiled(toolchain, tmp_path, source) == (0, "[stack] 0 -1 1")
