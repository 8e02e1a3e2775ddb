"""From a directory to the identity that a shell has in it; ambiguous means none.

Source: design 11.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from wrapper.errors import Location
from wrapper.hook.pin import Pin, Use, used
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.auth import Auth, Setting
    from wrapper.config import Config
    from wrapper.hook.manifests import Place
    from wrapper.stacks.passive import Said
    from wrapper.trust import Verdict
    from wrapper.world import World

    Judge = Callable[[Said], Verdict]


class Found(NamedTuple):
    """What holds in a directory.

    `name` is the identity, '' for none; `why` says where that comes from, or why there is none.
    `files` are what took part besides the configuration, absolute; `stack` the stack, '' for none;
    `pinned` whether a pin file or `use` named the identity. `verdict` is of the stack's manifests,
    None where they say nothing about `auth`. `shared`: the directory had no say in it.
    """

    auth: Auth | None
    name: str = ""
    why: str = ""
    stack: str = ""
    files: tuple[str, ...] = ()
    pinned: bool = False
    off: bool = False
    verdict: Verdict | None = None
    shared: bool = False


def identity(config: Config, pin: Pin, world: World, root: str, judge: Judge) -> Found:
    """Return the identity of the working directory. Nothing is run, asked or contacted.

    Order: `ATMOS_IDENTITY`, `use IDENTITY`, the pin file, the stack of a directory of manifests, the
    component's directory with a pinned stack, the repository's default. `judge` says whether the
    user agreed to what a stack's manifests say.
    Raises: ConfigError, StackError, Problems for a configuration that cannot be used.
    """
    use = used(world.environ)
    if use is not None and os.path.realpath(use.root) != os.path.realpath(root):
        use = None
    named = _named(world.environ.get("ATMOS_IDENTITY", ""), use, pin)
    pinned = use.name if use is not None and use.kind == "stack" else ""
    pinned = pinned or pin.stack or world.environ.get("ATMOS_STACK", "")
    place = _place(config, pinned, world)
    if place is None:
        return _chosen(
            Found(None, shared=True), config.data.get("auth") or {}, (), config, named, world
        )
    here = Found(None, stack=place.said.stack, files=place.said.watch)
    if not place.said.files and not place.doubts:
        return _chosen(here, config.data.get("auth") or {}, (), config, named, world, place)
    if place.doubts:
        doubt = place.doubts[0]
        return here._replace(
            why=f"{place.title} has no identity at a prompt: {doubt.what}, {_source(doubt.at, world)}"
        )
    verdict = judge(place.said)
    here = here._replace(verdict=verdict)
    if verdict.state != "allowed":
        return here._replace(
            why=f"{place.title} has `auth` in its manifests, and consent does not cover them"
        )
    from wrapper.hook import manifests

    section = manifests.merged(place, config)
    if section.fatal:
        return here._replace(why=f"{place.title} has no identity at a prompt: {section.fatal}")
    found = _chosen(here, section.auth, place.layers, config, named, world, place)
    reason = manifests.faulty(section, found.name) if found.name else ""
    if reason:
        why = f'identity "{found.name}" of {place.title} cannot be told at a prompt: {reason}'
        return here._replace(why=why)
    return found


def _chosen(
    here: Found,
    section: Any,
    layers: tuple[Any, ...],
    config: Config,
    named: Setting | None,
    world: World,
    place: Place | None = None,
) -> Found:
    from wrapper import auth
    from wrapper.auth import selection

    quiet = world._replace(stdin_tty=False, stderr_tty=False, asks=False)
    known = auth.read(
        section, (*config.auth_layers, *layers), config.dir, quiet, config.data.get("wrap")
    )
    here = here._replace(auth=known)
    if named is not None:
        if selection.is_off(named):
            return here._replace(why=f"switched off by {named.source}", off=True)
        return here._replace(
            name=selection.named(known, named),
            why=f"named by {named.source}",
            pinned=named.source != "ATMOS_IDENTITY",
        )
    if not known.defaults:
        return here._replace(why="no default identity is configured")
    if len(known.defaults) > 1:
        names = ", ".join(one.name for one in known.defaults)
        return here._replace(why=f"several defaults: {names}")
    default = known.defaults[0]
    reason = f"the default{f' of {place.title}' if place is not None else ''}"
    at = f", {_source(default.at, world)}" if default.at else ""
    return here._replace(name=default.name, why=reason + at)


def _source(given: Any, world: World) -> str:
    from wrapper import ui

    return ui.place(given, world.cwd) if isinstance(given, Location) else str(given)


def _named(explicit: str, use: Use | None, pin: Pin) -> Setting | None:
    if not explicit and not pin.identity and (use is None or use.kind != "identity"):
        return None
    from wrapper.auth import Setting

    if explicit:
        return Setting(explicit, "ATMOS_IDENTITY")
    if use is not None and use.kind == "identity":
        return Setting(use.name, "`atmos-wrap use`")
    return Setting(pin.identity, str(pin.at("identity")))


def _place(config: Config, pinned: str, world: World) -> Place | None:
    """Return what the stack that holds here says, None where none holds."""
    here = os.path.realpath(world.cwd)
    inside = bool(config.stacks_dir) and _within(here, config.stacks_dir)
    if not inside and not pinned:
        return None
    from wrapper.hook import manifests

    return manifests.place(config, pinned, here, inside, world)


def _within(path: str, directory: str) -> bool:
    top = os.path.realpath(directory)
    return path == top or path.startswith(top + os.sep)
