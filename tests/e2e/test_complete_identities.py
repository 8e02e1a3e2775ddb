"""Tab for identities that only manifests define: where each of them holds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import typed
from tests.e2e.typed import TAB

ATMOS = """\
base_path: ./
stacks:
  base_path: stacks
  included_paths: ['**/*']
  excluded_paths: ['catalog/**']
  name_template: '{{.vars.stage}}'
components: {terraform: {base_path: components}}
auth:
  identities:
    base: {kind: aws/user}
    gone: {kind: ambient}
"""
MANIFESTS = {
    "catalog/auth": """\
auth:
  identities:
    shared: {kind: aws/assume-role, principal: {assume_role: 'arn:aws:iam::111111111111:role/x'}}
    "it's: odd/one": {kind: ambient}
    '{{ .vars.stage }}': {kind: ambient}
""",
    "dev": """\
import: [catalog/auth]
vars: {stage: dev}
components:
  terraform:
    app: {}
    net:
      auth:
        identities: {net-admin: {kind: ambient}, gone: null, base: {default: true}, no-kind: {default: true}}
    sub: {metadata: {inherits: [net]}}
    old: {component: net}
    none: {auth: {identities: null}}
    over: {overrides: {auth: {identities: {by-override: {kind: ambient}}}}}
    broken: {auth: []}
""",
    "prod": """\
import: [catalog/auth]
vars: {stage: prod}
terraform:
  auth:
    identities:
      shared: {principal: {assume_role: 'arn:aws:iam::222222222222:role/x'}}
      typed: {kind: ambient}
components: {terraform: {app: {}}}
""",
    "test": "vars: {stage: test}\ncomponents: {terraform: {app: {}}}\n",
}
CONFIGURED = ["base aws/user", "gone ambient"]
ODD = "it's: odd/one ambient"
IN_DEV = ["base aws/user", "gone ambient", ODD, "shared aws/assume-role 111111111111"]
IN_NET = ["base aws/user", ODD, "net-admin ambient", "shared aws/assume-role 111111111111"]
# What Tab offers behind each line.
LINES = {
    "exec -i ": [
        "base aws/user", "by-override ambient", "gone ambient", ODD, "net-admin ambient",
        "shared aws/assume-role", "typed ambient",
    ],
    "terraform plan app -s dev -i ": IN_DEV,
    "exec -c app -s dev --identity=": [f"--identity={one}" for one in IN_DEV],
    "terraform plan net -s dev -i ": IN_NET,
    "terraform plan sub -s dev -i ": IN_NET,
    "terraform plan old -s dev -i ": IN_NET,
    "terraform plan none -s dev -i ": [],
    "terraform plan over -s dev -i ": sorted([*IN_DEV, "by-override ambient"]),
    "terraform plan broken -s dev -i ": IN_DEV,
    "terraform plan app -s prod -i ": [
        *CONFIGURED, ODD, "shared aws/assume-role 222222222222", "typed ambient",
    ],
    "terraform plan app -s test -i ": CONFIGURED,
    "terraform plan -s prod -i ": [
        *CONFIGURED, ODD, "shared aws/assume-role 222222222222", "typed ambient",
    ],
    "terraform plan app -i ": [*CONFIGURED, ODD, "shared aws/assume-role", "typed ambient"],
    "auth list --identities ": CONFIGURED,  # which knows those only
}  # fmt: skip


def write(root: Path) -> Path:
    """Write the repository."""
    (root / "stacks/catalog").mkdir(parents=True)
    (root / "atmos.yaml").write_text(ATMOS)
    for name, text in MANIFESTS.items():
        (root / "stacks" / f"{name}.yaml").write_text(text)
    return root


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository of which some identities are in manifests."""
    return write(tmp_path / "repository")


def offered(cli: Cli, repository: Path, line: str, **more: str) -> list[str]:
    """Return what fish is told, names and what they are."""
    done = cli("__complete", "--shell=fish", f"atmos-wrap {line}", "", cwd=repository, env=more)
    assert (done.exit, done.stderr) == (0, "")
    return done.stdout.replace("\t", " ").splitlines()[1:]


def test_where_each_identity_holds(cli: Cli, repository: Path) -> None:
    for _ in range(2):
        assert {line: offered(cli, repository, line) for line in LINES} == LINES


def test_the_kept_answer_is_that_of_the_manifests(cli: Cli, repository: Path) -> None:
    for path in (repository, *repository.rglob("*")):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    time.sleep(0.03)  # the change of a time is one, too: a tick of the file system's clock
    line = "terraform plan app -s prod -i "
    for _ in range(3):
        assert offered(cli, repository, line) == LINES[line]
    prod = repository / "stacks/prod.yaml"

    prod.write_text(prod.read_text().replace("typed:", "other:").replace("222222222222", "3" * 12))

    changed = ["other ambient", "shared aws/assume-role 333333333333"]
    assert offered(cli, repository, line) == [*CONFIGURED, ODD, *changed]
    assert offered(cli, repository, "terraform plan net -s dev -i ") == IN_NET
    (repository / "atmos.yaml").write_text(ATMOS.replace("gone:", "more:"))
    assert offered(cli, repository, line) == ["base aws/user", ODD, "more ambient", *changed]


@pytest.mark.parametrize("cache", ["/dev/null/none", "read only"])
def test_without_an_index_that_can_be_written(cli: Cli, repository: Path, cache: str) -> None:
    line = "terraform plan net -s dev -i "
    more = {"XDG_CACHE_HOME": cache if cache[0] == "/" else str(repository / "cache")}
    if cache[0] != "/":
        assert offered(cli, repository, line, **more) == IN_NET
        for path in (repository / "cache").rglob("*"):
            if path.is_file() and "index" in path.name:
                path.write_bytes(b"")
                path.chmod(0o400)
    dev = repository / "stacks/dev.yaml"
    dev.write_text(dev.read_text().replace("net-admin", "net-other"))

    after = [one.replace("net-admin", "net-other") for one in IN_NET]
    assert offered(cli, repository, line, **more) == after


def test_nothing_is_run_for_them(cli: Cli, repository: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    (repository / "stacks/evil.yaml").write_text(
        "vars: {stage: evil}\nauth:\n  identities:\n"
        f"    traps: {{kind: !exec 'touch {ran}', principal: {{account: !exec 'touch {ran}'}}}}\n"
        f"    templates: {{kind: ambient, principal: {{account: '{{{{ exec \"touch {ran}\" }}}}'}}}}\n"
        '    "esc\\u001b[31m": {kind: ambient}\n'
        "components: {terraform: {app: {}}}\n"
    )

    for line in ("exec -i ", "terraform plan app -s evil -i "):
        found = offered(cli, repository, line)
        assert any(one.startswith("templates ambient") for one in found)
        assert not any("esc" in one for one in found)
    assert not ran.exists()


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_keys_typed(
    environment: dict[str, str], repository: Path, tool: Callable[[str], str], name: str
) -> None:
    cli = Cli(environment, repository)
    text = typed.completion(cli, name, environment)
    with typed.started(name, tool(name), cli, text) as shell:
        if name != "bash":
            line = f"atmos-wrap terraform plan app -s prod -i {TAB}"
            shell.shows(line, "aws/assume-role 222222222222")
        for keys, words in {
            f"terraform plan net -s dev -i net{TAB}": "terraform plan net -s dev -i net-admin",
            f"terraform plan app -s dev -i net{TAB}": "terraform plan app -s dev -i net",
            f"exec -i typ{TAB}": "exec -i typed",
        }.items():
            assert shell.run(f"atmos-wrap {keys}") == words.split()
        assert shell.run(f"atmos-wrap exec -i it{TAB}") == ["exec", "-i", "it's: odd/one"]
