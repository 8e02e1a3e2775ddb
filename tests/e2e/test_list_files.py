"""`list workflows|vendor|affected`, and `--columns` of every list, by the installed program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import gits
from tests.e2e.gits import Repo

ATMOS = """\
base_path: .
components: {terraform: {base_path: components/terraform}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_template: "{{ .vars.stage }}"}
workflows:
  base_path: workflows
  list: {columns: [{name: Work, value: "{{ .workflow | upper }}"}, {name: Steps, value: "{{ .steps }}"}]}
vendor: {base_path: vendor.d}
auth:
  realm: lists
  providers: {m: {kind: mock/aws}}
  identities:
    dev: {kind: mock/aws, default: true, via: {provider: m}}
    Ops: {kind: mock/aws, via: {identity: dev}, alias: o}
"""
STACK = """\
vars: {stage: %(stage)s, zone: null}
components: {terraform: {vpc: {vars: {size: %(size)d, same: [1]}}}}
"""
WORKFLOWS = """\
workflows:
  ship: {description: "All of it, now", steps: [{command: version}, {command: version}]}
  check: {steps: [{command: version, kind: other}]}
"""
VENDOR = """\
kind: AtmosVendorConfig
spec:
  sources:
    - component: eks
      source: github.com/acme/eks
      version: 1.2.3
      targets: ["components/{{ .Component }}/{{ .Version }}", other]
      tags: [net, k8s]
    - {component: dns, source: x, targets: ["dns/{{ .Version }}"]}
"""
FILES = {
    "atmos.yaml": ATMOS,
    "stacks/dev.yaml": STACK % {"stage": "dev", "size": 3},
    "stacks/eu-prod.yaml": STACK % {"stage": "eu-prod", "size": 12},
    "workflows/a.yaml": WORKFLOWS,
    "workflows/deep/b.yml": "workflows: {last: {}}\n",
    "workflows/bad.yaml": "workflows: [",
    "vendor.d/all.yaml": VENDOR,
    "vendor.d/other.yaml": "kind: Other\n",
    "components/terraform/net/one/component.yaml": (
        "kind: ComponentVendorConfig\nspec: {source: {uri: github.com/acme/net, version: 0.1}}\n"
    ),
    "profiles/ci/atmos.yaml": "logs: {level: Info}\n",
}
BAD = (
    "warning: bad.yaml is left out: workflows/bad.yaml:2:1: bad YAML: while parsing a flow node, "
    "did not find expected node content\n"
)


@pytest.fixture
def written(cli: Cli) -> Cli:
    for name, text in FILES.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("workflows --file a.yaml", "CHECK\t1\nSHIP\t2\n"),
        ("workflows --file workflows/a.yaml --columns file,workflow,description -f csv",
         'File,Workflow,Description\nworkflows/a.yaml,check,\nworkflows/a.yaml,ship,"All of it, now"\n'),
        ("workflows --file deep/b --columns Name=workflow,N=steps -f tsv", "Name\tN\nlast\t0\n"),
        ("vendor -f csv",
         ("Component,Type,Tags,Manifest,Folder\n"
         "dns,Vendor Manifest,,vendor.d/all.yaml,dns/{{ .Version }}\n"
         'eks,Vendor Manifest,"net, k8s",vendor.d/all.yaml,components/eks/1.2.3\n'
         'eks,Vendor Manifest,"net, k8s",vendor.d/all.yaml,other\n'
         "net/one,Component Manifest,,components/terraform/net/one/component.yaml,"
         "components/terraform/net/one\n")),
        ("vendor --tags k8s,x --filter .folder=='other' --columns component,version,source",
         "eks\t1.2.3\tgithub.com/acme/eks\n"),
        ("vendor --sort version:desc --columns component -s nowhere", "eks\neks\ndns\nnet/one\n"),
        ("vars vpc", ("Key\tdev\teu-prod\nsame\t[1]\t[1]\nsize\t3\t12\n"
         "stage\tdev\teu-prod\nzone\tnull\tnull\n")),
        ("vars vpc --filter .dev!=.eu-prod --columns EU-PROD,key", "eu-prod\tKey\n12\tsize\neu-prod\tstage\n"),
        ("vars vpc --filter .dev<5 --columns key,T={{.dev}}{{.key}}",
         "Key\tT\nsize\t3size\n"),
        ("values vpc -q .vars --sort dev:desc --columns key -f csv", "Key\nzone\nstage\nsame\nsize\n"),
        ("settings vpc --columns key", ""),
        ("identities --columns name,via,alias --sort name:desc", "dev\tm\t\nOps\tdev\to\n"),
        ("identities -f csv",
         "Name,Kind,Via,Default,Alias,Left\ndev,mock/aws,m,true,,\nOps,mock/aws,dev,false,o,\n"),
        ("identities --filter .alias=='o' --columns identity", "dev\n"),
        ("profiles --columns name,active -f csv", "Name,Active\nci,false\n"),
        ("profiles --profile ci --filter .active==true --columns name", "ci\n"),
    ],
)  # fmt: skip
def test_lists(written: Cli, arguments: str, shown: str) -> None:
    done = written("list", *(word.replace("'", '"') for word in arguments.split()))
    assert done == (0, shown, "")


def test_a_workflow_file_that_cannot_be_read_hides_no_other(written: Cli) -> None:
    done = written("list", "workflows", "-f", "json", "--columns", "file,workflow")
    names = [("a.yaml", "check"), ("a.yaml", "ship"), ("deep/b.yml", "last")]
    assert (done.exit, done.stderr) == (0, BAD)
    assert json.loads(done.stdout) == [{"File": file, "Workflow": name} for file, name in names]
    assert written("list", "workflows", "--file", "bad.yaml").exit == 78


def test_rows_as_json(written: Cli) -> None:
    done = written("list", "vars", "vpc", "--filter", '.key == "size"', "-f", "json")
    assert json.loads(done.stdout) == [{"Key": "size", "dev": "3", "eu-prod": "12"}]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["workflows", "--columns", "=x"], 'the column "=x" needs a name and a value'),
        (["identities", "--columns", "name", "-f", "tree"], 'unknown format "tree"'),
        (["vendor", "--sort", "a"], 'there is no column "a" to sort by'),
        (["vars", "vpc", "--filter", ".a | map(.b)"], "beyond what is understood here"),
    ],
)
def test_what_cannot_be_listed(written: Cli, arguments: list[str], said: str) -> None:
    done = written("list", *arguments)
    assert (done.exit, done.stdout) == (64, "")
    assert said in done.stderr


def test_a_column_that_nothing_has_is_a_warning(written: Cli) -> None:
    done = written("list", "vars", "vpc", "--columns", "key,pord", "--filter", '.key == "size"')
    assert (done.exit, done.stdout) == (0, "Key\tpord\nsize\t\n")
    assert 'nothing in the list has the field "pord"' in done.stderr


# ---- affected ------------------------------------------------------------------------------------

CATALOG = "stacks/catalog/app.yaml"


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of `gits` and its remote, to copy from."""
    root = tmp_path_factory.mktemp("template")
    gits.made(root)
    return root


@pytest.fixture
def repo(cli: Cli, template: Path) -> Repo:
    """The repository of `gits`, with two components changed."""
    found = gits.copied(template, cli)
    found.edit(CATALOG, "{name: net}\n    db", "{name: web}\n    db")
    found.edit(CATALOG, "metadata: {component: net}", "metadata: {component: net, locked: true}")
    found.edit("components/terraform/app/main.tf", "echo", "printf")
    return found


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("",
         ("Status,Component,Stack,Type,Affected,File\n"
         "enabled,db,dev,terraform,component,\n"
         "locked,net,dev,terraform,stack.metadata,\n"
         "enabled,shop/app,dev,terraform,component,\n")),
        ("--exclude-locked --columns component", "Component\ndb\nshop/app\n"),
        ("--columns component,affected_all --filter .locked==true",
         'Component,affected_all\nnet,"stack.metadata,stack.vars"\n'),
        ("--filter .component=='net' --columns component,stage,folder,deleted",
         "Component,stage,folder,deleted\nnet,dev,,false\n"),
        ("--include-dependents --columns component,affected,depth,dependents_count",
         ("Component,Affected,depth,dependents_count\n"
         "db,component,0,1\nshop/app,dependent,1,0\n"
         "net,stack.metadata,0,1\ndb,dependent,1,1\nshop/app,dependent,2,0\n"
         "shop/app,component,0,0\n")),
        ("--base HEAD --tags none --sort stack", ""),
    ],
)  # fmt: skip
def test_affected(cli: Cli, repo: Repo, arguments: str, shown: str) -> None:
    words = [word.replace("'", '"') for word in arguments.split()]
    done = cli("list", "affected", "-s", "dev", "-f", "csv", *words)
    assert done == (0, shown, "")


def test_affected_and_gone(cli: Cli, repo: Repo) -> None:
    repo.write({"stacks/deploy/prod.yaml": None})
    done = cli("list", "affected", "--filter", '.deletion_type == "stack"', "--columns",
               "component,status,affected")  # fmt: skip
    assert done == (
        0,
        "".join(
            f"{name}\t{status}\tdeleted.stack\n"
            for name, status in (
                ("db", "enabled"),
                ("net", "enabled"),
                ("old", "disabled"),
                ("shop/app", "enabled"),
            )
        ),
        "",
    )
