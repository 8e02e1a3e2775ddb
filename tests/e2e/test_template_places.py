"""An error in a component's template names the line and column of the very text, wherever it is."""

from __future__ import annotations

import pytest

from tests.conftest import Cli

ATMOS = """\
base_path: .
components: {terraform: {base_path: components}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_template: "{{ .vars.stage }}"}
templates: {settings: {enabled: true, sprig: {enabled: true}, gomplate: {enabled: true}}}
auth:
  realm: places
  providers: {m: {kind: mock/aws, url: '{{ if eq .atmos_component "who" }}{{ fail .none }}{{ end }}'}}
"""
CATALOG = """\
terraform:
  vars:
    below: {deep: '{{ if eq .atmos_component "low" }}{{ fail .none }}{{ end }}'}
components:
  terraform:
    base:
      metadata: {type: abstract}
      vars:
        inherited: '{{ fail "inherited" }}'
        list:
          - plain
          - a: '{{ fail "in a list" }}'
"""
DEV = """\
import:
  - catalog/base
  - {path: catalog/made, context: {what: made}}
vars:
  stage: dev
locals: {all: 1}
components:
  terraform:
    inline:
      settings:
        one: {two: [x, [y, 'a {{ fail "inline" }}']]}
    block:
      vars:
        text: |
          first
          {{ fail "block" }}
    key:
      env:
        '{{ fail "key" }}': 1
    mapkey:
      env:
        A: 1
      settings:
        '{{ fail "mapkey" }}': {a: {b: 1}}
    heir:
      metadata: {inherits: [base]}
      vars: {list: null}
    listed:
      metadata: {inherits: [base]}
      vars: {inherited: fine}
    missing:
      vars:
        x: '{{ (atmos.Component "nobody" "dev").vars.x }}'
    other:
      vars:
        y: '{{ (atmos.Component "inline" "dev").settings }}'
    c:
      vars: {x: '{{ (atmos.Component "d" "dev").vars.x }}'}
    d:
      vars: {x: '{{ (atmos.Component "c" "dev").vars.x }}'}
    function:
      vars:
        ok: 1
        bad: !env '{{ fail "function" }}'
    over:
      vars: {x: '{{ fail "hidden" }}'}
      overrides:
        vars: {x: '{{ fail "over" }}'}
    low: {}
    who: {}
    mine: {locals: {own: a}, vars: {u: '{{ .locals.own }}', v: '{{ fail .locals.own }}'}}
"""
MADE = """\
components:
  terraform:
    {{ .what }}:
      vars:
        n: 1
        from: '{{ "{{ fail \\"made\\" }}" }}'
"""
FILES = {
    "atmos.yaml": ATMOS,
    "stacks/dev.yaml": DEV,
    "stacks/catalog/base.yaml": CATALOG,
    "stacks/catalog/made.yaml.tmpl": MADE,
}


@pytest.fixture
def written(cli: Cli) -> Cli:
    for name, text in FILES.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    ("component", "key", "places"),
    [
        ("inline", "settings.one.two.1.1", ["stacks/dev.yaml:11:28"]),
        ("block", "vars.text", ["stacks/dev.yaml:14:9"]),
        ("key", 'env.{{ fail "key" }}', ["stacks/dev.yaml:19:9"]),
        ("mapkey", 'settings.{{ fail "mapkey" }}', ["stacks/dev.yaml:24:9"]),
        ("heir", "vars.inherited", ["stacks/catalog/base.yaml:9:9"]),
        ("listed", "vars.list.1.a", ["stacks/catalog/base.yaml:12:13"]),
        ("missing", "", ["stacks/dev.yaml:33:9"]),
        ("other", "settings.one.two.1.1", ["stacks/dev.yaml:11:28"]),
        ("c", "", ["stacks/dev.yaml:38:14", "stacks/dev.yaml:40:14"]),
        ("function", "vars.bad", ["stacks/dev.yaml:44:9"]),
        ("over", "vars.x", ["stacks/dev.yaml:48:16"]),
        ("low", "vars.below.deep", ["stacks/catalog/base.yaml:3:13"]),
        ("who", "auth.providers.m.url", ["atmos.yaml:7:35"]),
        ("mine", "vars.v", ["stacks/dev.yaml:51:61"]),
        # The key was made by a template, too: the nearest that stands in the file.
        ("made", "vars.from", ["stacks/catalog/made.yaml.tmpl:2:3"]),
    ],
)
def test_the_place_of_a_template(written: Cli, component: str, key: str, places: list[str]) -> None:
    done = written("describe", "component", component, "-s", "dev")
    assert (done.exit, done.stdout) == (78, "")
    assert [line[5:] for line in done.stderr.splitlines() if line.startswith("  at ")] == places
    assert not key or f"error: template in `{key}`: " in done.stderr


def test_lists_that_were_joined_and_other_delimiters(written: Cli) -> None:
    """Numbers of the joined list are none of the pieces; the second round renders what the first made."""
    text = ATMOS.replace(
        "enabled: true, sprig", 'delimiters: ["[[", "]]"], evaluations: 2, enabled: true, sprig', 1
    )
    (written.cwd / "atmos.yaml").write_text(
        text + "settings: {list_merge_strategy: append}\n", encoding="utf-8"
    )
    (written.cwd / "stacks/dev.yaml").write_text(
        """\
vars: {stage: dev, l: [a, b]}
components:
  terraform:
    joined:
      vars:
        l: [c, '[[ fail "joined" ]]']
    again:
      vars:
        l: [c]
        x: '[[ printf "[%s[ fail .vars.stage ]]" "" ]]'
""",
        encoding="utf-8",
    )
    for component, place in (("joined", "6:16"), ("again", "10:9")):
        done = written("describe", "component", component, "-s", "dev")
        told = [line for line in done.stderr.splitlines() if line.startswith("  at ")]
        assert (done.exit, told) == (78, [f"  at stacks/dev.yaml:{place}"]), done.stderr
