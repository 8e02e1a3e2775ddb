from __future__ import annotations

from typing import Any

import pytest

from wrapper.auth import SELECT, Choice, Setting, select
from wrapper.errors import ConfigError, NeedsLogin
from wrapper.world import World

TWO = (
    "providers: {m: {kind: mock}}\nidentities:\n"
    "  Alpha: {kind: mock, via: {provider: m}, alias: boss}\n"
    "  beta: {kind: mock, via: {provider: m}}\n"
)


@pytest.mark.parametrize("wanted", ["Alpha", "alpha", "ALPHA", "boss"])
def test_a_name_matches_exactly_without_case_or_by_alias(
    check: Any, outside: World, wanted: str
) -> None:
    choice = select(check(TWO), Setting(wanted, "--identity"), outside)
    assert choice == Choice("Alpha", "named by --identity")


@pytest.mark.parametrize("word", ["false", "OFF", "no", "0"])
def test_a_word_for_off_switches_identities_off(check: Any, outside: World, word: str) -> None:
    choice = select(check(TWO), Setting(word, "ATMOS_IDENTITY"), outside)
    assert choice == Choice(None, "switched off by ATMOS_IDENTITY", off=True)


def test_an_unknown_name_gets_a_near_one(check: Any, outside: World) -> None:
    with pytest.raises(ConfigError) as caught:
        select(check(TWO), Setting("Alhpa", "--identity"), outside)
    error = caught.value
    assert (error.message, error.at, error.hints) == (
        'identity "Alhpa" is not defined',
        ("--identity",),
        ('did you mean "Alpha"?',),
    )


@pytest.mark.parametrize(
    ("given", "environ", "name"),
    [
        (Setting("beta", "--identity"), {"ATMOS_IDENTITY": "Alpha"}, "beta"),
        (None, {"ATMOS_IDENTITY": "Alpha", "ATMOS_WRAP_IDENTITY": "beta"}, "Alpha"),
        (None, {"ATMOS_WRAP_IDENTITY": "beta"}, "beta"),
        (None, {}, "Alpha"),
    ],
)
def test_the_first_of_flag_variable_pin_and_default_decides(
    check: Any, outside: World, given: Setting | None, environ: dict[str, str], name: str
) -> None:
    found = check(TWO.replace("alias: boss", "default: true"))
    assert select(found, given, outside._replace(environ=environ)).name == name


def test_several_defaults_name_all_places(check: Any, outside: World) -> None:
    text = TWO.replace("alias: boss", "default: true").replace("beta: {", "beta: {default: true, ")
    with pytest.raises(ConfigError) as caught:
        select(check(text), None, outside)
    assert caught.value.message == "several identities are marked as default: Alpha, beta"
    assert [str(at).rpartition("/")[2] for at in caught.value.at] == ["0.yaml:3:43", "0.yaml:4:10"]


def test_without_a_default_or_a_terminal_nothing_is_guessed(check: Any, outside: World) -> None:
    with pytest.raises(ConfigError, match="no default identity is configured"):
        select(check(TWO), None, outside)


def test_choosing_needs_a_terminal(check: Any, outside: World) -> None:
    with pytest.raises(NeedsLogin, match="requires a TTY"):
        select(check(TWO), Setting(SELECT, "--identity"), outside)


def test_without_identities_the_shell_is_used_as_it_is(check: Any, outside: World) -> None:
    assert select(check("{}"), None, outside) == Choice(None, "no identity is configured")


def test_one_alias_for_two_identities_is_refused_with_both_places(
    check: Any, outside: World
) -> None:
    text = TWO.replace("beta: {", "beta: {alias: boss, ")
    with pytest.raises(ConfigError) as caught:
        select(check(text), Setting("boss", "--identity"), outside)
    assert caught.value.message == 'the alias "boss" names "Alpha" and "beta"'
    assert len(caught.value.at) == 2


@pytest.mark.parametrize(
    ("providers", "advice"),
    [
        ("m: {kind: mock}", "there are only providers"),
        (
            "p: {kind: aws/iam-identity-center, auto_provision_identities: true}",
            "auth login --provider p",
        ),
    ],
)
def test_a_provider_without_identities_is_no_leave_to_run_as_the_shell(
    check: Any, outside: World, providers: str, advice: str
) -> None:
    with pytest.raises(ConfigError, match="no default identity is configured") as caught:
        select(check(f"providers: {{{providers}}}"), None, outside)
    assert advice in caught.value.hints[0]
