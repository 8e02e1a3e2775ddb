"""One fault of each class meets the installed program; the whole table is in `test_faults.py`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Cli
from tests.fakes import faults, proxy

CONFIG = """
auth:
  realm: lab
  identities:
    alice: {kind: aws/user, credentials: {access_key_id: !env KEY_ID, secret_access_key: !env SECRET}}
    hop: {kind: aws/assume-role, via: {identity: alice}, principal: {assume_role: "arn:aws:iam::222222222222:role/Hop"}}
"""
LOGIN = ("auth", "login", "-i", "hop")


class Case(NamedTuple):
    """A fault of AssumeRole that stays, what the program says of it, and how often it asks."""

    fault: str
    said: str
    asked: int = 3


CASES = (
    Case("timeout", "{url}: it did not answer in time"),
    Case("reset", "{url}: it closed the connection"),
    Case("cut", "{url}: it closed the connection"),
    Case("500", "the fault is on the side of AWS: try again in a minute"),
    Case("throttled", "AWS is asked too often: try again in a minute"),
    Case("html", "{url} gave an answer that cannot be read", 1),
    Case("huge", "{url}: it is larger than any that there is", 1),
    Case("missing", "STS answered without a credential|gave an answer that cannot be read", 1),
    Case("refuse 403 ExpiredToken", "STS refused to assume", 1),
)


@pytest.fixture
def server(cli: Cli) -> Iterator[faults.Server]:
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    with faults.running() as found:
        cli.environment |= {
            "AWS_ENDPOINT_URL": found.endpoint,
            "KEY_ID": found.cloud.user[0],
            "SECRET": found.cloud.user[1],
        }
        yield found


@pytest.mark.parametrize("case", CASES, ids=[case.fault for case in CASES])
def test_a_fault_that_stays_is_told_and_the_next_run_works(
    cli: Cli, server: faults.Server, case: Case
) -> None:
    server.script("AssumeRole", case.fault)
    # Where a machine stands still for a second, another call is late, too: it gets more then.
    for limit in ("1", "5", "15") if case.fault == "timeout" else ("15",):
        server.calls.clear()
        done = cli(*LOGIN, env={"ATMOS_WRAP_TIMEOUT": limit})
        if len(server.met("AssumeRole")) == case.asked:
            break
    assert (done.exit, done.stdout) == (77, "")
    said = [text.replace("{url}", server.endpoint) for text in case.said.split("|")]
    assert [text for text in said if text in done.stderr] != [], done.stderr
    assert server.met("AssumeRole") == [case.fault] * case.asked
    assert [one for one in server.cloud.secrets() if one in done.stderr] == []
    server.forgive()
    assert cli(*LOGIN).exit == 0


def test_a_service_that_recovers_is_asked_again_without_a_word(
    cli: Cli, server: faults.Server
) -> None:
    server.script("AssumeRole", "throttled", 2)
    done = cli("exec", "-i", "hop", "--", "true")
    assert (done.exit, done.stderr) == (0, "")
    assert server.met("AssumeRole") == ["throttled", "throttled", ""]


def test_the_users_own_number_of_tries_is_kept(cli: Cli, server: faults.Server) -> None:
    server.script("AssumeRole", "500")
    assert cli(*LOGIN, env={"AWS_MAX_ATTEMPTS": "1"}).exit == 77
    assert server.met("AssumeRole") == ["500"]


def test_a_port_where_nobody_listens_cannot_be_reached(cli: Cli, server: faults.Server) -> None:
    nowhere = "http://127.0.0.1:9"
    done = cli(*LOGIN, env={"AWS_ENDPOINT_URL_STS": nowhere})
    assert done.exit == 77
    assert f"no answer from {nowhere}: it cannot be reached" in done.stderr


def test_a_certificate_that_nobody_trusts_is_told_as_such(
    cli: Cli, server: faults.Server, tmp_path: Path
) -> None:
    host = "sts.us-east-1.amazonaws.com"
    with proxy.running(tmp_path) as tunnel:
        tunnel.route(host, server.endpoint)
        env = {**tunnel.environment(), "AWS_ENDPOINT_URL": None}
        untrusted = cli(*LOGIN, env={**env, "AWS_CA_BUNDLE": None, "SSL_CERT_FILE": None})
        assert untrusted.exit == 77
        assert f"https://{host} cannot be trusted: " in untrusted.stderr
        assert "certificate verify failed" in untrusted.stderr
        assert cli(*LOGIN, env=env).exit == 0


def test_a_time_that_is_none_is_told_and_not_used(cli: Cli, server: faults.Server) -> None:
    done = cli("exec", "-i", "hop", "--", "true", env={"ATMOS_WRAP_TIMEOUT": "soon"})
    assert done.exit == 0
    assert done.stderr.count("ATMOS_WRAP_TIMEOUT is no number of seconds") == 1
