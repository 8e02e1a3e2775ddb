"""What a SAML response says: for whom it is, until when, and which roles it offers.

Source: SAML 2.0 core and profiles; AWS: "Configure SAML assertions for the authentication response".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from wrapper import ui
from wrapper.errors import AuthError
from wrapper.typed import Any, NamedTuple

# Characters of base64. Source: STS, AssumeRoleWithSAML.
LIMIT = 100_000
# The clocks of this machine and of the identity provider may differ by this much; STS is exact.
SKEW = 300.0
# Where an identity provider sends its answer for AWS: global, regional, GovCloud, China.
SIGN_IN = re.compile(
    r"^https://(?:[a-z0-9-]+\.)?signin\.(?:aws\.amazon\.com|amazonaws-us-gov\.com|amazonaws\.cn"
    r"|amazonaws-eusc\.eu)/saml(?:/acs/[\w.-]+)?/?(?:[?#].*)?$"
)
_AUDIENCE = re.compile(r"urn:amazon:webservices(?::(?:govcloud|cn-[a-z0-9-]+|eusc[a-z0-9-]*))?")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/[\w+=.@/-]+", re.ASCII)
_PROVIDER = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:saml-provider/[\w+=.@/-]+", re.ASCII)
_ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
_P = "{urn:oasis:names:tc:SAML:2.0:protocol}"
_A = "{urn:oasis:names:tc:SAML:2.0:assertion}"
_SUCCESS = "urn:oasis:names:tc:SAML:2.0:status:Success"
_BEARER = "urn:oasis:names:tc:SAML:2.0:cm:bearer"
_SHOWN = 200


class Role(NamedTuple):
    """A role on offer, and the identity provider in IAM that vouches for it: two ARNs."""

    arn: str
    principal: str


class Assertion(NamedTuple):
    """A response that STS can be asked with; `encoded` is it in base64 and appears in no text.

    `ends` is in seconds since the epoch; `seconds` is the session that the identity provider wishes,
    None without a wish.
    """

    encoded: str
    roles: tuple[Role, ...]
    ends: float
    seconds: int | None = None

    def __repr__(self) -> str:
        return f"Assertion(roles={len(self.roles)}, ends={self.ends})"


def read(encoded: str, now: float) -> Assertion:
    """Check a response and return it. `now` is in seconds since the epoch.

    The signature is not checked here: only STS knows the certificate, and STS alone is asked with it.
    Raises: AuthError with what is wrong; nothing of the response but names and times is in its text.
    """
    text = "".join(encoded.split())
    if len(text) > LIMIT:
        raise _refused(
            f"is too large for STS: {len(text)} characters, {LIMIT} at most",
            "let the identity provider send fewer groups and roles for AWS",
        )
    root = _parsed(text)
    if root.tag != f"{_P}Response":
        raise _refused("is no SAML response")
    _succeeded(root)
    _for_aws("destination", root.get("Destination"), needed=False)
    assertion = _only_assertion(root)
    ends = min(_conditions(assertion, now), _subject(assertion, now))
    given = dict(_attributes(assertion))
    roles = tuple(_roles(given.get(f"{_ATTRIBUTES}Role", [])))
    if not roles:
        raise _refused(
            "offers no role",
            "the identity provider sends none for you: its attribute for AWS is "
            f"{_ATTRIBUTES}Role, with ROLE_ARN,PROVIDER_ARN as values",
        )
    return Assertion(text, roles, ends, _seconds(given.get(f"{_ATTRIBUTES}SessionDuration", [])))


def _refused(what: str, *hints: str) -> AuthError:
    return AuthError(f"the answer of the identity provider {what}", hint=list(hints))


def _parsed(text: str) -> Any:
    import base64
    import binascii

    import defusedxml
    from defusedxml import ElementTree

    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _refused("is no base64") from None
    try:
        return ElementTree.fromstring(data, forbid_dtd=True)
    except defusedxml.DefusedXmlException:
        raise _refused("holds a document type or entities, which no SAML has") from None
    except (ElementTree.ParseError, ValueError, LookupError):
        raise _refused("is no XML") from None


def _shown(text: str) -> str:
    """Return foreign text as it may be shown: one line, not long."""
    return ui.escape(" ".join(text.split()))[:_SHOWN]


def _succeeded(root: Any) -> None:
    code = root.find(f"{_P}Status/{_P}StatusCode")
    value = "" if code is None else str(code.get("Value", ""))
    if value == _SUCCESS:
        return
    inner = None if code is None else code.find(f"{_P}StatusCode")
    names = [value, "" if inner is None else str(inner.get("Value", ""))]
    told = "/".join(name.rpartition(":")[2] for name in names if name) or "no status"
    message = root.findtext(f"{_P}Status/{_P}StatusMessage") or ""
    raise _refused(f"is a refusal: {_shown(f'{told} {message}')}")


def _for_aws(what: str, url: str | None, *, needed: bool) -> None:
    if url is None and not needed:
        return
    if not SIGN_IN.fullmatch(url or ""):
        raise _refused(
            f"is not for AWS: its {what} is {_shown(url or '')!r}",
            "the provider's url must be the one that signs in to AWS, not to another application",
        )


def _only_assertion(root: Any) -> Any:
    found = root.findall(f"{_A}Assertion")
    if len(found) == 1:
        return found[0]
    if not found and root.find(f"{_A}EncryptedAssertion") is not None:
        raise _refused(
            "is encrypted for AWS: its roles cannot be read here",
            "let the identity provider sign the assertion without encrypting it",
        )
    raise _refused(f"holds {len(found) or 'no'} assertion{'s' if found else ''}")


def _conditions(assertion: Any, now: float) -> float:
    """Check audience and times; return when it ends."""
    conditions = assertion.find(f"{_A}Conditions")
    if conditions is None:
        raise _refused("has no conditions: neither an audience nor an end")
    restrictions = conditions.findall(f"{_A}AudienceRestriction")
    for restriction in restrictions:
        names = [(one.text or "").strip() for one in restriction.findall(f"{_A}Audience")]
        if not any(_AUDIENCE.fullmatch(name) or SIGN_IN.fullmatch(name) for name in names):
            raise _refused(
                f"is for another audience than AWS: {_shown(', '.join(names)) or 'none'}",
                "it must be urn:amazon:webservices, or the address of AWS's sign-in",
            )
    if not restrictions:
        raise _refused("names no audience")
    return _in_time(conditions, now)


def _subject(assertion: Any, now: float) -> float:
    """Check that whoever carries it may use it now, at AWS; return until when."""
    faults: list[AuthError] = []
    for confirmation in assertion.findall(f"{_A}Subject/{_A}SubjectConfirmation"):
        data = confirmation.find(f"{_A}SubjectConfirmationData")
        if confirmation.get("Method") != _BEARER or data is None:
            continue
        try:
            _for_aws("recipient", data.get("Recipient"), needed=True)
            return _in_time(data, now)
        except AuthError as error:
            faults.append(error)
    raise faults[0] if faults else _refused("has no subject that may carry it to AWS")


def _in_time(element: Any, now: float) -> float:
    begins = _time(element.get("NotBefore"))
    ends = _time(element.get("NotOnOrAfter"))
    clock = f"this machine's clock says {_utc(now)}"
    if begins is not None and begins > now + SKEW:
        raise _refused(f"is not valid before {_utc(begins)}", f"{clock}: is it right?")
    if ends is None:
        raise _refused("does not say until when it is valid")
    if ends <= now - SKEW:
        raise _refused(f"was valid until {_utc(ends)}", f"{clock}: is it right?")
    return ends


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise _refused(f"has a time that is none: {_shown(text)!r}") from None


def _utc(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _attributes(assertion: Any) -> Iterator[tuple[str, list[str]]]:
    found: dict[str, list[str]] = {}
    for attribute in assertion.findall(f"{_A}AttributeStatement/{_A}Attribute"):
        values = [(one.text or "").strip() for one in attribute.findall(f"{_A}AttributeValue")]
        found.setdefault(str(attribute.get("Name", "")), []).extend(values)
    yield from found.items()


def _roles(values: list[str]) -> Iterator[Role]:
    """Yield the roles in order; a pair may be written either way round."""
    seen: set[Role] = set()
    for value in values:
        pair = [part.strip() for part in value.split(",")]
        roles = [arn for arn in pair if _ROLE.fullmatch(arn)]
        providers = [arn for arn in pair if _PROVIDER.fullmatch(arn)]
        if len(pair) == 2 and roles and providers:
            role = Role(roles[0], providers[0])
            if role not in seen:
                seen.add(role)
                yield role


def _seconds(values: list[str]) -> int | None:
    """Return the wished session's seconds. Source: AWS, SessionDuration: 900 to 43200."""
    text = values[0] if values else ""
    return int(text) if re.fullmatch("[0-9]{3,5}", text) and 900 <= int(text) <= 43200 else None
