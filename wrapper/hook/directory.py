"""From a directory to the identity that a shell has in it; ambiguous means none.

Source: design 11.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from wrapper.errors import Location, WrapError
from wrapper.hook.pin import Pin, Use, used

if TYPE_CHECKING:
    from wrapper.auth import Auth, Setting
    from wrapper.config import Config
    from wrapper.merge import Layer
    from wrapper.world import World


class Found(NamedTuple):
    """What holds in a directory.

    `name` is the identity, '' for none; `why` says where that comes from, or why there is none.
    `files` are the manifests that took part, absolute; `stack` the stack, '' for none; `pinned`
    whether a pin file or `use` named the identity.
    """

    auth: Auth | None
    name: str = ""
    why: str = ""
    stack: str = ""
    files: tuple[str, ...] = ()
    pinned: bool = False
    off: bool = False


def identity(config: Config, pin: Pin, world: World, root: str) -> Found:
    """Return the identity of the working directory. Nothing is run, asked or contacted.

    Order: `ATMOS_IDENTITY`, `use IDENTITY`, the pin file, the stack of a directory of manifests, the
    component's directory with a pinned stack, the repository's default.
    Raises: ConfigError, StackError, Problems for a configuration that cannot be used.
    """
    use = used(world.environ)
    if use is not None and os.path.realpath(use.root) != os.path.realpath(root):
        use = None
    explicit = world.environ.get("ATMOS_IDENTITY", "")
    named = _named(explicit, use, pin)
    stack, component, why = _stack(config, pin, use, world)
    section, own, files = _auth(config, stack, component, world)
    if own:
        # Consent is for what feeds `auth` of atmos.yaml; a manifest could be changed behind it.
        return Found(
            None,
            why=f"{why} has `auth` in its manifests, which consent does not cover",
            stack=stack,
        )
    layers = config.auth_layers
    from wrapper import auth
    from wrapper.auth import selection

    quiet = world._replace(stdin_tty=False, stderr_tty=False, asks=False)
    known = auth.read(section, layers, config.dir, quiet, config.data.get("wrap"))
    if named is not None:
        if selection.is_off(named):
            return Found(known, why=f"switched off by {named.source}", off=True)
        return Found(
            known, selection.named(known, named), f"named by {named.source}",
            stack, files, pinned=named.source != "ATMOS_IDENTITY",
        )  # fmt: skip
    if not known.defaults:
        return Found(known, why="no default identity is configured", stack=stack, files=files)
    if len(known.defaults) > 1:
        names = ", ".join(one.name for one in known.defaults)
        return Found(known, why=f"several defaults: {names}", stack=stack, files=files)
    default = known.defaults[0]
    reason = f"the default{f' of {why}' if why else ''}"
    at = f", {_source(default.at, world)}" if default.at else ""
    return Found(known, default.name, reason + at, stack, files)


def _source(given: Any, world: World) -> str:
    from wrapper import ui

    return ui.place(given, world.cwd) if isinstance(given, Location) else str(given)


def _named(explicit: str, use: Use | None, pin: Pin) -> Setting | None:
    from wrapper.auth import Setting

    if explicit:
        return Setting(explicit, "ATMOS_IDENTITY")
    if use is not None and use.kind == "identity":
        return Setting(use.name, "`atmos-wrap use`")
    if pin.identity:
        return Setting(pin.identity, str(pin.at("identity")))
    return None


def _stack(config: Config, pin: Pin, use: Use | None, world: World) -> tuple[str, str, str]:
    """Return the stack and the component of the directory, '' for none, and how to call it."""
    pinned = use.name if use is not None and use.kind == "stack" else ""
    pinned = pinned or pin.stack or world.environ.get("ATMOS_STACK", "")
    here = os.path.realpath(world.cwd)
    if config.stacks_dir and _within(here, config.stacks_dir):
        found = _stacks_below(config, world, here)
        if len(found) == 1:
            return found[0], "", f'stack "{found[0]}"'
    if not pinned:
        return "", "", ""
    component = _component(config, world, here, pinned)
    what = f'component "{component}" in stack "{pinned}"' if component else f'stack "{pinned}"'
    return pinned, component, what


def _within(path: str, directory: str) -> bool:
    top = os.path.realpath(directory)
    return path == top or path.startswith(top + os.sep)


def _stacks_below(config: Config, world: World, here: str) -> list[str]:
    """Return the stacks whose manifests lie in the directory or below it, sorted."""
    from wrapper import stacks

    repository = stacks.opened(config, world)
    found = set()
    for path, listing in repository.listings().items():
        if _within(os.path.realpath(path), here):
            found |= {row.stack for row in listing.rows if row.stack}
    return sorted(found)


def _component(config: Config, world: World, here: str, stack: str) -> str:
    """Return the stack's component that lives in a directory; '' unless it is exactly one."""
    if not config.terraform_dir or not _within(here, config.terraform_dir):
        return ""
    if os.path.realpath(config.terraform_dir) == here:
        return ""
    from wrapper.terraform import location

    try:
        return location.component_name(config, world, here, stack)
    except WrapError:
        return ""


def _auth(
    config: Config, stack: str, component: str, world: World
) -> tuple[Mapping[str, Any], Sequence[Layer], tuple[str, ...]]:
    """Return the merged `auth` of a stack or a component, the layers of manifests, and the files."""
    from wrapper import stacks

    if not stack:
        return config.data.get("auth") or {}, (), ()
    if component:
        found = stacks.component(config, world, component, stack, templates=False)
        return found.section.get("auth") or {}, found.auth_layers, found.files
    return stacks.stack_auth(config, world, stack)
