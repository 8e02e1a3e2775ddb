"""A loopback IAM Identity Center, with the parts of STS that take no IAM user.

Every request and every answer is checked against botocore's own service models; signatures, PKCE
verifiers and one-time codes are verified. The server lives in threads of the test's process.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit

import botocore.session
from botocore.validate import ParamValidator

from tests.fakes import sigv4

DEVICE = "urn:ietf:params:oauth:grant-type:device_code"
START_URL = "https://acme.awsapps.com/start"
REGION = "eu-west-1"
ROUTES = {
    ("POST", "/client/register"): ("sso-oidc", "RegisterClient"),
    ("POST", "/device_authorization"): ("sso-oidc", "StartDeviceAuthorization"),
    ("POST", "/token"): ("sso-oidc", "CreateToken"),
    ("GET", "/assignment/accounts"): ("sso", "ListAccounts"),
    ("GET", "/assignment/roles"): ("sso", "ListAccountRoles"),
    ("GET", "/federation/credentials"): ("sso", "GetRoleCredentials"),
    ("POST", "/logout"): ("sso", "Logout"),
}


P = TypeVar("P", bound="Portal")


class Call(NamedTuple):
    """One request: what was asked, by whom (STS), and the error it got."""

    action: str
    params: Mapping[str, Any]
    signer: str | None
    error: str | None


class Refusal(Exception):
    """An error of the API."""

    def __init__(self, code: str, status: int = 400) -> None:
        super().__init__(code)
        self.code, self.status = code, status


class Portal:
    """The state of the fake: what the tests set, and what was asked."""

    def __init__(self) -> None:
        self.accounts: list[tuple[str, str, list[str]]] = [("111111111111", "dev", ["Admin"])]
        self.page_size = 100
        self.pending = 0
        self.interval = 1
        self.device_expires = 600
        self.device_answer = ""
        self.token_seconds = 28800
        self.role_seconds = 3600
        self.delay = 0.0
        self.skew = 0.0
        # Who makes the sessions of roles; an AWS that enforces IAM can take the place of ours.
        self.mint: Callable[[str, float], tuple[str, str, str]] = _made_up
        self.errors: list[tuple[str, str, int]] = []
        self.calls: list[Call] = []
        self.endpoint = ""
        self.jwt = "header." + secrets.token_hex(8) + ".signature"
        self._clients: dict[str, tuple[str, tuple[str, ...]]] = {}
        self._devices: dict[str, int] = {}
        self._codes: dict[str, tuple[str, str, str]] = {}
        self._tokens: set[str] = set()
        self._refresh: dict[str, str] = {}
        self._keys: dict[str, tuple[str, str | None, str]] = {}
        self._lock = threading.RLock()
        session = botocore.session.Session()
        self._models = {
            name: session.get_service_model(name) for name in ("sso", "sso-oidc", "sts")
        }

    def actions(self) -> list[str]:
        """Return the operations that were asked, in order; errors as `Operation!Code`."""
        return [c.action + (f"!{c.error}" if c.error else "") for c in self.calls]

    def now(self) -> float:
        """Return the portal's time, which may be `skew` seconds ahead of the client's."""
        return time.time() + self.skew

    def decide(self) -> None:
        """Let the person who was asked answer now; all that are asked later answer at once."""
        with self._lock:
            self.pending = 0
            self._devices = dict.fromkeys(self._devices, 0)

    def revoke(self) -> None:
        """End every session at the portal."""
        self._tokens.clear()
        self._refresh.clear()

    def expire(self) -> None:
        """Let every access token end; refresh tokens stay."""
        self._tokens.clear()

    def key(self, principal: str, seconds: float = 3600.0) -> tuple[str, str, str]:
        """Mint a session key of a principal, for requests that have to be signed."""
        key, secret, token = self.mint(principal, seconds)
        self._keys[key] = (secret, token, principal)
        return key, secret, token

    # ---- answering ------------------------------------------------------------------------------

    def answer(self, request: sigv4.Request) -> tuple[int, dict[str, str], bytes]:
        """Answer one request."""
        parts = urlsplit(request.target)
        if parts.path == "/authorize":
            return self._authorize(dict(parse_qsl(parts.query, keep_blank_values=True)))
        if (request.method, parts.path) in ROUTES:
            service, action = ROUTES[request.method, parts.path]
        else:
            service, action = "sts", dict(parse_qsl(request.body.decode())).get("Action", "?")
        model = self._models[service].operation_model(action)
        params = _params(service, model, request)
        signer = None
        time.sleep(self.delay)
        with self._lock:
            try:
                _check(params, model.input_shape)
                signer = self._signer(action, request) if service == "sts" else None
                self._scripted(action)
                if action == "GetCallerIdentity" and signer is not None:
                    account = signer.split(":")[4]
                    found = {"Arn": signer, "UserId": "AROA:me", "Account": account}
                else:
                    found = getattr(self, f"do_{action}")(params)
                if model.output_shape is not None:
                    _check(found, model.output_shape)
            except Refusal as refusal:
                self.calls.append(Call(action, params, signer, refusal.code))
                return refused(service, refusal)
            self.calls.append(Call(action, params, signer, None))
        return _written(service, action, found)

    def _scripted(self, action: str) -> None:
        for rule in self.errors:
            if rule[0] == action:
                self.errors.remove(rule)
                raise Refusal(rule[1], rule[2])

    def _signer(self, action: str, request: sigv4.Request) -> str | None:
        if action == "AssumeRoleWithWebIdentity":
            assert "authorization" not in request.headers
            return None
        signed = sigv4.read(request.headers.get("authorization", ""))
        if signed is None or signed.access_key_id not in self._keys:
            raise Refusal("InvalidClientTokenId", 403)
        secret, token, principal = self._keys[signed.access_key_id]
        if request.headers.get("x-amz-security-token") != token:
            raise Refusal("InvalidClientTokenId", 403)
        try:
            sigv4.verify(request, signed, secret, token, self.now())
        except sigv4.BadSignature as error:
            raise Refusal(str(error), 403) from None
        return principal

    def _authorize(self, query: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
        """Be the page on which a person has just signed in."""
        _, grants = self._clients[query["client_id"]]
        back = urlsplit(query["redirect_uri"])
        assert (back.hostname, back.path) == ("127.0.0.1", "/oauth/callback")
        assert "authorization_code" in grants
        assert query["response_type"] == "code"
        assert query["code_challenge_method"] == "S256"
        assert query["scopes"] == "sso:account:access"
        assert len(query["state"]) >= 20
        code = secrets.token_urlsafe(24)
        self._codes[code] = (query["client_id"], query["code_challenge"], query["redirect_uri"])
        answer = urlencode({"code": code, "state": query["state"]})
        return 302, {"Location": f"{query['redirect_uri']}?{answer}"}, b""

    # ---- sso-oidc -------------------------------------------------------------------------------

    def do_RegisterClient(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        client, secret = secrets.token_hex(8), secrets.token_hex(16)
        assert params["clientType"] == "public"
        self._clients[client] = (secret, tuple(params.get("grantTypes", (DEVICE,))))
        now = int(self.now())
        return {
            "clientId": client,
            "clientSecret": secret,
            "clientIdIssuedAt": now,
            "clientSecretExpiresAt": now + 90 * 86400,
        }

    def _known(self, params: Mapping[str, Any], grant: str) -> None:
        secret, grants = self._clients.get(params["clientId"], ("", ()))
        if secret != params["clientSecret"]:
            raise Refusal("InvalidClientException", 401)
        if grant not in grants:
            raise Refusal("UnauthorizedClientException")

    def do_StartDeviceAuthorization(  # noqa: N802
        self, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        self._known(params, DEVICE)
        assert params["startUrl"] == START_URL
        code = secrets.token_hex(8)
        self._devices[code] = self.pending
        return {
            "deviceCode": code,
            "userCode": "WXYZ-1234",
            "verificationUri": "https://device.example.com/",
            "verificationUriComplete": "https://device.example.com/?user_code=WXYZ-1234",
            "expiresIn": self.device_expires,
            "interval": self.interval,
        }

    def do_CreateToken(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        grant = params["grantType"]
        self._known(params, grant)
        if grant == DEVICE:
            self._confirmed(params["deviceCode"])
        elif grant == "authorization_code":
            client, challenge, back = self._codes.pop(params["code"], ("", "", ""))
            digest = hashlib.sha256(params["codeVerifier"].encode()).digest()
            proved = base64.urlsafe_b64encode(digest).rstrip(b"=").decode() == challenge
            if not proved or (client, back) != (params["clientId"], params["redirectUri"]):
                raise Refusal("InvalidGrantException")
        elif self._refresh.pop(params["refreshToken"], "") != params["clientId"]:
            raise Refusal("InvalidGrantException")
        access, refresh = secrets.token_hex(16), secrets.token_hex(16)
        self._tokens.add(access)
        self._refresh[refresh] = params["clientId"]
        return {
            "accessToken": access,
            "tokenType": "Bearer",
            "expiresIn": self.token_seconds,
            "refreshToken": refresh,
        }

    def _confirmed(self, code: str) -> None:
        if code not in self._devices:
            raise Refusal("InvalidGrantException")
        if self._devices[code] > 0:
            self._devices[code] -= 1
            raise Refusal("AuthorizationPendingException")
        if self.device_answer:
            raise Refusal(self.device_answer)
        del self._devices[code]

    # ---- sso ------------------------------------------------------------------------------------

    def _signed_in(self, params: Mapping[str, Any]) -> None:
        if params["accessToken"] not in self._tokens:
            raise Refusal("UnauthorizedException", 401)

    def do_ListAccounts(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._signed_in(params)
        start = int(params.get("nextToken", 0))
        shown = self.accounts[start : start + self.page_size]
        page: dict[str, Any] = {
            "accountList": [{"accountId": a, "accountName": n} for a, n, _ in shown]
        }
        if start + self.page_size < len(self.accounts):
            page["nextToken"] = str(start + self.page_size)
        return page

    def do_ListAccountRoles(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._signed_in(params)
        roles = next(r for a, _, r in self.accounts if a == params["accountId"])
        start = int(params.get("nextToken", 0))
        shown = roles[start : start + self.page_size]
        page: dict[str, Any] = {
            "roleList": [{"roleName": r, "accountId": params["accountId"]} for r in shown]
        }
        if start + self.page_size < len(roles):
            page["nextToken"] = str(start + self.page_size)
        return page

    def do_GetRoleCredentials(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._signed_in(params)
        account, role = params["accountId"], params["roleName"]
        if not any(a == account and role in r for a, _, r in self.accounts):
            raise Refusal("ForbiddenException", 403)
        key, secret, token = self.key(
            f"arn:aws:sts::{account}:assumed-role/AWSReservedSSO_{role}_abc/me", self.role_seconds
        )
        return {
            "roleCredentials": {
                "accessKeyId": key,
                "secretAccessKey": secret,
                "sessionToken": token,
                "expiration": int((self.now() + self.role_seconds) * 1000),
            }
        }

    def do_Logout(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        self._signed_in(params)
        self._tokens.discard(params["accessToken"])
        return {}

    # ---- sts ------------------------------------------------------------------------------------

    def do_AssumeRoleWithWebIdentity(  # noqa: N802
        self, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        if params["WebIdentityToken"] != self.jwt:
            raise Refusal("InvalidIdentityToken")
        name = params["RoleSessionName"]
        arn = f"{params['RoleArn'].replace(':iam:', ':sts:').replace(':role/', ':assumed-role/')}/{name}"
        return {**self._granted(arn), "AssumedRoleUser": {"Arn": arn, "AssumedRoleId": f"A:{name}"}}

    def do_AssumeRole(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self.do_AssumeRoleWithWebIdentity({**params, "WebIdentityToken": self.jwt})

    def do_AssumeRoot(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._granted(f"arn:aws:iam::{params['TargetPrincipal']}:root")

    def _granted(self, principal: str) -> dict[str, Any]:
        key, secret, token = self.key(principal, 900)
        return {
            "Credentials": {
                "AccessKeyId": key,
                "SecretAccessKey": secret,
                "SessionToken": token,
                "Expiration": datetime.fromtimestamp(self.now() + 900, UTC),
            }
        }


def _made_up(principal: str, seconds: float) -> tuple[str, str, str]:
    return "ASIA" + secrets.token_hex(8), secrets.token_hex(20), secrets.token_hex(20)


def _check(value: Any, shape: Any) -> None:
    report = ParamValidator().validate(value, shape)
    if report.has_errors():
        raise Refusal(f"Contract: {report.generate_report()}", 400)
    unknown = set(value) - set(shape.members)
    if unknown:
        raise Refusal(f"Contract: unknown {sorted(unknown)}", 400)


def _params(service: str, model: Any, request: sigv4.Request) -> dict[str, Any]:
    if service == "sts":
        flat = dict(parse_qsl(request.body.decode()))
        found = _nested(flat, model.input_shape, "")
        return found if isinstance(found, dict) else {}
    query = dict(parse_qsl(urlsplit(request.target).query))
    body = json.loads(request.body) if request.body else {}
    found = dict(body)
    for name, shape in model.input_shape.members.items():
        where = shape.serialization.get("location")
        wire = shape.serialization.get("name", name)
        value = request.headers.get(wire) if where == "header" else query.get(wire)
        if where and value is not None:
            found[name] = int(value) if shape.type_name == "integer" else value
    return found


def _nested(flat: Mapping[str, str], shape: Any, prefix: str) -> Any:
    """Read a value of the query protocol (`Tags.member.1.Key`)."""
    if shape.type_name == "structure":
        inner = {
            name: _nested(flat, member, f"{prefix}.{name}".lstrip("."))
            for name, member in shape.members.items()
        }
        return {k: v for k, v in inner.items() if v is not None} or None
    if shape.type_name == "list":
        found: list[Any] = []
        while True:
            one = _nested(flat, shape.member, f"{prefix}.member.{len(found) + 1}")
            if one is None:
                return found or None
            found.append(one)
    text = flat.get(prefix)
    return int(text) if text is not None and shape.type_name == "integer" else text


def _xml(value: Any) -> str:
    if isinstance(value, dict):
        return "".join(f"<{k}>{_xml(v)}</{k}>" for k, v in value.items())
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%SZ")
    return re.sub(r"[&<>]", lambda m: f"&#{ord(m[0])};", str(value))


def _written(service: str, action: str, found: Any) -> tuple[int, dict[str, str], bytes]:
    if service == "sts":
        text = (
            f"<{action}Response><{action}Result>{_xml(found)}</{action}Result></{action}Response>"
        )
        return 200, {"Content-Type": "text/xml"}, text.encode()
    return 200, {"Content-Type": "application/json"}, json.dumps(found).encode()


def refused(service: str, refusal: Refusal) -> tuple[int, dict[str, str], bytes]:
    """Return how a service writes an error."""
    if service == "sts":
        text = f"<ErrorResponse><Error><Code>{_xml(refusal.code)}</Code><Message>no</Message></Error></ErrorResponse>"
        return refusal.status, {"Content-Type": "text/xml"}, text.encode()
    headers = {"Content-Type": "application/json", "x-amzn-ErrorType": refusal.code.split(":")[0]}
    return refusal.status, headers, json.dumps({"message": refusal.code}).encode()


@contextmanager
def running() -> Iterator[Portal]:
    """Serve a new portal on a loopback port until the block ends."""
    with served(Portal()) as portal:
        yield portal


@contextmanager
def served(portal: P) -> Iterator[P]:
    """Serve a portal, or what is built on one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            headers = {name.lower(): value for name, value in self.headers.items()}
            request = sigv4.Request(self.command, self.path, headers, body)
            status, more, data = portal.answer(request)
            self.send_response(status)
            for name, value in {**more, "Content-Length": str(len(data))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    portal.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield portal
    finally:
        server.shutdown()
        server.server_close()
