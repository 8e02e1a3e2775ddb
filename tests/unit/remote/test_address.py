"""Addresses are taken apart as Atmos means them; what is not safe to fetch is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.errors import ConfigError
from wrapper.remote import is_remote
from wrapper.remote.address import Address, hidden, parse

GITHUB = "https://github.com/acme/infra"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("github.com/acme/infra//stacks/vpc?ref=v1",
         Address("git", GITHUB, f"{GITHUB}.git", "stacks/vpc", "v1")),
        ("github.com/acme/infra/stacks/vpc.yaml",
         Address("git", GITHUB, f"{GITHUB}.git", "stacks/vpc.yaml")),
        ("git::github.com/acme/infra.git//a?ref=main&depth=1",
         Address("git", GITHUB, f"{GITHUB}.git", "a", "main")),
        ("https://github.com/acme/infra//a", Address("git", GITHUB, f"{GITHUB}.git", "a")),
        ("gitlab.com/a/b/c//d",
         Address("git", "https://gitlab.com/a/b/c", "https://gitlab.com/a/b/c.git", "d")),
        ("git::https://git.example.com:8443/x.git//./a//?ref=a/b",
         Address("git", "https://git.example.com:8443/x", "https://git.example.com:8443/x.git",
                 "a", "a/b")),
        ("https://git.example.com/x.git//a",
         Address("git", "https://git.example.com/x", "https://git.example.com/x.git", "a")),
        ("git@github.com:acme/infra.git//a?ref=1",
         Address("git", "ssh://github.com/acme/infra", "ssh://git@github.com/acme/infra.git",
                 "a", "1")),
        ("git::ssh://me@example.com:22/x//a",
         Address("git", "ssh://example.com:22/x", "ssh://me@example.com:22/x", "a")),
        ("git::file:///srv/x.git//a", Address("git", "file:///srv/x", "file:///srv/x.git", "a")),
        ("https://EXAMPLE.com/a/b.yaml?sig=1&x",
         Address("file", "https://example.com/a/b.yaml", "https://example.com/a/b.yaml?sig=1&x")),
        ("https://example.com/m.tar.gz//x/y?archive=tgz",
         Address("file", "https://example.com/m.tar.gz", "https://example.com/m.tar.gz", "x/y",
                 archive="tar")),
        (f"https://example.com/a?checksum=sha256:{'A' * 64}",
         Address("file", "https://example.com/a", "https://example.com/a",
                 checksum=f"sha256:{'a' * 64}")),
    ],
)  # fmt: skip
def test_each_form_is_taken_apart(text: str, expected: Address) -> None:
    assert is_remote(text)
    assert parse(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "git::ext::sh -c id", "git::ext::sh", "ext::x//y", "git::-oProxyCommand=x//y",
        "git::https://-x/y", "git::https://github.com/a/b?ref=--upload-pack=x",
        "git::https://github.com/a/b?ref=a..b", "git::ssh://-oProxyCommand=id/x",
        "git::ssh://-l@host/x", "git::https://h/a//../b", "git::https://h/a//x/.git/config",
        "git::https://h/a?upload-pack=x", "git::https://h/a?sshkey=AAAA", "git::http://h/a",
        "git://h/a", "http://h/a.yaml", "s3::https://s3.amazonaws.com/b/k", "s3://b/k",
        "gcs::https://x/y", "hg::https://h/x", "oci://h/x", "file:///etc/passwd",
        "https:///x", "https://h", "https://h//x", "https://h/a b", "https://h/a\nb",
        "https://h/a\\b", "https://h/x.yaml//sub", "https://h/x?checksum=md5:1",
        "https://h/x?archive=rar", "example.com/a//b", "github.com/only//x", "git::",
        "https://[::1/x", "https://h:99999999/x",
    ],
)  # fmt: skip
def test_what_is_not_fetched_is_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        "catalog/vpc",
        "./a//b",
        "../github.com/x",
        "/abs//x",
        "mixins/v1.0/x",
        "a.yaml",
        "v1.0/x",
        "conf.d/*",
    ],
)
def test_paths_stay_paths(text: str) -> None:
    assert not is_remote(text)


def test_credentials_are_never_shown() -> None:
    text = "git::https://me:hunter2@h/x.git//a?ref=1&token=hunter3"
    assert hidden(text) == "git::https://h/x.git//a?ref=1"
    with pytest.raises(ConfigError) as refused:
        parse(text)
    assert "hunter" not in str(refused.value)
    found = parse("https://me:hunter2@h/x?token=hunter3")
    assert found.login == "me:hunter2"
    assert "hunter2" not in f"{found!r} {found.source} {found.url} {found.shown}"
    assert "hunter" not in found.source + found.shown


_TEXT = st.text(alphabet=st.sampled_from("abg:/.@?=&-%~git::htps\\ \n\x00é"), max_size=60)


@given(_TEXT)
def test_any_text_is_an_address_or_an_error(text: str) -> None:
    try:
        found = parse(text)
    except ConfigError:
        return
    assert found.url.startswith(("https://", "ssh://", "file://"))
    assert not found.ref.startswith("-")
    assert ".." not in found.subdir.split("/")
