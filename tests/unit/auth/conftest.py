"""A written atmos.yaml, read into an `Auth`."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from wrapper import auth, world, yamlio
from wrapper.auth.model import Auth
from wrapper.merge import Layer, merge_all
from wrapper.world import World

Read = Callable[..., Auth]


@pytest.fixture
def outside(home: Path) -> World:
    return world.real()._replace(
        environ={"HOME": str(home)},
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
        now=lambda: 1_800_000_000.0,
        stdin_tty=False,
        stderr_tty=False,
    )


@pytest.fixture
def check(tmp_path: Path, outside: World) -> Read:
    """Return what `auth.check` makes of files: (section, text of its `auth`), lowest first."""

    def made(
        *files: tuple[str, str] | str,
        environ: Mapping[str, str] | None = None,
        wrap: Mapping[str, Any] | None = None,
    ) -> Auth:
        layers: Sequence[Layer] = [
            _layer(tmp_path, number, *(("config", file) if isinstance(file, str) else file))
            for number, file in enumerate(files)
        ]
        merged = merge_all([layer.data for layer in layers])
        seen = outside._replace(environ={**outside.environ, **(environ or {})})
        return auth.check(merged, layers, str(tmp_path), seen, wrap)

    return made


def _layer(directory: Path, number: int, section: str, text: str) -> Layer:
    path = directory / f"{number}.yaml"
    path.write_text(text, encoding="utf-8")
    data = yamlio.load(path.read_bytes(), str(path)).data
    return Layer(section, str(path), (), data or {}, number)
