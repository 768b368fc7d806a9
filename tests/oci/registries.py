"""A real OCI registry on 127.0.0.1, filled by another client than ours, and a server in front of it that misbehaves."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.host_commands import need
from tests.support.http_server import Handler

HOST = "registry.test"
"""What images are called; routes lead it to the real one."""
LOGIN = ("robot", "hunter2")
_HTPASSWD = "robot:$2b$05$abcdefghijklmnopqrstuuoXuKqgZXLiJqzfmMXDDhSFPIvxV7t8.\n"


@contextmanager
def registry(directory: Path, *, password: bool = False) -> Iterator[int]:
    """Debian's docker-registry with its data in `directory`; yields its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    directory.mkdir(exist_ok=True)
    auth = ""
    if password:
        (directory / "htpasswd").write_text(_HTPASSWD)
        auth = f"auth: {{htpasswd: {{realm: test, path: {directory}/htpasswd}}}}\n"
    config = directory / "config.yml"
    config.write_text(
        f"version: 0.1\nlog: {{level: error, accesslog: {{disabled: true}}}}\n"
        f"storage: {{filesystem: {{rootdirectory: {directory}/data}}}}\nhttp: {{addr: '127.0.0.1:{port}'}}\n{auth}"
    )
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(
            [need("docker-registry", "docker-registry"), "serve", str(config)], stdout=log, stderr=log
        )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"http://127.0.0.1:{port}/v2/", timeout=5).close()
            except urllib.error.HTTPError:
                break
            except OSError:
                assert process.poll() is None, (directory / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.05)
            else:
                break
        yield port
    finally:
        process.terminate()
        process.wait()


def push(layout: Path, tag: str, target: str, port: int, *options: str) -> None:
    """Have skopeo push `tag` of an OCI layout as `target` (``name:tag``)."""
    skopeo = need("skopeo", "skopeo")
    command = [skopeo, "--insecure-policy", "copy", "-q", "--dest-tls-verify=false", *options]
    subprocess.run([*command, f"oci:{layout}:{tag}", f"docker://127.0.0.1:{port}/{target}"], check=True)


def ask(port: int, handler: Handler) -> tuple[int, bytes, dict[str, str]]:
    """What the registry answers to a request that arrived elsewhere, whole."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{handler.path}")
    if accept := handler.headers["Accept"]:
        request.add_header("Accept", accept)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310  our own
            return answer.status, answer.read(), {"Content-Type": answer.headers["Content-Type"]}
    except urllib.error.HTTPError as error:
        return error.code, error.read(), {}
