"""A run that is longer than a session: SDKs renew it, and terraform never notices."""

from __future__ import annotations

import sys
from pathlib import Path

from tests.conftest import Cli
from tests.e2e.ends import SHORT, sessions_over
from tests.fakes import aws, chain

# A session is handed out until a quarter of its life is left: so long may a machine stand still.
LIFETIME = 16.0
SECONDS = 20

ASK = f"""
import time, boto3
sts = boto3.Session().client("sts")
end = time.monotonic() + {SECONDS}
while time.monotonic() < end:
    print(sts.get_caller_identity()["Arn"], flush=True)
    time.sleep(0.5)
"""

MODULE = f"""
resource "terraform_data" "app" {{
  input = var.text
  provisioner "local-exec" {{
    interpreter = ["{sys.executable}", "-c"]
    command     = <<-PYTHON
{ASK}
    PYTHON
  }}
}}
"""


def test_sessions_that_end_during_a_run_are_renewed_by_the_sdks(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = make_chain(module=MODULE)
    fake_aws.script("sts:AssumeRole", lifetime=LIFETIME)
    args = ("apply", "app", "-s", "prod", "-auto-approve", "-no-color")
    done = cli("terraform", *args, timeout=100)
    assert done.exit == 0, done.stderr
    assert "Error" not in done.stderr
    assert "xpired" not in done.stdout + done.stderr
    assert list(fake_aws.objects(chain.LEAF, chain.BUCKET)) == ["app/prod/terraform.tfstate"]

    refused = [call for call in fake_aws.calls() if call.error in ("ExpiredToken", "InvalidToken")]
    assert refused == []
    asked = fake_aws.calls("GetCallerIdentity")
    assert {call.signer for call in asked} == {made.session("deploy")}
    # One and the same client of one process, and the backend of one terraform, change keys.
    assert len({call.key for call in asked}) >= 2
    stored = fake_aws.calls(service="s3")
    written = [call for call in stored if call.action == "PutObject"]
    assert stored[0].key != written[-1].key
    lasted = fake_aws.calls()[-1].time - fake_aws.calls()[0].time
    for role in made.roles.values():
        times = len([c for c in fake_aws.calls("AssumeRole") if c.params["RoleArn"] == role])
        assert 2 <= times <= 2 + lasted / (LIFETIME * 0.5), role
    assert len(fake_aws.calls("GetSessionToken")) == 1


def test_a_role_that_is_taken_away_during_a_run_is_named(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, state: Path
) -> None:
    made = make_chain()
    fake_aws.script("sts:AssumeRole", lifetime=SHORT)
    running = cli.start("exec", "-c", "app", "-s", "prod", "--", sys.executable, "-c", ASK)
    assert running.stdout is not None
    assert running.stdout.readline() == f"{made.session('deploy')}\n"
    fake_aws.drop_policy(made.roles["hub"], "assume")
    sessions_over(state)
    _, stderr = running.communicate(timeout=60)
    assert running.returncode != 0
    assert f'identity "deploy": STS refused to assume {made.roles["deploy"]}' in stderr
