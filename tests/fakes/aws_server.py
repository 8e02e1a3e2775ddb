"""The process of the fake AWS: a gate in front of moto, which enforces IAM itself.

The gate checks every signature, answers STS, writes down who asked for what, and hands all other
requests to moto, signed with the key by which moto knows the same principal.
usage: python -m tests.fakes.aws_server LOG LIFETIME. The first line on stdout is JSON: port and
control token. It ends when stdin ends, or after LIFETIME seconds.
"""

from __future__ import annotations

import fnmatch
import io
import json
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.sax.saxutils import escape

os.environ["INITIAL_NO_AUTH_ACTION_COUNT"] = "0"  # read by moto when it is imported

from botocore.credentials import Credentials
from moto.iam.models import iam_backends
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from werkzeug.serving import make_server

from tests.fakes import sigv4, web_identity
from tests.fakes.aws import alias
from tests.fakes.sts import PARTITION, Principal, Refusal, Sessions

Start = Callable[..., Any]
CONTROL = "/_fake/"


class Gate:
    """The WSGI application."""

    def __init__(self, log: str, token: str) -> None:
        self.sessions = Sessions()
        self._moto = DomainDispatcherApplication(create_backend_app)
        self._token = token
        self._log = open(log, "a", encoding="utf-8")  # noqa: SIM115 - open as long as the process
        self._lock = threading.Lock()
        self._rules: list[dict[str, Any]] = []

    def __call__(self, environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        """Answer one request."""
        request = _request(environ)
        if request.target.startswith(CONTROL):
            return self._control(request, start)
        return self._aws(environ, request, start)

    # -- requests of programs ---------------------------------------------------------------------

    def _aws(
        self, environ: dict[str, Any], request: sigv4.Request, start: Start
    ) -> Iterable[bytes]:
        signed = sigv4.read(request.headers.get("authorization", ""))
        service = signed.service if signed else _unsigned(request)
        form = dict(parse_qsl(request.body.decode("utf-8", "replace"))) if service == "sts" else {}
        action, params = _action(service, request, form)
        record: dict[str, Any] = {
            "time": time.time(),
            "service": service,
            "action": action,
            "params": params,
            "signer": None,
            "key": alias(signed.access_key_id) if signed else None,
            "kind": None,
            "status": 200,
            "error": None,
            "granted": None,
        }
        try:
            if action == "AssumeRoleWithWebIdentity":
                return self._federated(form, start, record)
            principal = self._authenticate(request, signed)
            record["signer"], record["kind"] = principal.arn, principal.kind
            rule = self._rule(f"{service}:{action}", principal.arn)
            time.sleep(rule.get("delay", 0))
            while "until" in rule and not os.path.exists(rule["until"]):
                time.sleep(0.01)
            if "code" in rule:
                raise Refusal(rule["code"], rule.get("message", "scripted"), rule["status"])
            if service == "sts":
                text, granted = self.sessions.answer(
                    principal, form, time.time(), rule.get("lifetime")
                )
                record["granted"] = alias(granted) if granted else None
                start("200 OK", [("Content-Type", "text/xml")])
                return [text.encode()]
            assert signed is not None
            return self._forward(environ, request, signed, principal, start, record)
        except Refusal as refusal:
            record["status"], record["error"] = refusal.status, refusal.code
            return _refuse(service, refusal, start)
        finally:
            self._write(record)

    def _federated(
        self, form: dict[str, str], start: Start, record: dict[str, Any]
    ) -> Iterable[bytes]:
        rule = self._rule("sts:AssumeRoleWithWebIdentity", "")
        time.sleep(rule.get("delay", 0))
        if "code" in rule:
            raise Refusal(rule["code"], rule.get("message", "scripted"), rule["status"])
        text, new = self.sessions.federated(form, time.time(), rule.get("lifetime"))
        record["granted"] = alias(new.credentials.access_key)
        start("200 OK", [("Content-Type", "text/xml")])
        return [text.encode()]

    def _authenticate(self, request: sigv4.Request, signed: sigv4.Signed | None) -> Principal:
        if signed is None:
            raise Refusal("MissingAuthenticationToken", "Request is missing Authentication Token")
        s3 = signed.service == "s3"
        principal = self.sessions.of_key(signed.access_key_id)
        token = request.headers.get("x-amz-security-token")
        if principal is None:
            code = "InvalidAccessKeyId" if s3 else "InvalidClientTokenId"
            raise Refusal(code, "The security token included in the request is invalid.")
        if token != principal.credentials.token:
            code = "InvalidToken" if s3 else "InvalidClientTokenId"
            raise Refusal(code, "The security token included in the request is invalid.")
        try:
            secret = principal.credentials.secret_key or ""
            sigv4.verify(request, signed, secret, principal.credentials.token, time.time())
        except sigv4.BadSignature as error:
            raise Refusal(str(error), "The request signature does not match") from None
        if principal.expires is not None and principal.expires <= time.time():
            message = "The security token included in the request is expired"
            raise Refusal("ExpiredToken", message, 400 if s3 else 403)
        return principal

    def _forward(
        self,
        environ: dict[str, Any],
        request: sigv4.Request,
        signed: sigv4.Signed,
        principal: Principal,
        start: Start,
        record: dict[str, Any],
    ) -> Iterable[bytes]:
        again = sigv4.resign(request, signed, principal.moto)
        environ.pop("HTTP_X_AMZ_SECURITY_TOKEN", None)
        for name, value in again.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value
        environ["wsgi.input"] = io.BytesIO(request.body)
        environ["CONTENT_LENGTH"] = str(len(request.body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)

        def began(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            record["status"] = int(status.split(maxsplit=1)[0])
            return start(status, headers, *rest)

        body = b"".join(self._moto.get_application(environ)(environ, began))
        if record["status"] >= 400:
            record["error"] = _error_code(body)
        return [body]

    def _rule(self, action: str, signer: str) -> dict[str, Any]:
        with self._lock:
            for rule in self._rules:
                if not fnmatch.fnmatchcase(action, rule["action"]):
                    continue
                if not fnmatch.fnmatchcase(signer, rule.get("signer", "*")):
                    continue
                if rule["times"] == 0:
                    continue
                rule["times"] -= 1
                return rule
        return {}

    def _write(self, record: dict[str, Any]) -> None:
        with self._lock:
            self._log.write(json.dumps(record) + "\n")
            self._log.flush()

    # -- requests of tests ------------------------------------------------------------------------

    def _control(self, request: sigv4.Request, start: Start) -> Iterable[bytes]:
        name = request.target.removeprefix(CONTROL)
        if not secrets.compare_digest(request.headers.get("x-fake-token", ""), self._token):
            start("403 Forbidden", [])
            return [b"wrong control token"]
        try:
            answer = getattr(self, f"do_{name}")(**json.loads(request.body))
        except Exception as error:  # noqa: BLE001 - the test that asked gets it
            start("500 Internal Server Error", [("Content-Type", "text/plain")])
            return [f"{type(error).__name__}: {error}".encode()]
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(answer).encode()]

    def do_user(self, account: str, name: str, mfa_code: str | None) -> dict[str, Any]:
        """Make a user, or a further key of one that is there."""
        backend = iam_backends[account][PARTITION]
        if name not in backend.users:
            backend.create_user("us-east-1", name)
        user = backend.users[name]
        key = backend.create_access_key(name)
        credentials = Credentials(key.access_key_id, key.secret_access_key)
        self.sessions.add_user(user.arn, account, user.id, credentials)
        serial = f"arn:aws:iam::{account}:mfa/{name}"
        if mfa_code:
            self.sessions.set_mfa(user.arn, serial, mfa_code)
        return {
            "arn": user.arn,
            "access_key_id": key.access_key_id,
            "secret_access_key": key.secret_access_key,
            "mfa_arn": serial if mfa_code else None,
        }

    def do_role(
        self, account: str, name: str, trust: dict[str, Any], max_duration: int
    ) -> dict[str, Any]:
        """Make a role."""
        role = iam_backends[account][PARTITION].create_role(
            name, json.dumps(trust), "/", None, "", [], str(max_duration)
        )
        return {"arn": role.arn}

    def do_trust(self, arn: str, trust: dict[str, Any]) -> None:
        """Replace a role's trust policy."""
        iam_backends[arn.split(":")[4]][PARTITION].update_assume_role_policy(
            arn.rpartition("/")[2], json.dumps(trust)
        )

    def do_policy(self, arn: str, name: str, document: dict[str, Any] | None) -> None:
        """Set or, with None, remove an inline policy of a user or a role."""
        backend = iam_backends[arn.split(":")[4]][PARTITION]
        what, owner = arn.split(":")[5].split("/", 1)
        if document is None:
            getattr(backend, f"delete_{what}_policy")(owner, name)
        else:
            getattr(backend, f"put_{what}_policy")(owner, name, json.dumps(document))

    def do_session(self, arn: str, seconds: float) -> list[str]:
        """Make a session of a role for another service's fake; return its three parts."""
        made = self.sessions.grant(arn, seconds, time.time()).credentials
        return [made.access_key, made.secret_key or "", made.token or ""]

    def do_issuer(self, account: str, url: str, keys: dict[str, Any], audiences: list[str]) -> None:
        """Let an account know an issuer of OIDC tokens."""
        self.sessions.add_issuer(account, url, web_identity.Trusted(keys, audiences))

    def do_revoke(self, access_key_id: str) -> None:
        """Make a key unknown."""
        self.sessions.revoke(access_key_id)

    def do_bucket(self, account: str, name: str, region: str) -> None:
        """Make a bucket."""
        s3_backends[account][PARTITION].create_bucket(name, region)

    def do_objects(self, account: str, bucket: str) -> dict[str, str]:
        """Return the objects of a bucket, key → text."""
        found = s3_backends[account][PARTITION].get_bucket(bucket).keys
        return {
            name: key.value.decode("utf-8", "replace")
            for name, key in sorted(found.items())
            if isinstance(getattr(key, "value", None), bytes)
        }

    def do_rule(self, rule: dict[str, Any]) -> None:
        """Add a scripted answer."""
        with self._lock:
            self._rules.append(rule)

    def do_no_rules(self) -> None:
        """Remove all scripted answers."""
        with self._lock:
            self._rules.clear()


def _request(environ: dict[str, Any]) -> sigv4.Request:
    headers = {
        name[5:].replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_")
    }
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.replace("_", "-").lower()] = environ[name]
    length = int(environ.get("CONTENT_LENGTH") or 0)
    stream = environ["wsgi.input"]
    body = stream.read() if environ.get("wsgi.input_terminated") else stream.read(length)
    return sigv4.Request(environ["REQUEST_METHOD"], environ["REQUEST_URI"], headers, body)


def _unsigned(request: sigv4.Request) -> str:
    """Return whom a request without a signature is for: a form is for STS."""
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    return "sts" if form and request.method == "POST" else "s3"


def _action(
    service: str, request: sigv4.Request, form: dict[str, str]
) -> tuple[str, dict[str, str]]:
    """Return the name of the operation, and its parameters without what is secret."""
    if service == "sts":
        hidden = ("Action", "Version", "TokenCode", "WebIdentityToken")
        return form.get("Action", ""), {k: v for k, v in form.items() if k not in hidden}
    if service != "s3":
        target = request.headers.get("x-amz-target", "")
        return target.rpartition(".")[2] or request.method, {}
    parts = urlsplit(request.target)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    verb = {"GET": "Get", "PUT": "Put", "DELETE": "Delete", "HEAD": "Head", "POST": "Post"}
    name = verb.get(request.method, request.method) + ("Object" if key else "Bucket")
    name = "ListObjects" if name == "GetBucket" else name
    return name, {"Bucket": bucket, "Key": key, "query": parts.query}


def _refuse(service: str, refusal: Refusal, start: Start) -> Iterable[bytes]:
    status = f"{refusal.status} Error"
    if service in ("s3", "sts", "iam", "ec2"):
        error = f"<Code>{escape(refusal.code)}</Code><Message>{escape(refusal.message)}</Message>"
        if service == "s3":
            text = f"<Error>{error}</Error>"
        else:
            text = (
                f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error>"
                "<RequestId>0</RequestId></ErrorResponse>"
            )
        start(status, [("Content-Type", "text/xml")])
        return [text.encode()]
    start(status, [("Content-Type", "application/x-amz-json-1.0")])
    return [json.dumps({"__type": refusal.code, "message": refusal.message}).encode()]


def _error_code(body: bytes) -> str | None:
    text = body.decode("utf-8", "replace")
    code = text.partition("<Code>")[2].partition("</Code>")[0]
    return code or None


class Handler(MotoRequestHandler):
    """Requests are written to our own log, and to nothing else."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002 - werkzeug's name
        """Say nothing."""


def main(log: str, lifetime: float) -> None:
    """Serve until stdin ends or the time is up."""
    token = secrets.token_hex(16)
    server = make_server("127.0.0.1", 0, Gate(log, token), threaded=True, request_handler=Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(json.dumps({"port": server.server_port, "token": token}), flush=True)
    watchdog = threading.Timer(lifetime, os._exit, args=(3,))
    watchdog.daemon = True
    watchdog.start()
    sys.stdin.read()


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
