"""Which components a command line means, and what each needs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.stacks.conftest import Repo
from wrapper.errors import StackError
from wrapper.stacks.dependencies import Node
from wrapper.stacks.several import Several, Wanted

CATALOG = """
components:
  terraform:
    base: {metadata: {type: abstract}}
    off: {metadata: {enabled: false}}
    vpc: {metadata: {tags: [core, net], labels: {team: net, tier: "1"}}, vars: {size: 1}}
    app:
      metadata: {tags: [web], labels: {team: web}}
      vars: {size: 2}
      dependencies:
        components:
          - name: vpc
          - {component: app, stack: shared}
          - {name: chart, kind: helmfile}
          - name: off
          - name: nowhere
    web:
      vars: {size: 3}
      settings: {depends_on: {1: {component: app}, 2: {component: vpc, stage: shared}, 3: {file: x}}}
    old:
      settings: {depends_on: [app, {component: vpc}]}
"""


@pytest.fixture
def repo(repo: Repo) -> Repo:
    files = {"stacks/catalog/all.yaml": CATALOG}
    for stage in ("dev", "shared"):
        text = f"import: [catalog/all]\nvars: {{stage: {stage}}}\n"
        files[f"stacks/deploy/{stage}.yaml"] = text
    return repo.write(files)


def chosen(repo: Repo, **wanted: Any) -> set[str]:
    found = repo.ask(lambda c, w: Several(c, w).chosen(Wanted(**wanted)))
    return {f"{node.component} {node.stack}" for node in found}


def needs(repo: Repo, component: str) -> list[str]:
    found = repo.ask(lambda c, w: Several(c, w).needs(Node(component, "dev")))
    return [str(node) for node in found]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"stack": "dev"}, {"vpc dev", "app dev", "web dev", "old dev"}),
        ({"components": ("vpc",)}, {"vpc dev", "vpc shared"}),
        ({"stack": "dev", "tags": ("net", "web")}, {"vpc dev", "app dev"}),
        ({"stack": "dev", "labels": (("team", "net"), ("tier", "1"))}, {"vpc dev"}),
        ({"stack": "dev", "labels": (("team", "net"), ("tier", "2"))}, set()),
        ({"stack": "dev", "query": ".vars.size >= 2"}, {"app dev", "web dev"}),
        ({"stack": "dev", "query": ".vars.size"}, set()),
        ({"stack": "deploy/dev", "components": ("vpc",)}, {"vpc dev"}),
    ],
)
def test_all_that_is_asked_must_hold(repo: Repo, wanted: Any, found: set[str]) -> None:
    assert chosen(repo, **wanted) == found


def test_all_means_what_can_run_everywhere(repo: Repo) -> None:
    names = ("vpc", "app", "web", "old")
    assert chosen(repo) == {f"{name} {stack}" for name in names for stack in ("dev", "shared")}


def test_an_unknown_stack_is_an_error(repo: Repo) -> None:
    with pytest.raises(StackError) as caught:
        chosen(repo, stack="def")
    assert caught.value.message == 'stack "def" does not exist'
    assert caught.value.hints == ('did you mean "dev"?', "available stacks: dev, shared")


def test_a_name_that_nothing_has_is_a_warning(repo: Repo) -> None:
    assert chosen(repo, stack="dev", components=("vpx", "vpc")) == {"vpc dev"}
    assert repo.stderr == (
        'warning: no component of the stack "dev" that can run is called "vpx": '
        'did you mean "vpc"?\n'
    )


def test_dependencies_win_over_the_older_settings(repo: Repo) -> None:
    assert needs(repo, "app") == ["vpc in dev", "app in shared"]
    assert repo.stderr == (
        "warning: Dependency target not found: off in dev (needed by app in dev)\n"
        "warning: Dependency target not found: nowhere in dev (needed by app in dev)\n"
    )


def test_the_older_settings_may_name_parts_of_the_stack(repo: Repo) -> None:
    assert needs(repo, "web") == ["app in dev", "vpc in shared"]


def test_the_older_settings_may_be_a_list(repo: Repo) -> None:
    assert needs(repo, "old") == ["app in dev", "vpc in dev"]


def test_two_names_for_one_dependency_are_an_error_with_its_place(repo: Repo) -> None:
    text = "vars: {stage: dev}\ncomponents: {terraform: {two: {dependencies: {components: "
    repo.write({"stacks/deploy/dev.yaml": text + "[{name: a, component: b}]}}}}\n"})
    with pytest.raises(StackError) as caught:
        needs(repo, "two")
    assert caught.value.message == 'a dependency of "two" has two names: a, b'
    assert [str(at) for at in caught.value.at] == [f"{repo.root}/stacks/deploy/dev.yaml:2:47"]


def test_who_needs_whom_goes_across_stacks(repo: Repo) -> None:
    found = repo.ask(lambda c, w: Several(c, w).needed_by()[Node("app", "shared")])
    assert found == {
        Node("app", "dev"), Node("app", "shared"), Node("web", "shared"), Node("old", "shared"),
    }  # fmt: skip
