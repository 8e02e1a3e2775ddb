"""The chain of three roles, ready to be used by the installed program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fakes import aws, chain


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
