"""The `auth` section of several files, and profiles."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wrapper.config import Options
from wrapper.errors import UsageError

BASE = """
import: [i.yaml]
auth:
  providers: {Sso: {kind: aws/iam-identity-center, region: r}}
  identities:
    Admin: {kind: ambient, default: true, principal: {a: 1}}
    other: {kind: ambient, alias: o}
"""


def ci(*names: str) -> Options:
    return Options(profiles=names)


def test_an_identity_with_a_kind_replaces_and_one_without_is_laid_over(repo: Any) -> None:
    later = "auth: {providers: {sso: {region: x}}, identities: {admin: {kind: mock}, OTHER: {tags: [t]}}}"
    found = repo({"atmos.yaml": BASE, "i.yaml": later})
    assert found.data["auth"] == {
        "providers": {"sso": {"kind": "aws/iam-identity-center", "region": "r"}},
        "identities": {
            "other": {"kind": "ambient", "alias": "o", "tags": ["t"]},
            "admin": {"kind": "mock"},
        },
    }


def test_layers_hold_what_is_in_force_an_importing_file_after_its_imports(
    repo: Any, tmp_path: Path
) -> None:
    later = "auth: {identities: {admin: {kind: mock}}}"
    profile = "auth: {identities: {other: {default: true}}}"
    found = repo(
        {"atmos.yaml": BASE, "i.yaml": later, "profiles/p/p.yaml": profile}, options=ci("p")
    )
    layers = [
        (layer.section, Path(layer.path).name, layer.rank, sorted(layer.data["identities"]))
        for layer in found.auth_layers
    ]
    assert layers == [
        ("config", "i.yaml", 1, ["admin"]),
        ("config", "atmos.yaml", 0, ["other"]),
        ("profile", "p.yaml", 2, ["other"]),
    ]
    place = found.where("auth", "identities", "other", "default")
    assert place is not None
    assert place.path == str(tmp_path / "profiles/p/p.yaml")


def test_unknown_fields_stay_in_the_layers_only(repo: Any) -> None:
    found = repo({"atmos.yaml": "auth: {x: 1, identities: {a: {kind: mock, y: 2}}}"})
    assert found.data["auth"] == {"identities": {"a": {"kind": "mock"}}}
    assert found.auth_layers[0].data == {"x": 1, "identities": {"a": {"kind": "mock", "y": 2}}}


def test_names_of_one_file_that_differ_in_case_are_two_identities(repo: Any) -> None:
    text = "auth: {identities: {dev: {kind: mock, tags: [x]}, Dev: {kind: ambient}}}"
    later = "auth: {identities: {Dev: {default: true}, DEV: {kind: mock/aws}}}"
    found = repo({"atmos.yaml": text, "profiles/p/p.yaml": later}, options=ci("p"))
    assert found.data["auth"]["identities"] == {
        "dev": {"kind": "mock", "tags": ["x"]},
        "Dev": {"kind": "ambient", "default": True},
        "DEV": {"kind": "mock/aws"},
    }
    assert [sorted(layer.data["identities"]) for layer in found.auth_layers] == [
        ["Dev", "dev"],
        ["DEV", "Dev"],
    ]


PROFILES = {
    "atmos.yaml": "profiles: {base_path: mine, default: one}\nenv: {A: base, B: base}",
    "mine/one/a.yaml": "env: {A: one-a}",
    "mine/one/sub/b.yml": "env: {A: one-b}",
    "profiles/one/a.yaml": "env: {B: not this place}",
    ".atmos/profiles/two/a.yaml": "env: {A: two}",
    "home/.config/atmos/profiles/three/a.yaml": "env: {A: three}",
}


@pytest.mark.parametrize(
    ("options", "environ", "names", "env"),
    [
        (Options(), {}, ("one",), {"A": "one-b", "B": "base"}),
        (ci("two"), {"ATMOS_PROFILE": "one"}, ("two",), {"A": "two", "B": "base"}),
        (Options(), {"ATMOS_PROFILE": "two, three"}, ("two", "three"), {"A": "three", "B": "base"}),
        (ci("three,one"), {}, ("three", "one"), {"A": "one-b", "B": "base"}),
        (ci(), {}, ("one",), {"A": "one-b", "B": "base"}),
    ],
)
def test_profiles_are_selected_and_found(
    repo: Any, options: Options, environ: dict[str, str], names: Any, env: dict[str, str]
) -> None:
    found = repo(PROFILES, options=options, environ=environ)
    assert (found.profiles, found.data["env"]) == (names, env)


@pytest.mark.parametrize(
    ("name", "hint"),
    [("tow", 'did you mean "two"?'), ("x", "profiles: one, three, two")],
)
def test_a_profile_that_is_not_there_names_those_that_are(repo: Any, name: str, hint: str) -> None:
    with pytest.raises(UsageError) as caught:
        repo(PROFILES, options=ci(name))
    assert (caught.value.message, caught.value.hints) == (
        f'profile "{name}" does not exist',
        (hint,),
    )


@pytest.mark.parametrize("name", ["../one", "..", "a/b"])
def test_a_path_is_no_profile(repo: Any, name: str) -> None:
    with pytest.raises(UsageError, match="is no name of a profile"):
        repo(PROFILES, options=ci(name))


def test_imports_of_a_profile_start_in_it_and_lie_under_its_file(repo: Any) -> None:
    files = {
        "atmos.yaml": "",
        "profiles/p/x.yaml": "import: [s/y.yaml]\nlogs: {level: Error}",
        "profiles/p/s/y.yaml": "logs: {level: Off, file: f}",
    }
    assert repo(files, options=ci("p")).data["logs"] == {"level": "Error", "file": "f"}
