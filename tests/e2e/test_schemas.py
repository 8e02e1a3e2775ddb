"""`describe schema`, and `validate stacks` by the schema of manifests, with the installed program."""

from __future__ import annotations

import json

from tests.conftest import Cli
from tests.e2e import repository
from wrapper import schemas


def test_a_schema_is_printed(cli: Cli) -> None:
    told = cli("describe", "schema", "manifest")
    assert (told.exit, told.stderr) == (0, "")
    assert json.loads(told.stdout) == schemas.load("manifest")


def test_a_manifest_that_nothing_imports_is_checked(cli: Cli) -> None:
    text = "components:\n  terraform:\n    x:\n      vars: [1]\n"
    repository.write(cli.cwd, {"stacks/catalog/x.yaml": text})
    told = cli("validate", "stacks")
    assert told == (
        78,
        "",
        (
            f"- {cli.cwd}/stacks/catalog/x.yaml:4:7: `components.terraform.x.vars` must be a map\n"
            "error: 1 problem(s) in the stack manifests\n"
        ),
    )


def test_a_fault_is_told_once(cli: Cli) -> None:
    text = repository.STACK.format(stage="test") + "components: {terraform: {app: {vars: [1]}}}\n"
    repository.write(cli.cwd, {"stacks/deploy/test.yaml": text})
    told = cli("validate", "stacks")
    assert told.stderr.count("test.yaml:5:") == 1
    assert (told.exit, told.stderr.splitlines()[-1]) == (
        78,
        "error: 1 problem(s) in the stack manifests",
    )


def test_good_manifests_are_good(cli: Cli) -> None:
    repository.write(cli.cwd)
    assert cli("validate", "stacks") == (0, "", "✓ All stacks validated successfully\n")
