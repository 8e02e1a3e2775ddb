"""`list values|vars|settings|metadata` and `describe dependents|stacks` of the installed program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository

CATALOG = """\
components:
  terraform:
    net:
      vars: {name: net}
      settings: {owner: {team: red}}
    app:
      metadata: {component: shop, tags: [a]}
      vars: {tags: {cost: 1, list: [1, two]}, text: "a,b", nothing: null}
      dependencies: {components: [{name: net}]}
    dns:
      settings: {depends_on: {1: {component: app}}}
"""
DEV = repository.STACK.format(stage="dev")
PROD = """\
import: [catalog/app]
vars: {stage: prod}
components: {terraform: {app: {vars: {tags: {cost: 2.5}}}}}
"""


@pytest.fixture(autouse=True)
def repo(cli: Cli) -> Path:
    """Write the repository to the working directory."""
    files = {
        "stacks/catalog/app.yaml": CATALOG,
        "stacks/deploy/dev.yaml": DEV,
        "stacks/deploy/prod.yaml": PROD,
        "stacks/deploy/bare.yaml": "vars: {stage: bare}\n",
    }
    repository.write(cli.cwd, files)
    return cli.cwd


def test_variables_stand_side_by_side(cli: Cli) -> None:
    told = cli("list", "vars", "app")
    assert told == (
        0,
        (
            "Key\tdev\tprod\n"
            "nothing\tnull\tnull\n"
            "stage\tdev\tprod\n"
            "tags.cost\t1\t2.5\n"
            'tags.list\t[1,"two"]\t[1,"two"]\n'
            "text\ta,b\ta,b\n"
        ),
        "",
    )


@pytest.mark.parametrize(
    ("options", "shown"),
    [
        (("-f", "csv"), 'Key,dev,prod\ntext,"a,b","a,b"\n'),
        (("-f", "tsv"), "Key\tdev\tprod\ntext\ta,b\ta,b\n"),
        (("-f", "csv", "--delimiter", ";"), "Key;dev;prod\ntext;a,b;a,b\n"),
        (("--max-columns", "1"), "Key\tdev\ntext\ta,b\n"),
        (("-s", "pr*"), "Key\tprod\ntext\ta,b\n"),
        (("-s", "deploy/prod"), "Key\tprod\ntext\ta,b\n"),
        (("-f", "yaml"), "dev: a,b\nprod: a,b\n"),
    ],
)
def test_formats(cli: Cli, options: tuple[str, ...], shown: str) -> None:
    told = cli("list", "vars", "app", "-q", ".vars.text", *options)
    assert told == (0, shown.replace("\ntext", "\nvalue"), "")


def test_a_query_begins_at_the_component(cli: Cli) -> None:
    told = cli("list", "values", "app", "-q", ".vars.tags.cost", "-f", "json")
    assert json.loads(told.stdout) == {"dev": 1, "prod": 2.5}


def test_settings_of_all_components(cli: Cli) -> None:
    told = cli("list", "settings", "-s", "dev", "-f", "json")
    assert json.loads(told.stdout) == {
        "dev": {
            "net": {"owner": {"team": "red"}},
            "dns": {"depends_on": {"1": {"component": "app"}}},
        }
    }


def test_metadata_of_one_component(cli: Cli) -> None:
    told = cli("list", "metadata", "app", "-s", "dev")
    assert told.stdout == 'Key\tdev\ncomponent\tshop\ntags\t["a"]\n'


def test_an_unknown_component_is_an_error_with_advice(cli: Cli) -> None:
    assert cli("list", "vars", "ap") == (
        78,
        "",
        'error: could not find the component `ap` in any stack\nhint: did you mean "app"?\n',
    )


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ("list vars app -s nowhere", 78, "error: could not find the stack `nowhere`\nhint: `atmos-wrap list stacks` shows all stacks\n"),
        ("list vars app -s prode", 78, 'error: could not find the stack `prode`\nhint: did you mean "prod"?\n'),
        ("list values zzz", 78, "error: could not find the component `zzz` in any stack\nhint: `atmos-wrap list components` shows all components\n"),
        ("list settings --process-templates=maybe", 64, 'error: "maybe" is neither true nor false\nhint: write it behind =: --flag=false\n'),
        ("describe stacks -s nowhere -f json", 0, "warning: no component is as -s, --components and --component-types say\n"),
        ("describe stacks --components ap", 0, "warning: no component is as -s, --components and --component-types say\n"),
        ("describe stacks --components app --sections none", 0, ""),
        ("list instances -s nowhere", 0, 'warning: nothing is known of a stack "nowhere"\n'),
        ("list components -s nowhere -f json", 0, 'warning: nothing is known of a stack "nowhere"\n'),
        ("list stacks --columns stak", 0, 'warning: nothing in the list has the field "stak"; did you mean "stack"?\n'),
        ("list instances --columns component,var.name", 0, 'warning: nothing in the list has the field "var.name"; did you mean "vars"?\n'),
        ("list instances --columns component,vars.tags.cost", 0, ""),
        ("list profiles", 0, "no profiles are configured\n"),
    ],
)  # fmt: skip
def test_a_name_that_is_wrong_is_told(cli: Cli, arguments: str, code: int, said: str) -> None:
    done = cli(*arguments.split())
    assert (done.exit, done.stderr) == (code, said)
    assert done.exit == 0 or done.stdout == ""


def test_dependents_are_nested(cli: Cli) -> None:
    told = cli("describe", "dependents", "net", "-s", "dev")
    dns = {
        "component": "dns",
        "component_type": "terraform",
        "component_path": "components/terraform/dns",
        "stack": "dev",
        "stack_slug": "dev-dns",
        "stage": "dev",
        "included_in_dependents": False,
        "dependents": [],
    }
    app = {
        **dns,
        "component": "app",
        "component_path": "components/terraform/shop",
        "stack_slug": "dev-app",
        "dependents": [dns],
    }
    assert json.loads(told.stdout) == [app]


def test_a_circle_of_dependents_ends(cli: Cli, repo: Path) -> None:
    text = CATALOG.replace("vars: {name: net}", "dependencies: {components: [{name: dns}]}")
    (repo / "stacks/catalog/app.yaml").write_text(text, encoding="utf-8")
    told = cli("describe", "dependents", "net", "-s", "dev", "-q", ".[0].dependents[0].dependents")
    assert json.loads(told.stdout) == []


def test_empty_stacks_are_shown_when_asked_for(cli: Cli) -> None:
    told = cli("describe", "stacks", "--sections", "none", "--include-empty-stacks", "-s", "bare")
    assert told.stdout == "bare:\n  components: {}\n"


def test_a_name_means_also_the_components_of_that_module(cli: Cli) -> None:
    told = cli(
        "describe", "stacks", "--components", "shop,net", "--sections", "component", "-s", "dev"
    )
    assert told.stdout == (
        "dev:\n  components:\n    terraform:\n      app:\n        component: shop\n"
        "      net:\n        component: net\n"
    )
    assert cli("list", "vars", "shop").exit == 78


READER = """\
vars: {stage: read}
terraform: {backend_type: local, backend: {local: {path: here.tfstate}}}
components:
  terraform:
    it: {metadata: {component: app}}
    reader: {vars: {of: !terraform.state it output}}
"""


@pytest.mark.parametrize(
    ("flags", "variable", "config", "strict"),
    [
        ((), None, "", False),
        (("--error-mode", "strict"), None, "", True),
        ((), "strict", "", True),
        ((), None, "describe: {error_mode: strict}\n", True),
        (("--error-mode", "silent"), "strict", "describe: {error_mode: strict}\n", False),
    ],
)
@pytest.mark.parametrize("what", ["component reader", "stacks --sections vars"])
def test_the_error_mode_decides_whether_a_missing_output_is_a_fault(
    cli: Cli,
    repo: Path,
    flags: tuple[str, ...],
    variable: str | None,
    config: str,
    strict: bool,
    what: str,
) -> None:
    (repo / "stacks/deploy/read.yaml").write_text(READER, encoding="utf-8")
    (repo / "atmos.yaml").write_text(repository.ATMOS + config, encoding="utf-8")
    asked = ("describe", *what.split(), "-s", "read", *flags)
    told = cli(*asked, env={"ATMOS_DESCRIBE_ERROR_MODE": variable})
    assert (told.exit, "of: (computed)" in told.stdout) == ((78, False) if strict else (0, True))
    assert not strict or "stacks/deploy/read.yaml:6:21" in told.stderr


def test_an_error_mode_that_is_none_is_told(cli: Cli) -> None:
    told = cli("describe", "component", "app", "-s", "dev", "--error-mode", "strikt")
    assert (told.exit, 'did you mean "strict"?' in told.stderr) == (64, True)


@pytest.mark.parametrize(
    ("flags", "environ"), [(("-i", "nobody"), {}), ((), {"ATMOS_IDENTITY": "nobody"})]
)
def test_a_component_is_not_shown_for_an_identity_that_is_not_there(
    cli: Cli, flags: tuple[str, ...], environ: dict[str, str]
) -> None:
    shown = ("describe", "component", "net", "-s", "dev", "-q", ".vars.name")
    refused = cli(*shown, *flags, env=environ)
    assert (refused[0], refused[1]) == (78, "")
    assert 'identity "nobody" is not defined' in refused[2]
    assert cli(*shown, "--identity=off", env=environ)[:2] == (0, "net\n")


def test_where_only_profiles_have_identities_they_are_named(cli: Cli, repo: Path) -> None:
    mine = "auth: {identities: {me: {kind: ambient, default: true}}}\n"
    repository.write(repo, {"profiles/mine/a.yaml": mine, "profiles/plain/a.yaml": "env: {A: b}\n"})
    advice = 'hint: `auth` is configured in the profile "mine": --profile mine\n'
    for words in (("list",), ("login",), ("exec", "--", "true")):
        code, out, err = cli("auth", *words)
        assert (code, out, advice in err) == (78, "", True), err
    assert cli("auth", "list", "--profile", "plain")[0] == 0
