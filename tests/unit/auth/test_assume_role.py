from __future__ import annotations

import pytest

from wrapper.auth.kinds import _aws, aws_assume_role
from wrapper.auth.kinds.aws_assume_role import Spec

ARN = "arn:aws:iam::222222222222:role/it"


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        ("", "atmos-under-score-1800000000"),
        ("my session/with:odd_chars", "my-session-with-odd-chars"),
        ("x" * 70, "x" * 64),
        ("y" * 60 + "-----", "y" * 60),
        ("---", "atmos-session"),
    ],
)
def test_a_session_name_is_made_fit_for_sts(wanted: str, sent: str) -> None:
    spec = Spec("under_score", ARN, session_name=wanted)
    assert aws_assume_role.session_name(spec, 1_800_000_000.9) == sent


@pytest.mark.parametrize(
    ("given", "sent"), [("abc", "abc"), (12345, "12345"), (None, ""), ("", "")]
)
def test_an_external_id_may_be_a_number(given: object, sent: str) -> None:
    raw = {"principal": {"assume_role": ARN, "external_id": given}}
    assert aws_assume_role.parse("r", raw).external_id == sent


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30m", 1800.0),
        ("1h30m", 5400.0),
        ("1.5h", 5400.0),
        ("0", 0.0),
        ("1d", None),
        ("3600", None),
        ("", None),
    ],
)
def test_a_duration_is_gos(text: str, seconds: float | None) -> None:
    assert _aws.go_duration(text) == seconds
