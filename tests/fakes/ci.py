"""The CI systems of the examples: for each the environment of a job, with tokens that its issuer signs."""

from __future__ import annotations

import json
import secrets
import stat
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.fakes import aws, proxy
from tests.fakes.web_identity import AUDIENCE, Issuer, provider_arn

GITHUB = "pipelines.actions.githubusercontent.com"
ORGANIZATION = "8b1f9c1e-0000-4000-8000-000000000001"
# System -> its issuer, and the subject of the job.
SYSTEMS = {
    "github": (
        "https://token.actions.githubusercontent.com",
        "repo:acme/infra:ref:refs/heads/main",
    ),
    "gitlab": ("https://gitlab.com", "project_path:acme/infra:ref_type:branch:ref:main"),
    "bitbucket": (
        "https://api.bitbucket.org/2.0/workspaces/acme/pipelines-config/identity/oidc",
        "{9a8b}:{0c1d}",
    ),
    "circleci": (f"https://oidc.circleci.com/org/{ORGANIZATION}", f"org/{ORGANIZATION}/project/p"),
    "buildkite": ("https://agent.buildkite.com", "organization:acme:pipeline:infra:ref:main"),
    "kubernetes": (
        "https://oidc.eks.us-east-1.amazonaws.com/id/ABCDEF",
        "system:serviceaccount:ci:deployer",
    ),
}


class Jobs:
    """Jobs of every system on one AWS: account `account`, role `role`, bucket `bucket`."""

    def __init__(self, cloud: aws.Fake, account: str, role: str, bucket: str) -> None:
        self.cloud, self.account = cloud, account
        self.issuers = {name: Issuer(url) for name, (url, _) in SYSTEMS.items()}
        for issuer in self.issuers.values():
            cloud.issuer(account, issuer.url, issuer.keys(), [AUDIENCE])
        self.role = cloud.role(account, role, trusts=account)
        cloud.set_trust(self.role, self.trust())
        cloud.bucket(account, bucket)
        cloud.allow(self.role, "s3:*", f"arn:aws:s3:::{bucket}", name="list")
        cloud.allow(self.role, "s3:*", f"arn:aws:s3:::{bucket}/*", name="state")

    def trust(self) -> dict[str, Any]:
        """Return a trust policy that names each system's issuer, audience and subject."""
        statements = []
        for url, subject in SYSTEMS.values():
            host = urlsplit(url).netloc + urlsplit(url).path
            asked = {f"{host}:aud": AUDIENCE, f"{host}:sub": subject}
            statements.append(
                {
                    "Effect": "Allow",
                    "Principal": {"Federated": provider_arn(self.account, url)},
                    "Action": "sts:AssumeRoleWithWebIdentity",
                    "Condition": {"StringEquals": asked},
                }
            )
        return {"Version": "2012-10-17", "Statement": statements}

    def token(self, system: str, audience: Any = AUDIENCE, **claims: Any) -> str:
        """Return a token of a system's job."""
        subject = claims.pop("sub", SYSTEMS[system][1])
        return self.issuers[system].token(subject, audience, **claims)

    def session(self, name: str) -> str:
        """Return the ARN of the role's session."""
        role = self.role.rpartition("/")[2]
        return f"arn:aws:sts::{self.account}:assumed-role/{role}/{name}"


def program(binaries: Path, name: str, argv: list[str], variables: list[str], output: str) -> None:
    """Put a program into a directory that takes exactly these arguments and needs these variables."""
    told = binaries / f".{name}-output"
    told.write_text(output)
    path = binaries / name
    path.write_text(
        f"#!{sys.executable}\n"
        "import os, sys\n"
        f"assert sys.argv[1:] == {argv!r}, sys.argv\n"
        f"assert [v for v in {variables!r} if not os.environ.get(v)] == []\n"
        f"print(open({str(told)!r}).read())\n"
    )
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class GitHub:
    """The service that gives GitHub's jobs their tokens; `statuses` are answered first."""

    def __init__(self, mint: Callable[[str], str]) -> None:
        self.mint = mint
        self.bearer = secrets.token_hex(16)
        self.statuses: list[tuple[int, dict[str, str]]] = []
        self.asked: list[str] = []
        self.endpoint = ""

    def environment(self, through: proxy.Proxy) -> dict[str, str]:
        """Return the variables of a job that may ask, and of the way to the service."""
        through.route(GITHUB, self.endpoint)
        return {
            **through.environment(),
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": self.bearer,
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"https://{GITHUB}/7/idtoken?api-version=2.0",
        }

    def answer(self, target: str, authorization: str) -> tuple[int, dict[str, str], bytes]:
        """Answer one request."""
        query = parse_qs(urlsplit(target).query)
        self.asked.append(target)
        if self.statuses:
            status, headers = self.statuses.pop(0)
            return status, headers, b"{}"
        if authorization != f"bearer {self.bearer}" or query.get("api-version") != ["2.0"]:
            return 401, {}, b"{}"
        return 200, {}, json.dumps({"count": 1, "value": self.mint(query["audience"][0])}).encode()


@contextmanager
def github(mint: Callable[[str], str]) -> Iterator[GitHub]:
    """Serve GitHub's tokens on a loopback port; `mint` makes one for an audience."""
    service = GitHub(mint)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = service.answer(self.path, self.headers.get("Authorization", ""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
