"""A loopback API server of Kubernetes that knows people by the presigned request of `eks get-token`."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qsl, quote, urlsplit

import trustme

PREFIX = "k8s-aws-v1."


class Key(NamedTuple):
    """A session that somebody was given."""

    secret: str
    token: str
    principal: str


class Cluster(NamedTuple):
    """A running server: where it is, the file of its CA, and the sessions that it knows by key id."""

    name: str
    url: str
    authority: str
    keys: dict[str, Key]

    def kubeconfig(self) -> str:
        """Return a configuration as `aws eks update-kubeconfig` writes it."""
        user = {
            "apiVersion": "client.authentication.k8s.io/v1beta1",
            "command": "aws",
            "args": ["--region", "us-east-1", "eks", "get-token", "--cluster-name", self.name],
            "interactiveMode": "Never",
        }
        cluster = {"server": self.url, "certificate-authority": self.authority}
        return json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": self.name, "cluster": cluster}],
                "users": [{"name": "me", "user": {"exec": user}}],
                "contexts": [{"name": "c", "context": {"cluster": self.name, "user": "me"}}],
                "current-context": "c",
            }
        )


def principal(authorization: str, cluster: str, keys: Mapping[str, Key], now: float) -> str:
    """Return who a bearer token is; '' for one that is not good.

    Source: aws-iam-authenticator: a GET of sts:GetCallerIdentity, presigned with the cluster's name.
    """
    token = authorization.removeprefix(f"Bearer {PREFIX}")
    url = urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode())
    given = dict(parse_qsl(url.query))
    key_id, day, region, service, _ = given.get("X-Amz-Credential", "/" * 4).split("/")
    key = keys.get(key_id)
    if key is None or given.get("X-Amz-Security-Token") != key.token or service != "sts":
        return ""
    stamp = datetime.strptime(given["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if given["Action"] != "GetCallerIdentity" or not -60 < now - stamp.timestamp() < 900:
        return ""
    pairs = sorted((k, v) for k, v in given.items() if k != "X-Amz-Signature")
    query = "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in pairs)
    headers = f"host:{url.netloc}\nx-k8s-aws-id:{cluster}\n"
    body = hashlib.sha256(b"").hexdigest()
    request = f"GET\n/\n{query}\n{headers}\nhost;x-k8s-aws-id\n{body}"
    scope = f"{day}/{region}/{service}/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{given['X-Amz-Date']}\n{scope}\n{digest}"
    signer = f"AWS4{key.secret}".encode()
    for part in (*scope.split("/"), text):
        signer = hmac.new(signer, part.encode(), hashlib.sha256).digest()
    return key.principal if hmac.compare_digest(signer.hex(), given["X-Amz-Signature"]) else ""


@contextmanager
def running(scratch: Path, name: str = "main") -> Iterator[Cluster]:
    """Serve `/whoami` over TLS until the block ends; without a good token it is 401."""
    keys: dict[str, Key] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            who = principal(self.headers.get("Authorization", ""), name, keys, time.time())
            body = json.dumps({"principal": who}).encode()
            self.send_response(200 if who else 401)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    authority = trustme.CA()
    path = scratch / "cluster.pem"
    authority.cert_pem.write_to_path(str(path))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield Cluster(name, f"https://127.0.0.1:{server.server_port}", str(path), keys)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
