"""Files that a component's sections make: whole modules, varfiles and backend files in bulk."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository

# A module that stands in the manifest alone; templates of manifests are off.
WHOLE = """\
import:
  - catalog/app
vars: {stage: dev, tenant: blue}
components:
  terraform:
    made:
      vars: {size: 2, note: 'a "b" ${c}'}
      generate:
        main.tf: |
          variable "size" { type = number }
          variable "pw" {
            type      = string
            sensitive = true
            default   = "x"
          }
          resource "terraform_data" "it" { input = local.text }
        locals.tf:
          locals: {text: "{{ .atmos_stack }} {{ .vars.note }}", long_name: [1, {q: null}]}
          output: {it: {value: 1.5, description: two}}
        own.auto.tfvars: {pw: "{{ .tenant }}", size: 3}
        notes/read.yaml: {of: "{{ .component }}", none: "{{ .nope }}"}
        page.json: {html: "<a&b>"}
        taken.back: null
"""
LOCALS = """\
locals {
  long_name = [1, {
    q = null
  }]
  text = "dev a \\"b\\" $${c}"
}
output "it" {
  description = "two"
  value       = 1.5
}
"""


@pytest.fixture
def root(cli: Cli) -> Path:
    files = "    auto_generate_backend_file: true\n    auto_generate_files: true\n"
    atmos = repository.ATMOS.replace("    auto_generate_backend_file: true\n", files)
    repository.write(cli.cwd, {"atmos.yaml": atmos, "stacks/deploy/dev.yaml": WHOLE})
    return cli.cwd / "components" / "terraform"


def test_a_module_is_made_of_its_section(cli: Cli, terraform: str, root: Path) -> None:
    done = cli("terraform", "deploy", "made", "-s", "dev")
    made = root / "made"
    assert (done.exit, "1 added" in done.stdout) == (0, True), done.stderr
    assert (made / "locals.tf").read_text() == LOCALS
    assert (made / "notes" / "read.yaml").read_text() == "none: <no value>\nof: made\n"
    assert (made / "page.json").read_text() == '{\n  "html": "\\u003ca\\u0026b\\u003e"\n}'
    assert not (made / "taken.back").exists()
    checked = subprocess.run(
        [terraform, "fmt", "-check", "-diff", "locals.tf", "own.auto.tfvars"],
        cwd=made, env=cli.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout) == (0, "")


def test_files_of_the_section_come_and_go_by_themselves(cli: Cli, root: Path) -> None:
    asked = ("terraform", "generate", "files", "made", "-s", "dev")
    names = ["locals.tf", "main.tf", "notes", "own.auto.tfvars", "page.json"]
    assert cli(*asked, "--dry-run").stdout.count("# write ") == 5
    assert not (root / "made").exists()
    assert cli(*asked).exit == 0
    assert sorted(path.name for path in (root / "made").iterdir()) == names
    assert cli(*asked, "--clean").exit == 0
    assert not list((root / "made").glob("*.*"))


@pytest.mark.parametrize(
    ("section", "place", "told"),
    [
        ("{x.tf: [1]}", "dev.yaml:7:18", "neither a text nor a map"),
        ("{x.tf: {resource: {a: 1}}}", "dev.yaml:7:18", "resource.a is a block"),
        ("{x.tf: '{{ if }}'}", "dev.yaml:7:18", 'generate: "x.tf"'),
        ("{../x.tf: a}", "dev.yaml:7:18", "outside the component directory"),
    ],
)
def test_a_file_that_cannot_be_made_is_told_with_its_place(
    cli: Cli, root: Path, section: str, place: str, told: str
) -> None:
    text = WHOLE[: WHOLE.index("      vars:")] + f"      generate: {section}\n"
    (cli.cwd / "stacks/deploy/dev.yaml").write_text(text)
    done = cli("terraform", "generate", "files", "made", "-s", "dev")
    assert (done.exit, told in done.stderr, place in done.stderr) == (78, True, True), done.stderr


def test_varfiles_of_stacks_go_where_the_template_says(cli: Cli, root: Path) -> None:
    template = "{component-path}/{tenant}{stage}-{attributes}.json"
    section = WHOLE.replace("tenant: blue", "tenant: blue, attributes: [a, 1]")
    (cli.cwd / "stacks/deploy/dev.yaml").write_text(section)
    asked = ("terraform", "generate", "varfiles", "--components", "app")
    assert cli(*asked, "--file-template", template, "--stacks", "deploy/dev").exit == 0
    made = sorted(path.name for path in (root / "app").glob("*.json"))
    assert made == ["bluedev-a-1.json"]
    hcl = ("--format", "hcl", "--file-template", "{stage}.tfvars", "--stacks", "prod")
    assert cli(*asked, *hcl).exit == 0
    assert (cli.cwd / "prod.tfvars").read_text() == 'name  = "shop"\nstage = "prod"\n'
    assert cli(*asked, "--format", "hcl").exit == 64


def test_backends_are_hcl_unless_asked_for_otherwise(cli: Cli, root: Path) -> None:
    bare = "vars: {stage: prod}\ncomponents:\n  terraform:\n    app: {}\n"
    (cli.cwd / "stacks/deploy/prod.yaml").write_text(bare)
    asked = ("terraform", "generate", "backends", "--components", "app")
    done = cli(*asked)
    assert (done.exit, "no backend file for app in prod" in done.stderr) == (0, True)
    text = (root / "app" / "backend.tf").read_text()
    assert text == 'terraform {\n  backend "local" {\n    workspace_dir = "states"\n  }\n}\n'
    assert cli(*asked, "--format", "json").exit == 0
    assert list(json.loads((root / "app" / "backend.tf.json").read_bytes())) == ["terraform"]
