"""A component named by a path: which one of the stack lives there."""

from __future__ import annotations

import os

from wrapper.errors import StackError, UsageError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.world import World


def component_name(config: Config, world: World, given: str, stack: str) -> str:
    """Return the component's name for what was typed: itself, unless it is a path.

    `.`, `./x`, `../x` and `/x` are paths; a name with a `/` is one only if the stack has no such
    component and a directory of that path exists.

    Raises: UsageError for a path outside the components, or of several components; StackError when
    none of the stack's components lives there. Source: reference/atmos-stacks.md 4.3.
    """
    explicit = given in (".", "..") or given.startswith(("./", "../", "/"))
    path = os.path.normpath(os.path.join(world.cwd, given))
    if not explicit and not ("/" in given and os.path.isdir(path)):
        return given
    from wrapper import stacks

    names = stacks.component_names(config, world, stack)
    if given in names:
        return given
    root, real = os.path.realpath(config.terraform_dir), os.path.realpath(path)
    if not config.terraform_dir or not real.startswith(root + os.sep):
        if not explicit:
            return given
        raise UsageError(
            f"{path} is not within the component directory {config.terraform_dir}",
            hint="name the component, or a path below that directory",
        )
    module = os.path.relpath(real, root)
    found = [name for name in names if _module(config, world, name, stack) == module]
    if len(found) == 1:
        return found[0]
    if module in found:
        return module
    if found:
        raise UsageError(
            f'several components of the stack "{stack}" live in {path}: {", ".join(found)}',
            hint="name one of them",
        )
    if not explicit:
        return given
    raise StackError(f'no component of the stack "{stack}" lives in {path}')


def _module(config: Config, world: World, name: str, stack: str) -> str:
    from wrapper import stacks
    from wrapper.terraform.files import module

    return module(stacks.component(config, world, name, stack), config)
