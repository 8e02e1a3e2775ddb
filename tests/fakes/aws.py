"""A loopback AWS for tests and the demo: several accounts, IAM enforced, every signer on record."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CLONE = Path(__file__).resolve().parents[2]
REGION = "us-east-1"


class User(NamedTuple):
    """An IAM user with one key, minted for this run."""

    arn: str
    access_key_id: str
    secret_access_key: str
    mfa_arn: str | None


class Call(NamedTuple):
    """One request as the fake saw it. `key`, `granted` = `alias()` of an access key id."""

    time: float  # seconds since the epoch
    service: str
    action: str
    params: Mapping[str, str]
    signer: str | None  # ARN; None = no known key
    key: str | None
    kind: str | None  # "user", "session", "role", "root"
    status: int
    error: str | None
    granted: str | None


class Fake:
    """A running fake AWS. Users, roles, policies and buckets are made by its methods."""

    def __init__(self, process: subprocess.Popen[str], log: Path, port: int, token: str) -> None:
        self.process = process
        self.log = log
        self.endpoint = f"http://127.0.0.1:{port}"
        self._token = token

    def environment(self) -> dict[str, str]:
        """Return what a program needs to find the fake; no credentials."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ENDPOINT_URL_S3": self.endpoint,
            "AWS_ENDPOINT_URL_STS": self.endpoint,
            "AWS_ENDPOINT_URL_DYNAMODB": self.endpoint,
        }

    def user(self, account: str, name: str, *, mfa_code: str | None = None) -> User:
        """Make a user, or another key of one that is there already."""
        return User(**self._ask("user", account=account, name=name, mfa_code=mfa_code))

    def role(
        self,
        account: str,
        name: str,
        *,
        trusts: str | Sequence[str],
        external_id: str | None = None,
        mfa: bool = False,
        max_duration: int = 43200,
    ) -> str:
        """Make a role and return its ARN. `trusts`: ARNs or account numbers."""
        policy = trust_policy(trusts, external_id=external_id, mfa=mfa)
        answer = self._ask(
            "role", account=account, name=name, trust=policy, max_duration=max_duration
        )
        return str(answer["arn"])

    def set_trust(self, role: str, policy: Mapping[str, Any]) -> None:
        """Replace a role's trust policy."""
        self._ask("trust", arn=role, trust=policy)

    def allow(
        self, arn: str, actions: str | Sequence[str], resource: str = "*", *, name: str = "allow"
    ) -> None:
        """Give a user or a role an inline policy of this name."""
        self._ask("policy", arn=arn, name=name, document=_statement("Allow", actions, resource))

    def deny(
        self, arn: str, actions: str | Sequence[str], resource: str = "*", *, name: str = "deny"
    ) -> None:
        """Give a user or a role an inline policy that forbids something."""
        self._ask("policy", arn=arn, name=name, document=_statement("Deny", actions, resource))

    def drop_policy(self, arn: str, name: str = "allow") -> None:
        """Take an inline policy away."""
        self._ask("policy", arn=arn, name=name, document=None)

    def session(self, arn: str, seconds: float) -> tuple[str, str, str]:
        """Return key id, secret and token of a new session of a role, by the session's ARN.

        For the fakes of services that hand out sessions without STS: IAM holds for them here.
        """
        key, secret, token = self._ask("session", arn=arn, seconds=seconds)
        return str(key), str(secret), str(token)

    def issuer(
        self, account: str, url: str, keys: Mapping[str, Any], audiences: Sequence[str]
    ) -> None:
        """Let an account know an issuer of OIDC tokens by its JWKS."""
        self._ask("issuer", account=account, url=url, keys=keys, audiences=list(audiences))

    def revoke(self, access_key_id: str) -> None:
        """Make a key unknown to AWS."""
        self._ask("revoke", access_key_id=access_key_id)

    def bucket(self, account: str, name: str) -> None:
        """Make a bucket."""
        self._ask("bucket", account=account, name=name, region=REGION)

    def objects(self, account: str, bucket: str) -> dict[str, str]:
        """Return the objects of a bucket: key → text, sorted."""
        return dict(self._ask("objects", account=account, bucket=bucket))

    def script(
        self,
        action: str,
        *,
        signer: str = "*",
        times: int = -1,
        delay: float = 0.0,
        until: Path | None = None,
        lifetime: float | None = None,
        error: tuple[int, str] | None = None,
        message: str = "scripted",
    ) -> None:
        """Change how requests are answered, the first fitting rule wins.

        `action`: pattern over `service:Operation` (`sts:AssumeRole`, `s3:*`); `signer`: pattern
        over the ARN; `times`: how often (-1 = always); `delay`: seconds; `until`: a file that
        must be there before the answer; `lifetime`: seconds that granted sessions live; `error`: status and code, as `(503, "SlowDown")`.
        """
        rule: dict[str, Any] = {"action": action, "signer": signer, "times": times, "delay": delay}
        if until is not None:
            rule["until"] = str(until)
        if lifetime is not None:
            rule["lifetime"] = lifetime
        if error is not None:
            rule |= {"status": error[0], "code": error[1], "message": message}
        self._ask("rule", rule=rule)

    def unscript(self) -> None:
        """Answer as usual again."""
        self._ask("no_rules")

    def calls(self, action: str | None = None, service: str | None = None) -> list[Call]:
        """Return the requests so far, oldest first."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        found = [Call(**json.loads(line)) for line in lines]
        return [
            call
            for call in found
            if action in (None, call.action) and service in (None, call.service)
        ]

    def client(self, service: str, key: User | Mapping[str, Any]) -> Any:
        """Return a boto3 client that signs with a user's key or with `Credentials` of STS."""
        import boto3

        if isinstance(key, User):
            secret = (key.access_key_id, key.secret_access_key, None)
        else:
            secret = (key["AccessKeyId"], key["SecretAccessKey"], key["SessionToken"])
        session = boto3.Session(*secret, region_name=REGION)
        return session.client(service, endpoint_url=self.endpoint)  # type: ignore[call-overload]

    def _ask(self, operation: str, **arguments: Any) -> Any:
        request = urllib.request.Request(
            f"{self.endpoint}/_fake/{operation}",
            data=json.dumps(arguments).encode(),
            headers={"X-Fake-Token": self._token, "Content-Type": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{operation}: {error.read().decode()}") from None


def alias(access_key_id: str) -> str:
    """Return the name by which the record knows an access key id."""
    return hashlib.sha256(access_key_id.encode()).hexdigest()[:12]


def trust_policy(
    trusts: str | Sequence[str], *, external_id: str | None = None, mfa: bool = False
) -> dict[str, Any]:
    """Return a trust policy for ARNs or account numbers."""
    principals = [trusts] if isinstance(trusts, str) else list(trusts)
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principals},
        "Action": "sts:AssumeRole",
    }
    conditions: dict[str, dict[str, str]] = {}
    if external_id is not None:
        conditions["StringEquals"] = {"sts:ExternalId": external_id}
    if mfa:
        conditions["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
    if conditions:
        statement["Condition"] = conditions
    return {"Version": "2012-10-17", "Statement": [statement]}


@contextmanager
def running(*, lifetime: float = 3600.0) -> Iterator[Fake]:
    """Run a fake AWS on a free port of 127.0.0.1 and stop it afterwards.

    It ends by itself after `lifetime` seconds, and when this process dies. Raises: RuntimeError.
    """
    with tempfile.TemporaryDirectory(prefix="fake-aws-") as scratch:
        log = Path(scratch, "calls.jsonl")
        log.touch()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fakes.aws_server", str(log), str(lifetime)],
            cwd=CLONE,
            env={"HOME": scratch, "PATH": os.defpath, "TMPDIR": scratch},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C at the terminal is for the one who started us
        )
        try:
            assert process.stdout is not None
            first = process.stdout.readline()
            if not first:
                raise RuntimeError("the fake AWS did not start")
            yield Fake(process, log, **json.loads(first))
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    process.stdout.close()


def _statement(effect: str, actions: str | Sequence[str], resource: str) -> dict[str, Any]:
    listed = [actions] if isinstance(actions, str) else list(actions)
    statement = {"Effect": effect, "Action": listed, "Resource": resource}
    return {"Version": "2012-10-17", "Statement": [statement]}
