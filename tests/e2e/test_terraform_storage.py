"""`terraform source`, `terraform workdir`, and `retry` of a source, on the installed program."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli, Result
from tests.e2e import repository
from tests.fakes import net as fake

MODULE = 'variable "stage" {}\noutput "from" { value = "%s" }\n'
STACK = """\
terraform: {backend_type: local}
components:
  terraform:
    app: {source: {uri: ./modules/app}}
    own: {source: {uri: ./modules/app}, provision: {workdir: {enabled: true}}}
    plain: {metadata: {component: given}}
    given: {source: {uri: ./modules/app}}
"""
FILES = {
    "stacks/catalog/app.yaml": STACK,
    "modules/app/main.tf": MODULE % "source",
    "modules/app/more/old.txt": "old",
    "components/terraform/given/main.tf": MODULE % "hand",
}


@pytest.fixture
def run(cli: Cli) -> Callable[..., Result]:
    """Write the repository; return what runs a terraform command in its stack `dev`."""
    repository.write(cli.cwd, FILES)
    (cli.cwd / "components/terraform/app/main.tf").unlink()

    def run(*args: str) -> Result:
        return cli("terraform", *args, "-s", "dev")

    return run


def test_a_source_is_pulled_once_and_with_force_as_it_is_now(
    cli: Cli, run: Callable[..., Result]
) -> None:
    target, origin = cli.cwd / "components/terraform/app", cli.cwd / "modules/app"
    assert run("source", "pull", "app").exit == 0
    assert (target / "main.tf").read_text() == MODULE % "source"
    (target / "mine.tf").write_text("# mine")
    (origin / "main.tf").write_text(MODULE % "newer")
    (origin / "more/old.txt").unlink()

    again = run("source", "pull", "app")
    assert (again.exit, "is filled already" in again.stderr) == (0, True)
    assert (target / "main.tf").read_text() == MODULE % "source"

    assert run("source", "pull", "app", "-f").exit == 0
    assert (target / "main.tf").read_text() == MODULE % "newer"
    assert not (target / "more/old.txt").exists()
    assert (target / "mine.tf").read_text() == "# mine"

    hand = cli.cwd / "components/terraform/given"
    (hand / "mine.tf").write_text("# mine")
    assert run("source", "pull", "given", "--force").exit == 0
    assert (hand / "main.tf").read_text() == MODULE % "newer"
    assert (hand / "mine.tf").read_text() == "# mine"


def test_what_was_pulled_is_deleted_and_nothing_else(
    cli: Cli, run: Callable[..., Result], terraform: str
) -> None:
    target = cli.cwd / "components/terraform/app"
    assert run("deploy", "app").exit == 0
    (target / "mine.tf").write_text("# mine")
    refused = run("source", "delete", "app")
    assert refused.exit == 64
    assert "source delete deletes files and nobody can be asked here" in refused.stderr
    shown = run("source", "delete", "app", "--dry-run")
    assert f"Would delete:\n  {target}: 2 files of the source\n" in shown.stdout

    done = run("source", "delete", "app", "--force")
    assert done.exit == 0, done.stderr
    state = "terraform.tfstate.d/dev/terraform.tfstate"
    assert f"not of the source, so they stay: mine.tf, {state}" in done.stderr
    left = [os.path.join(a, name) for a, _, names in os.walk(target) for name in names]
    assert sorted(left) == [str(target / "mine.tf"), str(target / state)]


def test_a_directory_that_was_not_fetched_is_not_deleted(run: Callable[..., Result]) -> None:
    done = run("source", "delete", "given", "--force")
    assert done.exit == 78
    assert "was not filled from the source: nothing of it is deleted" in done.stderr
    assert "at stacks/catalog/app.yaml:7:13" in done.stderr


def test_sources_are_listed_and_described(cli: Cli, run: Callable[..., Result]) -> None:
    rows = "Component\tURI\tVersion\nown\t./modules/app\t\n"
    assert run("source", "list", "own").stdout == rows
    every = cli("terraform", "source", "list", "--format", "json")
    named = [(one["Stack"], one["Component"]) for one in json.loads(every.stdout)]
    assert named == [(s, c) for s in ("dev", "prod") for c in ("app", "given", "own")]
    described = run("source", "describe", "app").stdout
    assert described == (
        "components:\n  terraform:\n    app:\n      source:\n        uri: ./modules/app\n"
    )
    none = run("source", "describe", "plain")
    assert (none.exit, "has no `source`" in none.stderr) == (78, True)
    assert "at stacks/catalog/app.yaml:6:" in none.stderr


def test_working_directories_are_listed_shown_and_described(
    cli: Cli, run: Callable[..., Result]
) -> None:
    assert run("workdir", "list").stdout == ""
    assert run("source", "pull", "own").exit == 0
    place = str(cli.cwd / ".workdir/terraform/dev-own")
    listed = json.loads(run("workdir", "list", "--format", "json").stdout)
    assert [(one["name"], one["component"], one["path"]) for one in listed] == [
        ("dev-own", "own", place)
    ]
    assert run("workdir", "list").stdout.split("\n")[1].startswith("dev-own\town\tdev\t")
    shown = run("workdir", "show", "own").stdout
    assert "name           dev-own\n" in shown
    assert f"path           {place}\n" in shown
    assert f"path: {place}" in run("workdir", "describe", "own").stdout
    gone = run("workdir", "show", "app")
    assert (gone.exit, "there is no working directory" in gone.stderr) == (78, True)


def test_a_working_directory_goes_after_a_question_that_names_its_state(
    cli: Cli,
    run: Callable[..., Result],
    terraform: str,
    terminal: Callable[..., pexpect.spawn[str]],
) -> None:
    assert run("deploy", "own").exit == 0
    place = cli.cwd / ".workdir/terraform/dev-own"
    for answer, is_left in (("n", True), ("y", False)):
        asked = terminal("terraform", "workdir", "clean", "own", "-s", "dev")
        asked.expect_exact("with the local state terraform.tfstate.d/dev/terraform.tfstate")
        asked.expect_exact("Go on? [y/N] ")
        asked.sendline(answer)
        asked.expect(pexpect.EOF)
        assert place.exists() is is_left


def test_those_long_unused_go_and_all_go(cli: Cli, run: Callable[..., Result]) -> None:
    assert run("source", "pull", "own").exit == 0
    assert cli("terraform", "source", "pull", "own", "-s", "prod").exit == 0
    root = cli.cwd / ".workdir/terraform"
    old = time.time() - 8 * 86400
    metadata = root / "dev-own/.atmos/metadata.json"
    metadata.write_text(json.dumps({"component": "own", "stack": "dev"}))
    os.utime(metadata, (old, old))
    os.utime(root / "dev-own", (old, old))
    for lock in (Path(cli.environment["HOME"]) / ".local/state/atmos-wrap/turns").iterdir():
        os.utime(lock, (old, old))
    (root / "stray").mkdir()
    clean = ("terraform", "workdir", "clean")
    wrong = cli(*clean, "--expired")
    assert (wrong.exit, "--expired and --ttl go together" in wrong.stderr) == (64, True)
    assert cli(*clean, "-e", "-t", "7d", "-n").stdout == f"Would delete:\n  {root}/dev-own\n"
    assert cli(*clean, "--expired", "--ttl=7d", "--force").exit == 0
    assert sorted(os.listdir(root)) == ["prod-own", "stray"]
    assert cli(*clean, "--all").exit == 64
    assert cli(*clean, "--all", "--force").exit == 0
    assert os.listdir(root) == ["stray"]


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[fake.Net]:
    with fake.running(tmp_path_factory.mktemp("net"), tool("git")) as running:
        yield running


def test_a_source_that_does_not_answer_is_asked_as_often_as_retry_says(
    cli: Cli, net: fake.Net
) -> None:
    uri = "https://gone.example.com/acme/modules.git//app"
    retry = "retry: {max_attempts: 3, initial_delay: 10ms, backoff_strategy: constant}"
    stack = f"components:\n  terraform:\n    app:\n      source: {{uri: {uri}, {retry}}}\n"
    repository.write(cli.cwd, {"stacks/catalog/app.yaml": stack})
    assert cli("fetch", "https://gone.example.com/acme/modules", env=net.environment()).exit >= 0
    (cli.cwd / "components/terraform/app/main.tf").unlink()
    done = cli("terraform", "source", "pull", "app", "-s", "dev", env=net.environment())
    assert done.exit != 0
    assert [f"attempt {n} of 3" in done.stderr for n in (1, 2, 3, 4)] == [False, True, True, False]

    wrong = stack.replace("max_attempts: 3", "max_attempts: many")
    repository.write(cli.cwd, {"stacks/catalog/app.yaml": wrong})
    (cli.cwd / "components/terraform/app/main.tf").unlink()
    told = cli("terraform", "source", "pull", "app", "-s", "dev", env=net.environment())
    assert told.exit == 78
    assert "source.retry.max_attempts must be a number" in told.stderr
    assert "at stacks/catalog/app.yaml:4:7" in told.stderr


def test_force_asks_the_source_for_what_it_holds_now(cli: Cli, net: fake.Net) -> None:
    cli.environment |= {**net.environment(), "ATMOS_WRAP_SOURCES": net.url}
    uri = f"git::{net.repository('moving', {'main.tf': MODULE % 'first'})}"
    stack = f"components:\n  terraform:\n    fetched: {{source: {{uri: '{uri}'}}}}\n"
    repository.write(cli.cwd, {"stacks/catalog/app.yaml": stack})
    pull = ("terraform", "source", "pull", "fetched", "-s", "dev")
    main = cli.cwd / "components/terraform/fetched/main.tf"
    assert cli(*pull).exit == 0
    assert main.read_text() == MODULE % "first"
    net.commit("moving", {"main.tf": MODULE % "second"})
    assert cli(*pull, "--force").exit == 0
    assert main.read_text() == MODULE % "second"
