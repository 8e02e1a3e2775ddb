"""`list stacks|components|instances`: columns, order, filters and formats, by the installed program."""

from __future__ import annotations

import json

import pytest

from tests.conftest import Cli

ATMOS = """\
base_path: .
components: {terraform: {base_path: components}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_template: "{{ .vars.stage }}"}
"""
COLUMNS = """\
components:
  terraform: {base_path: components}
  list:
    columns:
      - {name: Name, value: "{{ .component }}"}
      - {name: Region, value: "{{ .vars.region | upper }}"}
      - {name: Note, value: "{{ truncate .metadata.description 8 }}"}
      - {name: Team, value: '{{ getOr .vars "team" "-" }}'}
"""
STACK = """\
import: [catalog/base]
vars: {stage: %(stage)s, region: eu-%(stage)s}
components:
  terraform:
    vpc: {metadata: {description: the network, tags: [net]}, vars: {size: 3}}
    app: {metadata: {component: vpc, enabled: %(enabled)s, description: x}, vars: {size: 12}}
    base: {metadata: {type: abstract}}
"""


TREE = """\
Stacks
├── dev
│   ├── dev
│   └── catalog/base
└── prod
    ├── prod
    └── catalog/base
"""


@pytest.fixture
def listed(cli: Cli) -> Cli:
    """Two stacks with two components each."""
    for name, text in {
        "atmos.yaml": ATMOS,
        "stacks/dev.yaml": STACK % {"stage": "dev", "enabled": "true"},
        "stacks/prod.yaml": STACK % {"stage": "prod", "enabled": "false"},
        "stacks/catalog/base.yaml": "vars: {team: blue}\n",
    }.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("instances", "app\tdev\napp\tprod\nvpc\tdev\nvpc\tprod\n"),
        ("instances --filter .vars.stage=='dev' -f csv", "Component,Stack\napp,dev\nvpc,dev\n"),
        ("instances --columns stack,component,vars.size,enabled --filter .vars.size>5",
         "dev\tapp\t12\ttrue\nprod\tapp\t12\tfalse\n"),
        ("instances --sort vars.size,stack:desc --columns component,stack",
         "vpc\tprod\nvpc\tdev\napp\tprod\napp\tdev\n"),
        ("instances --columns component,vars.none -f csv --delimiter ; -s prod",
         "Component;vars.none\napp;\nvpc;\n"),
        ("components --sort component:desc", "vpc\tterraform\t2\napp\tterraform\t2\n"),
        ("components --columns Component --type all", "app\nbase\nvpc\n"),
        ("stacks --sort stack:desc", "prod\ndev\n"),
        ("stacks --filter .stack!='dev'", "prod\n"),
        ("stacks --columns stack,stack_file -f tsv", "Stack\tstack_file\ndev\tdev\nprod\tprod\n"),
        ("stacks -f tree --provenance", TREE),
        ("instances -f tree --tags net",
         "Component Instances\n├── dev\n│   └── vpc\n└── prod\n    └── vpc\n"),
    ],
)  # fmt: skip
def test_lists(listed: Cli, arguments: str, shown: str) -> None:
    done = listed("list", *(word.replace("'", '"') for word in arguments.split()))
    assert done == (0, shown, "")


def test_columns_of_the_configuration(listed: Cli) -> None:
    text = ATMOS.replace("components: {terraform: {base_path: components}}\n", COLUMNS)
    (listed.cwd / "atmos.yaml").write_text(text, encoding="utf-8")
    done = listed("list", "instances", "-f", "csv", "-s", "dev")
    assert done.stdout == "Name,Region,Note,Team\napp,EU-DEV,x,blue\nvpc,EU-DEV,the n...,blue\n"
    assert listed("list", "components", "--columns", "name,stacks").stdout == "app\t2\nvpc\t2\n"
    (listed.cwd / "atmos.yaml").write_text(text.replace('"{{ .component }}"', '""'))
    done = listed("list", "instances")
    assert (done.exit, done.stdout) == (78, "")
    assert "a column of components.list.columns needs a name and a value" in done.stderr
    assert "at atmos.yaml:5:" in done.stderr


def test_a_matrix_for_github_actions(listed: Cli) -> None:
    one = {"component": "app", "component_path": "components/vpc", "component_type": "terraform"}
    two = {**one, "component": "vpc"}
    wanted = {"include": [{"stack": "dev", **one}, {"stack": "dev", **two}]}
    done = listed("list", "instances", "-f", "matrix", "-s", "dev")
    assert json.loads(done.stdout) == wanted
    done = listed("list", "instances", "-f", "matrix", "-s", "dev", "--output-file", "out")
    assert done == (0, "", "")
    matrix, count = (listed.cwd / "out").read_text().splitlines()
    assert (json.loads(matrix.removeprefix("matrix=")), count) == (wanted, "count=2")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["instances", "--sort", "stak"], 'there is no column "stak" to sort by'),
        (["instances", "--sort", "stack:up"], '"up" is no order'),
        (["instances", "--filter", ".a | map(.b)"], "beyond what is understood here"),
        (["instances", "-f", "xml"], 'unknown format "xml"'),
        (["components", "--type", "any"], 'unknown type "any"'),
    ],
)
def test_what_cannot_be_asked_is_told(listed: Cli, arguments: list[str], said: str) -> None:
    done = listed("list", *arguments)
    assert (done.exit, done.stdout) == (64, "")
    assert said in done.stderr
