"""Sections that have no effect are named."""

from __future__ import annotations

from wrapper.stacks import Component
from wrapper.terraform.left_out import left_out


def component(**section: object) -> Component:
    return Component("app", "dev", "terraform", dict(section), "/r/dev.yaml", (), (), "dev")


def test_nothing_is_said_of_a_plain_component() -> None:
    assert left_out(component(hooks={}, settings={"a": 1}, dependencies={"components": []})) == []


def test_each_section_without_effect_is_named_with_its_entries() -> None:
    asking = component(
        settings={"validation": {"policy": {"schema_type": "opa"}, "off": {"enabled": False}}},
        dependencies={"tools": {"terraform": "1.9.8"}},
    )

    assert left_out(asking) == [
        'component "app": `settings.validation` (policy) is not checked',
        'component "app": `dependencies.tools` (terraform) are not installed',
    ]
