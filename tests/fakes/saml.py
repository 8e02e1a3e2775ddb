"""A loopback SAML identity provider, and the operation of STS that takes what it signs.

The pages are real forms for a real browser. STS verifies signature, audience, times and the pair of
ARNs of each assertion; the keys that it gives are those of `portal`, and verified the same way.
"""

from __future__ import annotations

import base64
import secrets
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from lxml import etree  # type: ignore[import-untyped]
from signxml.signer import XMLSigner
from signxml.verifier import XMLVerifier

from tests.fakes import portal, sigv4

AUDIENCE = "urn:amazon:webservices"
SIGN_IN = "https://signin.aws.amazon.com/saml"
PROVIDER = "arn:aws:iam::111111111111:saml-provider/acme"
ADMIN = "arn:aws:iam::111111111111:role/Admin"
AUDIT = "arn:aws:iam::222222222222:role/Audit"
_P, _A = "urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:2.0:assertion"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_ATTRIBUTE = "https://aws.amazon.com/SAML/Attributes"
_STS_LIVES = 300.0


class Signer:
    """A key and its certificate, made for this run."""

    def __init__(self) -> None:
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "idp.example.com")])
        now = datetime.now(UTC)
        self.certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .sign(self.key, hashes.SHA256())
        )

    def signed(self, response: str) -> str:
        """Sign the assertion of a response; return it in base64."""
        root = etree.fromstring(response.encode())
        assertion = root.find(f"{{{_A}}}Assertion")
        if assertion is not None:
            signer = XMLSigner(c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#")
            done = signer.sign(
                assertion,
                key=self.key,
                cert=[self.certificate],
                reference_uri=f"#{assertion.get('ID')}",
            )
            root.replace(assertion, done)
        return base64.b64encode(etree.tostring(root)).decode()

    def verified(self, response: bytes) -> Any:
        """Return the signed assertion. Raises: signxml's InvalidInput and InvalidSignature."""
        root = etree.fromstring(response)
        found = XMLVerifier().verify(root, x509_cert=self.certificate, id_attribute="ID")
        assert not isinstance(found, list)
        return found.signed_xml


def utc(seconds: float) -> str:
    """Return a time as SAML writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def response(now: float, roles: list[str], **changed: str) -> str:
    """Return an unsigned response for these values of the role attribute.

    `changed` replaces: audience, recipient, destination, begins, ends, status, duration, name, inner
    (the whole assertion).
    """
    id_ = f"_{secrets.token_hex(16)}"
    begins, ends = changed.get("begins", utc(now - 60)), changed.get("ends", utc(now + 300))
    given = {
        "Role": roles,
        "RoleSessionName": [changed.get("name", "alice")],
        "SessionDuration": [changed["duration"]] if "duration" in changed else [],
    }
    attributes = "".join(
        f'<saml:Attribute Name="{_ATTRIBUTE}/{name}">'
        + "".join(f"<saml:AttributeValue>{escape(v)}</saml:AttributeValue>" for v in values)
        + "</saml:Attribute>"
        for name, values in given.items()
        if values
    )
    audience = changed.get("audience", AUDIENCE)
    restricted = f"<saml:Audience>{escape(audience)}</saml:Audience>"
    recipient = changed.get("recipient", SIGN_IN)
    inner = (
        f'<saml:Assertion ID="{id_}" IssueInstant="{utc(now)}" Version="2.0">'
        "<saml:Issuer>https://idp.example.com</saml:Issuer>"
        "<saml:Subject><saml:NameID>alice</saml:NameID>"
        '<saml:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
        f'<saml:SubjectConfirmationData NotOnOrAfter="{ends}" Recipient="{escape(recipient)}"/>'
        "</saml:SubjectConfirmation></saml:Subject>"
        f'<saml:Conditions NotBefore="{begins}" NotOnOrAfter="{ends}">'
        f"<saml:AudienceRestriction>{restricted if audience else ''}</saml:AudienceRestriction>"
        "</saml:Conditions>"
        f"<saml:AttributeStatement>{attributes}</saml:AttributeStatement></saml:Assertion>"
    )
    destination = changed.get("destination", SIGN_IN)
    where = f' Destination="{escape(destination)}"' if destination else ""
    return (
        f'<samlp:Response xmlns:samlp="{_P}" xmlns:saml="{_A}" ID="_{secrets.token_hex(16)}"'
        f' IssueInstant="{utc(now)}" Version="2.0"{where}>'
        "<saml:Issuer>https://idp.example.com</saml:Issuer><samlp:Status>"
        f'<samlp:StatusCode Value="{changed.get("status", _SUCCESS)}"/></samlp:Status>'
        f"{changed.get('inner', inner)}</samlp:Response>"
    )


class Sts(portal.Portal):
    """STS as `portal` has it, which also takes assertions that a signer signed."""

    def __init__(self, signer: Signer) -> None:
        super().__init__()
        self.signer = signer

    def _signer(self, action: str, request: sigv4.Request) -> str | None:
        if action == "AssumeRoleWithSAML":
            assert "authorization" not in request.headers
            return None
        return super()._signer(action, request)

    def do_AssumeRoleWithSAML(self, params: Mapping[str, Any]) -> dict[str, Any]:  # noqa: N802
        from signxml.exceptions import InvalidInput, InvalidSignature

        try:
            found = self.signer.verified(base64.b64decode(params["SAMLAssertion"]))
        except (InvalidInput, InvalidSignature):
            raise portal.Refusal("InvalidIdentityToken") from None
        names = {"a": _A}
        conditions = found.find("a:Conditions", names)
        begins, ends = (
            datetime.fromisoformat(conditions.get(key)).timestamp()
            for key in ("NotBefore", "NotOnOrAfter")
        )
        issued = datetime.fromisoformat(found.get("IssueInstant")).timestamp()
        if not begins <= time.time() < min(ends, issued + _STS_LIVES):
            raise portal.Refusal("ExpiredTokenException")
        if conditions.findtext(".//a:Audience", None, names) != AUDIENCE:
            raise portal.Refusal("InvalidIdentityToken")
        values = {
            one.get("Name"): [v.text for v in one.findall("a:AttributeValue", names)]
            for one in found.findall("a:AttributeStatement/a:Attribute", names)
        }
        pair = {params["RoleArn"], params["PrincipalArn"]}
        offered = [set(v.replace(" ", "").split(",")) for v in values[f"{_ATTRIBUTE}/Role"]]
        if pair not in offered:
            raise portal.Refusal("AccessDenied", 403)
        name = values[f"{_ATTRIBUTE}/RoleSessionName"][0]
        arn = params["RoleArn"].replace(":iam:", ":sts:").replace(":role/", ":assumed-role/")
        granted = self._granted(f"{arn}/{name}")
        ends = time.time() + params.get("DurationSeconds", 3600)
        granted["Credentials"]["Expiration"] = datetime.fromtimestamp(ends, UTC)
        return {
            **granted,
            "AssumedRoleUser": {"Arn": f"{arn}/{name}", "AssumedRoleId": f"A:{name}"},
            "Subject": "alice",
            "SubjectType": "persistent",
            "Issuer": "https://idp.example.com",
            "Audience": SIGN_IN,
            "NameQualifier": "x",
        }


class Idp:
    """The pages: `/aws` begins a sign-in to AWS, `/login` takes name and password."""

    def __init__(self, signer: Signer) -> None:
        self.signer = signer
        self.users = {"alice": secrets.token_urlsafe(12)}
        self.roles = [f"{ADMIN},{PROVIDER}", f"{PROVIDER},{AUDIT}"]
        self.changed: dict[str, str] = {}
        self.status = 200
        # Two pages, as many providers have: the name first, then the password.
        self.name_first = False
        # What a person does who sees the page, as the page's own script: "sign-in" or nothing.
        # Nobody sees a browser without a window.
        self.person = ""
        self.code_wanted = False
        self.delay = 0.0
        self.open = threading.Event()  # nothing is answered before
        self.open.set()
        self.requests: list[tuple[str, str]] = []
        self.asked = threading.Event()
        self.url = ""
        self._cookies: set[str] = set()

    def seen(self) -> list[str]:
        """Return the requests so far, each as `GET /aws`."""
        return [f"{method} {path}" for method, path in self.requests if path != "/favicon.ico"]

    def end_sessions(self) -> None:
        """Forget every browser that is signed in."""
        self._cookies.clear()

    def answer(
        self, method: str, path: str, form: Mapping[str, str], cookie: str
    ) -> tuple[int, dict[str, str], str]:
        """Answer one request of a browser."""
        self.requests.append((method, path))
        self.asked.set()
        time.sleep(self.delay)
        self.open.wait()
        if self.status != 200:
            return self.status, {}, "<title>Out of order</title>"
        if path == "/favicon.ico":
            return 404, {}, ""
        if method == "POST" and "password" in form:
            if self.users.get(form.get("username", "")) != form["password"]:
                return 200, {}, self._form("Wrong name or password", form.get("username", ""))
            token = secrets.token_hex(16)
            self._cookies.add(token)
            more = {"Set-Cookie": f"idp={token}; Path=/; HttpOnly"}
            return 200, more, self._code() if self.code_wanted else self._for_aws()
        if method == "POST":
            return 200, {}, self._form("", form.get("username", ""))
        if cookie in self._cookies:
            return 200, {}, self._for_aws()
        return 200, {}, self._form("", "")

    def _form(self, fault: str, name: str) -> str:
        fields = f'<input name="username" type="text" value="{escape(name)}">'
        if not self.name_first or name:
            fields += '<input name="password" type="password">'
        script = ""
        if self.person == "sign-in":
            (user, password), *_ = self.users.items()
            script = (
                "<script>onload = () => { if (/Headless/.test(navigator.userAgent)) return;"
                f" document.forms[0].username.value = '{user}';"
                f" document.forms[0].password.value = '{password}';"
                " setTimeout(() => document.forms[0].submit(), 300) }</script>"
            )
        return (
            f"<title>{fault or 'Sign in to Acme'}</title><input name='search' type='hidden'>"
            f'<form method="post" action="/login">{fields}<button>Go</button></form>{script}'
        )

    def _code(self) -> str:
        return '<title>Code</title><form method="post"><input name="otp" type="text"></form>'

    def _for_aws(self) -> str:
        text = self.signer.signed(response(time.time(), self.roles, **self.changed))
        return (
            f'<title>Working</title><form method="post" action="{SIGN_IN}">'
            f'<input type="hidden" name="SAMLResponse" value="{text}">'
            '<input type="hidden" name="RelayState" value=""></form>'
            "<script>document.forms[0].submit()</script>"
        )


@contextmanager
def running() -> Iterator[tuple[Idp, Sts]]:
    """Serve an identity provider and an STS that trusts it on loopback ports."""
    signer = Signer()
    idp = Idp(signer)

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            cookie = (self.headers.get("Cookie") or "").partition("idp=")[2].partition(";")[0]
            path = self.path.partition("?")[0]
            found = idp.answer(self.command, path, dict(parse_qsl(body)), cookie)
            status, headers, text = found
            data = text.encode()
            self.send_response(status)
            more = {"Content-Type": "text/html; charset=utf-8", "Content-Length": str(len(data))}
            for name, value in {**more, **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    idp.url = f"http://127.0.0.1:{server.server_address[1]}/aws"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        with portal.served(Sts(signer)) as sts:
            yield idp, sts
    finally:
        server.shutdown()
        server.server_close()
