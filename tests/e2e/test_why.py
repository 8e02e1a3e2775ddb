"""`why` of the installed program: text, JSON, identities, what is masked, what is not there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository

ATMOS = (
    repository.ATMOS
    + """\
auth:
  identities:
    alice:
      kind: aws/user
      credentials: {access_key_id: plain-id, secret_access_key: !env SECRET}
    dev:
      kind: mock/aws
      default: true
"""
)
DEV = """\
import:
  - catalog/app
vars:
  stage: dev
components:
  terraform:
    app:
      vars: {name: "{{ .vars.stage }}-shop", db_password: hunter2}
"""


@pytest.fixture
def repo(cli: Cli) -> Path:
    """Write the repository to the working directory."""
    repository.write(
        cli.cwd,
        {
            "atmos.yaml": ATMOS + "templates: {settings: {enabled: true}}\n",
            "stacks/deploy/dev.yaml": DEV,
            "profiles/ci/atmos.yaml": "auth: {identities: {alice: {default: true}}}\n",
        },
    )
    return cli.cwd


def test_text_names_the_winner_and_what_it_displaced(cli: Cli, repo: Path) -> None:
    told = cli("why", "vars.name", "-c", "app", "-s", "dev")
    assert told == (
        0,
        (
            "component: app\n"
            "stack: dev\n"
            "vars.name: dev-shop  stacks/deploy/dev.yaml:8:14 (component)\n"
            "    from '{{ .vars.stage }}-shop'\n"
            "    over shop        stacks/catalog/app.yaml:9:9 (component)\n"
        ),
        "",
    )


def test_json_has_the_sources_in_merge_order(cli: Cli, repo: Path) -> None:
    told = cli("why", "vars.name", "-c", "app", "-s", "dev", "--format", "json")
    catalog, dev = (str(repo / "stacks" / name) for name in ("catalog/app.yaml", "deploy/dev.yaml"))
    assert json.loads(told.stdout) == {
        "component": "app",
        "stack": "dev",
        "keys": [
            {
                "key": "vars.name",
                "path": ["vars", "name"],
                "value": "dev-shop",
                "sources": [
                    {
                        "layer": "component",
                        "file": catalog,
                        "line": 9,
                        "column": 9,
                        "value": "shop",
                        "wins": False,
                    },
                    {
                        "layer": "component",
                        "file": dev,
                        "line": 8,
                        "column": 14,
                        "value": "{{ .vars.stage }}-shop",
                        "wins": True,
                    },
                ],
            }
        ],
    }


def test_secrets_are_masked(cli: Cli, repo: Path) -> None:
    told = cli("why", "-c", "app", "-s", "dev", env={"SECRET": "sesame"})
    lines = [line for line in told.stdout.splitlines() if "access_key" in line or "db_" in line]
    assert [line.split("  ")[0] for line in lines] == [
        "vars.db_password: '***'",
        "auth.identities.alice.credentials.access_key_id: '***'",
        "auth.identities.alice.credentials.secret_access_key: '***'",
    ]
    assert "sesame" not in told.stdout + told.stderr


def test_an_identity_tells_its_keys_and_whether_it_is_the_default(cli: Cli, repo: Path) -> None:
    told = cli("why", "dev")
    assert told.stdout == (
        "identity: dev\n"
        "default: yes\n"
        "why: the default, marked in atmos.yaml:17:7\n"
        "auth.identities.dev.kind: mock/aws  atmos.yaml:16:7 (config)\n"
        "auth.identities.dev.default: true   atmos.yaml:17:7 (config)\n"
    )


def test_a_default_that_a_profile_overrules_is_explained(cli: Cli, repo: Path) -> None:
    told = cli("--profile", "ci", "why", "dev")
    assert told.stdout.splitlines()[1:3] == [
        "default: no",
        "why: marked as default, but overruled by alice, marked in profiles/ci/atmos.yaml:1:29",
    ]


def test_without_a_name_the_chosen_identity_is_shown(cli: Cli, repo: Path) -> None:
    assert cli("why").stdout.splitlines()[0] == "identity: dev"


def test_a_key_of_the_configuration_tells_the_variable_that_set_it(cli: Cli, repo: Path) -> None:
    told = cli("why", "logs.level", "--logs-level", "debug")
    assert told.stdout.splitlines()[0] == "logs.level: debug  the command line (flag)"


def test_a_key_that_is_not_there_is_an_error_with_advice(cli: Cli, repo: Path) -> None:
    assert cli("why", "vars.nmae", "-c", "app", "-s", "dev") == (
        64,
        "",
        'error: "vars.nmae" is set nowhere in app of dev\nhint: did you mean "vars.name" or "vars.stage" or "vars"?\n',
    )
