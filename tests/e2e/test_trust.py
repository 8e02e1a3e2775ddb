"""Consent through the installed program, attack by attack, as reported for other tools."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli
from tests.e2e import swaps
from wrapper.hook.code import FORM

ATMOS = """\
import: [parts/*.yaml]
auth:
  providers: {corp: {kind: mock}}
  identities:
    dev: {kind: mock, via: {provider: corp}, default: true}
    prod-admin:
      kind: aws/assume-role
      via: {identity: dev}
      principal: {assume_role: "arn:aws:iam::111111111111:role/admin"}
"""


@pytest.fixture
def repo(cli: Cli) -> Path:
    """Write a repository to the working directory."""
    (cli.cwd / ".git").mkdir()
    (cli.cwd / "parts").mkdir()
    (cli.cwd / "atmos.yaml").write_text(ATMOS)
    (cli.cwd / "parts" / "a.yaml").write_text("wrap: {production: 'prod-*'}\n")
    Path(cli.environment["HOME"]).chmod(0o700)
    return cli.cwd


def told(cli: Cli, **given: Any) -> dict[str, Any]:
    """Return what `allow --dry-run` says; `state` is the verdict."""
    done = cli("allow", "--dry-run", "--format", "json", **given)
    assert (done.exit, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_allow_shows_what_it_allows(cli: Cli, repo: Path) -> None:
    done = cli("allow")
    assert done.exit == 0
    assert done.stdout == ""
    assert done.stderr == (
        f"allowed: {repo}\nfiles:\n  atmos.yaml\n  parts/a.yaml\n"
        "identities:\n  dev  mock\n  prod-admin  aws/assume-role  111111111111\n"
    )
    assert told(cli)["state"] == "allowed"


def test_one_byte_in_an_imported_file_asks_again(cli: Cli, repo: Path) -> None:
    """direnv/direnv#249, #448: the check was of the one file, not of what it takes in."""
    cli("allow")
    with (repo / "parts" / "a.yaml").open("a") as stream:
        stream.write("\n")
    found = told(cli)
    assert (found["state"], found["changed_files"]) == ("changed", ["changed: parts/a.yaml"])
    assert "nothing else means anything" in cli("allow").stderr


def test_a_changed_role_is_shown(cli: Cli, repo: Path) -> None:
    cli("allow")
    (repo / "atmos.yaml").write_text(ATMOS.replace("1111:role", "1112:role"))
    assert (
        "  prod-admin.principal.assume_role: arn:aws:iam::111111111111:role/admin → "
        "arn:aws:iam::111111111112:role/admin\n" in cli("allow").stderr
    )


def test_the_same_content_elsewhere_is_not_allowed(cli: Cli, repo: Path) -> None:
    """direnv/direnv#83: consent by content alone let a copy beside other tools pass."""
    cli("allow")
    shutil.copytree(repo, repo.parent / "copy")
    assert told(cli, cwd=repo.parent / "copy")["state"] == "unknown"


def test_deny_reaches_what_allow_allowed_through_a_link(cli: Cli, repo: Path) -> None:
    """direnv/direnv#850."""
    (repo.parent / "link").symlink_to(repo)
    assert cli("allow", str(repo.parent / "link")).exit == 0
    assert told(cli)["state"] == "allowed"
    assert cli("deny", str(repo.parent / "link")).exit == 0
    assert told(cli)["state"] == "denied"
    assert [row["state"] for row in json.loads(cli("trust", "list", "-f", "json").stdout)] == [
        "denied"
    ]
    assert cli("revoke").exit == 0
    assert cli("trust", "list").stdout == ""
    assert cli("revoke").exit == 78


def test_a_file_that_others_may_write_is_refused(cli: Cli, repo: Path) -> None:
    """direnv/direnv#445: it could be changed between the look and the consent."""
    (repo / "atmos.yaml").chmod(0o666)
    done = cli("allow")
    assert done.exit == 78
    assert f"not allowed: {repo}/atmos.yaml can be written by everybody" in done.stderr
    assert f"hint: chmod o-w {repo}/atmos.yaml" in done.stderr
    assert told(cli)["state"] == "unsafe"


def test_a_repository_cannot_say_where_consent_is_kept(cli: Cli, repo: Path) -> None:
    """GHSA-436v-8fw5-4mj8: settings of the repository were read before the check, and passed it."""
    evil = repo / ".evil"
    (evil / "atmos-wrap").mkdir(parents=True)
    (evil / "atmos-wrap" / "trusted").write_text(f"{repo}\n/\n")
    (repo / "parts" / "a.yaml").write_text(
        f"env: {{ATMOS_XDG_CONFIG_HOME: {evil}, ATMOS_XDG_STATE_HOME: {evil}, HOME: {evil}}}\n"
        f"wrap: {{trusted: [/], trust: true}}\nsettings: {{trusted_config_paths: [/]}}\n"
    )
    assert told(cli)["state"] == "unknown"
    # The very same files count when the user's own environment names them.
    assert told(cli, env={"ATMOS_XDG_CONFIG_HOME": str(evil)})["state"] == "allowed"


def test_drop_ins_without_atmos_yaml_need_consent(cli: Cli, repo: Path) -> None:
    """GHSA-77g9-363w-rccq: where the one checked file was missing, others were used unchecked."""
    (repo / "atmos.yaml").unlink()
    (repo / ".atmos.d").mkdir()
    (repo / ".atmos.d" / "x.yaml").write_text("auth: {identities: {evil: {kind: mock}}}\n")
    found = told(cli)
    assert (found["state"], found["root"]) == ("unknown", str(repo))
    assert [one["name"] for one in found["identities"]] == ["evil"]


@pytest.mark.parametrize("consent", [False, True])
def test_nothing_of_a_repository_runs_on_the_way_to_consent(
    cli: Cli, repo: Path, consent: bool
) -> None:
    """jdx/mise#8675, GHSA-77g9-363w-rccq: templates ran commands while files were read, or on Tab."""
    canary = repo.parent / "canary"
    if consent:
        cli("allow")
    odd = "$(touch " + str(canary) + ")`touch " + str(canary) + "`"
    (repo / "parts" / "b.yaml").write_text(
        f"auth: {{identities: {{{json.dumps(odd)}: {{kind: mock, via: {{provider: corp}}, "
        f'alias: "{{{{ exec \\"touch {canary}\\" }}}}"}}}}}}\n'
    )
    for name in ("git", "terraform", "sh"):
        program = Path(cli.environment["PATH"].partition(":")[0], name)
        program.write_text(f"#!/bin/sh\n: > {canary}\n")
        program.chmod(0o755)
    (repo / "parts" / "c.yaml").write_text("wrap: {branch: !git.branch main, url: !git.url none}\n")
    for words in (
        ("allow", "--dry-run"), ("allow",), ("trust", "list"), ("deny",), ("revoke",),
        ("__complete", "allow", ""), ("__complete", "auth", "login", ""),
    ):  # fmt: skip
        assert cli(*words).exit == 0
    (repo / "parts" / "b.yaml").write_text(f"wrap: {{a: !exec 'touch {canary}'}}\n")
    refused = cli("allow")
    assert (refused.exit, "!exec is not run here" in refused.stderr) == (78, True)
    (repo / "parts" / "b.yaml").write_text("import: ['https://example.invalid/x.yaml']\n")
    refused = cli("allow")
    assert (refused.exit, "is not allowed to be fetched" in refused.stderr) == (78, True)
    assert not canary.exists()


def test_no_setting_of_a_repository_names_a_program_for_credentials(cli: Cli, repo: Path) -> None:
    """GHSA-29hf-rm4x-xxph, CVE-2026-55448: such a setting of a clone was run before consent."""
    canary = repo.parent / "canary"
    (repo / "parts" / "b.yaml").write_text(
        f"env: {{ATMOS_WRAP_MFA_COMMAND: touch {canary}, BROWSER: touch {canary},"
        f" ATMOS_WRAP_SHELL_LOGIN: ask, GIT_ASKPASS: touch {canary}}}\n"
        "auth: {identities: {user: {kind: aws/user, default: true, credential_process: touch "
        f"{canary}, credentials: {{access_key_id: a, secret_access_key: b, credential_process: touch"
        f" {canary}, mfa_arn: 'arn:aws:iam::111111111111:mfa/me'}}}}, dev: {{default: false}}}}}}\n"
    )
    for words in (("status",), ("prompt",), ("list", "identities"), ("__complete", "use", "")):
        cli(*words)
    assert cli("allow").exit == 0
    exported = cli("hook-env", "bash", str(repo), FORM, env={"ATMOS_IDENTITY": "user"}).stdout
    assert "AWS_PROFILE" in exported
    config = Path("/" + exported.partition("/config'")[0].rpartition("=/")[2], "config")
    profile = config.read_text().partition("[profile user]")[2]
    line = profile.partition("credential_process = ")[2].partition("\n")[0]
    done = subprocess.run(
        ["/bin/sh", "-c", line], env=cli.environment, cwd=repo, capture_output=True, text=True,
        timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (77, "")
    assert "hint: sign in: atmos-wrap auth login user\n" in done.stderr
    assert not canary.exists()


def test_names_of_a_repository_never_become_paths(cli: Cli, repo: Path) -> None:
    """CVE-2026-54557: a version that was an absolute path put a link outside of the tool's tree."""
    for name in ("/etc/x", "../../../x", "a\\nb", "x" * 300):
        with (repo / "parts" / "n.yaml").open("a") as stream:
            stream.write(f'"{name[:5]}{len(name)}": 1\n')
    deep = repo / ("n" * 200) / ("m" * 200)
    deep.mkdir(parents=True)
    (deep / "atmos.yaml").write_text("auth: {identities: {/etc/x: {kind: mock}}}\n")
    assert cli("allow", cwd=deep).exit == 0
    home = Path(cli.environment["HOME"])
    store = home / ".local" / "state" / "atmos-wrap" / "trust"
    kept = [path for path in store.iterdir() if path.name != "lock"]
    assert sorted({path.suffix for path in kept}) == [".json", ".meaning"]
    assert all(set(path.name.split(".")[0]) <= set("0123456789abcdef") for path in kept)
    assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}


def test_a_link_out_of_the_repository_is_refused(cli: Cli, repo: Path) -> None:
    """jdx/mise#1501, #2175: links made a trusted path mean another file."""
    (repo.parent / "outside.yaml").write_text("wrap: {a: 1}\n")
    (repo / "parts" / "l.yaml").symlink_to(repo.parent / "outside.yaml")
    done = cli("allow")
    assert (done.exit, "is a link out of" in done.stderr) == (78, True)


def test_a_denial_beats_a_trusted_path(cli: Cli, repo: Path) -> None:
    """jdx/mise#11152: there, a trusted path overrides a refusal."""
    own = Path(cli.environment["HOME"], ".config", "atmos-wrap", "trusted")
    own.parent.mkdir(parents=True)
    own.write_text(f"{repo.parent}\n")
    assert told(cli)["state"] == "allowed"
    cli("deny")
    assert told(cli)["state"] == "denied"


def test_git_cannot_make_a_clone_count_as_another_repository(cli: Cli, repo: Path) -> None:
    """GHSA-q5hj-mxqh-vv77: a `commondir` file led the check to a directory that was trusted."""
    cli("allow")
    clone = repo.parent / "clone"
    shutil.copytree(repo, clone)
    (clone / ".git" / "commondir").write_text(f"{repo}/.git\n")
    assert told(cli, cwd=clone)["state"] == "unknown"
    shutil.rmtree(clone / ".git")
    (clone / ".git").write_text(f"gitdir: {repo}/.git\n")
    assert told(cli, cwd=clone)["state"] == "unknown"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away; CI runs as root")
def test_somebody_elses_file_in_a_shared_directory_is_refused(cli: Cli, repo: Path) -> None:
    """direnv/direnv#23."""
    os.chown(repo / "parts" / "a.yaml", 12345, 12345)
    done = cli("allow")
    assert (done.exit, "belongs to user 12345" in done.stderr) == (78, True)


def test_a_directory_mounted_over_an_allowed_one_is_noticed(
    cli: Cli, repo: Path, tool: Callable[[str], str]
) -> None:
    cli("allow")
    other = repo.parent / "other"
    shutil.copytree(repo, other)
    line = 'mount --bind "$1" "$2" && cd "$2" && exec "$3" allow --dry-run --format json'
    done = subprocess.run(
        [tool("unshare"), "-rm", "sh", "-c", line, "sh", other, repo, cli.program],
        env=cli.child_environment(None), capture_output=True, text=True, timeout=60, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["before"], found["changed_files"]) == (
        "changed", [f"new: another directory is at {repo}"],
    )  # fmt: skip


def test_nothing_of_a_repository_reaches_the_terminal_raw(cli: Cli, repo: Path) -> None:
    cli("allow")
    (repo / "parts" / "b.yaml").write_text(
        'auth: {identities: {"\\e[2J\\nallowed: /": {kind: "\\e]0;x\\a"}}}\nwrap: {"\\r\\e[1A": 1}\n'
    )
    odd = repo / "parts" / "z\x1b[31m\nallowed: y.yaml"
    odd.write_text("wrap: {x: 1}\n")
    done = cli("allow")
    assert done.exit == 0
    assert not [c for c in done.stderr if not c.isprintable() and c != "\n"]
    assert sum(line.startswith("allowed:") for line in done.stderr.splitlines()) == 1


def test_a_broken_configuration_is_told_and_can_be_denied(cli: Cli, repo: Path) -> None:
    (repo / "parts" / "a.yaml").write_text("a: [\n")
    done = cli("allow")
    assert (done.exit, "parts/a.yaml:2:1" in done.stderr) == (78, True)
    assert cli("deny").exit == 0
    assert "denied" in cli("trust", "list").stdout


def test_where_there_is_nothing_there_is_nothing_to_allow(cli: Cli) -> None:
    done = cli("allow")
    assert (done.exit, "there is no atmos.yaml" in done.stderr) == (78, True)


def test_trust_prune_forgets_what_is_gone(cli: Cli, repo: Path) -> None:
    cli("allow")
    assert cli("trust", "prune").stderr == ""
    shutil.rmtree(repo)
    assert cli("trust", "prune", cwd=repo.parent).stderr == f"forgotten: {repo}\n"


def test_the_verdict_needs_nothing_that_is_slow_to_import(cli: Cli) -> None:
    code = (
        "import sys; before = set(sys.modules); import wrapper.trust;"
        "slow = {'pathlib', 'dataclasses', 'subprocess', 'yaml', 'typer'} - before;"
        "print(sorted(slow & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=60
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_a_file_swapped_between_the_check_and_its_use_is_never_used(cli: Cli, repo: Path) -> None:
    """direnv/direnv#445: whoever can write the file swaps it while the shell asks."""
    good = (
        "auth:\n  providers: {corp: {kind: aws/iam-identity-center, region: us-east-1,"
        " start_url: https://acme.example.com/start}}\n  identities: {NAME: {default: true,"
        " kind: aws/permission-set, via: {provider: corp},"
        " principal: {name: Admin, account: {id: '111111111111'}}}}\n"
    )
    path = repo / "atmos.yaml"
    path.write_text(good.replace("NAME", "wanted"))
    assert cli("allow").exit == 0
    texts = [good.replace("NAME", "wanted"), good.replace("NAME", "intruder")]

    def asked() -> bool:
        done = cli("hook-env", "bash", str(repo), FORM)
        assert done.exit == 0
        assert "intruder" not in done.stdout
        return "AWS_PROFILE" in done.stdout.partition("_new_unset")[0]

    swaps.ask(path, texts, asked, least=60)
