"""A loopback Azure: Azurite for blobs, an Entra that checks who asks, a Key Vault; behind the proxy.

Real host names lead here: see `tests.fakes.proxy`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import secrets
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import requests

from tests.fakes.proxy import Proxy

AZURITE = Path(__file__).resolve().parents[2] / ".ci/azurite/node_modules/.bin/azurite-blob"
ACCOUNT, CONTAINER = "shopstate", "states"
BLOB, LOGIN, VAULT = (
    f"{ACCOUNT}.blob.core.windows.net",
    "login.microsoftonline.com",
    "shop.vault.azure.net",
)
TENANT, CLIENT = "11111111-0000-4000-8000-000000000001", "22222222-0000-4000-8000-000000000002"
MANAGEMENT = "management.azure.com"


class Azure:
    """`key` opens the storage account, `secret` is the client's; `seen` lists (method, path)."""

    def __init__(self) -> None:
        self.key = base64.b64encode(secrets.token_bytes(64)).decode()
        self.secret = secrets.token_urlsafe(24)
        self.seen: list[tuple[str, str]] = []
        self.secrets: dict[str, str] = {}
        self.forbidden: set[str] = set()
        self._tokens: dict[str, str] = {}

    def token(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        """Give a token for the client's secret and one scope."""
        if form.get("client_id") != [CLIENT] or form.get("client_secret") != [self.secret]:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215: secret"}
        scope = next(one for one in form["scope"][0].split() if one.endswith("/.default"))
        audience = scope.removesuffix("/.default")
        now = int(time.time())
        claims = {
            "aud": audience, "iss": f"https://sts.windows.net/{TENANT}/", "iat": now,
            "nbf": now - 60, "exp": now + 3600, "ver": "1.0", "appid": CLIENT, "jti": secrets.token_hex(8),
        }  # fmt: skip
        parts = [json.dumps(one).encode() for one in ({"alg": "none", "typ": "JWT"}, claims)]
        made = ".".join(base64.urlsafe_b64encode(one).rstrip(b"=").decode() for one in parts) + ".x"
        self._tokens[made] = audience
        return 200, {"access_token": made, "expires_in": 3600, "token_type": "Bearer"}

    def answer(
        self, method: str, path: str, query: str, shown: str, body: bytes
    ) -> tuple[int, Any]:
        """Answer a request to Entra, to the management API or to the vault."""
        where, _, rest = path.lstrip("/").partition("/")
        if rest.endswith("/.well-known/openid-configuration"):
            base = f"https://{LOGIN}/{TENANT}"
            return 200, {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
            }
        if rest == "discovery/instance":
            names = {"preferred_network": LOGIN, "preferred_cache": LOGIN, "aliases": [LOGIN]}
            discovery = f"https://{LOGIN}/{TENANT}/v2.0/.well-known/openid-configuration"
            return 200, {"tenant_discovery_endpoint": discovery, "metadata": [names]}
        if (where, rest) == (TENANT, "oauth2/v2.0/token"):
            return self.token(parse_qs(body.decode()))
        self.seen.append((method, path))
        audience = self._tokens.get(shown.removeprefix("Bearer "))
        if where == "secrets":
            if audience != "https://vault.azure.net":
                return 401, _error("Unauthorized", "AKV10022: Invalid audience")
            return self._vault(method, rest, query, body)
        if path.endswith("/listKeys") and method == "POST":
            if audience != "https://management.azure.com":
                return 401, _error("InvalidAuthenticationToken", "audience")
            return 200, {"keys": [{"keyName": "key1", "value": self.key}]}
        return 404, _error("NotFound", path)

    def _vault(self, method: str, name: str, query: str, body: bytes) -> tuple[int, Any]:
        if "api-version" not in parse_qs(query) or not name.replace("-", "").isalnum():
            return 400, _error("BadParameter", "api-version or name")
        if name in self.forbidden:
            return 403, _error("Forbidden", f"no permission get on {name}")
        if method == "PUT":
            self.secrets[name] = json.loads(body)["value"]
        if name not in self.secrets:
            return 404, _error("SecretNotFound", f"A secret with name {name} was not found")
        return 200, {"id": f"https://{VAULT}/secrets/{name}/1", "value": self.secrets[name]}

    def principal(self) -> dict[str, str]:
        """Return the variables of a service principal, as Terraform reads them."""
        return {
            "ARM_TENANT_ID": TENANT, "ARM_CLIENT_ID": CLIENT, "ARM_CLIENT_SECRET": self.secret,
        }  # fmt: skip


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    azure: Azure

    def _answer(self) -> None:
        target = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        shown = self.headers.get("Authorization", "")
        status, value = self.azure.answer(self.command, target.path, target.query, shown, body)
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PUT = _answer  # noqa: N815

    def log_message(self, *_args: Any) -> None:
        """Say nothing."""


@contextmanager
def running(proxy: Proxy) -> Iterator[Azure]:
    """Run Entra and the vault until the block ends, under their names in the proxy."""
    azure = Azure()
    handler = type("_Of", (_Handler,), {"azure": azure})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        for host in (LOGIN, VAULT, MANAGEMENT):
            proxy.route(host, f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield azure
        finally:
            server.shutdown()


@contextmanager
def azurite(azure: Azure, proxy: Proxy, scratch: Path, node: str) -> Iterator[None]:
    """Run Azurite under the account's name until the block ends; it speaks TLS itself."""
    issued = proxy.authority.issue_cert(BLOB)
    issued.private_key_pem.write_to_path(str(scratch / "blob.key"))
    issued.cert_chain_pems[0].write_to_path(str(scratch / "blob.pem"))
    process = subprocess.Popen(
        [
            node, str(AZURITE), "--blobPort", "0", "--inMemoryPersistence", "--disableTelemetry", "--silent",
            "--skipApiVersionCheck", "--oauth", "basic",
            "--cert", str(scratch / "blob.pem"), "--key", str(scratch / "blob.key"),
        ],
        env={"PATH": os.environ["PATH"], "AZURITE_ACCOUNTS": f"{ACCOUNT}:{azure.key}"},
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=scratch,
    )  # fmt: skip
    try:
        assert process.stdout is not None
        while "successfully listens" not in (line := process.stdout.readline()):
            assert line, "Azurite ended"
        port = line.strip().rpartition(":")[2]
        proxy.route(BLOB, f"http://127.0.0.1:{port}", tls=False)
        yield
    finally:
        process.terminate()
        process.communicate(timeout=60)


def shared(azure: Azure) -> str:
    """Return a signature of the account that lets who has it read and list for an hour."""
    end = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600))
    fields = {"sv": "2020-10-02", "ss": "b", "srt": "sco", "sp": "rwlc", "se": end, "spr": "https"}
    text = f"{ACCOUNT}\n{fields['sp']}\nb\nsco\n\n{end}\n\nhttps\n{fields['sv']}\n"
    digest = hmac.new(base64.b64decode(azure.key), text.encode(), hashlib.sha256).digest()
    return urlencode({**fields, "sig": base64.b64encode(digest).decode()})


def _asked(azure: Azure, proxy: Proxy, method: str, **query: str) -> requests.Response:
    said = requests.request(
        method,
        f"https://{BLOB}/{CONTAINER}?{shared(azure)}&restype=container&{urlencode(query)}",
        proxies={"https": proxy.url},
        verify=proxy.bundle,
        timeout=60,
    )
    assert said.ok, said.text
    return said


def container(azure: Azure, proxy: Proxy) -> None:
    """Make the container."""
    _asked(azure, proxy, "PUT")


def blobs(azure: Azure, proxy: Proxy) -> list[str]:
    """Return the names of the blobs in the container."""
    return re.findall("<Name>(.*?)</Name>", _asked(azure, proxy, "GET", comp="list").text)
