"""Real Chromium as the user's browser: `BROWSER` starts this file, which does what a person would.

Called with the address of the test that waits for the outcome, the browser's program, the steps as
JSON, and the page.
"""

from __future__ import annotations

import json
import os
import socket
import stat
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

Step = tuple[str, ...]
PATIENCE = 60.0


class Person:
    """Somebody before a browser: `variables` makes a program use it, `saw` is what was shown."""

    def __init__(self, directory: Path, program: str, *steps: Step) -> None:
        self._ear = socket.create_server(("127.0.0.1", 0))
        self._ear.settimeout(PATIENCE)
        port = str(self._ear.getsockname()[1])
        script = directory / f"browser-{port}"
        root = Path(__file__).resolve().parents[2]
        given = json.dumps(steps)
        script.write_text(
            f"#!{sys.executable}\nimport os, sys\nos.chdir({str(root)!r})\n"
            f"os.execv(sys.executable, [sys.executable, {__file__!r}, {port!r}, {program!r},"
            f" {given!r}, *sys.argv[1:]])\n"
        )
        script.chmod(stat.S_IRWXU)
        self.variables = {"BROWSER": str(script)}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._ear.close()

    def saw(self) -> dict[str, Any]:
        """Return text and address of the page at the end, and all addresses on the way."""
        peer, _ = self._ear.accept()
        with peer, peer.makefile() as stream:
            found: dict[str, Any] = json.load(stream)
        assert "error" not in found, found["error"]
        return found


def act(program: str, steps: Sequence[Step], url: str) -> dict[str, Any]:
    """Open a page and follow the steps: `fill NAME TEXT`, `press BUTTON`, `see TEXT`, `run SCRIPT`."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # Root, as in a container, has no sandbox.
        options = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=program, args=options)
        page = browser.new_page()
        visited: list[str] = []
        page.on("framenavigated", lambda frame: visited.append(frame.url))
        page.goto(url)
        for verb, *words in steps:
            if verb == "fill":
                page.fill(f"input[name={words[0]}]", words[1])
            elif verb == "press":
                page.get_by_role("button", name=words[0], exact=True).click()
            elif verb == "run":
                page.evaluate(words[0])
            else:
                page.get_by_text(words[0]).first.wait_for()
        found = {"text": page.inner_text("body"), "html": page.content(), "visited": visited}
        browser.close()
    return found


def main(port: str, program: str, steps: str, url: str) -> None:
    """Do it, and tell the test how it went."""
    os.environ["TMPDIR"] = "/tmp"  # its socket's path has to be short
    try:
        found = act(program, json.loads(steps), url)
    except Exception as error:  # noqa: BLE001  the test shows it
        found = {"error": f"{type(error).__name__}: {error}"}
    with socket.create_connection(("127.0.0.1", int(port))) as peer:
        peer.sendall(json.dumps(found).encode())


if __name__ == "__main__":
    main(*sys.argv[1:])
