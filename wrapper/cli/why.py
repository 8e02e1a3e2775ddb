"""`why`: where the keys of a component, an identity or the configuration come from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.errors import UsageError, near

if TYPE_CHECKING:
    from wrapper.auth import Auth
    from wrapper.cli.session import Session
    from wrapper.config import Config
    from wrapper.origins import Origin, Places, Step
    from wrapper.stacks import Component

MASKED = "***"
# Names whose last words say that the value is a secret.
_SECRETS = (
    "password", "secret", "token", "access_key", "access_key_id", "private_key", "client_key",
    "passphrase", "api_key",
)  # fmt: skip
Format = Annotated[str, typer.Option("--format", "-f", help="text, json or yaml")]


def register(app: typer.Typer) -> None:
    """Add this command to the application."""
    app.command("why")(why)


def why(
    ctx: typer.Context,
    key: Annotated[
        str, typer.Argument(help="a key path such as vars.region, or an identity; all without")
    ] = "",
    form: Format = "text",
    process_templates: Annotated[str, typer.Option(help="false: leave templates as text")] = "true",
) -> None:
    """Show which file and line a value comes from, and what it displaced.

    With -c COMPONENT -s STACK: of a component. Without: of an identity, or a key of atmos.yaml.
    """
    from wrapper import stacks

    session: Session = ctx.obj
    name, stack = session.globals.component, session.globals.stack
    if bool(name) != bool(stack):
        raise UsageError("a component needs a stack, and a stack a component", hint="-c C -s S")
    config = session.config()
    component = None
    if name and stack:
        rendered = process_templates.strip().lower() not in ("false", "0", "f", "no", "off")
        component = stacks.component(config, session.world, name, stack, "", templates=rendered)
    identity = _identity(session, config, component, key)
    if identity is not None:
        _show_identity(session, config, component, identity, form)
        return
    origins = _selected(config, component, key)
    head = {"component": component.name, "stack": component.stack} if component else {}
    _show(session, config, head, origins, form)


def _selected(config: Config, component: Component | None, key: str) -> list[Origin]:
    """Return the origins of a key. Raises: UsageError when nothing is there."""
    from wrapper import origins

    if component is not None:
        from wrapper.stacks import provenance

        known = provenance.explain(component, config)
    else:
        from wrapper.config import pieces

        known = pieces.explain(config)
    found = origins.below(known, key)
    if key.strip(".") and not found:
        paths = {".".join(o.keys[:n]) for o in known for n in range(1, len(o.keys) + 1)}
        names = () if component else (config.data.get("auth") or {}).get("identities") or ()
        raise UsageError(
            f'"{key}" is set nowhere'
            + (f" in {component.name} of {component.stack}" if component else ""),
            hint=near(key.strip("."), [*paths, *names]) or "without a key everything is shown",
        )
    if key.strip("."):
        return found
    return [origin for origin in found if origin.steps]


# ---- identities ---------------------------------------------------------------------------------


def _identity(
    session: Session, config: Config, component: Component | None, key: str
) -> str | None:
    """Return the identity that is asked about, None for a key."""
    from wrapper.auth.lookup import match

    section = component.section if component else config.data
    if key:
        if component and key.strip(".").partition(".")[0] in section:
            return None
        identities = (config.data if not component else section).get("auth") or {}
        found: str | None = match(key, identities.get("identities") or {})
        return found
    if component is not None:
        return None
    from wrapper import auth, run

    known = run.auth_of(config, None, session.world)
    chosen = auth.select(known, session.globals.identity, session.world).name
    if chosen is None:
        raise UsageError("no identity is configured", hint="name a key, or -c COMPONENT -s STACK")
    return chosen


def _show_identity(
    session: Session, config: Config, component: Component | None, name: str, form: str
) -> None:
    from wrapper import run
    from wrapper.config import pieces
    from wrapper.errors import WrapError

    if component is not None:
        from wrapper.stacks import provenance

        known = provenance.explain(component, config)
    else:
        known = pieces.explain_auth(config)
    prefix = ("auth", "identities", name)
    origins = [origin for origin in known if origin.keys[:3] == prefix]
    try:
        told = _default(run.auth_of(config, component, session.world), name, session)
    except WrapError as error:
        told = (False, f"cannot be said: {error.message}")
    head = {"identity": name, "default": told[0], "why": told[1]}
    if component is not None:
        head |= {"component": component.name, "stack": component.stack}
    _show(session, config, head, origins, form)


def _default(auth: Auth, name: str, session: Session) -> tuple[bool, str]:
    """Say whether an identity is the default, and why."""
    from wrapper import ui
    from wrapper.auth import selection
    from wrapper.auth.lookup import truth

    def place(at: Any) -> str:
        return ui.place(at, session.world.cwd) if at else "no place"

    wish = selection.wish(session.globals.identity, session.world)
    more = f"; but {wish.source} says {wish.value}" if wish is not None else ""
    here = {one.name: one for one in auth.defaults}
    if name in here and len(here) == 1:
        return True, f"the default, marked in {place(here[name].at)}{more}"
    if name in here:
        others = " and ".join(f"{n} ({place(o.at)})" for n, o in here.items() if n != name)
        return False, f"one of several marked as default, with {others}{more}"
    marked = truth(auth.identities[name].raw.get("default")) is True
    winner = " and ".join(f"{n}, marked in {place(o.at)}" for n, o in here.items())
    if marked and winner:
        return False, f"marked as default, but overruled by {winner}{more}"
    if winner:
        return False, f"not the default, which is {winner}{more}"
    return False, f"not the default: no identity is marked with `default: true`{more}"


# ---- output -------------------------------------------------------------------------------------


def _show(
    session: Session, config: Config, head: Mapping[str, Any], origins: list[Origin], form: str
) -> None:
    from wrapper import ui
    from wrapper.cli import output
    from wrapper.origins import Places

    hidden = {config.environ[n] for n in config.secrets if config.environ.get(n)}
    places = Places()
    if form != "text":
        keys = [_as_data(origin, places, hidden) for origin in origins]
        output.emit(session, {**head, "keys": keys}, form)
        return
    words = {True: "yes", False: "no"}
    lines = [f"{key}: {words.get(value, value)}" for key, value in head.items()]
    unsaid = "(derived)" if "component" in head else "(default)"
    rows: list[tuple[str, str]] = []
    for origin in origins:
        rows += _rows(origin, places, hidden, session.world.cwd, unsaid)
    width = min(max((len(left) for left, right in rows if right), default=0), 60)
    lines += [f"{left:<{width}}  {right}".rstrip() for left, right in rows]
    session.world.stdout.write("".join(ui.escape(line) + "\n" for line in lines))


def _rows(
    origin: Origin, places: Places, hidden: set[str], cwd: str, unsaid: str
) -> list[tuple[str, str]]:
    """Return a key as lines: the winner, then what lies below it, the nearest first."""
    from wrapper.cli import output

    def text(value: Any) -> str:
        return output.inline(shown(origin.keys, value, hidden))

    def right(step: Step) -> str:
        from wrapper import ui

        at = places.of(step)
        return f"{ui.place(at, cwd) if at else step.piece.told} ({step.piece.label})"

    value = "(removed)" if origin.removed else text(origin.value)
    head = f"{origin.dotted}: {value}"
    steps = list(reversed(origin.steps))
    first = steps[0] if steps and not origin.removed else None
    rows = [(head, right(first) if first else "" if origin.removed else unsaid)]
    counting = sum(step.counts for step in steps)
    for step in steps[1:] if first else steps:
        word = "with" if step.counts else "over"
        rows.append((f"    {word} {text(step.value)}", right(step)))
    if first and counting == 1 and _differs(first.value, origin.value):
        rows.insert(1, (f"    from {text(first.value)}", ""))
    return rows


def _differs(source: Any, value: Any) -> bool:
    """Say whether a value was made from what stands in the file, as by a template."""
    return isinstance(source, str) and source != value


def _as_data(origin: Origin, places: Places, hidden: set[str]) -> dict[str, Any]:
    sources = []
    for step in origin.steps:
        at = places.of(step)
        where = {"file": at.path, "line": at.line, "column": at.column} if at else {}
        if not at:
            where = {"from": step.piece.told}
        value = shown(origin.keys, step.value, hidden)
        sources.append({"layer": step.piece.label, "value": value, "wins": step.counts, **where})
    value = shown(origin.keys, origin.value, hidden)
    found = {"key": origin.dotted, "path": list(origin.keys), "value": value, "sources": sources}
    return {**found, "removed": True} if origin.removed else found


def shown(keys: Sequence[str], value: Any, hidden: set[str]) -> Any:
    """Return a value for people: secrets masked, unread values as what they are."""
    from wrapper.merge import UNSET
    from wrapper.stacks.manifest import Fault

    if value is UNSET:
        return "!unset"
    if isinstance(value, Fault):
        return f"({value.message})"
    if isinstance(value, Mapping):
        return {key: shown((*keys, key), item, hidden) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [shown(keys, item, hidden) for item in value]
    if isinstance(value, str):
        function = value.startswith("!") or ("{{" in value and "}}" in value)
        if value in hidden or (_secret(keys) and value and not function):
            return MASKED
        return str(value)
    return value


def _secret(keys: Sequence[str]) -> bool:
    last = keys[-1].lower().replace("-", "_") if keys else ""
    if tuple(keys[:1]) == ("auth",) and "credentials" in keys[:-1]:
        return last not in ("region", "mfa_arn")
    return last in _SECRETS or last.endswith(tuple("_" + name for name in _SECRETS))
