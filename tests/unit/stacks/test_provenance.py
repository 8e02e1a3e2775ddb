"""Where each key of a component comes from."""

from __future__ import annotations

import os
from typing import Any

import pytest

from wrapper import config, stacks
from wrapper.origins import Places, below
from wrapper.stacks import provenance
from wrapper.world import World

from .conftest import ATMOS, Repo

CATALOG = """\
vars: {x: import, list: [a]}
components:
  terraform:
    base:
      metadata: {type: abstract}
      vars:
        x: base
        tags: {team: red, cost: 1}
"""
DEV = """\
import: [catalog/a]
vars:
  stage: dev
terraform:
  vars: {x: type}
overrides:
  vars: {o: over}
components:
  terraform:
    app:
      metadata: {inherits: [base]}
      vars:
        x: own
        o: mine
        tags: {team: blue}
"""


def steps(repo: Repo, key: str) -> list[tuple[str, str, int, Any, bool]]:
    """Return the steps of one key of `app` in `dev`: layer, file, line, value, does it count."""

    def question(c: config.Config, w: World) -> Any:
        found = stacks.component(c, w, "app", "dev")
        (origin,) = below(provenance.explain(found, c), key)
        places = Places()
        told = []
        for step in origin.steps:
            at = places.of(step)
            path = os.path.relpath(at.path, repo.root) if at else ""
            line = at.line if at else 0
            told.append((step.piece.label, path, line, step.value, step.counts))
        return told

    found: list[tuple[str, str, int, Any, bool]] = repo.ask(question)
    return found


@pytest.fixture
def layered(repo: Repo) -> Repo:
    return repo.write({"stacks/catalog/a.yaml": CATALOG, "stacks/deploy/dev.yaml": DEV})


def test_a_key_tells_all_layers_in_merge_order(layered: Repo) -> None:
    assert steps(layered, "vars.x") == [
        ("stack", "stacks/catalog/a.yaml", 1, "import", False),
        ("type", "stacks/deploy/dev.yaml", 5, "type", False),
        ("base base", "stacks/catalog/a.yaml", 7, "base", False),
        ("component", "stacks/deploy/dev.yaml", 13, "own", True),
    ]


def test_overrides_come_last(layered: Repo) -> None:
    assert steps(layered, "vars.o") == [
        ("component", "stacks/deploy/dev.yaml", 14, "mine", False),
        ("overrides", "stacks/deploy/dev.yaml", 7, "over", True),
    ]


def test_keys_of_merged_maps_are_told_apart(layered: Repo) -> None:
    assert steps(layered, "vars.tags.cost") == [("base base", "stacks/catalog/a.yaml", 8, 1, True)]


def test_a_component_lacks_what_its_base_says_of_itself(layered: Repo) -> None:
    layered.write(
        {"stacks/catalog/a.yaml": CATALOG.replace("type: abstract", "type: abstract, z: 1")}
    )
    origins = layered.ask(lambda c, w: provenance.explain(stacks.component(c, w, "app", "dev"), c))
    assert [one.dotted for one in below(origins, "metadata")] == ["metadata.z", "metadata.inherits"]


def test_a_list_that_replaces_displaces(layered: Repo) -> None:
    layered.write({"stacks/deploy/dev.yaml": DEV.replace("{x: type}", "{x: type, list: [b]}")})
    assert steps(layered, "vars.list") == [
        ("stack", "stacks/catalog/a.yaml", 1, ["a"], False),
        ("type", "stacks/deploy/dev.yaml", 5, ["b"], True),
    ]


@pytest.mark.parametrize("strategy", ["append", "merge"])
def test_lists_that_are_joined_count_all(layered: Repo, strategy: str) -> None:
    layered.write(
        {
            "atmos.yaml": f"{ATMOS}settings: {{list_merge_strategy: {strategy}}}\n",
            "stacks/deploy/dev.yaml": DEV.replace("{x: type}", "{x: type, list: [b]}"),
        }
    )
    assert [step[-1] for step in steps(layered, "vars.list")] == [True, True]


def test_the_strategy_of_a_component_holds_from_its_bases_on(layered: Repo) -> None:
    layered.write(
        {
            "stacks/deploy/dev.yaml": DEV.replace("{x: type}", "{list: [b]}").replace(
                "x: own", "list: [c]\n      settings: {list_merge_strategy: append}\n      env:"
            )
        }
    )
    assert [step[-2:] for step in steps(layered, "vars.list")] == [
        (["a"], False),
        (["b"], True),
        (["c"], True),
    ]


def test_append_adds_between_files_only(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/a.yaml": "vars: {list: [a]}\n",
            "stacks/deploy/dev.yaml": "import: [catalog/a]\nvars: {stage: dev, list: !append [b]}\n"
            "components: {terraform: {app: {vars: {list: !append [c]}}, two: {}}}\n",
        }
    )
    assert [step[-2:] for step in steps(repo, "vars.list")] == [
        (["a"], False),
        (["b"], False),
        (["c"], True),
    ]


def test_a_value_that_hides_a_map_is_told_for_every_key_of_it(layered: Repo) -> None:
    layered.write({"stacks/deploy/dev.yaml": DEV.replace("{x: type}", "{x: type, tags: none}")})
    assert steps(layered, "vars.tags.cost") == [
        ("type", "stacks/deploy/dev.yaml", 5, "none", False),
        ("base base", "stacks/catalog/a.yaml", 8, 1, True),
    ]


def test_what_was_taken_away_is_told(layered: Repo) -> None:
    layered.write({"stacks/deploy/dev.yaml": DEV.replace("x: own", "x: !unset")})
    origins = layered.ask(lambda c, w: provenance.explain(stacks.component(c, w, "app", "dev"), c))
    (origin,) = below(origins, "vars.x")
    assert (origin.removed, [step.counts for step in origin.steps]) == (True, [False] * 4)


def test_a_backend_tells_the_type_in_use_and_what_is_derived(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """\
vars: {stage: dev}
terraform:
  backend_type: s3
  backend:
    s3: {bucket: state}
    gcs: {bucket: other}
components: {terraform: {app: {}}}
""",
        }
    )
    assert steps(repo, "backend.bucket") == [("type", "stacks/deploy/dev.yaml", 5, "state", True)]
    assert steps(repo, "backend.workspace_key_prefix") == []
    assert steps(repo, "backend_type") == [("type", "stacks/deploy/dev.yaml", 3, "s3", True)]


def test_auth_and_env_begin_with_the_configuration(repo: Repo) -> None:
    repo.write(
        {
            "atmos.yaml": ATMOS
            + "env: {A: one}\nauth: {identities: {dev: {kind: mock, default: false}}}\n",
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\n"
            "env: {A: two}\nauth: {identities: {dev: {default: true}}}\n"
            "components: {terraform: {app: {}}}\n",
        }
    )
    assert steps(repo, "env.A") == [
        ("config", "atmos.yaml", 9, "one", False),
        ("stack", "stacks/deploy/dev.yaml", 2, "two", True),
    ]
    assert steps(repo, "auth.identities.dev.default") == [
        ("config", "atmos.yaml", 10, False, False),
        ("stack", "stacks/deploy/dev.yaml", 3, True, True),
    ]
