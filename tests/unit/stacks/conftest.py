"""A repository with manifests, and the questions that tests ask it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from wrapper import config, stacks, ui
from wrapper.world import World

ATMOS = """
base_path: .
components: {terraform: {base_path: components/terraform}}
stacks:
  base_path: stacks
  included_paths: ["deploy/**/*"]
  excluded_paths: ["**/_defaults.yaml"]
  name_template: "{{ .vars.stage }}"
"""


class Repo:
    """Files below a directory; every question loads the configuration anew, as a run does."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.stderr = ""
        self.environ = {"HOME": str(root / "home"), "PATH": "/usr/bin:/bin"}

    def write(self, files: Mapping[str, str]) -> Repo:
        """Write files: path below the repository -> text."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return self

    def ask(self, question: Callable[[config.Config, World], Any]) -> Any:
        """Return an answer; what was said on stderr is kept."""
        world = World(
            environ=self.environ,
            cwd=str(self.root),
            stdin=io.StringIO(),
            stdout=io.StringIO(),
            stderr=io.StringIO(),
            now=lambda: 0.0,
            stdin_tty=False,
            stderr_tty=False,
            open_browser=lambda _url: False,
        )
        ui._said.clear()  # a warning is told once per process; here each question is a process
        try:
            return question(config.load(world), world)
        finally:
            self.stderr = world.stderr.getvalue()  # type: ignore[attr-defined]

    def component(self, name: str, stack: str) -> stacks.Component:
        """Return one component."""
        found: stacks.Component = self.ask(lambda c, w: stacks.component(c, w, name, stack))
        return found

    def section(self, name: str, stack: str, key: str) -> Any:
        """Return one section of a component."""
        return self.component(name, stack).section.get(key)

    def evaluated(self, name: str, stack: str, **environ: str) -> dict[str, Any]:
        """Return a component's variables with their functions run."""

        def question(c: config.Config, w: World) -> Any:
            found = stacks.component(c, w, name, stack)
            return stacks.evaluate(found, c, w, {**w.environ, **environ}).section["vars"]

        found: dict[str, Any] = self.ask(question)
        return found

    def stacks(self) -> list[str]:
        """Return the names of the stacks."""
        found: list[str] = self.ask(stacks.stack_names)
        return found


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Return an empty repository whose stacks are named by `vars.stage`."""
    return Repo(tmp_path).write({"atmos.yaml": ATMOS, "stacks/deploy/README.md": ""})
