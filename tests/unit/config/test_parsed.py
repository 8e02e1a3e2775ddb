"""Configuration kept between runs means what the files mean, and holds nothing secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wrapper.config import parsed
from wrapper.errors import ConfigError, Location


def read_tag(tag: str, value: Any, at: Location) -> Any:
    """Show everything that a function is told."""
    return f"{tag} {value!r} {at.line}:{at.column}"


def load(cache: Path, text: str, path: str = "/r/atmos.yaml") -> Any:
    """Load a text as that file; errors are values."""
    try:
        return parsed.load(path, text.encode(), {"XDG_CACHE_HOME": str(cache)}, read_tag)
    except ConfigError as error:
        return (error.message, error.at)


def kept(cache: Path) -> bytes:
    """Return all that lies in the cache."""
    return b"".join(path.read_bytes() for path in cache.rglob("*.json"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a: 1\nb: [1.0, 0x10, null, yes, 2024-01-01, '1', 1e3, .inf]\n",
        "a: !env X\nb: [!env 'Y z', !cwd]\n",
        "x: &x !env X\na: *x\nb: {<<: {k: *x}, c: 2}\n",
        "l: !append [1, !env X]\nu: !unset\n",
        "a: !exec date\n",
        "a: !env [1]\n",
        "a: {<<: !append [{b: 1}]}\n",
        "a: {<<: !env X}\n",
        "a: [\n",
    ],
)
def test_a_second_reading_gives_the_same(tmp_path: Path, text: str) -> None:
    first = load(tmp_path, text)
    assert repr(load(tmp_path, text)) == repr(first)


@settings(max_examples=100, deadline=None)
@given(
    lines=st.lists(
        st.sampled_from(
            (
                "a: 1", "b: !env X", "c: &c {d: !append [x, !unset ]}", "e: *c", "f:", "  - x", "  g: {<<: *c}",
                "secret: x", "? h", "- i", "c: [!exec x]", "u: https://a@b", "n: 1_000", "o: 0o17", "e: ~",
            )
        ),
        max_size=8,
    )
)  # fmt: skip
def test_any_text_is_read_alike_twice(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str]
) -> None:
    cache = tmp_path_factory.mktemp("cache")
    text = "\n".join(lines)
    first = load(cache, text)
    assert repr(load(cache, text)) == repr(first)


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    load(tmp_path, "a: 1\n")
    assert load(tmp_path, "a: 2\n") == {"a": 2}


def test_what_a_variable_holds_is_asked_for_each_time(tmp_path: Path) -> None:
    values = iter(("one", "two"))
    text = b"a: !env X\n"
    environ = {"XDG_CACHE_HOME": str(tmp_path)}

    def load_it() -> Any:
        return parsed.load("/r/a", text, environ, lambda _tag, _value, _at: next(values))

    assert [load_it(), load_it()] == [{"a": "one"}, {"a": "two"}]


@pytest.mark.parametrize(
    "text",
    [
        "credentials: {secret_access_key: cAnArY}\n",
        "x: {github_token: [cAnArY]}\n",
        "import: ['https://user:cAnArY@host/x']\n",
    ],
)
def test_a_secret_in_clear_is_not_copied(tmp_path: Path, text: str) -> None:
    load(tmp_path, text)
    load(tmp_path, text)
    assert kept(tmp_path)
    assert b"cAnArY" not in kept(tmp_path)


def test_only_the_user_may_read_what_is_kept(tmp_path: Path) -> None:
    load(tmp_path, "a: 1\n")
    (path,) = tmp_path.rglob("*.json")
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("content", [b"", b"[", b"{}", b"[1]", b"[null, 1]", b"\xff" * 9])
def test_a_damaged_copy_is_ignored(tmp_path: Path, content: bytes) -> None:
    load(tmp_path, "a: 1\n")
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(content)
    assert load(tmp_path, "a: 1\n") == {"a": 1}


def test_a_copy_that_others_may_write_is_ignored(tmp_path: Path) -> None:
    load(tmp_path, "a: 1\n")
    (path,) = tmp_path.rglob("*.json")
    path.write_bytes(path.read_bytes().replace(b'"a": 1', b'"a": 2'))
    assert load(tmp_path, "a: 1\n") == {"a": 2}
    os.chmod(path, 0o666)
    assert load(tmp_path, "a: 1\n") == {"a": 1}


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "atmos-wrap").write_text("in the way")
    assert load(tmp_path, "a: 1\n") == {"a": 1}


AUTH = """
x: &x {kind: mock, tags: [1]}
Auth:
  realm: r
  identities:
    a: *x
    B: {<<: *x, kind: other, via: {provider: p}}
    c:
      default: !env X
"""


def test_places_are_those_of_the_file_with_and_without_a_cache(tmp_path: Path) -> None:
    text = AUTH.encode()
    keys = [
        ("auth",), ("auth", "identities", "a"), ("auth", "identities", "a", "kind"),
        ("auth", "identities", "B", "via", "provider"), ("auth", "identities", "B", "tags"),
        ("auth", "identities", "c", "default"), ("auth", "identities", "no"), ("other",),
    ]  # fmt: skip
    expected = [parsed.place("/r/atmos.yaml", text, one, "") for one in keys]
    load(tmp_path, AUTH)
    cache = str(tmp_path / "atmos-wrap")
    assert [parsed.place("/r/atmos.yaml", text, one, cache) for one in keys] == expected
