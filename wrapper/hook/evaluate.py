"""One look at a directory for a shell: consent first, then the identity and its pointers.

Nothing is asked, run, contacted or decrypted here.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from wrapper.errors import WrapError
from wrapper.hook.answer import INPUTS, Answer, asked
from wrapper.hook.pin import Pin
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.auth import Auth
    from wrapper.config import Config
    from wrapper.env import EnvDelta
    from wrapper.hook.directory import Found
    from wrapper.stacks.passive import Said
    from wrapper.trust import Closure, Verdict
    from wrapper.world import World

# Names that decide that a directory belongs to a repository; the shell files look for them, too.
MARKS = ("atmos.yaml", "atmos.yml", ".atmos.yaml", ".atmos.yml", ".atmos-wrap.yaml")

_OURS = ("ATMOS_", "XDG_")


class View(NamedTuple):
    """What is known of a directory; None and empty where it was not come to.

    `fault` is why there is no answer; `signed_in` whether the identity has a session, `expires` its
    end in seconds since the epoch, None for never; `principal` who it was last, an ARN or the like.
    """

    config: Config | None = None
    closure: Closure | None = None
    verdict: Verdict | None = None
    pin: Pin = Pin()
    found: Found | None = None
    delta: EnvDelta | None = None
    signed_in: bool = False
    expires: float | None = None
    session: str = ""
    principal: str = ""
    fault: WrapError | None = None

    @property
    def root(self) -> str:
        """Return the repository, '' for none."""
        return self.closure.root if self.closure is not None else ""


def look(world: World, *, trusted: bool = False) -> View:
    """Return what holds in the working directory, as far as consent allows (`trusted`: all of it)."""
    from wrapper import trust
    from wrapper.config import Options
    from wrapper.hook import closure as consider

    try:
        read = consider.read(world, Options(passive=True))
    except WrapError as error:
        if trust.denied(consider.root(world, Options(passive=True)), world):
            return View()
        return View(fault=error)
    if read is None:
        return View()
    config, known = read
    verdict = trust.verdict(known, world)
    view = View(config, known, verdict)
    if verdict.state != "allowed" and not trusted:
        return view
    try:
        return _identity(view, config, world, trusted)
    except WrapError as error:
        return view._replace(fault=error)


def _identity(view: View, config: Config, world: World, trusted: bool) -> View:
    from wrapper.config import Options
    from wrapper.hook import closure, directory

    assert view.closure is not None
    pinned = closure.pinned(world, Options(passive=True), view.closure)

    def judge(said: Said) -> Verdict:
        """Return whether the user agreed to what a stack's manifests say."""
        from wrapper import trust

        assert view.closure is not None
        part = closure.part(said, config, view.closure)
        if trusted:
            return trust.Verdict("allowed", stack=part.stack)
        return trust.of_stack(view.closure, part, world)

    found = directory.identity(config, pinned, world, view.root, judge)
    view = view._replace(pin=pinned, found=found)
    if found.verdict is not None and view.verdict is not None:
        watch = (*view.verdict.watch, *found.verdict.watch)
        view = view._replace(verdict=found.verdict._replace(watch=watch))
    if not found.name or found.auth is None:
        return view
    view = view._replace(delta=_delta(found.auth, found.name, world))
    return _session(view, found.auth, found.name, world)


def _delta(auth: Auth, name: str, world: World) -> EnvDelta:
    """Return the pointers of an identity; what the wrapper itself reads stays in the shell."""
    from wrapper.auth import delivery

    plain = auth._replace(delivery="") if auth.delivery in ("env", "files") else auth
    delta = delivery.environment(plain, name, world)
    # What decides whose consent counts, and where it is kept, is never a repository's to set.
    kept = {k: v for k, v in delta.set.items() if not k.startswith(_OURS) and k not in INPUTS}
    return delta._replace(set=kept, unset=delta.unset - delivery.withheld(auth, name))


def _session(view: View, auth: Auth, name: str, world: World) -> View:
    from wrapper.auth import chain, sessions

    key = chain.keys_of(auth, name, world)[-1]
    if key is None:
        return view._replace(signed_in=True)
    realm = sessions.realm_dir(world.environ, auth.realm)
    stored = sessions.load(realm, key)
    alive = stored is not None and (stored.expires is None or stored.expires > world.now())
    return view._replace(
        session=sessions.path(realm, key),
        signed_in=alive,
        expires=stored.expires if stored is not None and alive else None,
        principal=stored.principal if stored is not None else "",
    )


def answer(view: View, world: World) -> Answer:
    """Return what the shell is told of a view."""
    from wrapper.hook import prompt

    directory = world.cwd
    said = _say(view)
    if view.closure is None:
        marks = list(_marks(directory, ""))
        return Answer(
            root=directory if view.fault is not None else "",
            watch=[path for path in marks if os.path.lexists(path)],
            absent=[path for path in marks if not os.path.lexists(path)],
            say=said,
            asked=asked(world.environ),
        )
    watch = _watched(view)
    values: dict[str, str] = {}
    unset: frozenset[str] = frozenset()
    absent = [*_marks(directory, view.root), *_shared(world)]
    if view.session:  # one that has ended is there, too
        watch.append(view.session)
    if view.delta is not None and view.found is not None:
        values = {**view.delta.set, **prompt.values(view)}
        if view.found.pinned:
            values["ATMOS_WRAP_IDENTITY"] = view.found.name
        unset = view.delta.unset
    present = [path for path in dict.fromkeys(watch) if os.path.lexists(path)]
    missing = [path for path in dict.fromkeys(watch) if not os.path.lexists(path)]
    return Answer(
        root=view.root,
        values=values,
        unset=sorted(unset),
        prefixes=_prefixes(view),
        watch=present,
        absent=[path for path in dict.fromkeys([*absent, *missing]) if not os.path.lexists(path)],
        expires=int(view.expires or 0),
        say=said,
        asked=asked(world.environ),
    )


def _prefixes(view: View) -> tuple[str, ...]:
    from wrapper.env import SCRUB

    cloud = view.delta is not None and "AWS_PROFILE" in view.delta.set
    return SCRUB["aws"].prefixes if cloud else ()


def _watched(view: View) -> list[str]:
    """Return the files that took part, and the directories in which others could appear."""
    assert view.closure is not None
    found = list(view.closure.files)
    if view.pin.path:
        found.append(view.pin.path)
    # Also the working directory, if a file of it counts: `mv` puts an older one in its place.
    found += sorted({os.path.dirname(path) for path in found})
    if view.verdict is not None:
        found += view.verdict.watch
    return [*found, *(view.found.files if view.found is not None else ())]


def _marks(directory: str, root: str) -> Iterator[str]:
    """Yield what is or would be configuration, from the directory up to the root."""
    here = directory
    while here:
        for name in MARKS:
            yield os.path.join(here, name)
        if here in (root, os.path.dirname(here)):
            return
        here = os.path.dirname(here)


def _shared(world: World) -> Iterator[str]:
    """Yield what is or would be configuration for all repositories."""
    from wrapper.config.files import SYSTEM_DIR

    for directory in (SYSTEM_DIR, os.path.join(world.home, ".atmos")):
        if os.path.lexists(directory):
            yield from (os.path.join(directory, name) for name in MARKS[:2])
        else:
            yield directory


def _say(view: View) -> str:
    """Return the one line that the shell prints on entering, '' for none."""
    from wrapper import ui

    if view.fault is not None:
        return f"atmos-wrap: {ui.escape(view.fault.message)} (`atmos-wrap status` tells more)"
    if view.verdict is None or view.verdict.state in ("allowed", "denied"):
        return ""
    where = ui.escape(view.root)
    if view.verdict.stack:
        where = f'stack "{ui.escape(view.verdict.stack)}" of {where}'
    if view.verdict.state == "unsafe":
        return f"atmos-wrap: {where} is left alone: {ui.escape(view.verdict.reason)}"
    if view.verdict.state == "changed":
        return f"atmos-wrap: {where} has changed since you allowed it: see `atmos-wrap allow`"
    return f"atmos-wrap: {where} is not allowed yet: `atmos-wrap allow` shows it and allows it"
