"""A real browser without a window, which tests open pages in: Chromium, asked over the Chrome DevTools Protocol.

It comes from locked Debian packages as the other tools do, and runs through its own loader. It looks for its data next
to the program that the kernel has started, which is the loader: a copy of that lies in a directory with links to the
data. The protocol is at https://chromedevtools.github.io/devtools-protocol/; over a pipe, each message ends with a
zero byte.
"""

import json
import os
import selectors
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from assembler.tools.toolbox import Toolbox
from assembler.tools.unpack import unpacked
from tests.support.toolboxes import locked

_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_WITHOUT = frozenset({"libllvm19", "libz3-4", "mesa-libgallium"})
"""A quarter of the download: what only graphics cards need."""
_NAME = "chromium-headless-shell"
_OPTIONS = (
    "--remote-debugging-pipe",
    "--no-sandbox",  # which needs a privilege
    "--no-zygote",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--hide-scrollbars",
)
_PATIENCE = 120
"""Seconds for an answer, on a machine that is busy with others' work."""
_FONTS = """<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{root}/fonts</cachedir>
<alias><family>sans-serif</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>system-ui</family><prefer><family>DejaVu Sans</family></prefer></alias>
<alias><family>monospace</family><prefer><family>DejaVu Sans Mono</family></prefer></alias>
</fontconfig>
"""


class BrowserError(Exception):
    """The browser ended, refused something, or did not answer."""


class _Chromium(Toolbox):
    """The packages unpacked in `files`, seen through the directory `root`, which is made."""

    def __init__(self, files: Path, architecture: str, root: Path) -> None:
        root.mkdir()
        (root / "usr").symlink_to(files / "usr")
        super().__init__(root, architecture, root)
        self.reach = (root, files)
        for path in (files / "usr/lib/chromium").iterdir():
            (root / path.name).symlink_to(path)
        # A library of PulseAudio's names its own directory by an absolute path, which would be the host's.
        for path in (self.libraries / "pulseaudio").glob("*.so"):
            (root / path.name).symlink_to(path)
        shutil.copy(self.loader, root)
        (root / "fonts.conf").write_text(_FONTS.format(root=root))

    def _start(self) -> list[str]:
        loader = self.root / self.loader.name
        return [str(loader), "--inhibit-cache", "--library-path", f"{self.libraries}:{self.root}"]

    def find(self, name: str) -> Path:
        return self.root / name

    def environment(self) -> dict[str, str]:
        return super().environment() | {"HOME": str(self.root), "FONTCONFIG_FILE": str(self.root / "fonts.conf")}


class Browser:
    """The browser, started. One at a time may ask it."""

    def __init__(self, process: "subprocess.Popen[bytes]") -> None:
        self._process = process
        self._number = 0
        self._rest = b""
        self.events: list[dict[str, Any]] = []
        """All that it has said without being asked."""

    def call(self, method: str, session: str = "", /, **parameters: Any) -> dict[str, Any]:
        """What the command `method` returns; raises BrowserError."""
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        assert self._process.stdin
        try:
            self._process.stdin.write(json.dumps(message).encode() + b"\0")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # what it printed is told when its answer is missing
        while True:
            answer = self._message()
            if answer.get("id") == self._number:
                if "error" in answer:
                    raise BrowserError(f"{method}: {answer['error']}")
                result: dict[str, Any] = answer["result"]
                return result
            self.events.append(answer)

    def listen(self) -> None:
        """Wait for the next thing that it says."""
        self.events.append(self._message())

    def _message(self) -> dict[str, Any]:
        """The next thing that it says."""
        assert self._process.stdout
        deadline = time.monotonic() + _PATIENCE
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while b"\0" not in self._rest:
                if not selector.select(deadline - time.monotonic()):
                    raise BrowserError(f"the browser has said nothing for {_PATIENCE} seconds")
                data = os.read(self._process.stdout.fileno(), 1 << 20)
                if not data:
                    raise BrowserError("the browser has ended; what it printed is in the file 'printed'")
                self._rest += data
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message


class Tab:
    """A page, opened at a size in CSS pixels; a narrow one is a phone's."""

    def __init__(
        self, browser: Browser, address: str, *, width: int, height: int = 900, scripts: bool = True, dark: bool = False
    ) -> None:
        self._browser = browser
        target = browser.call("Target.createTarget", url="about:blank")["targetId"]
        self._session: str = browser.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Network", "Log", "Runtime", "Audits"):
            self.call(f"{domain}.enable")
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=2 if width < 600 else 1,
            mobile=width < 600,
        )
        self.call("Emulation.setScriptExecutionDisabled", value=not scripts)
        scheme = "dark" if dark else "light"
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self.go(address)

    def call(self, method: str, /, **parameters: Any) -> dict[str, Any]:
        """What the command `method` returns, asked of this page."""
        return self._browser.call(method, self._session, **parameters)

    def go(self, address: str) -> None:
        """Open another address and wait until it is there; links inside of a page go through this too."""
        before = len(self.said("Page.loadEventFired"))
        error = self.call("Page.navigate", url=address).get("errorText")
        if error:
            raise BrowserError(f"{address}: {error}")
        if "#" not in address:
            while len(self.said("Page.loadEventFired")) == before:
                self._browser.listen()

    def click(self, selector: str) -> None:
        """Click on the first element that `selector` finds."""
        place = self.evaluate(f"""(() => {{
            const found = document.querySelector({json.dumps(selector)});
            found.scrollIntoView({{block: "center"}});
            const box = found.getClientRects()[0];
            return [box.left + Math.min(10, box.width / 2), box.top + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=place[0], y=place[1], button="left", clickCount=1)

    def evaluate(self, expression: str) -> Any:
        """The value of a JavaScript expression, worked out by the inspector and so even where pages may run none."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        if "exceptionDetails" in answer:
            raise BrowserError(str(answer["exceptionDetails"]))
        return answer["result"].get("value")

    def said(self, *methods: str) -> list[dict[str, Any]]:
        """What it has said of this page, of these kinds."""
        return [
            event["params"]
            for event in self._browser.events
            if event.get("sessionId") == self._session and event["method"] in methods
        ]


@contextmanager
def running(directory: Path) -> Iterator[Browser]:
    """A browser with its files in `directory`, which is made; it ends with the block."""
    store, lock = locked({"rootfs"}, _PACKAGES, without=_WITHOUT)
    packages = [package for package in lock.role("rootfs") if package.name not in _WITHOUT]
    chromium = _Chromium(unpacked(store, packages), lock.build_architecture, directory)
    children = directory / "child"
    children.write_text(f'#!/bin/sh\nexec {shlex.join(chromium.command(_NAME))} "$@"\n')
    children.chmod(0o755)
    options = [
        *_OPTIONS,
        f"--user-data-dir={directory / 'data'}",
        f"--browser-subprocess-path={children}",
        "about:blank",
    ]
    with (directory / "printed").open("wb") as printed:
        process = subprocess.Popen(
            # It reads commands from descriptor 3 and answers on 4.
            ["/bin/sh", "-c", 'exec "$@" 3<&0 4>&1 </dev/null >&2', "sh", *chromium.command(_NAME, options)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=printed,
            env=chromium.environment(),
            start_new_session=True,
        )
        try:
            yield Browser(process)
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
