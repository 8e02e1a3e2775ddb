"""`terraform … --affected` with the real terraform and git."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.e2e import gits
from tests.e2e.gits import Repo

CATALOG = "stacks/catalog/app.yaml"
NET = "vars: {name: net}"
YES = ("-s", "dev", "-auto-approve", "-no-color")


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of `gits` and its remote, to copy from."""
    root = tmp_path_factory.mktemp("template")
    gits.made(root)
    return root


@pytest.fixture
def repo(cli: Cli, template: Path, terraform: str) -> Repo:
    """The repository of `gits`."""
    return gits.copied(template, cli)


def said(done: Result) -> list[str]:
    """Return the lines that name what was compared, and the summary."""
    text = re.sub(r" \(\w{8}\)| \(\d+\.\d s\)", "", done.stderr)
    return [
        line
        for line in text.splitlines()
        if re.match(
            r"(\w+|no) components? (is|are) affected|  [\w/]+ +(dev|prod)  |✓|not run, ", line
        )
    ]


def test_what_differs_is_applied_with_what_needs_it_in_order_and_destroyed_the_other_way(
    cli: Cli, repo: Repo
) -> None:
    repo.edit(CATALOG, NET, "vars: {name: web}")
    plan = cli("terraform", "plan", "--affected", "--dry-run")
    assert (
        plan.stdout == "Would plan `net` in `dev` (dry run)\nWould plan `net` in `prod` (dry run)\n"
    )
    done = cli("terraform", "apply", "--affected", "--include-dependents", *YES)
    assert done.exit == 0
    assert said(done) == [
        "1 component is affected, compared with refs/remotes/origin/HEAD",
        "  net       dev  done",
        "  db        dev  done",
        "  shop/app  dev  done",
    ]
    assert (repo.path / "journal").read_text().split() == ["+web", "+db", "+app"]
    gone = cli("terraform", "destroy", "--affected", "--include-dependents=1", *YES)
    assert said(gone)[1:] == ["  db   dev  done", "  net  dev  done"]
    # What the runs left behind beside the code is no change of it.
    assert "?? components/terraform/net/states/" in repo.git("status", "--short")
    shown = json.loads(cli("describe", "affected", "-s", "dev").stdout)
    assert [(entry["component"], entry["affected_all"]) for entry in shown] == [
        ("net", ["stack.vars"])
    ]


def test_nothing_affected_is_said_and_is_no_error(cli: Cli, repo: Repo) -> None:
    done = cli("terraform", "apply", "--affected", "--base", "main", "-auto-approve")
    assert (done.exit, done.stdout) == (0, "")
    assert said(done) == [
        "no components are affected, compared with main",
        "✓ No components matched",
    ]


def test_it_narrows_what_tags_and_stacks_choose_and_names_what_is_gone(
    cli: Cli, repo: Repo
) -> None:
    repo.edit(
        CATALOG, "{component: net}\n      " + NET, "{component: net, tags: [a]}\n      " + NET
    )
    repo.edit(CATALOG, "vars: {name: app}", "vars: {name: sales}")
    repo.edit(CATALOG, "    old:\n      metadata: {component: net, enabled: false}\n", "")
    done = cli("terraform", "plan", "--affected", "--tags", "a", "-s", "prod", "--dry-run")
    assert done.stdout == "Would plan `net` in `prod` (dry run)\n"
    assert said(done) == [
        "not run, as it is gone: old in prod; refs/remotes/origin/HEAD had it",
        "1 component is affected, compared with refs/remotes/origin/HEAD",
    ]


def test_plans_of_what_differs_end_with_the_exit_code_of_changes(cli: Cli, repo: Repo) -> None:
    repo.edit("components/terraform/net/main.tf", "there", "where")
    words = ("terraform", "plan", "--affected", "-s", "dev", "-detailed-exitcode", "-no-color")
    done = cli(*words, "--max-parallel=2", "--clone-target-ref")
    assert (done.exit, said(done)[-1]) == (2, "  net  dev  changes")
    assert "[net in dev] Plan: 1 to add" in done.stdout


@pytest.mark.parametrize("flag", ["--all", "--query=.vars", "--components=net"])
def test_it_goes_with_no_other_choice(cli: Cli, repo: Repo, flag: str) -> None:
    done = cli("terraform", "plan", "--affected", flag)
    assert (done.exit, done.stderr) == (
        64,
        (
            "error: the `--affected` flag can't be used with the other multi-component (bulk "
            "operations) flags `--all`, `--query` and `--components`\n"
        ),
    )


def test_states_are_read_where_a_side_has_them_and_only_where_that_decides(
    cli: Cli, repo: Repo
) -> None:
    repo.edit(CATALOG, "vars: {name: app}", "vars:\n        name: !terraform.state net name")
    repo.commit()
    words = ("describe", "affected", "-s", "dev", "--base", "HEAD")

    def affected() -> dict[str, list[str]]:
        done = cli(*words)
        assert (done.exit, done.stderr) == (0, "")
        return {entry["component"]: entry["affected_all"] for entry in json.loads(done.stdout)}

    assert cli("terraform", "apply", "net", *YES).exit == 0
    repo.edit(CATALOG, "!terraform.state net name", "net")
    assert affected() == {}  # what is written is what the state holds
    repo.edit(CATALOG, "name: net\n      settings", "name: web\n      settings")
    assert affected() == {"shop/app": ["stack.vars"]}
    repo.git("checkout", "-q", CATALOG)
    repo.edit(CATALOG, NET, NET + "\n      backend: {local: {workspace_dir: elsewhere}}")
    found = affected()
    assert sorted(found) == ["net", "shop/app"]
    assert found["shop/app"] == ["stack.vars"]  # its call is the same, and reads another state now
