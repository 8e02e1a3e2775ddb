"""One component of one stack as `describe component` shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.cli import output
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.stacks import Component

# What `describe component` shows by default. Source: reference/atmos-stacks.md 6.1.
SHOWN = (
    "vars",
    "settings",
    "env",
    "backend",
    "metadata",
    "overrides",
    "providers",
    "imports",
    "dependencies",
    "component",
    "hooks",
)


def component(
    session: Session,
    name: str,
    *,
    form: str = "yaml",
    query: str = "",
    file: str = "",
    functions: str = "true",
    templates: str = "true",
    skip: Sequence[str] = (),
    provenance: bool = False,
    error_mode: str = "",
) -> None:
    """Write one component, resolved; `name` may be a path. Raises: WrapError."""
    from wrapper import run, stacks
    from wrapper.errors import UsageError
    from wrapper.terraform import location

    stack = session.globals.stack
    if not stack:
        raise UsageError(
            "stack is required; specify it on the command line using the flag "
            "`--stack <stack>` (shorthand `-s`)"
        )
    config = session.config()
    world = session.world
    reader = run.reader(config, session.globals.identity, world, masks=True)
    name = location.component_name(config, world, name, stack)
    found = stacks.component(
        config, world, name, stack, "", templates=truth(templates), reader=reader
    )
    _check_wish(session, found)
    if truth(functions):
        strict = is_strict(session, error_mode)
        found = stacks.evaluate(
            found, config, world, config.environ, skip=names_of(skip), reader=reader, strict=strict
        )
    section: Any = _with_zero_values(found.section)
    whole = _filter(session, config.data) != "schema"
    if whole or query.lstrip().startswith(".sources"):
        from wrapper.stacks import provenance as origin

        section = {**section, "sources": origin.sources(found)}
    if query:
        from wrapper.stacks import query as expressions

        section = expressions.run(query, section)
    elif not whole:
        section = {key: section[key] for key in SHOWN if key in section}
    if provenance and form == "yaml" and not query:
        from wrapper.cli import annotated

        text = annotated.text(section, found, config, world)
        output.put(session, text, file)
        return
    output.emit(session, section, form, file, apart=bool(query))


def _check_wish(session: Session, component: Component) -> None:
    """Refuse a named identity that the component does not know; nobody is signed in.

    Source: reference/atmos-auth.md 2.5.
    """
    from wrapper import run
    from wrapper.auth import SELECT, selection

    wish = selection.wish(session.globals.identity, session.world)
    if wish is not None and wish.value != SELECT and not selection.is_off(wish):
        selection.named(run.auth_of(session.config(), component, session.world), wish)


def _with_zero_values(section: dict[str, Any]) -> dict[str, Any]:
    """Return a section as Atmos shows it: `auth` with what it holds by default."""
    auth = section.get("auth")
    if not isinstance(auth, dict) or not auth.keys() - {"realm"}:
        return section
    logs = auth.get("logs") or {}
    shown = {**auth, "keyring": auth.get("keyring") or {}}
    shown["logs"] = {"file": "", "level": "", **logs} if isinstance(logs, dict) else logs
    return {**section, "auth": shown}


def truth(text: str) -> bool:
    """Read a flag's value. Raises: UsageError for a word that is neither yes nor no."""
    word = text.strip().lower()
    if word in ("false", "0", "f", "no", "off"):
        return False
    if word in ("true", "1", "t", "yes", "on", ""):
        return True
    from wrapper.errors import UsageError

    raise UsageError(f'"{text}" is neither true nor false', hint="write it behind =: --flag=false")


def is_strict(session: Session, given: str) -> bool:
    """Say whether an output that is not there yet is an error, and not `(computed)`.

    Raises: UsageError for a mode that is none. Source: reference/atmos-stacks.md 3.10, 6.1.
    """
    modes = ("strict", "warn", "silent")
    section = session.config().data.get("describe")
    config = section.get("error_mode") if isinstance(section, Mapping) else None
    mode = given or session.world.environ.get("ATMOS_DESCRIBE_ERROR_MODE") or config or "warn"
    if mode in modes:
        return bool(mode == "strict")
    from wrapper.errors import UsageError, near

    raise UsageError(
        f'unknown error mode "{mode}"', hint=near(str(mode), modes) or ", ".join(modes)
    )


def split(text: str) -> tuple[str, ...]:
    """Return the parts of a text between commas."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def names_of(skip: Sequence[str]) -> frozenset[str]:
    """Return the functions that `--skip` names, without `!`."""
    return frozenset(part.lstrip("!") for text in skip for part in split(text))


def _filter(session: Session, data: Mapping[str, Any]) -> str:
    """Return how much is shown. Source: reference/atmos-stacks.md 6.1."""
    given = session.world.environ.get("ATMOS_DESCRIBE_COMPONENT_FILTER")
    if given:
        return given
    found: Any = data
    for key in ("describe", "component", "filter"):
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, str) and found else "schema"
