"""The chain of three roles, ready to be used by the installed program."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import hang_up
from tests.fakes import aws, chain

Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def make_chain(fake_aws: aws.Fake, tmp_path: Path, environment: dict[str, str]) -> chain.Make:
    """Return a function that writes the repository; its keys go into the children's environment."""

    def make(**options: object) -> chain.Chain:
        made = chain.prepare(fake_aws, tmp_path / "repo", **options)  # type: ignore[arg-type]
        environment.update(made.environment)
        return made

    return make


@pytest.fixture
def state(home: Path) -> Path:
    """Where the program keeps what signs."""
    return home / ".local/state/atmos-wrap"


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Terminal]:
    """Return a function that starts the program on a terminal."""
    started: list[pexpect.spawn[str]] = []

    def start(*args: str, env: dict[str, str] | None = None) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            cli.program,
            list(args),
            cwd=str(cli.cwd),
            env=cli.child_environment(env),  # type: ignore[arg-type]
            encoding="utf-8",
            timeout=60,
        )
        started.append(child)
        return child

    yield start
    for child in started:
        hang_up(child)
