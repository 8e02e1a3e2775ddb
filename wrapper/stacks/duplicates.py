"""A component that several manifests of one stack describe.

Source: reference/atmos-stacks.md 3.15.
"""

from __future__ import annotations

from wrapper.errors import Location, StackError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.stacks import Component
    from wrapper.stacks.settings import Settings


def same(found: list[Component], settings: Settings) -> Component:
    """Return the one component, or the first of equals.

    Raises: StackError when they differ. Source: reference/atmos-stacks.md 3.15.
    """
    first = found[0]
    from wrapper.stacks.names import path_name

    for other in found[1:]:
        if _comparable(other) != _comparable(first):
            files = ", ".join(path_name(one.manifest, settings.stacks_dir) for one in found)
            raise StackError(
                f"duplicate component configuration: Found duplicate config for the component "
                f"'{first.name}' in the stack '{first.stack}' in the manifests: {files}",
                at=[one.where("vars") or Location(one.manifest, 1, 1) for one in found],
                hint=[
                    (
                        "Check that all the context variables are correctly defined in the "
                        "manifests and not duplicated"
                    ),
                    "Check that all imports are valid",
                ],
            )
    return first


_FILES = ("atmos_stack_file", "atmos_manifest", "imports", "deps", "deps_all")


def _comparable(component: Component) -> dict[str, Any]:
    return {key: value for key, value in component.section.items() if key not in _FILES}
