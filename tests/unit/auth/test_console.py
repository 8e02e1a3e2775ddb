from __future__ import annotations

import pytest

from wrapper.auth import console
from wrapper.auth.model import Credential
from wrapper.errors import AuthError, UsageError
from wrapper.world import World


@pytest.mark.parametrize(
    ("wanted", "region", "page"),
    [
        ("", "us-east-1", "https://console.aws.amazon.com/"),
        (" S3 ", "eu-west-1", "https://console.aws.amazon.com/s3"),
        ("ssm", "", "https://console.aws.amazon.com/systems-manager"),
        ("ec2", "us-gov-west-1", "https://console.amazonaws-us-gov.com/ec2"),
        ("ec2", "cn-north-1", "https://console.amazonaws.cn/ec2"),
        ("https://example.com/x", "us-east-1", "https://example.com/x"),
    ],
)
def test_a_destination_is_an_alias_or_an_address(wanted: str, region: str, page: str) -> None:
    assert console.destination(wanted, region) == page


def test_an_unknown_destination_is_refused_with_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        console.destination("lamda", "us-east-1")
    assert caught.value.hints == ('did you mean "lambda"?',)


def test_there_are_all_aliases() -> None:
    assert len(console.ALIASES) == 117


def test_long_lived_keys_are_never_sent_to_the_console(outside: World) -> None:
    keys = Credential("aws", {"access_key_id": "AKID", "secret_access_key": "SECRET"})
    with pytest.raises(AuthError) as caught:
        console.sign_in_url(keys, console.Wish(), outside)
    assert caught.value.message == "this identity cannot sign in to a web console"
