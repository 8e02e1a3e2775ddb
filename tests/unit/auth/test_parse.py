from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from wrapper import auth, yamlio
from wrapper.auth.model import CHECKED, FATAL, USED, Auth
from wrapper.errors import Problems
from wrapper.merge import Layer
from wrapper.world import World

MOCKS = "providers: {m: {kind: mock/aws}}\nidentities:\n"


def told(found: Auth) -> list[tuple[str, list[str], int]]:
    """Return message, places (file name, line, column) and weight of each problem."""
    return [
        (
            p.error.message,
            [f"{os.path.basename(at.path)}:{at.line}:{at.column}" for at in p.error.at],  # type: ignore[union-attr]
            p.weight,
        )
        for p in found.problems
    ]


def test_a_sound_section_has_no_problems(check: Any) -> None:
    found = check(MOCKS + "  a: {kind: mock/aws, via: {provider: m}, default: true}\n")
    assert (told(found), list(found.identities), list(found.providers)) == ([], ["a"], ["m"])


def test_every_fault_is_told_with_its_place_in_stable_order(check: Any) -> None:
    text = (
        "providers:\n  p: {kind: aws/ssso}\n"
        "identities:\n"
        "  a: {via: {provider: m}}\n"
        "  b: {kind: aws/assume-role, via: {provider: gone}}\n"
        "  c: hello\n"
    )
    expected = [
        ('provider "p": kind "aws/ssso" is not known', ["0.yaml:2:7"], FATAL),
        ('identity "a" has no kind', ["0.yaml:4:3"], FATAL),
        ('identity "c" must be a map', ["0.yaml:6:3"], FATAL),
        ('identity "b": principal.assume_role is required', ["0.yaml:5:3"], USED),
        ('identity "b" goes via the provider "gone", which is not defined', ["0.yaml:5:36"], USED),
    ]
    assert [told(check(text)) for _ in range(3)] == [expected] * 3


def test_read_raises_all_of_them_when_one_breaks_every_command(outside: World) -> None:
    section = {"identities": {"a": {}, "b": {"kind": "aws/assume-role", "via": {"provider": "x"}}}}
    with pytest.raises(Problems) as caught:
        auth.read(section, [], "", outside)
    assert len(caught.value.problems) == 3


def test_an_unknown_key_is_a_warning_with_a_near_name(check: Any) -> None:
    found = check(MOCKS + "  a: {kind: mock/aws, vai: {provider: m}, via: {provider: m}}\n")
    (warning,) = found.warnings
    assert (warning.message, warning.hints) == (
        'identity "a": vai is not known',
        ('did you mean "via"?',),
    )


BOTH = "providers: {m: {kind: mock}}\nidentities:\n  b: {kind: ambient}\n  a:\n    kind: mock\n"


def test_both_keys_of_via_in_one_place_are_for_validate_to_refuse(check: Any) -> None:
    found = check(BOTH + "    via: {provider: m, identity: b}\n")
    message = 'identity "a": via.provider and via.identity are both set'
    assert told(found) == [(message, ["0.yaml:6:11", "0.yaml:6:24"], CHECKED)]


def test_both_keys_of_via_from_two_files_stop_the_identity(check: Any) -> None:
    layer = ("component", "identities: {a: {via: {identity: b}}}")
    found = check(BOTH + "    via: {provider: m}\n", layer)
    message = 'identity "a": via.provider and via.identity are both set'
    assert told(found) == [(message, ["0.yaml:6:11", "1.yaml:1:24"], USED)]


def test_a_circle_is_told_once_with_all_its_names(check: Any) -> None:
    role = 'principal: {assume_role: "arn:aws:iam::1:role/x"}'
    found = check(
        "identities:\n"
        f"  a: {{kind: aws/assume-role, via: {{identity: b}}, {role}}}\n"
        f"  b: {{kind: aws/assume-role, via: {{identity: a}}, {role}}}\n"
    )
    assert [message for message, _, _ in told(found)] == ['circular chain: "a" → "b" → "a"']


def test_who_leads_into_a_circle_is_told_too(check: Any) -> None:
    links = {"a": "b", "b": "c", "c": "b", "z": "a"}
    lines = "".join(f"  {k}: {{kind: mock, via: {{identity: {v}}}}}\n" for k, v in links.items())
    assert told(check("identities:\n" + lines)) == [
        ('identity "a" goes via "b", which is in a circular chain', ["0.yaml:2:25"], USED),
        ('circular chain: "b" → "c" → "b"', ["0.yaml:3:25", "0.yaml:4:25"], USED),
        ('identity "z" goes via "b", which is in a circular chain', ["0.yaml:5:25"], USED),
    ]


def test_names_of_providers_match_without_case(check: Any) -> None:
    found = check(
        "providers: {Main: {kind: mock}}\nidentities: {a: {kind: mock, via: {provider: main}}}"
    )
    assert told(found) == []


@pytest.mark.parametrize(
    ("realm", "fault"),
    [
        ("Upper", "it contains invalid characters: [U] "),
        ("-x", "it cannot start with hyphen or underscore"),
        ("a__b", "it cannot contain consecutive hyphens or underscores"),
        ("a..b", "it cannot contain path traversal characters"),
        ("x" * 65, "it exceeds the maximum length of 64 characters: got 65"),
    ],
)
def test_a_bad_realm_is_refused(check: Any, realm: str, fault: str) -> None:
    found = check("{}", environ={"ATMOS_AUTH_REALM": realm})
    assert told(found)[0][0].startswith(f'invalid realm "{realm}" in ATMOS_AUTH_REALM: {fault}')


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["  a: {kind: mock, default: true}"], ["a"]),
        (["  a: {kind: mock, default: true}\n  b: {kind: mock, default: true}"], ["a", "b"]),
        (
            [
                "  a: {kind: mock, default: true}\n  b: {kind: mock}",
                ("stack", "{b: {default: true}}"),
            ],
            ["b"],
        ),
        (
            [
                "  a: {kind: mock, default: true}\n  b: {kind: mock}",
                ("stack", "{b: {default: true}}"),
                ("component", "{b: {default: false}}"),
            ],
            ["a"],
        ),
        (["  a: {kind: mock, default: true}", ("component", "{A: {default: false}}")], []),
    ],
)
def test_the_marker_of_the_latest_section_is_in_force(
    check: Any, files: list[Any], names: list[str]
) -> None:
    first = "identities:\n" + files[0].replace("{kind: mock", "{kind: mock, via: {provider: m}")
    rest = [(section, f"identities: {text}") for section, text in files[1:]]
    found = check("providers: {m: {kind: mock}}\n" + first, *rest)
    assert [default.name for default in found.defaults] == names


def test_the_importing_file_beats_the_imported_one(check: Any) -> None:
    found = check(
        "providers: {m: {kind: mock}}\nidentities:\n"
        "  a: {kind: mock, via: {provider: m}}\n  b: {kind: mock, via: {provider: m}}",
        ("stack", "identities: {a: {default: true}}"),
        ("stack", "import: ['1']\nidentities: {b: {default: true}}"),
    )
    assert [default.name for default in found.defaults] == ["b"]


def test_variables_of_credentials_are_withheld_and_no_secret_is_shown(check: Any) -> None:
    found = check(
        "identities:\n  u:\n    kind: aws/user\n"
        "    credentials: {access_key_id: !env KEY, secret_access_key: !env SECRET}\n",
        environ={"KEY": "AKIA1", "SECRET": "hush"},
    )
    assert found.withheld == {"KEY", "SECRET", "ATMOS_KEYRING_PASSWORD"}
    assert "hush" not in repr(found)


def test_a_variable_in_a_stack_is_put_in_place(check: Any) -> None:
    role = "a: {kind: aws/assume-role, via: {provider: m}, principal: {assume_role: '!env ROLE'}}"
    found = check(
        "providers: {m: {kind: mock}}",
        ("stack", f"identities: {{{role}}}"),
        environ={"ROLE": "arn:x"},
    )
    assert found.identities["a"].raw["principal"] == {"assume_role": "arn:x"}


def test_another_function_in_a_stack_stops_the_identity_that_has_it(check: Any) -> None:
    role = "a: {kind: aws/assume-role, via: {provider: m}, principal: {assume_role: '!exec cmd'}}"
    found = check("providers: {m: {kind: mock}}", ("stack", f"identities: {{{role}}}"))
    assert told(found) == [
        ('identity "a": !exec cannot be used in the auth section of a stack', ["1.yaml:1:14"], USED)
    ]


def test_a_marker_that_is_a_template_counts_as_what_it_gave(outside: World, tmp_path: Path) -> None:
    text = b"identities: {a: {default: '{{ .no }}'}, b: {default: '{{ .yes }}'}}"
    (tmp_path / "dev.yaml").write_bytes(text)
    layer = Layer("stack", str(tmp_path / "dev.yaml"), (), yamlio.load(text, "dev.yaml").data, 0)
    section = {"identities": {n: {"kind": "ambient", "default": v} for n, v in RENDERED.items()}}
    found = auth.check(section, [layer], str(tmp_path), outside)
    assert [default.name for default in found.defaults] == ["b"]


RENDERED = {"a": "false", "b": "true"}
