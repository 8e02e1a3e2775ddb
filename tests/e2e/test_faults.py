"""Every call that the AWS kinds make meets every fault: the right retry or error, nothing broken left.

A cell of the table is a whole command line against real sockets, in this process; what differs for
an installed program is in `test_fault_classes.py`. A call without a row fails its test.
"""

from __future__ import annotations

import io
import json
import re
import threading
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.fakes import faults, portal, proxy
from wrapper import __main__ as program
from wrapper.auth.kinds import KINDS
from wrapper.world import World

AT_ONCE = 8
# Faults that last until the program gives up, and the seconds that one try gets. Short first; on a
# machine that stands still for so long a good answer is late, too, and the cell is tried anew.
SLOW = ("timeout", "late", "drip")
LIMITS = ("1", "5", "15")
CONFIG = f"""
base_path: ./
auth:
  realm: lab
  providers:
    sso: {{kind: aws/iam-identity-center, start_url: "{portal.START_URL}", region: eu-west-1}}
    listing: {{kind: aws/iam-identity-center, start_url: "{portal.START_URL}", region: eu-west-1, auto_provision_identities: true}}
    job: {{kind: github/oidc, region: eu-west-1, spec: {{audience: sts.amazonaws.com}}}}
  identities:
    dev: {{kind: aws/permission-set, via: {{provider: sso}}, principal: {{name: Admin, account: {{name: dev}}}}}}
    alice: {{kind: aws/user, credentials: {{access_key_id: !env KEY_ID, secret_access_key: !env SECRET}}}}
    web: {{kind: aws/user}}
    hop: {{kind: aws/assume-role, via: {{identity: alice}}, principal: {{assume_role: "arn:aws:iam::222222222222:role/Hop"}}}}
    root: {{kind: aws/assume-root, via: {{identity: alice}}, principal: {{target_principal: "333333333333", task_policy_arn: S3UnlockBucketPolicy}}}}
    ci: {{kind: aws/assume-role, via: {{provider: job}}, principal: {{assume_role: "arn:aws:iam::444444444444:role/Deploy"}}}}
"""


class Flow(NamedTuple):
    """The command that makes a call, what must have run before, and by which way a person signs in."""

    argv: tuple[str, ...]
    before: tuple[str, ...] = ()
    code: bool = False


LOGIN = ("auth", "login", "-i")
FLOWS = {
    "RegisterClient": Flow((*LOGIN, "dev")),
    "CreateToken authorization_code": Flow((*LOGIN, "dev")),
    "StartDeviceAuthorization": Flow((*LOGIN, "dev"), code=True),
    "CreateToken device_code": Flow((*LOGIN, "dev"), code=True),
    "CreateToken refresh_token": Flow((*LOGIN, "dev"), before=(*LOGIN, "dev")),
    "ListAccounts": Flow((*LOGIN, "dev")),
    "GetRoleCredentials": Flow((*LOGIN, "dev")),
    "ListAccountRoles": Flow(("auth", "login", "--provider", "listing")),
    "Logout": Flow(("auth", "logout", "--provider", "sso"), before=(*LOGIN, "dev")),
    "GetSessionToken": Flow((*LOGIN, "alice")),
    "GetCallerIdentity": Flow(("auth", "whoami", "-i", "alice", "--verify"), (*LOGIN, "alice")),
    "AssumeRole": Flow((*LOGIN, "hop")),
    "AssumeRoot": Flow((*LOGIN, "root")),
    "AssumeRoleWithWebIdentity": Flow((*LOGIN, "ci")),
    "GitHub token": Flow((*LOGIN, "ci")),
    "signin authorization_code": Flow((*LOGIN, "web")),
    "signin refresh_token": Flow((*LOGIN, "web", "--force"), before=(*LOGIN, "web")),
    "getSigninToken": Flow(("auth", "console", "-i", "hop", "--print"), before=(*LOGIN, "hop")),
}
# Kinds without a row, and why.
ELSEWHERE = {
    "aws/ambient": "it makes no call",
    "aws/saml": "its calls need a browser: tests/e2e/test_saml.py",
    "oidc": "its tokens come from files, variables and programs; its one call is GitHub's",
}
HTTP = ("GitHub token", "signin authorization_code", "signin refresh_token", "getSigninToken")
# Calls whose answer ends a one-time code: when it is lost, the next try cannot have it.
ONCE = {
    "CreateToken device_code": "refused the sign-in: InvalidGrantException",
    "CreateToken authorization_code": "refused the sign-in: InvalidGrantException",
    "signin authorization_code": "AWS refused the sign-in: invalid_grant",
}
# Calls whose failure is a warning.
WARNS = {
    "Logout": "warning: the portal|stays valid there until it expires",
    "ListAccountRoles": "warning: .*(left out|could not be listed)",
}
# Calls that are signed with the time of this machine.
CLOCKED = (
    *("GetSessionToken", "GetCallerIdentity", "AssumeRole", "AssumeRoot"),
    *("signin authorization_code", "signin refresh_token"),
)
ALWAYS = 1 << 30
# Faults that pass when the call is made again.
PASSING = ("timeout", "late", "reset", "reset within", "cut", "garbage", "500", "503", "429", "throttled")  # fmt: skip
RETRIED = frozenset(PASSING)
UNREAD = ("html", "malformed", "empty", "missing", "wrong types")
_NOTHING = r"answer that cannot be read|answered without|gave no|\(HTTP 200\)"
# Faults that stay: what is said by the AWS SDK's callers, and by those of what has no SDK.
STAYING = {
    **dict.fromkeys(("timeout", "drip"), ("no answer from {url}: it did not answer in time",) * 2),
    **dict.fromkeys(
        ("reset", "reset within", "cut", "garbage"),
        ("no answer from {url}: it closed the connection",) * 2,
    ),
    "500": ("the fault is on the side of AWS", "HTTP 500"),
    "503": ("the fault is on the side of AWS", "HTTP 503"),
    "429": ("AWS is asked too often", "HTTP 429"),
    "throttled": ("AWS is asked too often", "HTTP 429"),
    "redirect": ("a page of the network answered instead of AWS", "HTTP 302"),
    "huge": ("no answer from {url}: it is larger than any",) * 2,
    **dict.fromkeys(UNREAD, (_NOTHING, _NOTHING)),
}
Said = dict[tuple[str, int], tuple[int, str]]
_OVER: Said = {
    (f"refuse 403 {code}", ALWAYS): (77, code) for code in ("ExpiredToken", "InvalidClientTokenId")
}
# What a service says no with: how often, the exit code, and what is said.
SAID: dict[str, Said] = {
    "RegisterClient": {
        ("refuse 400 InvalidRequestException", ALWAYS): (77, "InvalidRequestException")
    },
    "StartDeviceAuthorization": {
        ("refuse 401 InvalidClientException", ALWAYS): (77, "InvalidClientException")
    },
    "CreateToken device_code": {
        ("refuse 400 AuthorizationPendingException", 1): (0, ""),
        ("refuse 400 SlowDownException", 1): (0, ""),
        ("refuse 400 AccessDeniedException", ALWAYS): (77, "declined in the browser"),
        ("refuse 400 ExpiredTokenException", ALWAYS): (77, "the code expired"),
    },
    "CreateToken refresh_token": {
        ("refuse 400 InvalidGrantException", ALWAYS): (0, "waiting for the sign-in"),
        ("refuse 400 ExpiredTokenException", ALWAYS): (0, "waiting for the sign-in"),
    },
    "ListAccounts": {
        ("refuse 401 UnauthorizedException", 1): (0, ""),
        ("refuse 401 UnauthorizedException", ALWAYS): (77, "a token that it has just given"),
    },
    "GetRoleCredentials": {
        ("refuse 401 UnauthorizedException", 1): (0, ""),
        ("refuse 401 UnauthorizedException", ALWAYS): (77, "a token that it has just given"),
        ("refuse 403 ForbiddenException", ALWAYS): (77, "refused permission set Admin"),
    },
    "ListAccountRoles": {
        ("refuse 401 UnauthorizedException", ALWAYS): (0, "is left out: UnauthorizedException")
    },
    "Logout": {("refuse 401 UnauthorizedException", ALWAYS): (0, "")},
    "GetSessionToken": _OVER,
    "GetCallerIdentity": _OVER,
    "AssumeRole": _OVER,
    "AssumeRoot": _OVER,
    "AssumeRoleWithWebIdentity": {
        ("refuse 400 ExpiredTokenException", ALWAYS): (77, "ExpiredTokenException"),
        ("refuse 400 InvalidIdentityToken", ALWAYS): (77, "InvalidIdentityToken"),
    },
    "GitHub token": {("refuse 401 unauthorized", ALWAYS): (77, "id-token: write")},
    "signin authorization_code": {("refuse 400 invalid_grant", ALWAYS): (77, "invalid_grant")},
    "signin refresh_token": {
        ("refuse 400 invalid_grant", ALWAYS): (0, "waiting for the sign-in"),
        ("refuse 401 invalid_token", ALWAYS): (0, "waiting for the sign-in"),
    },
    "getSigninToken": {("refuse 400 expired", ALWAYS): (77, "assume a role first")},
}


class Cell(NamedTuple):
    """One call under one fault; `times` 0: until it is over."""

    label: str
    fault: str
    times: int


class Machine:
    """One user's machine and one cloud; command lines are run in this process."""

    def __init__(self, directory: Path, server: faults.Server, tunnel: proxy.Proxy) -> None:
        self.home, self.server = directory / "home", server
        self.repo = directory / "repo"
        self.home.mkdir(parents=True)
        self.repo.mkdir()
        (self.repo / "atmos.yaml").write_text(CONFIG)
        for host in ("signin.aws.amazon.com", "github.example"):
            tunnel.route(host, server.endpoint)
        self.environ = {
            "HOME": str(self.home),
            "PATH": "/usr/bin:/bin",
            "AWS_ENDPOINT_URL": server.endpoint,
            "AWS_ENDPOINT_URL_SIGNIN": server.endpoint,
            "ATMOS_INTERACTIVE": "true",
            "DISPLAY": ":0",
            "KEY_ID": server.cloud.user[0],
            "SECRET": server.cloud.user[1],
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": server.cloud.bearer,
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://github.example/oidc/token?v=1",
            **tunnel.environment(),
        }

    def run(self, argv: Sequence[str], **environ: str) -> tuple[int, str]:
        """Run a command line; return its exit code and what it said on both streams."""
        said = io.StringIO()
        world = World(
            environ={**self.environ, **environ},
            cwd=str(self.repo),
            stdin=io.StringIO(),
            stdout=said,
            stderr=said,
            now=time.time,
            stdin_tty=False,
            stderr_tty=True,
            open_browser=self._visit,
        )
        return program.run(list(argv), world), said.getvalue()

    def _visit(self, url: str) -> bool:
        def go() -> None:
            urllib.request.urlopen(url, timeout=60).close()

        if url.startswith(self.server.endpoint):
            threading.Thread(target=go, daemon=True).start()
        return True

    def broken(self) -> list[str]:
        """Return the files of the program that are torn, temporary or open to others."""
        found = []
        for path in (self.home / ".local/state/atmos-wrap").rglob("*"):
            if path.is_dir() or path.suffix == ".lock":
                continue
            if path.stat().st_mode & 0o077:
                found.append(f"{path.name}: mode")
            if path.suffix == ".tmp":
                found.append(path.name)
            elif path.suffix in (".json", ".failed", ".identities"):
                try:
                    json.loads(path.read_bytes())
                except ValueError:
                    found.append(f"{path.name}: torn")
        return found


def cells(label: str) -> list[Cell]:
    """Return the row of a call."""
    passing = [Cell(label, fault, 1) for fault in PASSING]
    staying = [Cell(label, fault, ALWAYS) for fault in (*STAYING, "ahead", "behind")]
    return [*passing, *staying, *(Cell(label, *one) for one in SAID.get(label, {}))]


def expected(cell: Cell) -> tuple[int, str]:
    """Return the exit code of a cell and a pattern of what is said."""
    label, fault, times = cell
    column = 1 if label in HTTP else 0
    if (fault, times) in SAID.get(label, {}):
        return SAID[label][fault, times]
    if fault in ("ahead", "behind"):
        other = {"ahead": "behind", "behind": "ahead of"}[fault]
        text = f"the clock of this machine is 10 minutes {other} that of AWS"
        return (77, text) if label in CLOCKED else (0, "")
    if times == 1:
        lost = label in ONCE and fault in ("late", "reset within", "cut")
        return (77, ONCE[label]) if lost else (0, "")
    if label == "Logout" and fault in UNREAD:
        return 0, ""  # its answer says nothing
    return (0, WARNS[label]) if label in WARNS else (77, STAYING[fault][column])


def wrong(cell: Cell, directory: Path) -> list[str]:
    """Return what is not as it must be in a cell."""
    found: list[str] = []
    for limit in LIMITS if cell.fault in SLOW else ("",):
        found = tried(cell, directory / limit, limit)
        if not found:
            break
    return found


def tried(cell: Cell, directory: Path, limit: str) -> list[str]:
    """Run a cell, and then the same command on a healthy cloud; return what is not as it must be."""
    directory.mkdir(parents=True)
    with faults.running() as server, proxy.running(directory) as tunnel:
        machine = Machine(directory, server, tunnel)
        flow = FLOWS[cell.label]
        signs = {"ATMOS_WRAP_DEVICE_CODE": "1"} if flow.code else {}
        if flow.before:
            server.cloud.token_seconds = 200 if "refresh" in cell.label else 28800
            exit_code, said = machine.run(flow.before, **signs)
            assert exit_code == 0, said
            server.cloud.token_seconds = 28800
        server.cloud.skew = {"ahead": 600.0, "behind": -600.0}.get(cell.fault, 0.0)
        if not server.cloud.skew:
            server.script(cell.label, cell.fault, cell.times)
        if limit:
            signs |= {"ATMOS_WRAP_TIMEOUT": limit}
        if cell.times == ALWAYS:
            signs |= {"AWS_MAX_ATTEMPTS": "2"}
        exit_code, said = machine.run(flow.argv, **signs)
        found = [f"exit {exit_code}"] if exit_code != expected(cell)[0] else []
        pattern = expected(cell)[1].replace("{url}", r"http\S+")
        if not re.search(pattern, said):
            found.append(f"not said: {pattern}")
        if re.search("Traceback|internal fault", said):
            found.append("a fault of ours")
        found += [f"a secret is shown: {one}" for one in server.cloud.secrets() if one in said]
        found += machine.broken()
        if cell.fault not in ("ahead", "behind") and cell.fault not in server.met(cell.label):
            found.append("the call was not made")
        if cell.fault in RETRIED and len(server.met(cell.label)) < 2:
            found.append("the call was not made again")
        server.forgive()
        signs.pop("ATMOS_WRAP_TIMEOUT", None)
        after, told = machine.run(flow.argv, **signs) if cell.times == ALWAYS else (0, "")
        if after != 0:
            found.append(f"the next run: exit {after}: {told}")
        unknown = {label for label, _ in server.calls} - set(FLOWS)
        found += [f"a call without a row: {one}" for one in unknown]
        return [f"{cell}: {one}\n{said}" for one in found]


@pytest.mark.parametrize("label", FLOWS)
def test_a_call_meets_every_fault(label: str, tmp_path: Path) -> None:
    row = cells(label)
    places = [tmp_path / str(number) for number in range(len(row))]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [one for each in pool.map(wrong, row, places) for one in each]
    assert not found, "\n".join(found)


def test_every_kind_of_aws_has_its_calls_in_the_table() -> None:
    kinds = {kind for kind in KINDS if kind.startswith(("aws/", "github/", "oidc"))}
    configured = set(re.findall(r"kind: ([a-z/-]+)", CONFIG))
    assert kinds == configured | set(ELSEWHERE)
