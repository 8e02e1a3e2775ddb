"""What the templates and functions of one component read of other components."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError, WrapError
from wrapper.stacks.settings import truth
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.settings import Settings
    from wrapper.world import World


class Reader(NamedTuple):
    """Reads results of components, each as its own identity; given by who knows identities.

    `state` and `outputs` return the outputs, None when the component has no state yet. `environ`
    returns the environment that a component's identity works in, `as_identity` that of another
    identity that is named. With `masks` secrets are not read. `known` keeps what was read, `chain` names the components being looked
    at, outermost first.
    """

    state: Callable[[Component], Mapping[str, Any] | None]
    outputs: Callable[[Component], Mapping[str, Any] | None]
    environ: Callable[[Component], Mapping[str, str]]
    known: dict[tuple[str, ...], Any]
    chain: list[tuple[str, str, Location | None]]
    as_identity: Callable[[Component, str], Mapping[str, str]]
    masks: bool = False


def nobody() -> Reader:
    """Return a reader for where nothing can be asked."""

    def refuse(component: Component, _identity: str = "") -> Any:
        raise StackError(
            f'the outputs of "{component.name}" in "{component.stack}" cannot be read here',
            at=Location(component.manifest, 1, 1),
        )

    return Reader(refuse, refuse, refuse, {}, [], refuse)


def enter(reader: Reader, name: str, stack: str, at: Location | None) -> None:
    """Begin to look at a component; the caller takes it off `chain` again.

    Raises: StackError that shows the chain when it is being looked at already.
    """
    if any((name, stack) == one[:2] for one in reader.chain):
        first = next(n for n, one in enumerate(reader.chain) if one[:2] == (name, stack))
        loop = [*reader.chain[first:], (name, stack, at)]
        drawn = " -> ".join(f"{one[0]} in {one[1]}" for one in loop)
        places: list[Location] = []
        for one in (place for _, _, place in loop if place is not None):
            # A mere manifest is a place of each component in it: who renders one makes it precise.
            vague = one[1:] == (1, 1) and one is not at
            if vague or one not in places:
                places.append(one)
        raise StackError(f"components read each other in a circle: {drawn}", at=places)
    reader.chain.append((name, stack, at))


class Described(dict[str, Any]):
    """A component's section whose YAML functions, and whose outputs, wait until they are read."""

    def __init__(self, component: Component, config: Config, world: World, reader: Reader) -> None:
        keys = dict.fromkeys((*component.section, "outputs"))
        super().__init__(keys)
        self._asked = (component, config, world, reader)
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> Any:
        if key in self and key not in self._read:
            self._read.add(key)
            super().__setitem__(key, self._value(key))
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return a part of the section."""
        return self[key] if key in self else default  # noqa: SIM401

    def items(self) -> Any:
        """Return all parts with their names."""
        return [(key, self[key]) for key in self]

    def values(self) -> Any:
        """Return all parts."""
        return [self[key] for key in self]

    def _value(self, key: str) -> Any:
        from wrapper.stacks import functions

        component, config, world, reader = self._asked
        if key == "outputs":
            if component.kind != "terraform":
                return {}
            return dict(read(reader, "outputs", component) or {})
        one = component._replace(section={**component.section, key: component.section[key]})
        return functions.evaluate_key(one, key, config, world, config.environ, reader)


def read(
    reader: Reader, how: str, component: Component, at: Location | None = None
) -> Mapping[str, Any] | None:
    """Return a component's outputs by `state` or `outputs`, once per run.

    Raises: StackError that shows the chain when a backend needs the very outputs that it keeps.
    """
    key = (how, component.name, component.stack)
    if key not in reader.known:
        ask = reader.state if how == "state" else reader.outputs
        enter(reader, component.name, component.stack, at)
        try:
            reader.known[key] = ask(component)
        finally:
            reader.chain.pop()
    found: Mapping[str, Any] | None = reader.known[key]
    return found


def template_functions(
    component: Mapping[str, Any],
    at: Location,
    settings: Settings,
    config: Config,
    world: World,
    reader: Reader,
    whole: Callable[[], Component],
) -> Mapping[str, Callable[..., Any]]:
    """Return the functions that a component's templates may call.

    `component` is its section, `whole` gives all of it. Source: reference/atmos-stacks.md 3.6.
    """
    from wrapper.stacks import gotemplate

    own: Any = component
    for key in ("settings", "templates", "settings", "env"):
        own = own.get(key) if isinstance(own, Mapping) else None
    given = settings.templates.get("env")
    environ = dict(world.environ)
    for found in (given, own):
        if isinstance(found, Mapping):
            environ |= {str(k): str(v) for k, v in found.items() if v is not None}

    def on(family: str) -> bool:
        wanted = settings.templates.get(family)
        return isinstance(wanted, Mapping) and truth(wanted.get("enabled"))

    known = dict(gotemplate.families(sprig=on("sprig"), gomplate=on("gomplate"), environ=environ))

    def described(name: str, stack: str) -> Mapping[str, Any]:
        key = ("component", str(name), str(stack))
        if key not in reader.known:
            from wrapper import stacks

            try:
                found = stacks.component(config, world, str(name), str(stack), "", reader=reader)
            except WrapError as error:
                if error.at:
                    raise
                message = f"atmos.Component: {error.message}"
                raise type(error)(message, at=at, hint=error.hints) from error
            reader.known[key] = Described(found, config, world, reader)
        result: Mapping[str, Any] = reader.known[key]
        return result

    if not world.fetches:
        known["getHostByName"] = _unasked(at)
    known["atmos__Component"] = described
    known["atmos__GomplateDatasource"] = lambda name: _datasource(str(name), settings, reader, at)
    known["datasource"] = known["ds"] = known["atmos__GomplateDatasource"]
    return known | _asking_as(whole, config, world, reader, at)


def _asking_as(
    whole: Callable[[], Component], config: Config, world: World, reader: Reader, at: Location
) -> dict[str, Callable[..., Any]]:
    """Return `atmos.Store` and `atmos.Resolve`, which ask as the component's identity."""

    def stored(*words: Any) -> Any:
        from wrapper.stacks import stored as stores

        if len(words) != 4:
            message = "atmos.Store takes a store, a stack, a component and a key"
            raise StackError(message, at=at)
        given = tuple(map(str, words))
        return _asking(
            whole(), reader, lambda one: stores.of_template(given, one, config, reader, at)
        )

    def resolved(text: Any) -> Any:
        from wrapper.stacks import functions

        if not isinstance(text, str) or not text.startswith("!"):
            return text

        def asked(one: Component) -> Any:
            made = one._replace(section={**one.section, "atmos.Resolve": text}, deferred=())
            return functions.evaluate_key(
                made, "atmos.Resolve", config, world, config.environ, reader
            )

        return _asking(whole(), reader, asked)

    return {"atmos__Store": stored, "atmos__Resolve": resolved}


def _asking(component: Component, reader: Reader, ask: Callable[[Component], Any]) -> Any:
    """Return the answer to a question that is asked while a component's templates are not run yet.

    What in its `env` is a template is left out, and the environment that is made so is not kept.
    """
    env = component.section.get("env")
    if isinstance(env, Mapping):
        plain = {key: value for key, value in env.items() if "{{" not in f"{key}{value}"}
        component = component._replace(section={**component.section, "env": plain})
    before = set(reader.known)
    try:
        return ask(component)
    finally:
        for key in set(reader.known) - before:
            if key[0] in ("environ", "identity") and key[1:3] == (component.name, component.stack):
                del reader.known[key]


def _unasked(at: Location) -> Callable[..., Any]:
    def refuse(name: Any) -> str:
        raise StackError(
            f"getHostByName {name}: the net is not asked here",
            at=at,
            hint="--process-templates=false leaves templates as text",
        )

    return refuse


def _datasource(name: str, settings: Settings, reader: Reader, at: Location) -> Any:
    """Return a data source that is a file of the repository, decoded. Raises: StackError."""
    key = ("datasource", name)
    if key in reader.known:
        return reader.known[key]
    sources: Any = settings.templates
    for step in ("gomplate", "datasources", name, "url"):
        sources = sources.get(step) if isinstance(sources, Mapping) else None
    if not isinstance(sources, str) or not sources:
        raise StackError(f'the data source "{name}" is not defined', at=at)
    scheme, mark, rest = sources.partition("://")
    path = rest if mark else sources
    if mark and scheme != "file":
        raise StackError(
            f'the data source "{name}" is remote ({scheme}): a manifest must mean the same without '
            "a network",
            at=at,
            hint="keep a copy of the file in the repository and name its path",
        )
    from wrapper.stacks import include
    from wrapper.stacks.manifest import read_bytes

    full = os.path.normpath(os.path.join(settings.base_path, path.partition("?")[0]))
    try:
        reader.known[key] = include.decoded(read_bytes(full, "the file"), full)
    except (WrapError, ValueError, RecursionError) as error:
        raise StackError(f'cannot read the data source "{name}": {error}', at=at) from error
    return reader.known[key]
