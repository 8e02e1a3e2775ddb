"""What a SAML assertion must say before STS is asked with it."""

from __future__ import annotations

import base64

import pytest

from tests.fakes import saml
from tests.fakes.saml import ADMIN, AUDIT, PROVIDER
from wrapper.auth.kinds import _saml_assertion
from wrapper.auth.kinds._saml_assertion import Assertion, Role
from wrapper.errors import AuthError

NOW = 1_800_000_000.0
PAIR = f"{ADMIN},{PROVIDER}"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def read(roles: list[str] | None = None, now: float = NOW, **changed: str) -> Assertion:
    text = saml.response(NOW, [PAIR] if roles is None else roles, **changed)
    return _saml_assertion.read(encoded(text), now)


def refusal(text: str, now: float = NOW) -> AuthError:
    with pytest.raises(AuthError) as caught:
        _saml_assertion.read(text, now)
    return caught.value


def refused(roles: list[str] | None = None, now: float = NOW, **changed: str) -> AuthError:
    return refusal(encoded(saml.response(NOW, [PAIR] if roles is None else roles, **changed)), now)


def test_roles_are_read_in_both_orders_each_once() -> None:
    roles = [PAIR, f" {PROVIDER} , {AUDIT} ", f"{PROVIDER},{ADMIN}", "nonsense", f"{ADMIN},{ADMIN}"]
    assert read(roles).roles == (Role(ADMIN, PROVIDER), Role(AUDIT, PROVIDER))


def test_an_assertion_shows_nothing_of_itself() -> None:
    found = read()
    assert repr(found) == f"Assertion(roles=1, ends={NOW + 300})"


@pytest.mark.parametrize(
    "audience",
    [
        "urn:amazon:webservices",
        "urn:amazon:webservices:govcloud",
        "urn:amazon:webservices:cn-north-1",
        "https://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/saml#2",
        "https://eu-west-1.signin.aws.amazon.com/saml/acs/SAMLSP1AB",
    ],
)
def test_audiences_of_aws(audience: str) -> None:
    assert read(audience=audience).roles


@pytest.mark.parametrize(
    "audience",
    [
        "urn:amazon:webservices:clientvpn",
        "urn:example:other",
        "https://signin.aws.amazon.com.evil.example/saml",
        "https://evil.example/?https://signin.aws.amazon.com/saml",
    ],
)
def test_audiences_of_others(audience: str) -> None:
    expected = f"the answer of the identity provider is for another audience than AWS: {audience}"
    assert refused(audience=audience).message == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://signin.aws.amazon.com/saml",
        "https://eu-west-1.signin.aws.amazon.com/saml",
        "https://eu-west-1.signin.aws.amazon.com/saml/acs/SAMLSP1AB",
        "https://us-gov-west-1.signin.amazonaws-us-gov.com/saml",
        "https://signin.amazonaws-us-gov.com/saml",
        "https://cn-north-1.signin.amazonaws.cn/saml",
    ],
)
def test_recipients_of_aws(url: str) -> None:
    assert read(recipient=url, destination=url).roles


@pytest.mark.parametrize(
    "url",
    [
        "http://signin.aws.amazon.com/saml",
        "https://signin.aws.amazon.com/console",
        "https://signin.aws.amazon.com.evil.example/saml",
        "https://evil.example/saml",
        "https://evil.example/signin.aws.amazon.com/saml",
    ],
)
def test_recipients_that_are_not_aws(url: str) -> None:
    told = "the answer of the identity provider is not for AWS: its "
    assert refused(recipient=url).message == f"{told}recipient is '{url}'"
    assert refused(destination=url).message == f"{told}destination is '{url}'"


def test_a_destination_is_not_needed() -> None:
    assert read(destination="").roles


# (when, what is changed, what is said)
TIMES: list[tuple[float, dict[str, str], str]] = [
    (NOW + 300 + 301, {}, "was valid until 2027-01-15T08:05:00Z"),
    (NOW - 60 - 301, {}, "is not valid before 2027-01-15T07:59:00Z"),
    (NOW, {"ends": "soon"}, "has a time that is none: 'soon'"),
]


@pytest.mark.parametrize(("now", "changed", "told"), TIMES)
def test_times_outside_of_which_it_is_refused(
    now: float, changed: dict[str, str], told: str
) -> None:
    error = refused(now=now, **changed)
    assert error.message == f"the answer of the identity provider {told}"
    assert "none" in told or "clock says" in error.hints[0]


@pytest.mark.parametrize("now", [NOW - 60 - 299, NOW, NOW + 300 + 299])
def test_clocks_may_differ_by_five_minutes(now: float) -> None:
    assert read(now=now).ends == NOW + 300


def test_fractions_and_zones_of_times() -> None:
    assert read(ends="2027-01-15T09:05:00.1234567+01:00").ends == pytest.approx(NOW + 300.123456)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        ("urn:oasis:names:tc:SAML:2.0:status:Requester", "is a refusal: Requester"),
        ("", "is a refusal: no status"),
    ],
)
def test_a_refusal_is_told(status: str, told: str) -> None:
    assert refused(status=status).message == f"the answer of the identity provider {told}"


INNER: list[tuple[str, str]] = [
    ("", "holds no assertion"),
    ("<saml:Assertion/><saml:Assertion/>", "holds 2 assertions"),
    ("<saml:EncryptedAssertion/>", "is encrypted for AWS: its roles cannot be read here"),
    ("<saml:Assertion/>", "has no conditions: neither an audience nor an end"),
    ("<saml:Assertion><saml:Conditions/></saml:Assertion>", "names no audience"),
    ("<x><saml:Assertion/></x>", "holds no assertion"),
]


@pytest.mark.parametrize(("inner", "told"), INNER)
def test_what_an_answer_must_hold(inner: str, told: str) -> None:
    assert refused(inner=inner).message == f"the answer of the identity provider {told}"


def without(part: str) -> str:
    """Return a response whose assertion has lost an element."""
    text = saml.response(NOW, [PAIR])
    start, end = text.index(f"<saml:{part}"), text.index(f"</saml:{part}>")
    return text[:start] + text[end + len(f"</saml:{part}>") :]


@pytest.mark.parametrize(
    ("part", "told"),
    [
        ("AudienceRestriction", "names no audience"),
        ("SubjectConfirmation", "has no subject that may carry it to AWS"),
        ("AttributeStatement", "offers no role"),
    ],
)
def test_an_element_that_is_missing(part: str, told: str) -> None:
    found = refusal(encoded(without(part)))
    assert found.message == f"the answer of the identity provider {told}"


def test_an_assertion_without_an_end_is_refused() -> None:
    text = saml.response(NOW, [PAIR]).replace(' NotOnOrAfter="2027', ' Other="2027')
    told = "the answer of the identity provider does not say until when it is valid"
    assert refusal(encoded(text)).message == told


def test_an_answer_without_roles_is_refused() -> None:
    assert refused([]).message == "the answer of the identity provider offers no role"
    assert refused(["arn:aws:iam::1:role/x"]).message.endswith("offers no role")


BOMB = """<?xml version="1.0"?><!DOCTYPE r [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;">]><r>&c;</r>"""
OUTSIDE = '<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><r>&x;</r>'


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (encoded(BOMB), "holds a document type or entities, which no SAML has"),
        (encoded(OUTSIDE), "holds a document type or entities, which no SAML has"),
        (encoded("<!DOCTYPE r><r/>"), "holds a document type or entities, which no SAML has"),
        (encoded("<a>" * 9000 + "</a>" * 9000), "is no SAML response"),
        (encoded("<a>" * 9000), "is no XML"),
        (encoded('<?xml version="1.0" encoding="utf-7"?><a/>'), "is no XML"),
        (encoded('<?xml version="1.0" encoding="cp037"?><a/>'), "is no XML"),
        ("", "is no XML"),
        ("§§§", "is no base64"),
        ("abc", "is no base64"),
        (encoded("<html>Sign in</html>"), "is no SAML response"),
    ],
)
def test_what_is_no_response_at_all(text: str, told: str) -> None:
    assert refusal(text).message == f"the answer of the identity provider {told}"


def test_a_response_larger_than_sts_takes_is_refused_for_its_size() -> None:
    padding = "x" * 2_000_000
    text = saml.response(NOW, [PAIR]).replace("alice", padding)
    error = refusal(encoded(text))
    assert "is too large for STS: " in error.message
    assert error.message.endswith(" characters, 100000 at most")
    assert len(error.message) < 200


def test_foreign_text_is_shown_short_and_harmless() -> None:
    assert refused(audience="a" * 5000).message.endswith("a" * 200)
    shown = refused(audience="a\u202eb").message
    assert "\u202e" not in shown
    assert "\\u202e" in shown


@pytest.mark.parametrize(("given", "seconds"), [("7200", 7200), ("60", None), ("1e9", None)])
def test_the_session_that_the_provider_wishes(given: str, seconds: int | None) -> None:
    assert read(duration=given).seconds == seconds
