"""`describe component --provenance` and `sources`: the file and line of each key."""

from __future__ import annotations

import json

import pytest
import yaml

from tests.conftest import Cli

FILES = {
    "atmos.yaml": """\
base_path: .
components: {terraform: {base_path: components}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_template: "{{ .vars.stage }}"}
templates: {settings: {enabled: true}}
""",
    "stacks/dev.yaml": """\
import:
  - catalog/base
vars:
  stage: dev
  region: "{{ .vars.stage }}-1"
components:
  terraform:
    app:
      env: {WHO: !env NOBODY none}
      vars:
        a_text_of_several_lines_under_a_name_that_is_long: "one\\ntwo\\n"
        tags:
          team: own
""",
    "stacks/catalog/base.yaml": """\
import: [./deep/*]
terraform:
  backend_type: s3
  backend:
    s3: {bucket: states}
  vars:
    tags: {team: base, owner: base}
""",
    "stacks/catalog/deep/x.yaml": "vars:\n  deep: [a, b]\n",
}
SHOWN = """\
# Provenance Legend:
#   ● [1] Defined in parent stack
#   ○ [N] Inherited/imported (N=2+ levels deep)
#   ∴ Computed/templated

# Stack: dev.yaml

backend:                                          # ○ [2] catalog/base.yaml:4
  bucket: states                                  # ○ [2] catalog/base.yaml:5
  workspace_key_prefix: app
component: app
env:                                              # ● [1] dev.yaml:9
  WHO: none                                       # ∴ [1] dev.yaml:9
import:
  - catalog/base
  - catalog/deep/x
vars:                                             # ● [1] dev.yaml:10
  a_text_of_several_lines_under_a_name_that_is_long: |  # ● [1] dev.yaml:11
    one
    two
  deep:                                           # ○ [3] catalog/deep/x.yaml:2
    - a
    - b
  region: dev-1                                   # ∴ [1] dev.yaml:5
  stage: dev                                      # ● [1] dev.yaml:4
  tags:                                           # ● [1] dev.yaml:12
    owner: base                                   # ○ [2] catalog/base.yaml:7
    team: own                                     # ● [1] dev.yaml:13
"""


@pytest.fixture
def written(cli: Cli) -> Cli:
    """A stack whose keys come from three files."""
    for name, text in FILES.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return cli


def test_each_key_has_its_file_and_line(written: Cli) -> None:
    done = written("describe", "component", "app", "-s", "dev", "--provenance")
    assert done == (0, SHOWN, "")
    plain = written("describe", "component", "app", "-s", "dev")
    shown = yaml.safe_load(plain.stdout)
    shown["import"] = shown.pop("imports")
    assert yaml.safe_load(done.stdout) == {key: item for key, item in shown.items() if item}


def test_comments_are_for_yaml_only(written: Cli) -> None:
    line = ("describe", "component", "app", "-s", "dev", "-f", "json")
    assert written(*line, "--provenance").stdout == written(*line).stdout


def test_sources_name_each_file_that_set_a_variable(written: Cli) -> None:
    done = written(
        "describe", "component", "app", "-s", "dev", "-f", "json", "-q", ".sources.vars.tags"
    )
    assert json.loads(done.stdout) == {
        "final_value": {"owner": "base", "team": "own"},
        "name": "tags",
        "stack_dependencies": [
            {
                "dependency_type": "inline",
                "stack_file": "dev",
                "stack_file_section": "components.terraform.app.vars",
                "variable_value": {"team": "own"},
            },
            {
                "dependency_type": "import",
                "stack_file": "catalog/base",
                "stack_file_section": "terraform.vars",
                "variable_value": {"team": "base", "owner": "base"},
            },
        ],
    }
    full = written(
        "describe", "component", "app", "-s", "dev", "-f", "json",
        env={"ATMOS_DESCRIBE_COMPONENT_FILTER": "full"},
    )  # fmt: skip
    assert sorted(json.loads(full.stdout)["sources"]) == ["env", "vars"]
