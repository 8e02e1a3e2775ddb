"""What a component reads of another one's outputs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from wrapper import config, stacks
from wrapper.errors import StackError
from wrapper.stacks import outputs
from wrapper.stacks.others import Reader
from wrapper.terraform import remote
from wrapper.world import World

from .conftest import Repo

STATE = {
    "outputs": {"id": {"value": "vpc-1"}, "l": {"value": ["a", "b"]}, "m": {"value": {"a/b": 1}}}
}


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("vpc id", ("vpc", "own", ".id")),
        ("vpc dev id", ("vpc", "dev", ".id")),
        ("vpc .a.b", ("vpc", "own", ".a.b")),
        ('vpc dev .a // "x y"', ("vpc", "dev", '.a // "x y"')),
        ('vpc .a // ["b", "c"]', ("vpc", "own", '.a // ["b", "c"]')),
        ("vpc '.m[\"a/b\"]'", ("vpc", "own", '.m["a/b"]')),
        ('vpc dev ".a"', ("vpc", "dev", ".a")),
        ("'vpc .a // {\"k\": 1}'", ("vpc", "own", '.a // {"k": 1}')),
        ('vpc id // "d"', ("vpc", "own", '.id // "d"')),
    ],
)
def test_arguments_are_told_apart(argument: str, wanted: tuple[str, str, str]) -> None:
    assert outputs.parse(argument, "own", "!f", None)[1:] == wanted


@pytest.mark.parametrize("argument", ["", "vpc"])
def test_too_few_arguments_are_an_error(argument: str) -> None:
    with pytest.raises(StackError, match="takes a component"):
        outputs.parse(argument, "own", "!f", None)


def written(repo: Repo, variables: str, state: Mapping[str, Any] | None) -> Repo:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\nterraform: {backend_type: local, backend: {local: {}}}\n"
            f"components:\n  terraform:\n    vpc: {{}}\n    c:\n      vars:\n{variables}",
        }
    )
    if state is not None:
        folder = "components/terraform/vpc/terraform.tfstate.d/dev"
        repo.write({f"{folder}/terraform.tfstate": json.dumps(state)})
    return repo


def asked(repo: Repo, *, strict: bool = False) -> dict[str, Any]:
    """Return the variables of `c` with its functions run, by a reader of local states."""

    def question(loaded: config.Config, world: World) -> Any:
        def state(one: stacks.Component) -> Mapping[str, Any] | None:
            counted.append(one.name)
            return remote.state_outputs(one, loaded, world.environ)

        counted: list[str] = []
        reader = Reader(state, state, lambda _one: world.environ, {}, [], lambda *_: world.environ)
        found = stacks.component(loaded, world, "c", "dev", reader=reader)
        done = stacks.evaluate(found, loaded, world, world.environ, reader=reader, strict=strict)
        assert len(counted) <= 2  # once for each of the two functions
        return done.section["vars"]

    found: dict[str, Any] = repo.ask(question)
    return {key: value for key, value in found.items() if key != "stage"}


def test_outputs_are_read_from_the_state_once(repo: Repo) -> None:
    written(
        repo,
        """\
        id: !terraform.state vpc id
        second: !terraform.state vpc dev .l[1]
        quoted: !terraform.state vpc '.m["a/b"]'
        default: !terraform.state vpc .no // "d"
        none: !terraform.output vpc no
        sum: !terraform.state 'vpc .id | "<" + . + ">"'
""",
        STATE,
    )
    assert asked(repo) == {
        "id": "vpc-1", "second": "b", "quoted": 1, "default": "d", "none": None, "sum": "<vpc-1>",
    }  # fmt: skip


def test_without_a_state_defaults_count_and_the_rest_is_computed(repo: Repo) -> None:
    written(
        repo,
        """\
        id: !terraform.state vpc id
        default: !terraform.state vpc .no // ["x"]
        output: !terraform.output vpc id
""",
        None,
    )
    assert asked(repo) == {"id": "(computed)", "default": ["x"], "output": None}


def test_a_run_does_not_start_with_what_is_not_there(repo: Repo) -> None:
    written(repo, "        id: !terraform.state vpc id\n", None)
    with pytest.raises(StackError, match="has no state") as caught:
        asked(repo, strict=True)
    assert [at.line for at in caught.value.at if not isinstance(at, str)] == [8]


def test_errors_name_the_call_and_its_place(repo: Repo) -> None:
    written(repo, "        id: !terraform.state vpcc id\n", None)
    with pytest.raises(StackError, match=r"!terraform\.state vpcc dev: .*could not find") as caught:
        asked(repo)
    assert caught.value.at


def test_what_is_no_state_is_told(repo: Repo) -> None:
    written(repo, "        id: !terraform.state vpc id\n", {"outputs": [1]})
    with pytest.raises(StackError, match="not a state of Terraform"):
        asked(repo)


def test_a_query_that_is_not_understood_is_a_fault_of_the_configuration(repo: Repo) -> None:
    written(repo, "        x: !terraform.state vpc dev .a b c\n", STATE)
    with pytest.raises(StackError, match="beyond what is understood") as caught:
        asked(repo)
    assert (caught.value.exit_code, len(caught.value.at)) == (78, 1)
