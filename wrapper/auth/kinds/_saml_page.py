"""A browser that signs in to an identity provider, as a process of its own: `_saml_browser` runs it.

It reads one line of JSON from its input and prints one line of JSON. When its input ends, so do it
and the browser: whoever started it may be killed at any time and no browser is left.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from urllib.parse import parse_qs, urlsplit

from wrapper.auth.kinds._saml_assertion import LIMIT, SIGN_IN
from wrapper.typed import Any

_STEP = 0.1
# Seconds that a page gets to go on by itself before somebody is needed.
_SETTLES = 3.0
# Milliseconds that a field of the page gets to take a text or a key.
_TAKES = 10_000
# Seconds that the identity provider gets to look at a password.
_DECIDES = 15.0
_START = 60.0
_DONE = """<!doctype html><meta charset="utf-8"><title>atmos-wrap</title>
<p style="font-family: sans-serif; margin: 3em">You are signed in. You can close this window."""
_MARK = "data-atmos-wrap"
# Where a name goes, the surest sign first.
_USERS = (
    "input[autocomplete~=username]",
    "input[type=email]",
    "input[name*=user i], input[id*=user i], input[name*=login i], input[name*=email i]",
    "input[type=text], input:not([type])",
)
_PASSWORD = "input[type=password]"
_OTHERS = (
    "input:not([type=hidden]):not([type=submit]):not([type=button]):not([type=checkbox])"
    f":not([{_MARK}])"
)


def main() -> None:
    """Answer one request: `{"encoded", "state"}`, or `{"fault", "text"}`."""
    asked = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_the_input, daemon=True).start()
    answer = _answer(asked)
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


def _end_with_the_input() -> None:
    sys.stdin.read()
    if os.getpgrp() == os.getpid():  # as it is when `_saml_browser` starts us
        # The driver of the browser is in our group: it closes the browser and ends.
        os.killpg(0, signal.SIGTERM)


def _answer(asked: Mapping[str, Any]) -> dict[str, Any]:
    from playwright.sync_api import Error, sync_playwright

    with sync_playwright() as playwright:
        engine = getattr(playwright, asked["engine"])
        found = asked["executable"] or engine.executable_path
        if not os.access(found, os.X_OK):
            return {"fault": "missing", "text": found}
        options: dict[str, Any] = {
            "executable_path": found,
            "headless": asked["headless"],
            "timeout": _START * 1000,
        }
        if asked["engine"] == "chromium":
            options["chromium_sandbox"] = asked["sandbox"]
        try:
            browser = engine.launch(**options)
        except Error as error:
            return {"fault": "start", "text": _reason(error)}
        try:
            return _Visit(browser, asked, Error).answer()
        except Error as error:
            if not browser.is_connected():
                return {"fault": "closed", "text": ""}
            return {"fault": "page", "text": _first_line(error)}
        finally:
            browser.close()


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0]


def _reason(error: Exception) -> str:
    """Return what the browser itself said when it did not start, the gravest first."""
    lines = [line.partition("][err] ")[2].strip() for line in str(error).splitlines()]
    for word in ("FATAL", "sandbox", "ERROR", ""):
        told = [line for line in lines if line and word in line]
        if told:
            return told[0][:300]
    return _first_line(error)


class _Visit:
    """One sign-in in one window, with the cookies of the last one."""

    def __init__(self, browser: Any, asked: Mapping[str, Any], fault: type[Exception]) -> None:
        self.asked = asked
        self.fault = fault
        self.encoded: str | None = None
        self.status = 0
        self.moved = time.monotonic()
        self.named = False
        self.submitted: float | None = None
        # No service worker: its requests would go past the interception.
        options: dict[str, Any] = {"service_workers": "block", "accept_downloads": False}
        try:
            self.context = browser.new_context(storage_state=asked["state"], **options)
        except fault:  # cookies that this browser does not take
            self.context = browser.new_context(**options)
        self.context.route(SIGN_IN, self._for_aws)
        self.page = self.context.new_page()
        self.page.on("response", self._seen)
        self.page.on("framenavigated", lambda _: self._moved())

    def answer(self) -> dict[str, Any]:
        """Go to the page and wait for the answer for AWS."""
        try:
            self.page.goto(self.asked["url"], wait_until="commit", timeout=_START * 1000)
        except self.fault as error:
            if self.encoded is None:  # the answer may have come before the page was there
                return {"fault": "unreached", "text": _network(_first_line(error))}
        ends = time.monotonic() + self.asked["seconds"]
        while self.encoded is None:
            fault = self._stopped(ends)
            if fault:
                return {"fault": fault, "text": self._title()}
            try:
                self.context.pages[-1].wait_for_timeout(_STEP * 1000)
            except self.fault:
                if self.context.pages:
                    raise
        return {"encoded": self.encoded, "state": self.context.storage_state()}

    def _stopped(self, ends: float) -> str:
        """Look at the page and do what is to be done; say why it cannot go on, if so."""
        if not self.context.pages:
            return "closed"
        if time.monotonic() >= ends:
            return "late"
        if self.status >= 500:
            return f"http {self.status}"
        if self.page.is_closed():
            return ""
        try:
            return self._filled() or (self._stuck() if self.asked["headless"] else "")
        except self.fault:  # the page went away under our hands
            return ""

    # ---- the form -------------------------------------------------------------------------------

    def _filled(self) -> str:
        """Fill in what is configured, once; say if it was refused."""
        if not self.asked["password"] or not _private(self.page.url):
            return ""
        password = self._shown(_PASSWORD)
        if self.submitted is not None:
            if password is None:
                return ""
            fresh = password.get_attribute(_MARK) is None
            late = time.monotonic() - self.submitted > _DECIDES
            return "refused" if fresh or late else ""
        if password is None and self.named:
            return ""  # the page for the password is on its way
        user = next((one for one in map(self._shown, _USERS) if one is not None), None)
        if user is not None and user.get_attribute(_MARK) is None:
            self._typed(user, self.asked["username"])
            self.named = True
            if password is None:
                user.press("Enter", timeout=_TAKES, no_wait_after=True)
        if password is not None:
            self._typed(password, self.asked["password"])
            self.submitted = time.monotonic()
            password.press("Enter", timeout=_TAKES, no_wait_after=True)
        return ""

    def _shown(self, selector: str) -> Any:
        """Return the first visible element, None without one."""
        found = self.page.locator(f"css={selector} >> visible=true").first
        return found if found.count() else None

    def _typed(self, field: Any, text: str) -> None:
        field.fill(text, timeout=_TAKES)
        field.evaluate("(field, mark) => field.setAttribute(mark, '')", _MARK)

    def _stuck(self) -> str:
        """Say whether the page waits for somebody who cannot see it."""
        if time.monotonic() - self.moved < _SETTLES:
            return ""
        if self._shown(_OTHERS) is not None:
            return "asks"
        return f"http {self.status}" if self.status >= 400 else ""

    # ---- what the browser tells -------------------------------------------------------------------

    def _for_aws(self, route: Any) -> None:
        """Take the answer for AWS; it never goes there."""
        request = route.request
        if request.method != "POST":
            route.fulfill(status=204)
            return
        given = parse_qs(request.post_data or "").get("SAMLResponse", [""])
        # One that is much too large is refused for its size, which its beginning shows.
        self.encoded = given[0][: LIMIT * 2]
        route.fulfill(status=200, content_type="text/html; charset=utf-8", body=_DONE)

    def _seen(self, response: Any) -> None:
        try:
            if response.request.is_navigation_request() and response.frame == self.page.main_frame:
                self.status = response.status
        except self.fault:  # a request of a page that is gone
            return

    def _moved(self) -> None:
        self.moved = time.monotonic()

    def _title(self) -> str:
        try:
            return str(self.page.title())
        except self.fault:
            return ""


def _private(url: str) -> bool:
    """Say whether a password may be typed into this page: https, or this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or parts.hostname in ("127.0.0.1", "localhost", "::1")


def _network(text: str) -> str:
    """Return the name of a network fault: `net::ERR_CONNECTION_REFUSED`, without the address."""
    found = [word for word in text.split() if "ERR_" in word]
    return found[0].rstrip(":") if found else "it did not answer in time"


if __name__ == "__main__":
    main()
