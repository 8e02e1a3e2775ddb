"""Completion as a shell asks for it, by the installed program."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two stacks, an abstract component and an identity of mixed case."""
    root = tmp_path / "repository"
    (root / "stacks").mkdir(parents=True)
    (root / "atmos.yaml").write_text(
        "base_path: ./\n"
        "stacks: {base_path: stacks, included_paths: ['**/*'], name_template: '{{.vars.stage}}'}\n"
        "components: {terraform: {base_path: components}}\n"
        "auth:\n  identities:\n    Beta: {kind: ambient}\n    alpha: {kind: ambient}\n"
    )
    for stage, component in (("dev", "app"), ("prod", "net")):
        (root / "stacks" / f"{stage}.yaml").write_text(
            f"vars: {{stage: {stage}}}\n"
            "components:\n  terraform:\n    base: {metadata: {type: abstract}}\n"
            f"    {component}: {{vars: {{a: 1}}}}\n"
        )
    return root


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (["auth", "env", "--identity", ""], ["alpha", "Beta", ":4"]),
        (["terraform", "plan", ""], ["app", "net", ":4"]),
        (["terraform", "plan", "-s", "dev", ""], ["app", ":4"]),
        (["terraform", "plan", "net", "-s", ""], ["prod", ":4"]),
        (["-C", "/nonexistent", "terraform", "plan", "-s"], [":0"]),
        (["terraform", "plan", "app", "-target=x", ""], [":0"]),
    ],
)
def test_names_come_from_the_configuration(
    cli: Cli, repository: Path, line: list[str], lines: list[str]
) -> None:
    done = cli("__complete", *line, cwd=repository)

    assert (done.exit, done.stdout.splitlines(), done.stderr) == (0, lines, "")


def test_a_broken_configuration_offers_nothing_and_says_nothing(cli: Cli, repository: Path) -> None:
    (repository / "atmos.yaml").write_text("auth: [\n")

    done = cli("__complete", "auth", "env", "-i", "", cwd=repository)

    assert (done.exit, done.stdout, done.stderr) == (0, ":4\n", "")
