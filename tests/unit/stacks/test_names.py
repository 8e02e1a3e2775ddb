"""How stacks are named, found and listed."""

from __future__ import annotations

import pytest

from wrapper.stacks import globs, query

from .conftest import ATMOS, Repo

TEMPLATE = 'name_template: "{{ .vars.stage }}"'


@pytest.mark.parametrize(
    ("naming", "manifest", "expected"),
    [
        (TEMPLATE, "vars: {stage: x}", "x"),
        (TEMPLATE, "name: n\nvars: {stage: x}", "n"),
        (TEMPLATE, "locals: {a: b}\nname: '{{ .locals.a }}-c'\nvars: {stage: x}", "b-c"),
        ('name_template: "{{ .vars.stage | upper }}"', "vars: {stage: x}", "X"),
        (
            'name_template: "{{ if .settings.s }}{{ .settings.s }}{{ end }}"',
            "settings: {s: y}",
            "y",
        ),
        ("name_pattern: '{tenant}-{stage}'", "vars: {tenant: t, stage: x}", "t-x"),
        ("name_pattern: '{tenant}-{stage}'", "vars: {stage: x}", "deploy/m"),
        ("name_pattern: '{stage}'", "vars: {stage: 1}", "deploy/m"),
        ("name_pattern: '{stage}-{region}'", "vars: {stage: x, region: r}", "x"),
        ("x: y", "vars: {}", "deploy/m"),
    ],
)
def test_a_stack_is_named(repo: Repo, naming: str, manifest: str, expected: str) -> None:
    repo.write(
        {
            "atmos.yaml": ATMOS.replace(TEMPLATE, naming),
            "stacks/deploy/m.yaml": f"{manifest}\ncomponents: {{terraform: {{app: {{}}}}}}\n",
        }
    )
    assert repo.stacks() == [expected]


def test_a_component_may_be_in_a_stack_of_its_own(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/m.yaml": "vars: {stage: dev}\n"
            "components: {terraform: {a: {}, b: {vars: {stage: other}}}}\n"
        }
    )
    assert repo.stacks() == ["dev", "other"]
    assert repo.section("b", "other", "workspace") == "other"


def test_a_path_names_a_manifest_too(repo: Repo) -> None:
    repo.write(
        {"stacks/deploy/eu/m.yaml": "vars: {stage: dev}\ncomponents: {terraform: {a: {}}}\n"}
    )
    section = repo.component("a", "deploy/eu/m").section
    assert (section["atmos_stack"], section["workspace"]) == ("deploy/eu/m", "dev")


def test_excluded_files_are_no_stacks_but_can_be_imported(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/_defaults.yaml": "vars: {d: 1}\ncomponents: {terraform: {z: {}}}\n",
            "stacks/deploy/m.yaml": "import: [./_defaults]\nvars: {stage: dev}\n",
        }
    )
    assert repo.section("z", "dev", "vars") == {"d": 1, "stage": "dev"}


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("orgs/**/*", "orgs/a/b.yaml", True),
        ("orgs/**/*", "orgs/b.yaml", True),
        ("orgs/*", "orgs/a/b.yaml", False),
        ("**/_defaults.yaml", "_defaults.yaml", True),
        ("**/_defaults.yaml", "a/b/_defaults.yaml", True),
        ("a/{b,c}/d?.yaml", "a/c/d1.yaml", True),
        ("a/{b,c}/d?.yaml", "a/x/d1.yaml", False),
        ("a/[b-d].yaml", "a/c.yaml", True),
        ("a/[!b-d].yaml", "a/c.yaml", False),
    ],
)
def test_globs_match_as_doublestar_does(pattern: str, path: str, expected: bool) -> None:
    assert globs.matches(pattern, path) is expected


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (".a.b", [1, {"c d": 2}]),
        (".a.b[0]", 1),
        ('.a.b[1]["c d"]', 2),
        (".a | .b | length", 2),
        (".a.none", None),
        ('.a.none // "x"', "x"),
        (".", {"a": {"b": [1, {"c d": 2}]}}),
        (".a | keys", ["b"]),
    ],
)
def test_a_query_reads_one_value(expression: str, expected: object) -> None:
    assert query.run(expression, {"a": {"b": [1, {"c d": 2}]}}) == expected


def test_spacelift_and_atlantis_know_a_component_by_a_name(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """\
vars: {stage: dev, tenant: t}
settings:
  spacelift: {workspace_enabled: true, x: 1}
  atlantis: {project_template: {name: "{tenant}-{stage}-{component}"}}
components:
  terraform:
    a/b: {}
    base: {metadata: {type: abstract}}
"""
        }
    )
    section, base = repo.component("a/b", "dev").section, repo.component("base", "dev").section
    assert (section["spacelift_stack"], section["atlantis_project"]) == ("dev-a-b", "t-dev-a-b")
    assert ("spacelift_stack" in base, base["settings"]["spacelift"]) == (False, {"x": 1})
