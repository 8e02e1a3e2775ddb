"""What a component gets from its manifests."""

from __future__ import annotations

import pytest

from wrapper.errors import Location, StackError
from wrapper.merge import Layer

from .conftest import ATMOS, Repo

BACKEND = """
terraform:
  backend_type: s3
  backend:
    s3: {bucket: state}
    gcs: {bucket: gstate}
    azurerm: {container_name: box, key: shared}
"""


def test_later_layers_win_over_earlier_ones(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/a.yaml": "vars: {x: import, i: import}\n",
            "stacks/deploy/dev.yaml": """
import: [catalog/a]
vars: {stage: dev, x: global, g: global}
terraform: {vars: {x: type, t: type}}
overrides: {vars: {o: overrides, c: overrides}}
components:
  terraform:
    base: {metadata: {type: abstract}, vars: {x: base, b: base}}
    app: {metadata: {inherits: [base]}, vars: {x: component, c: component}}
""",
        }
    )
    assert repo.section("app", "dev", "vars") == {
        "stage": "dev",
        "x": "component",
        "i": "import",
        "g": "global",
        "t": "type",
        "b": "base",
        "c": "overrides",
        "o": "overrides",
    }


def test_overrides_reach_what_is_processed_after_them(repo: Repo) -> None:
    component = "components: {{terraform: {{{0}: {{vars: {{v: {0}}}}}}}}}\n"
    repo.write(
        {
            "stacks/catalog/before.yaml": component.format("before"),
            "stacks/catalog/team.yaml": "overrides: {vars: {v: team}}\n",
            "stacks/catalog/after.yaml": component.format("after"),
            "stacks/deploy/dev.yaml": "import: [catalog/before, catalog/team, catalog/after]\n"
            "vars: {stage: dev}\n" + component.format("own"),
        }
    )
    found = {name: repo.section(name, "dev", "vars")["v"] for name in ("before", "after", "own")}
    assert found == {"before": "before", "after": "team", "own": "team"}


def test_files_of_one_glob_do_not_see_the_overrides_of_each_other(repo: Repo) -> None:
    component = "components: {{terraform: {{{0}: {{vars: {{v: {0}}}}}}}}}\n"
    repo.write(
        {
            "stacks/teams/a.yaml": "overrides: {vars: {v: team}}\n" + component.format("a"),
            "stacks/teams/b.yaml": component.format("b"),
            "stacks/deploy/dev.yaml": "import: ['teams/*']\nvars: {stage: dev}\n"
            + component.format("own"),
        }
    )
    found = {name: repo.section(name, "dev", "vars")["v"] for name in ("a", "b", "own")}
    assert found == {"a": "team", "b": "b", "own": "team"}


def test_contexts_of_nested_imports_are_merged_key_by_key(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/outer.yaml.tmpl": "import:\n"
            "  - {path: catalog/inner, context: {at: {here: inner, deep: inner}}}\n",
            "stacks/catalog/inner.yaml.tmpl": "vars: {at: {{ .at | toJson }}}\n",
            "stacks/deploy/dev.yaml": "import:\n"
            "  - {path: catalog/outer, context: {at: {here: outer}}}\n"
            "vars: {stage: dev}\ncomponents: {terraform: {app: {}}}\n",
        }
    )
    assert repo.section("app", "dev", "vars")["at"] == {"here": "outer", "deep": "inner"}


@pytest.mark.parametrize(
    ("strategy", "expected"),
    [
        ("replace", [{"b": 2}]),
        ("append", [{"a": 1}, {"z": 0}, {"b": 2}]),
        ("merge", [{"a": 1, "b": 2}, {"z": 0}]),
    ],
)
def test_lists_merge_by_the_strategy_of_the_component(
    repo: Repo, strategy: str, expected: list[object]
) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": f"""
vars: {{stage: dev}}
settings: {{list_merge_strategy: {strategy}}}
components:
  terraform:
    base: {{vars: {{l: [{{a: 1}}, {{z: 0}}]}}}}
    app: {{metadata: {{inherits: [base]}}, vars: {{l: [{{b: 2}}]}}}}
"""
        }
    )
    assert repo.section("app", "dev", "vars")["l"] == expected


def test_append_adds_across_files_and_unset_removes(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/a.yaml": "vars: {l: [1], gone: x}\n",
            "stacks/deploy/dev.yaml": "import: [catalog/a]\n"
            "vars: {stage: dev, l: !append [2], gone: !unset }\n"
            "components: {terraform: {app: {}}}\n",
        }
    )
    assert repo.section("app", "dev", "vars") == {"stage": "dev", "l": [1, 2]}


def test_bases_are_merged_left_to_right_and_listed_last_first(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev}
components:
  terraform:
    root: {vars: {v: root}}
    a: {metadata: {inherits: [root]}, vars: {v: a}}
    b: {metadata: {inherits: [root]}, vars: {w: b}}
    app: {metadata: {inherits: [a, b]}}
"""
        }
    )
    app = repo.component("app", "dev").section
    assert (app["inheritance"], app["vars"]) == (
        ["b", "root", "a"],
        {"stage": "dev", "v": "root", "w": "b"},
    )


@pytest.mark.parametrize(
    ("kind", "body", "expected"),
    [
        ("s3", "{}", {"bucket": "state", "workspace_key_prefix": "infra-app"}),
        ("s3", "{metadata: {component: x/y}}", {"bucket": "state", "workspace_key_prefix": "x-y"}),
        (
            "s3",
            "{metadata: {component: x, name: n}}",
            {"bucket": "state", "workspace_key_prefix": "n"},
        ),
        (
            "s3",
            "{metadata: {inherits: [base]}}",
            {"bucket": "state", "workspace_key_prefix": "infra-app"},
        ),
        (
            "s3",
            "{backend: {s3: {workspace_key_prefix: a/b}}}",
            {"bucket": "state", "workspace_key_prefix": "a/b"},
        ),
        ("gcs", "{}", {"bucket": "gstate", "prefix": "infra-app"}),
        (
            "azurerm",
            "{}",
            {"container_name": "box", "key": "shared/infra-app.terraform.tfstate"},
        ),
        ("azurerm", "{backend: {azurerm: {key: k}}}", {"container_name": "box", "key": "k"}),
    ],
)
def test_the_place_of_the_state_is_derived(
    repo: Repo, kind: str, body: str, expected: dict[str, str]
) -> None:
    repo.write(
        {
            "stacks/catalog/backend.yaml": BACKEND.replace(
                "backend_type: s3", f"backend_type: {kind}"
            ),
            "stacks/deploy/dev.yaml": "import: [catalog/backend]\nvars: {stage: dev}\n"
            "components:\n  terraform:\n"
            "    base: {metadata: {type: abstract, component: shared/dir}}\n"
            f"    infra/app: {body}\n",
        }
    )
    assert repo.section("infra/app", "dev", "backend") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{}", "dev"),
        ("{metadata: {component: x}}", "dev-a-b"),
        ("{metadata: {component: a/b}}", "dev"),
        ("{metadata: {inherits: [base]}}", "dev-a-b"),
        ("{metadata: {terraform_workspace: w/x}}", "w-x"),
        ("{metadata: {terraform_workspace_pattern: '{stage}-{component}'}}", "-a-b"),
        ("{metadata: {terraform_workspace_template: 't-{{ .vars.stage }}'}}", "t-dev"),
        ("{metadata: {terraform_workspace_pattern: 'x{terraform_workspace}{odd}'}}", "x{odd}"),
        ("{component: nowhere}", "dev"),
    ],
)
def test_the_workspace_follows_the_rules_that_decide_the_state(
    repo: Repo, body: str, expected: str
) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\ncomponents:\n  terraform:\n"
            f"    base: {{metadata: {{type: abstract, component: x}}}}\n    a/b: {body}\n",
            "components/terraform/nowhere/main.tf": "",
        }
    )
    assert repo.section("a/b", "dev", "workspace") == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("{}", {"github": {"a": 2, "b": 1}}),
        ("{settings: {integrations: null}}", {"github": {"a": 1, "b": 1}}),
        ("{settings: {integrations: {github: null, x: 1}}}", {"github": {"a": 1, "b": 1}, "x": 1}),
        ("{settings: {integrations: {github: {b: null}}}}", {"github": {"a": 2, "b": None}}),
    ],
)
def test_what_the_configuration_says_of_github_is_below_all_that_is_a_map(
    repo: Repo, body: str, expected: object
) -> None:
    repo.write(
        {
            "atmos.yaml": ATMOS + "integrations: {github: {a: 1, b: 1}}\n",
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\n"
            "settings: {integrations: {github: {a: 2}}}\n"
            f"components: {{terraform: {{app: {body}}}}}\n",
        }
    )
    assert repo.section("app", "dev", "settings") == {"integrations": expected}


@pytest.mark.parametrize(
    ("body", "told", "place"),
    [
        ("{vars: !include nope.yaml}", "file not found: nope.yaml", "dev.yaml:2:38"),
        ("!include nope.yaml", "file not found: nope.yaml", "dev.yaml:2:31"),
        ("{metadata: {terraform_workspace_template: '{{'}}", "unclosed action", "dev.yaml:2:43"),
    ],
)
def test_what_cannot_be_read_or_rendered_is_told_with_its_place(
    repo: Repo, body: str, told: str, place: str
) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\n"
            f"components: {{terraform: {{app: {body}}}}}\n",
        }
    )
    with pytest.raises(StackError) as caught:
        repo.component("app", "dev")
    assert told in str([caught.value.message, *caught.value.hints])
    assert [str(at).rpartition("/")[2] for at in caught.value.at] == [place]


def test_a_legacy_component_names_a_component_or_a_directory(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev}
components:
  terraform:
    directory: {component: there}
    nothing: {component: nope}
    base: {metadata: {type: abstract}, component: nope}
    over: {metadata: {inherits: [nothing]}}
    through: {component: base}
""",
            "components/terraform/there/main.tf": "",
        }
    )
    assert repo.section("directory", "dev", "component") == "directory"
    assert repo.section("through", "dev", "component") == "base"
    for name in ("nothing", "over"):
        with pytest.raises(StackError, match=r"'nothing' .* inherits from 'nope'") as caught:
            repo.component(name, "dev")
        assert [str(at).rpartition("/")[2] for at in caught.value.at] == ["dev.yaml:6:15"]


def test_auth_layers_name_section_file_and_key(repo: Repo) -> None:
    files = {
        "stacks/catalog/a.yaml": "auth: {identities: {dev: {default: true}}}\n",
        "stacks/deploy/dev.yaml": "import: [catalog/a]\nvars: {stage: dev}\n"
        "components: {terraform: {app: {auth: {realm: r}}}}\n",
    }
    repo.write(files)
    root = str(repo.root)
    assert repo.component("app", "dev").auth_layers == (
        Layer(
            "stack",
            f"{root}/stacks/catalog/a.yaml",
            ("auth",),
            {"identities": {"dev": {"default": True}}},
        ),
        Layer(
            "component",
            f"{root}/stacks/deploy/dev.yaml",
            ("components", "terraform", "app", "auth"),
            {"realm": "r"},
        ),
    )


def test_lists_in_auth_follow_the_component_over_the_configuration(repo: Repo) -> None:
    repo.write(
        {
            ".atmos.d/auth.yaml": "auth: {identities: {dev: {kind: mock, tags: [all]}}}\n",
            "stacks/deploy/dev.yaml": """
vars: {stage: dev}
components:
  terraform:
    app:
      settings: {list_merge_strategy: append}
      auth: {identities: {dev: {tags: [own]}}}
""",
        }
    )
    identities = repo.section("app", "dev", "auth")["identities"]
    assert identities == {"dev": {"kind": "mock", "tags": ["all", "own"]}}


def test_the_import_of_a_directory_is_told_how_to_be_written(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/a.yaml": "vars: {a: 1}\n",
            "stacks/deploy/dev.yaml": "import: [catalog]\nvars: {stage: dev}\n",
        }
    )
    with pytest.raises(StackError) as caught:
        repo.component("app", "dev")
    assert any("`catalog/*`" in hint for hint in caught.value.hints)


def test_a_key_is_found_where_it_was_set_last(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/a.yaml": "vars:\n  x: 1\n",
            "stacks/deploy/dev.yaml": "import: [catalog/a]\nvars:\n  stage: dev\n"
            "components:\n  terraform:\n    app:\n      vars:\n        y: 2\n",
        }
    )
    app = repo.component("app", "dev")
    assert (app.where("vars", "x"), app.where("vars", "y"), app.where("vars", "z")) == (
        Location(f"{repo.root}/stacks/catalog/a.yaml", 2, 3),
        Location(f"{repo.root}/stacks/deploy/dev.yaml", 8, 9),
        None,
    )


def test_functions_run_on_demand(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/data.json": '{"a": [1, 2]}',
            "stacks/deploy/dev.yaml": """
vars: {stage: dev}
components:
  terraform:
    app:
      env: {OWN: mine}
      vars:
        e: !env NAME fallback
        d: !env MISSING fallback
        o: !env OWN
        x: !exec echo '[1]'
        i: !include data.json .a[1]
""",
        }
    )
    assert repo.evaluated("app", "dev", NAME="given") == {
        "stage": "dev",
        "e": "given",
        "d": "fallback",
        "o": "mine",
        "x": [1],
        "i": 2,
    }


ERRORS = {
    "vars: [1]": ("invalid component vars section", 7, 7),
    "vars: null": ("invalid component vars section", 7, 7),
    "metadata: {inherits: [bas]}": ("inherits from 'bas'", 7, 18),
    "metadata: {inherits: base}": ("invalid component metadata.inherits section", 7, 18),
    "metadata: {inherits: null}": ("invalid component metadata.inherits section", 7, 18),
    "metadata: {inherits: [1]}": ("invalid component metadata.inherits section", 7, 18),
    "vars: {x: !nonsense 1}": ("unsupported YAML tag: '!nonsense'", 7, 17),
    "settings: {list_merge_strategy: odd}": ("invalid list merge strategy: 'odd'", 7, 18),
    "backend_type: gcs": ("backend_type does not match any key", 7, 7),
    "backend_type: null": ("invalid component backend_type section", 7, 7),
    "command: [tofu]": ("invalid component command section", 7, 7),
    "overrides: null": ("invalid component overrides section", 7, 7),
    "component: 5": ("invalid component component section", 7, 7),
    "metadata: {component: null}": ("invalid component component section", 7, 18),
}


@pytest.mark.parametrize("body", list(ERRORS))
def test_what_is_wrong_with_a_component_stops_only_that_component(repo: Repo, body: str) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\nterraform: {backend: {s3: {}}}\n"
            "components:\n  terraform:\n    base: {vars: {b: 1}}\n    app:\n"
            f"      {body}\n"
        }
    )
    message, line, column = ERRORS[body]
    with pytest.raises(Exception) as caught:  # noqa: PT011
        repo.component("app", "dev")
    error = caught.value
    assert message in getattr(error, "message", "")
    if line:
        at = Location(f"{repo.root}/stacks/deploy/dev.yaml", line, column)
        assert getattr(error, "at", None) == (at,)
    assert repo.section("base", "dev", "vars") == {"stage": "dev", "b": 1}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"dev": "import: [nothing]\n"}, "stack import not found: import 'nothing'"),
        ({"dev": "import: [catalog/a]\n", "../catalog/a": "import: [catalog/b]\n",
          "../catalog/b": "import: [catalog/a]\n"}, "circular import"),
        ({"dev": "import: [deploy/dev]\n"}, "imports itself"),
        ({"dev": "import: x\n"}, "invalid import section"),
        ({"dev": "import: [null]\n"}, "invalid import"),
        ({"dev": "a: [\n"}, "bad YAML"),
        ({"dev": "- 1\n"}, "a stack manifest must be a map"),
    ],
)  # fmt: skip
def test_a_broken_manifest_elsewhere_is_a_warning(
    repo: Repo, files: dict[str, str], message: str
) -> None:
    repo.write({f"stacks/deploy/{name}.yaml": text for name, text in files.items()})
    repo.write({"stacks/deploy/ok.yaml": "vars: {stage: ok}\ncomponents: {terraform: {app: {}}}\n"})
    assert repo.section("app", "ok", "vars") == {"stage": "ok"}
    assert repo.stderr.startswith("warning: ")
    assert message in repo.stderr


def test_near_names_are_hints(repo: Repo) -> None:
    repo.write(
        {"stacks/deploy/p.yaml": "vars: {stage: prod}\ncomponents: {terraform: {myapp: {}}}\n"}
    )
    with pytest.raises(StackError) as stack:
        repo.component("myapp", "prd")
    with pytest.raises(StackError) as component:
        repo.component("myap", "prod")
    assert (stack.value.hints, component.value.hints) == (
        ('did you mean "prod"?',),
        ('did you mean "myapp"?',),
    )


def test_two_manifests_of_one_stack_keep_to_themselves(repo: Repo) -> None:
    text = "vars: {{stage: dev, from: {0}}}\ncomponents: {{terraform: {{{0}: {{}}, {1}}}}}\n"
    repo.write(
        {
            "stacks/deploy/a.yaml": text.format("a", "both: {vars: {from: x}}"),
            "stacks/deploy/b.yaml": text.format("b", "both: {vars: {from: x}}"),
        }
    )
    assert [repo.section(name, "dev", "vars")["from"] for name in ("a", "b", "both")] == [
        "a",
        "b",
        "x",
    ]
    repo.write({"stacks/deploy/b.yaml": text.format("b", "both: {}")})
    with pytest.raises(StackError, match=r"duplicate config for the component 'both'.*a, deploy/b"):
        repo.component("both", "dev")
