"""A SAML identity provider: one sign-in by browser offers roles, of which a link assumes one.

Source: reference/atmos-auth.md 3.2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from wrapper import ui
from wrapper.auth.model import Credential
from wrapper.auth.references import Secret
from wrapper.env import EnvDelta
from wrapper.errors import ConfigError, near
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

CLOUD = "aws-saml"
SHORTEST, LONGEST = 900, 43200
# What Atmos configurations name. Here all of them are signed in to by a browser.
DRIVERS = (
    "Browser", "ADFS", "ADFS2", "Akamai", "Auth0", "AzureAD", "F5APM", "GoogleApps",
    "JumpCloud", "KeyCloak", "NetIQ", "Okta", "OneLogin", "PSU", "Ping", "PingNTLM", "PingOne",
    "Shell", "Shibboleth", "ShibbolethECP",
)  # fmt: skip


class Spec(NamedTuple):
    """Where and how to sign in; `name` is the provider's. All of it is text: it goes with a credential.

    `seconds` is the session that is wished, empty for the assertion's own wish; `download` is empty
    or `yes`; `unset` names the variable that should hold the password and does not.
    """

    name: str
    url: str
    region: str
    username: str = ""
    password: str = ""
    driver: str = ""
    browser: str = ""
    executable: str = ""
    download: str = ""
    seconds: str = ""
    warning: str = ""
    endpoint: str = ""
    unset: str = ""

    def __repr__(self) -> str:
        return f"Spec({self.name!r}, {self.url!r})"


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the provider. Raises: ConfigError without a URL or region, or with a wrong one."""
    for key in ("url", "region"):
        if not isinstance(raw.get(key), str) or not raw[key].strip():
            raise ConfigError(f'provider "{name}": {key} is required')
    url = raw["url"].strip()
    if not re.match(r"https?://[^/\s]+", url):
        raise ConfigError(
            f'provider "{name}": url "{url}" is no URL',
            hint="it is the page on which a sign-in to AWS begins: https://…",
        )
    from wrapper.auth.kinds._saml_browser import PROGRAMS
    from wrapper.auth.lookup import truth

    browser = str(raw.get("browser_type") or "").strip().lower()
    if browser not in PROGRAMS:
        known = [one for one in PROGRAMS if one]
        raise ConfigError(
            f'provider "{name}": browser_type "{browser}" is not known',
            hint=near(browser, known) or f"one of {', '.join(known)}",
        )
    password, unset = _password(raw.get("password"))
    seconds, warning = _seconds(raw.get("session"))
    spec = raw.get("spec")
    return Spec(
        name,
        url,
        raw["region"].strip(),
        str(raw.get("username") or ""),
        password,
        str(raw.get("driver") or raw.get("provider_type") or ""),
        browser,
        str(raw.get("browser_executable_path") or ""),
        "yes" if truth(raw.get("download_browser_driver")) is True else "",
        seconds,
        warning,
        str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else "",
        unset,
    )


def _password(given: Any) -> tuple[str, str]:
    """Return the password, and the variable that should hold it and does not."""
    if isinstance(given, Secret):
        return given.value or "", "" if given.value else given.variable
    return ("" if given in (None, "") else str(given)), ""


def _seconds(session: Any) -> tuple[str, str]:
    """Return the wished seconds within STS's bounds, and what to warn of."""
    from wrapper import durations

    given = session.get("duration") if isinstance(session, Mapping) else None
    if given in (None, ""):
        return "", ""
    try:
        seconds = int(durations.parse_session(given))
    except ValueError:
        return "", f'session.duration "{given}" is not like 1h30m; an hour is asked for'
    kept = min(max(seconds, SHORTEST), LONGEST)
    if kept == seconds:
        return str(kept), ""
    limits = f"{durations.format_go(SHORTEST)} to {durations.format_go(LONGEST)}"
    return str(kept), f"session.duration {given}: STS gives {limits}"


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return where to sign in; the sign-in itself waits until a role needs an assertion.

    So it happens once for all processes that want the same role: under the lock of its session.
    """
    if spec.warning:
        ui.warn(world, f'provider "{spec.name}": {spec.warning}')
    if spec.driver and spec.driver.lower() not in {one.lower() for one in DRIVERS}:
        told = near(spec.driver, DRIVERS) or f"one of {', '.join(DRIVERS)}"
        text = f'provider "{spec.name}": driver "{spec.driver}" is not known'
        ui.warn(world, f"{text}, {told}; the browser is used")
    return Credential(CLOUD, spec._asdict(), None, "", spec.region, world.now())


def of(base: Credential) -> Spec:
    """Return the provider that a credential of `obtain` names."""
    return Spec(**base.fields)


def offered(base: Credential, world: World, *, again: bool = False) -> Sequence[str]:
    """Sign in and return the ARNs of the roles on offer. Raises: as `_saml_sign_in.assertion`."""
    from wrapper.auth.kinds import _saml_sign_in

    found, _ = _saml_sign_in.assertion(of(base), world, afresh=again)
    return list(dict.fromkeys(role.arn for role in found.roles))


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Return the region; an assertion is nothing that a program can use."""
    return EnvDelta({"AWS_REGION": spec.region, "AWS_DEFAULT_REGION": spec.region})


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:
    """Remove the browser's session; the provider is not told. Raises: StoreError."""
    from wrapper.auth.kinds import _saml_sign_in

    gone = _saml_sign_in.forget(spec, world, dry=dry)
    if gone:
        told = "would be removed, and not ended" if dry else "is removed; it was not ended"
        ui.note(world, f"the browser's session of {spec.url.partition('?')[0]} {told} there")
    return gone
