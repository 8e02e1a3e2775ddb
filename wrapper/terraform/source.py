"""`source` of a component: where its module comes from, and its files.

Source: reference/atmos-stacks.md 3.14.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError
from wrapper.remote import is_remote
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.remote.address import Address
    from wrapper.stacks import Component
    from wrapper.world import World


class Spec(NamedTuple):
    """A `source` section. The patterns are globs over paths from the module's root.

    `ttl` is how long what moves is not looked at again, as written; `retry` the section that says
    how often a source that does not answer is asked.
    """

    uri: str
    version: str = ""
    included: tuple[str, ...] = ()
    excluded: tuple[str, ...] = ()
    ttl: Any = None
    at: Location | None = None
    retry: Any = None

    @property
    def is_local(self) -> bool:
        """Say whether the module is on this disk."""
        return self.uri.startswith(("./", "../", "/", "file://")) or not is_remote(self.uri)

    def address(self) -> Address:
        """Return the remote address, with the version. Raises: ConfigError."""
        from wrapper.remote import address

        uri = self.uri
        if self.version and "?ref=" not in uri and "&ref=" not in uri:
            uri += f"{'&' if '?' in uri else '?'}ref={self.version}"
        return address.parse(uri, self.at)


class Module(NamedTuple):
    """The files of a module: their root, what links may not leave, which version they are."""

    root: str
    within: str
    revision: str


def of(component: Component) -> Spec | None:
    """Return a component's `source`; None without one. Raises: StackError."""
    return of_section(component.section, component.where("source"))


def of_section(section: Mapping[str, Any], at: Location | None) -> Spec | None:
    """Return the `source` of a component's section. Raises: StackError for what is none."""
    found = section.get("source")
    if not found:
        return None
    if not isinstance(found, Mapping) or not isinstance(found.get("uri"), str) or not found["uri"]:
        raise StackError(
            "`source` is a map with `uri`",
            at=at,
            hint="for example: source: {uri: github.com/org/repo//modules/vpc, version: 1.2.0}",
        )
    version = found.get("version")
    return Spec(
        found["uri"],
        "" if version is None else str(version),
        _texts(found, "included_paths", at),
        _texts(found, "excluded_paths", at),
        found.get("ttl"),
        at,
        found.get("retry"),
    )


def module(spec: Spec, config: Config, world: World, *, anew: bool = False) -> Module:
    """Return a source's files: those on the disk, else fetched after consent; with `anew` again.

    Raises: StackError, ConfigError, NotFetched, FetchError.
    """
    if spec.is_local:
        path = os.path.normpath(os.path.join(config.base_path, spec.uri.removeprefix("file://")))
        if not os.path.isdir(path):
            raise StackError(f"`source` names the directory {path}, which is not there", at=spec.at)
        return Module(path, "", "")
    from wrapper.remote import store
    from wrapper.terraform.files import setting

    given = spec.ttl if spec.ttl is not None else setting(config, "source", "ttl")
    try:
        seconds = store.ttl(given)
    except ValueError as error:
        raise StackError(f"`ttl` of `source`: {error}", at=spec.at) from error
    address = spec.address()
    tree = store.tree(
        address, world, at=spec.at, seconds=seconds, anew=anew, again=_again(spec, world)
    )
    root = store.inside(tree, address.subdir)
    if not os.path.isdir(root):
        raise StackError(f"there is no directory {address.subdir} in {address.source}", at=spec.at)
    return Module(root, tree.root, tree.revision)


def _again(spec: Spec, world: World) -> Callable[[int, str], float | None] | None:
    """Return what says after how many seconds to ask again, by the attempt; None for never.

    Raises: StackError for a wrong `retry`. Source: reference/atmos-stacks.md 3.14.
    """
    from wrapper.terraform import retry

    found = retry.of_map(spec.retry, spec.at, "source.retry")
    if found is None:
        return None
    import random
    import time

    from wrapper import ui

    began = time.monotonic()

    def again(attempt: int, why: str) -> float | None:
        pause = found.pause(attempt, random.random())  # noqa: S311  no secret
        spent = time.monotonic() - began + pause
        if 0 < found.attempts <= attempt or 0 < found.all_together < spent:
            return None
        of = f" of {found.attempts}" if found.attempts else ""
        ui.note(world, f"{why}: attempt {attempt + 1}{of} in {pause:.1f} s")
        return pause

    return again


def takes(spec: Spec | None, path: str) -> bool:
    """Say whether a file of the module is wanted: excluded ones never, else included ones."""
    from wrapper.stacks import globs

    if spec is None:
        return True
    if any(globs.matches(os.path.normpath(one), path) for one in spec.excluded):
        return False
    return not spec.included or any(
        globs.matches(os.path.normpath(one), path) for one in spec.included
    )


def _texts(found: Mapping[str, Any], key: str, at: Location | None) -> tuple[str, ...]:
    value = found.get(key)
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise StackError(f"`source.{key}` is a list of patterns", at=at)
    return tuple(value)
