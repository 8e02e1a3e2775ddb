"""Many cold runs at once: each link is requested once, and a refusal reaches all of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from tests.conftest import Cli, Result
from tests.fakes import aws, chain

RUNS = 20
IDENTITIES = """
audit:
  kind: aws/assume-role
  required: true
  via: {identity: gate}
  principal: {assume_role: "arn:aws:iam::444444444444:role/audit", session_name: alice-audit}
"""


def _at_once(cli: Cli, gate: Path | None = None) -> list[Result]:
    """Start all runs, then make the file for which the fake waits."""
    started = [cli.start("exec", "-c", "app", "-s", "prod", "--", "env") for _ in range(RUNS)]
    if gate is not None:
        gate.touch()
    ended = [(process, process.communicate(timeout=120)) for process in started]
    return [Result(process.returncode, *said) for process, said in ended]


def test_twenty_cold_runs_request_each_link_once(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake
) -> None:
    made = make_chain(identities=IDENTITIES)
    audit = fake_aws.role("444444444444", "audit", trusts=made.roles["gate"])
    fake_aws.allow(made.roles["gate"], "sts:AssumeRole", audit, name="audit")
    ended = _at_once(cli)
    assert [each.exit for each in ended] == [0] * RUNS
    assert [each for each in ended if "\nAWS_PROFILE=deploy\n" not in each.stdout] == []
    told = {line for each in ended for line in each.stderr.splitlines()}
    assert {line for line in told if not line.startswith("waiting for ")} == set()
    asked = Counter((call.action, call.params.get("RoleArn", "")) for call in fake_aws.calls())
    assert asked == {
        ("GetSessionToken", ""): 1,
        **{("AssumeRole", role): 1 for role in (*made.roles.values(), audit)},
    }


def test_twenty_cold_runs_are_all_told_of_a_refusal(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, tmp_path: Path
) -> None:
    made = make_chain()
    fake_aws.drop_policy(made.roles["hub"], "assume")
    fake_aws.script("sts:AssumeRole", signer=made.session("hub"), until=tmp_path / "gate")
    ended = _at_once(cli, tmp_path / "gate")
    assert [(each.exit, each.stdout) for each in ended] == [(77, "")] * RUNS
    error = f'error: identity "deploy": STS refused to assume {made.roles["deploy"]}: AccessDenied'
    assert [each.stderr for each in ended if error not in each.stderr] == []
    # Those who waited, or began before the refusal, take the answer.
    asked = Counter(call.params.get("RoleArn", "") for call in fake_aws.calls("AssumeRole"))
    assert asked == dict.fromkeys(made.roles.values(), 1)
