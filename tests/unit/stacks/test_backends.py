"""Where a component's state lies, and where that of others is looked for."""

from __future__ import annotations

import pytest

from wrapper.errors import Location, StackError

from .conftest import Repo

MANIFEST = """
vars: {stage: dev}
terraform:
  backend_type: azurerm
  backend:
    s3: {bucket: state, tags: [all]}
    azurerm: {container_name: box, key: shared}
components:
  terraform:
    keyed: {metadata: {type: abstract}, backend: {azurerm: {key: kept/here}}}
    same: {metadata: {type: abstract}, backend: {azurerm: {key: shared}}}
    app: BODY
"""


def _sections(repo: Repo, body: str) -> tuple[object, object]:
    repo.write({"stacks/deploy/dev.yaml": MANIFEST.replace("BODY", body)})
    found = repo.component("app", "dev").section
    return found["backend"], found["remote_state_backend"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        ("{metadata: {inherits: [keyed]}}", "kept/here"),
        ("{metadata: {inherits: [same]}}", "shared/app.terraform.tfstate"),
        ("{metadata: {inherits: [keyed]}, backend: {azurerm: {key: own}}}", "own"),
        ("{metadata: {inherits: [keyed], name: other}}", "kept/here"),
    ],
)
def test_a_key_that_a_base_writes_is_kept(repo: Repo, body: str, key: str) -> None:
    box = {"container_name": "box", "key": key}
    assert _sections(repo, body) == (box, box)


def test_the_place_is_derived_without_any_backend_section(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\nterraform: {backend_type: gcs}\n"
            "components: {terraform: {a/b: {}}}\n"
        }
    )
    assert repo.section("a/b", "dev", "backend") == {"prefix": "a-b"}


@pytest.mark.parametrize(
    ("body", "remote"),
    [
        ("{remote_state_backend: {azurerm: {use_cli: true}}}", {"use_cli": True}),
        ("{remote_state_backend_type: s3}", None),
        (
            "{remote_state_backend_type: s3, remote_state_backend: {s3: {bucket: b}}}",
            {"bucket": "b"},
        ),
    ],
)
def test_states_of_others_are_read_by_the_backend_and_what_is_laid_over_it(
    repo: Repo, body: str, remote: dict[str, object] | None
) -> None:
    own = {"container_name": "box", "key": "shared/app.terraform.tfstate"}
    above = {**own, **(remote or {})} if "_type" not in body else remote or {}
    assert _sections(repo, body) == (own, above)


@pytest.mark.parametrize(
    ("body", "message", "column"),
    [
        (
            "{backend_type: s3, remote_state_backend: {azurerm: {}}}",
            'remote_state_backend_type does not match .* component "app".* is "s3"',
            11,
        ),
        ("{backend: {azurerm: null}}", "`backend.azurerm` must be a map", 21),
        ("{remote_state_backend: {azurerm: []}}", "`remote_state_backend.azurerm` must be", 34),
        ("{backend_type: gcs}", 'backend_type is "gcs"', 11),
    ],
)
def test_a_backend_without_values_for_its_type_is_an_error_with_its_place(
    repo: Repo, body: str, message: str, column: int
) -> None:
    with pytest.raises(StackError, match=message) as caught:
        _sections(repo, body)
    assert caught.value.at == (Location(f"{repo.root}/stacks/deploy/dev.yaml", 12, column),)


def test_lists_of_a_backend_follow_the_configuration_and_not_the_component(repo: Repo) -> None:
    backend, _ = _sections(
        repo,
        "{settings: {list_merge_strategy: append}, backend_type: s3, backend: {s3: {tags: [own]}}}",
    )
    assert backend == {"bucket": "state", "tags": ["own"], "workspace_key_prefix": "app"}


def test_a_null_strategy_leaves_the_one_below_it(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev, list: [all]}
settings: {list_merge_strategy: append}
components:
  terraform:
    app: {settings: {list_merge_strategy: null}, vars: {list: [own]}}
"""
        }
    )
    assert repo.section("app", "dev", "vars")["list"] == ["all", "own"]


def test_the_older_component_leads_to_the_first_of_all_bases(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev}
components:
  terraform:
    root: {metadata: {type: abstract}}
    named: {metadata: {type: abstract, component: modules/named}}
    mid: {metadata: {inherits: [root]}}
    app: {component: mid}
    put: {component: named}
"""
        }
    )
    app, put = (repo.component(name, "dev").section for name in ("app", "put"))
    path = "component_info"
    assert (app["component"], put["component"]) == ("root", "named")
    assert app[path]["component_path"].endswith("/terraform/root")
    assert put[path]["component_path"].endswith("/terraform/modules/named")


def test_a_text_that_begins_like_unset_takes_the_key_away(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev, gone: 1, list: [1, "!unset", 2]}
components: {terraform: {app: {vars: {gone: "!unset"}}}}
"""
        }
    )
    assert repo.evaluated("app", "dev") == {"stage": "dev", "list": [1, 2]}
