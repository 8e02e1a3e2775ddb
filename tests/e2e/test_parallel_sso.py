"""Fifty cold plans at once behind one portal: one sign-in, one request per role, one answer to all."""

from __future__ import annotations

import contextlib
import os
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.fakes import portal
from tests.fakes.portal import Portal

RUNS, ROLES, LATE = 50, 5, 5
# A run that hangs must not hang the test; nothing is measured.
DEADLINE = 120
MODULE = """\
variable "stage" { type = string }
resource "terraform_data" "one" { input = var.stage }
"""


def _write(repo: Path) -> None:
    """Write five components, each with an identity of its own, in ten stacks."""
    roles = [f"role{number}" for number in range(ROLES)]
    identities = "\n".join(
        f"    {role}: {{kind: aws/permission-set, via: {{provider: sso}},"
        f' principal: {{name: {role}, account: {{id: "111111111111"}}}}}}'
        for role in roles
    )
    components = "\n".join(
        f"    part{number}:\n      auth: {{identities: {{{role}: {{default: true}}}}}}"
        for number, role in enumerate(roles)
    )
    texts = {
        "atmos.yaml": f"""\
base_path: .
components: {{terraform: {{base_path: components, auto_generate_backend_file: true}}}}
stacks: {{base_path: stacks, included_paths: ["s*.yaml"], name_pattern: "{{stage}}"}}
auth:
  realm: parallel
  providers:
    sso: {{kind: aws/iam-identity-center, start_url: "{portal.START_URL}", region: eu-west-1}}
  identities:
{identities}
""",
        "stacks/all.yaml": "terraform: {backend_type: local, backend: {local: {workspace_dir: states}}}\n"
        f"components:\n  terraform:\n{components}\n",
    }
    for number in range(RUNS // ROLES):
        texts[f"stacks/s{number}.yaml"] = f"import: [all]\nvars: {{stage: s{number}}}\n"
    for number in range(ROLES):
        texts[f"components/part{number}/main.tf"] = MODULE
    for name, text in texts.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli, terraform: str) -> Portal:
    """Write the repository and point every run at a portal where nobody has confirmed yet."""
    sso_portal.accounts = [("111111111111", "dev", [f"role{n}" for n in range(ROLES)])]
    sso_portal.pending = 1 << 30
    _write(cli.cwd)
    cli.environment |= {"AWS_ENDPOINT_URL": sso_portal.endpoint, "ATMOS_FORCE_TTY": "true"}
    return sso_portal


def _at_once(cli: Cli, sso: Portal, late: int = 0) -> list[Result]:
    """Start all plans; the person at the browser answers when the last one has been started.

    The `late` last ones get no processor until the first one is over, as on a busy machine.
    """
    runs = []
    for number in range(RUNS):
        part, stack = f"part{number % ROLES}", f"s{number // ROLES}"
        runs.append(cli.start("terraform", "plan", part, "-s", stack))
        if number >= RUNS - late:
            os.kill(runs[-1].pid, signal.SIGSTOP)
    sso.decide()
    try:
        ended = [(runs[0], runs[0].communicate(timeout=DEADLINE))]
        for run in runs[RUNS - late :]:
            os.kill(run.pid, signal.SIGCONT)
        ended += [(run, run.communicate(timeout=DEADLINE)) for run in runs[1:]]
    finally:
        for run in runs:
            with contextlib.suppress(ProcessLookupError):
                run.kill()
    return [Result(run.returncode, *said) for run, said in ended]


def test_fifty_cold_plans_sign_in_once_and_ask_once_for_each_role(cli: Cli, sso: Portal) -> None:
    ended = _at_once(cli, sso)
    assert [each for each in ended if each.exit != 0] == []
    assert [each for each in ended if " 1 to add" not in each.stdout] == []
    asked = Counter(sso.actions())
    del asked["CreateToken!AuthorizationPendingException"]
    assert asked == {
        "RegisterClient": 1,
        "StartDeviceAuthorization": 1,
        "CreateToken": 1,
        "GetRoleCredentials": ROLES,
    }
    told = [line for each in ended for line in each.stderr.splitlines() if "  code  " in line]
    assert told == ["  code  WXYZ-1234"]


def test_fifty_cold_plans_share_a_declined_sign_in(cli: Cli, sso: Portal) -> None:
    sso.device_answer = "AccessDeniedException"
    ended = _at_once(cli, sso, late=LATE)
    error = 'error: provider "sso": the sign-in was declined in the browser'
    assert [(each.exit, each.stdout) for each in ended] == [(77, "")] * RUNS
    assert [each.stderr for each in ended if error not in each.stderr] == []
    asked = Counter(sso.actions())
    assert (asked["StartDeviceAuthorization"], asked["GetRoleCredentials"]) == (1, 0)
    told = [line for each in ended for line in each.stderr.splitlines() if "  code  " in line]
    assert told == ["  code  WXYZ-1234"]
