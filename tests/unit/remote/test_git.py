"""What git is started with: nothing of ours leaks in, nobody is asked, secrets by variables only."""

from __future__ import annotations

from wrapper.remote.address import parse
from wrapper.remote.git import environment


def test_variables_of_a_repository_around_us_stay_outside() -> None:
    given = {
        "HOME": "/h", "GIT_DIR": "/x", "GIT_WORK_TREE": "/x", "GIT_CONFIG_PARAMETERS": "'a=b'",
        "GIT_SSL_NO_VERIFY": "1", "GIT_EXEC_PATH": "/x", "GIT_SSH_COMMAND": "ssh -i k",
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "url.a.insteadOf", "GIT_CONFIG_VALUE_0": "b",
        "SSH_ASKPASS": "/x", "SSL_CERT_FILE": "/ca.pem",
    }  # fmt: skip
    assert environment(parse("git::https://h/x.git"), given) == {
        "HOME": "/h",
        "GIT_SSH_COMMAND": "ssh -i k",
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "url.a.insteadOf",
        "GIT_CONFIG_VALUE_0": "b",
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_LFS_SKIP_SMUDGE": "1",
        "GCM_INTERACTIVE": "never",
        "SSH_ASKPASS_REQUIRE": "never",
        "GIT_ALLOW_PROTOCOL": "https:ssh",
        "GIT_SSL_CAINFO": "/ca.pem",
        "SSL_CERT_FILE": "/ca.pem",
    }


def header(address: str, **environ: str) -> str:
    return environment(parse(address), environ).get("GIT_CONFIG_VALUE_0", "")


def test_tokens_go_to_their_own_host_alone() -> None:
    token = {"GITHUB_TOKEN": "t"}
    shown = "Authorization: Basic eC1hY2Nlc3MtdG9rZW46dA=="
    assert header("github.com/a/b//c", **token) == shown
    assert header("github.com/a/b//c", ATMOS_GITHUB_TOKEN="t", GITHUB_TOKEN="x") == shown
    assert header("git::https://github.com.evil.example/a/b.git", **token) == ""
    assert header("gitlab.com/a/b//c", **token) == ""
    assert header("git@github.com:a/b.git", **token) == ""
    assert header("git::https://me:x@github.com/a/b", **token) == "Authorization: Basic bWU6eA=="


def test_only_one_protocol_is_allowed_for_a_directory() -> None:
    assert environment(parse("git::file:///x"), {})["GIT_ALLOW_PROTOCOL"] == "file"
