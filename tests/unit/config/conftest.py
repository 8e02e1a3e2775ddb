"""A directory with files, and the configuration that holds in it."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from wrapper import config
from wrapper.world import World

Repo = Callable[..., config.Config]


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    """Write files (path -> text) below a directory and load the configuration in it.

    `cwd` is below that directory, `home/` is the home directory; `git` makes it a git root.
    """

    def load(
        files: Mapping[str, str],
        *,
        cwd: str = "",
        environ: Mapping[str, str] | None = None,
        options: config.Options | None = None,
        git: bool = False,
    ) -> config.Config:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        if git:
            (tmp_path / ".git").mkdir()
        (tmp_path / cwd).mkdir(parents=True, exist_ok=True)
        world = World(
            environ={"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin", **(environ or {})},
            cwd=str(tmp_path / cwd),
            stdin=io.StringIO(),
            stdout=io.StringIO(),
            stderr=io.StringIO(),
            now=lambda: 0.0,
            stdin_tty=False,
            stderr_tty=False,
            open_browser=lambda _: False,
        )
        return config.load(world, options)

    return load
