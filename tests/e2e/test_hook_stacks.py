"""Which identity a stack gives to a shell, and consent to the manifests that say so."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Cli
from tests.e2e import swaps
from wrapper.hook.code import FORM

ATMOS = """\
base_path: ./
stacks: {base_path: stacks, included_paths: ["deploy/**/*"], name_pattern: "{stage}"}
components: {terraform: {base_path: components/terraform}}
auth:
  realm: stacks
  identities:
    base:
      kind: aws/user
      default: true
      credentials: {access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET}
"""
ROLE = """\
    {name}:
      kind: aws/assume-role
      default: {default}
      via: {{identity: {via}}}
      principal: {{assume_role: "arn:aws:iam::{account}:role/{name}"}}
"""
AUTH = "auth:\n  identities:\n    base: {default: false}\n"


def role(name: str, account: str = "111111111111", via: str = "base", default: str = "true") -> str:
    """Return an identity as a manifest has it."""
    return ROLE.format(name=name, account=account, via=via, default=default)


@pytest.fixture
def repo(cli: Cli) -> Path:
    """Two stacks: `dev` takes its identity from a file that it imports, `prod` has none."""
    (cli.cwd / ".git").mkdir()
    for name in ("stacks/catalog", "stacks/deploy/dev", "stacks/deploy/prod"):
        (cli.cwd / name).mkdir(parents=True)
    for name in ("app", "db"):
        (cli.cwd / "components/terraform" / name).mkdir(parents=True)
    (cli.cwd / "atmos.yaml").write_text(ATMOS)
    (cli.cwd / "stacks/catalog/auth.yaml").write_text(AUTH + role("deployer"))
    (cli.cwd / "stacks/catalog/db.yaml").write_text("components: {terraform: {db: {vars: {}}}}\n")
    for stage, imports in (("dev", "[catalog/auth, catalog/db]"), ("prod", "[catalog/db]")):
        (cli.cwd / f"stacks/deploy/{stage}/{stage}.yaml").write_text(
            f"import: {imports}\nvars: {{stage: {stage}}}\n"
            "components: {terraform: {app: {vars: {}}}}\n"
        )
    Path(cli.environment["HOME"]).chmod(0o700)
    return cli.cwd


def status(cli: Cli, cwd: Path | None = None, **env: str) -> dict[str, Any]:
    """Return what `status` says."""
    done = cli("status", "--format", "json", cwd=cwd, env=env)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def told(cli: Cli) -> dict[str, Any]:
    """Return what `allow --dry-run` says of the stacks."""
    done = cli("allow", "--dry-run", "--format", "json")
    assert (done.exit, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)["stacks"]
    return found


def said(cli: Cli, cwd: Path, **env: str) -> str:
    """Return the code that a shell is given in a directory."""
    done = cli("hook-env", "bash", str(cwd), FORM, cwd=cwd, env=env)
    assert (done.exit, done.stderr) == (0, "")
    return done.stdout


def test_each_way_to_a_stack_gives_its_identity(cli: Cli, repo: Path) -> None:
    assert cli("allow").exit == 0
    dev, use = repo / "stacks/deploy/dev", f"stack:{repo}@dev"
    for where, env in (
        (dev, {}),
        (repo, {"ATMOS_STACK": "dev"}),
        (repo / "components/terraform/app", {"ATMOS_STACK": "dev"}),
        (repo, {"ATMOS_WRAP_USE": use}),
    ):
        found = status(cli, where, **env)
        assert (found["identity"], found["stack"], found["consent"]) == (
            "deployer", "dev", "allowed",
        )  # fmt: skip
        assert "stacks/catalog/auth.yaml:6:7" in found["why"]
    # The directory of manifests beats a pin, and another stack has the repository's own identity.
    found = status(cli, repo / "stacks/deploy/prod", ATMOS_STACK="dev")
    assert (found["identity"], found["stack"]) == ("base", "prod")
    assert status(cli, repo / "stacks/deploy")["identity"] == "base"
    pin = repo / ".atmos-wrap.yaml"
    pin.write_text("stack: dev\n")
    assert cli("allow").exit == 0
    assert status(cli)["identity"] == "deployer"


def test_a_component_has_its_own_identity_in_its_directory(cli: Cli, repo: Path) -> None:
    manifest = repo / "stacks/deploy/dev/dev.yaml"
    manifest.write_text(
        "import: [catalog/auth]\nvars: {stage: dev}\ncomponents: {terraform: {\n"
        "  base-db: {metadata: {type: abstract}, auth: {identities: {owner: {kind: aws/assume-role,"
        " default: true, via: {identity: base}, principal: {assume_role: 'arn:aws:iam::2:role/o'}},"
        " deployer: {default: false}}}},\n"
        "  main: {metadata: {component: db, inherits: [base-db]}}, app: {vars: {}}}}\n"
    )
    assert cli("allow").exit == 0
    inside = repo / "components/terraform/db"
    assert status(cli, inside, ATMOS_STACK="dev")["identity"] == "owner"
    beside = status(cli, repo / "components/terraform/app", ATMOS_STACK="dev")
    assert beside["identity"] == "deployer"
    assert status(cli, repo, ATMOS_STACK="dev")["identity"] == "deployer"
    # Two that live in one directory and say other things: none, and why.
    text = manifest.read_text().replace(
        "app: {vars", "second: {metadata: {component: db}}, app: {vars"
    )
    manifest.write_text(text)
    assert cli("allow").exit == 0
    found = status(cli, inside, ATMOS_STACK="dev")
    assert (found["identity"], "several components live here: main, second" in found["why"]) == (
        "", True,
    )  # fmt: skip


def test_allow_shows_what_stacks_say_and_what_changed_in_it(cli: Cli, repo: Path) -> None:
    done = cli("allow")
    assert "stacks:\n  dev: stacks/catalog/auth.yaml\n" in done.stderr
    assert '    deployer.principal.assume_role: "arn:aws:iam::111111111111:role/deployer"\n' in (
        done.stderr
    )
    assert {name: one["state"] for name, one in told(cli).items()} == {"dev": "allowed"}
    path = repo / "stacks/catalog/auth.yaml"
    path.write_text(path.read_text().replace("::111", "::211"))
    assert told(cli)["dev"]["changed_files"] == ["changed: stacks/catalog/auth.yaml"]
    assert (
        'stack "dev", since you allowed it:\n  changed: stacks/catalog/auth.yaml\n'
        "  deployer.principal.assume_role: arn:aws:iam::111111111111:role/deployer → "
        "arn:aws:iam::211111111111:role/deployer\n"
    ) in cli("allow").stderr


def test_one_byte_in_an_imported_manifest_asks_again(cli: Cli, repo: Path) -> None:
    cli("allow")
    dev = repo / "stacks/deploy/dev"
    assert "AWS_PROFILE" in said(cli, dev)
    with (repo / "stacks/catalog/auth.yaml").open("a") as stream:
        stream.write("\n")
    text = said(cli, dev)
    assert 'stack "dev" of' in text
    assert "has changed since you allowed it" in text
    assert "AWS_PROFILE" not in text
    # Elsewhere nothing changed.
    assert status(cli)["identity"] == "base"
    # A file without `auth` is none of those that consent is for: stacks are edited all day.
    cli("allow")
    with (repo / "stacks/catalog/db.yaml").open("a") as stream:
        stream.write("vars: {x: 1}\n")
    assert status(cli, dev)["identity"] == "deployer"


def test_another_way_to_the_same_files_asks_again(cli: Cli, repo: Path) -> None:
    """Each file was allowed, for another stack: what it means here was not."""
    cli("allow")
    path = repo / "stacks/deploy/prod/prod.yaml"
    path.write_text(path.read_text().replace("[catalog/db]", "[catalog/db, catalog/auth]"))
    found = status(cli, path.parent)
    assert (found["identity"], found["consent"]) == ("", "unknown")
    assert "consent does not cover them" in found["why"]
    assert cli("allow").exit == 0
    assert status(cli, path.parent)["identity"] == "deployer"
    assert cli("revoke").exit == 0
    assert told(cli)["prod"]["state"] == "unknown"


def test_somebody_elses_manifest_is_left_alone(cli: Cli, repo: Path) -> None:
    cli("allow")
    (repo / "stacks/catalog/auth.yaml").chmod(0o666)
    found = status(cli, repo / "stacks/deploy/dev")
    assert (found["identity"], found["consent"]) == ("", "unsafe")
    assert 'unsafe: stack "dev": ' in cli("allow").stderr
    assert status(cli)["identity"] == "base"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("{assume_role: !exec 'touch CANARY'}", "!exec is not run at a prompt"),
        ("{assume_role: !env ROLE}", "!env is not run at a prompt"),
        ("{assume_role: !include role.yaml}", "!include is not run at a prompt"),
        ("{assume_role: '{{ exec \"touch CANARY\" }}'}", "a template is not run at a prompt"),
    ],
)
def test_nothing_is_run_to_tell_who_signs(cli: Cli, repo: Path, text: str, what: str) -> None:
    path = repo / "stacks/catalog/auth.yaml"
    written = AUTH + role("deployer").replace(
        '{assume_role: "arn:aws:iam::111111111111:role/deployer"}', text
    )
    path.write_text(written + role("plain", default="false"))
    assert cli("allow").exit == 0
    dev = repo / "stacks/deploy/dev"
    found = status(cli, dev)
    assert found["identity"] == ""
    assert found["why"] == (
        f'identity "deployer" of stack "dev" cannot be told at a prompt: {what}, {path}:8'
    )
    assert "AWS_PROFILE" not in said(cli, dev)
    # One that depends on nothing of the kind is as good as ever; the other has no profile.
    assert status(cli, dev, ATMOS_IDENTITY="plain")["identity"] == "plain"
    config = said(cli, dev, ATMOS_IDENTITY="plain").partition("/config'")[0].rpartition("=")[2]
    assert "[profile deployer]" not in Path(config, "config").read_text()
    assert not list(repo.rglob("CANARY"))


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("import: [catalog/db, 'https://192.0.2.1/auth.yaml']", "it imports a remote file, https"),
        ("import: [catalog/db, 'catalog/{{ .x }}']", "it imports a template, catalog/{{ .x }}"),
        ("import: [catalog/tmpl]", "a template decides it, and none is run at a prompt"),
        ("auth: !include auth.yaml", "!include is not run at a prompt"),
    ],
)
def test_what_only_a_template_or_the_net_knows_is_no_identity(
    cli: Cli, repo: Path, line: str, what: str
) -> None:
    (repo / "stacks/catalog/tmpl.yaml.tmpl").write_text(
        "# {{ .x }}\n" + AUTH + role("{{ .name }}") + "{{ .x }}\n"
    )
    path = repo / "stacks/deploy/prod/prod.yaml"
    path.write_text(path.read_text().replace("import: [catalog/db]", line))
    cli("allow")
    found = status(cli, path.parent)
    # Where the name itself cannot be had, it is the repository that says so.
    assert (found["identity"], what in found["why"]) == ("", True), found
    assert "AWS_PROFILE" not in said(cli, path.parent)


def test_a_manifest_that_appears_is_seen_at_the_next_prompt(cli: Cli, repo: Path) -> None:
    """What is watched: the files, the directories of globs, and the index."""
    path = repo / "stacks/deploy/prod/prod.yaml"
    path.write_text(path.read_text().replace("[catalog/db]", "['catalog/parts/*']"))
    (repo / "stacks/catalog/parts").mkdir()
    (repo / "stacks/catalog/parts/one.yaml").write_text("vars: {a: 1}\n")
    cli("allow")
    text = said(cli, path.parent)
    for name in ("catalog/parts", "catalog/parts/one.yaml", "deploy/prod"):
        assert f"'{repo}/stacks/{name}' -nt" in text
    assert "'./prod.yaml' -nt" in text
    assert "/index-" in text


def test_a_manifest_swapped_between_check_and_use_is_never_used(cli: Cli, repo: Path) -> None:
    cli("allow")
    path, dev = repo / "stacks/catalog/auth.yaml", repo / "stacks/deploy/dev"
    texts = [path.read_text(), AUTH + role("intruder")]

    def asked() -> bool:
        text = said(cli, dev)
        assert "intruder" not in text
        return "AWS_PROFILE" in text

    swaps.ask(path, texts, asked, least=20)


def test_a_torn_copy_of_a_manifest_in_the_cache_is_none(cli: Cli, repo: Path) -> None:
    """Copies are written without waiting for the disk: a loss of power may tear them."""
    cli("allow")
    kept = sorted(Path(cli.environment["HOME"], ".cache/atmos-wrap").rglob("manifests/*.json"))
    assert kept
    for path in kept:
        whole = path.read_bytes()
        for torn in (b"", whole[: len(whole) // 2], whole[:-9] + b"\0" * 9):
            path.write_bytes(torn)
            assert status(cli, repo / "stacks/deploy/dev")["identity"] == "deployer"
