"""What two plans have different: only what matters, nothing that is sensitive."""

from __future__ import annotations

import json
from typing import Any

import pytest

from wrapper.errors import StackError
from wrapper.terraform import plans

SECRET = "hush"


def plan(**more: Any) -> dict[str, Any]:
    """Return a plan as `terraform show -json` tells it, read."""
    return plans.read(json.dumps({"format_version": "1.2", **more}).encode())


def resource(address: str, after: Any, **change: Any) -> dict[str, Any]:
    """Return an entry of `resource_changes`."""
    beside = {key: change.pop(key) for key in ("mode", "deposed") if key in change}
    made = {"actions": ["update"], "before": {"size": 1}, "after": after, **change}
    return {"address": address, "mode": "managed", "change": made, **beside}


def variables(**values: Any) -> dict[str, Any]:
    """Return variables, `password` declared as sensitive."""
    declared = {"password": {"sensitive": True}, "name": {}}
    return {
        "variables": {key: {"value": value} for key, value in values.items()},
        "configuration": {"root_module": {"variables": declared}},
    }


def test_plans_of_two_moments_are_equal() -> None:
    def made(moment: str, version: str) -> dict[str, Any]:
        after = {"made": moment, "text": f"at {moment}"}
        return plan(
            timestamp=moment,
            terraform_version=version,
            resource_changes=[
                resource("a.b", after),
                resource("data.c.d", {"now": moment + version}, mode="data"),
            ],
            prior_state={"serial": moment + version},
        )

    old, new = made("2026-01-01T00:00:00Z", "1.11.4"), made("2026-01-01T00:00:07Z", "1.12.0")
    assert plans.differences(old, new) == ""


def test_variables_resources_and_outputs() -> None:
    old = plan(
        **variables(name="shop", gone=1, password=SECRET),
        resource_changes=[
            resource("a.gone", {}),
            resource("a.b", {"size": 2, "rules": [{"port": 1}, {"port": 2}], "tags": {"x": "1"}}),
            resource("a.same", {"size": 2}),
        ],
        output_changes={"url": {"after": "old"}, "key": {"after": "x", "after_sensitive": True}},
    )
    new = plan(
        **variables(name="store", more=[True], password=SECRET + "!"),
        resource_changes=[
            resource("a.same", {"size": 2}),
            resource(
                "a.b",
                {"size": 3, "rules": [{"port": 1}, {"port": 7}], "tags": {"y": "2"}},
                actions=["delete", "create"],
                after_unknown={"id": True, "tags": {}},
            ),
            resource("a.more", {}),
        ],
        output_changes={"url": {"after_unknown": True}, "key": {"after": "y", "after_sensitive": True}},
    )  # fmt: skip
    assert plans.differences(old, new) == (
        "Variables:\n----------\n"
        "- gone: 1\n"
        "+ more: [true]\n"
        '~ name: "shop" => "store"\n'
        "~ password: (sensitive value) => (sensitive value)\n"
        "\nResources:\n----------\n"
        "~ a.b\n"
        "  + id: (known after apply)\n"
        "  ~ rules[1].port: 2 => 7\n"
        "  ~ size: 2 => 3\n"
        '  - tags.x: "1"\n'
        '  + tags.y: "2"\n'
        '  ~ (action): ["update"] => ["delete","create"]\n'
        "- a.gone\n"
        "+ a.more\n"
        "\nOutputs:\n--------\n"
        "~ key: (sensitive value) => (sensitive value)\n"
        '~ url: "old" => (known after apply)\n'
    )
    assert plans.differences(new, new) == plans.differences(old, old) == ""


@pytest.mark.parametrize(
    ("hidden", "value"),
    [
        (True, {"key": SECRET}),
        ({"key": True}, {"key": SECRET}),
        ({"list": [{}, {"key": True}]}, {"list": [{"a": 1}, {"key": SECRET}]}),
        ({"list": [False, True]}, {"list": ["a", SECRET]}),
        ({"map": True}, {"map": {"deep": SECRET, SECRET: 1}}),
    ],
)
def test_nothing_that_is_sensitive_is_shown(hidden: Any, value: Any) -> None:
    def made(text: str) -> dict[str, Any]:
        after = json.loads(json.dumps(value).replace(SECRET, text))
        entry = resource(
            "a.b", after, after_sensitive=hidden, before=after, before_sensitive=hidden
        )
        return plan(
            resource_changes=[entry],
            output_changes={"o": {"after": after, "after_sensitive": hidden}},
        )

    told = plans.differences(made("hush one"), made("hush two"))
    assert "(sensitive value)" in told
    assert "hush" not in told
    alone = plans.differences(plan(), made("hush one"))
    assert "+ o: " in alone
    assert "hush" not in alone


def test_variables_that_are_kept_out_of_the_varfile_are_hidden() -> None:
    told = plans.differences(plan(**variables(name=1)), plan(**variables(name=2)), {"name"})
    assert told == "Variables:\n----------\n~ name: (sensitive value) => (sensitive value)\n"


@pytest.mark.parametrize(("one", "other"), [(3, "3"), (True, "true"), (1.5, "1.5")])
def test_a_variable_of_a_command_line_is_what_it_says(one: object, other: str) -> None:
    first, second = plan(**variables(name=one)), plan(**variables(name=other))
    assert plans.differences(first, second) == plans.differences(second, first) == ""
    assert plans.differences(first, plan(**variables(name=f"{other}0")))


def test_a_drift_is_told_when_nothing_else_differs() -> None:
    old = plan(resource_changes=[resource("a.b", {"size": 3}, before={"size": 1})])
    new = plan(resource_changes=[resource("a.b", {"size": 3}, before={"size": 2})])
    assert plans.differences(old, new) == (
        "Resources:\n----------\n~ a.b\n  ~ (now).size: 1 => 2\n"
    )


def test_a_name_stays_on_its_line() -> None:
    old, new = (plan(resource_changes=[resource("a.b", {"x\n+ c.d": n})]) for n in (1, 2))
    assert "\n  ~ x\\n+ c.d: 1 => 2\n" in plans.differences(old, new)


@pytest.mark.parametrize("told", [b"", b"[]", b"{}", b'{"format_version": 1}'])
def test_what_is_no_plan_is_an_error(told: bytes) -> None:
    with pytest.raises(StackError, match="gave no plan"):
        plans.read(told)
