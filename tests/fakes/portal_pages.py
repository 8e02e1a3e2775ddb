"""The pages of IAM Identity Center that a person sees, in front of the portal's fake."""

from __future__ import annotations

import html
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from tests.fakes import portal, sigv4
from tests.fakes.portal import Portal

Answer = tuple[int, dict[str, str], bytes]


class Pages(Portal):
    """A portal that gives no code before somebody has pressed a button."""

    def __init__(self) -> None:
        super().__init__()
        self.declined = "the user said <b>no</b>"
        self._asked: dict[str, tuple[str, str]] = {}  # of a page -> where allow and deny lead
        self._screens: dict[str, str] = {}  # user code -> device code

    def answer(self, request: sigv4.Request) -> Answer:
        """Answer one request: a page, a pressed button, or the API."""
        parts = urlsplit(request.target)
        query = dict(parse_qsl(parts.query))
        form = dict(parse_qsl(request.body.decode("utf-8", "replace")))
        if parts.path == "/authorize/decision":
            allow, deny = self._asked.pop(form["page"])
            return 302, {"Location": allow if form["button"] == "allow" else deny}, b""
        if parts.path == "/device":
            code = query["user_code"]
            assert code in self._screens
            return page(
                f"Confirm {code}", "/device/confirm", {"page": code}, "Confirm and continue"
            )
        if parts.path == "/device/confirm":
            return page(
                "Allow atmos-wrap?", "/device/decision", form, "Allow access", "Deny access"
            )
        if parts.path == "/device/decision":
            self._devices[self._screens.pop(form["page"])] = 0
            if form["button"] != "allow":
                self.device_answer = "AccessDeniedException"
            return page("Request decided. You can close this window.", "", {})
        return super().answer(request)

    def _authorize(self, query: dict[str, str]) -> Answer:
        """Ask whoever sees the page; what was asked is checked by the fake below."""
        _, headers, _ = super()._authorize(query)
        told = {"error": "access_denied", "error_description": self.declined}
        deny = f"{query['redirect_uri']}?{urlencode({**told, 'state': query['state']})}"
        name = secrets.token_hex(8)
        self._asked[name] = (headers["Location"], deny)
        given = {"page": name}
        return page(
            "Allow atmos-wrap?", "/authorize/decision", given, "Allow access", "Deny access"
        )

    def do_StartDeviceAuthorization(  # noqa: N802
        self, params: Mapping[str, Any]
    ) -> dict[str, Any]:
        found = super().do_StartDeviceAuthorization(params)
        code = f"{secrets.token_hex(2)}-{secrets.token_hex(2)}".upper()
        self._screens[code] = found["deviceCode"]
        self._devices[found["deviceCode"]] = 1 << 30
        address = f"{self.endpoint}/device"
        return {
            **found,
            "userCode": code,
            "verificationUri": address,
            "verificationUriComplete": f"{address}?user_code={code}",
        }


def page(
    title: str, action: str, hidden: Mapping[str, str], *buttons: str, body: str = ""
) -> Answer:
    """Return a page with a form; the first word of a button, in lower case, is its value."""
    fields = "".join(
        f'<input type="hidden" name="{html.escape(k)}" value="{html.escape(v)}">'
        for k, v in hidden.items()
        if k != "button"
    )
    drawn = "".join(
        f'<button name="button" value="{text.split()[0].lower()}">{html.escape(text)}</button>'
        for text in buttons
    )
    form = f'<form method="post" action="{action}">{fields}{body}{drawn}</form>' if action else ""
    text = f"<!doctype html><title>AWS</title><h1>{html.escape(title)}</h1>{form}"
    return 200, {"Content-Type": "text/html; charset=utf-8"}, text.encode()


@contextmanager
def running() -> Iterator[Pages]:
    """Serve a portal with its pages on a loopback port until the block ends."""
    with portal.served(Pages()) as found:
        yield found
