"""`allow`, `deny`, `revoke`, `trust list` and `trust prune`: consent to what a directory does."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli import group
from wrapper.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.config import Config
    from wrapper.trust import Closure, Part, Verdict
    from wrapper.world import World

Directory = Annotated[str, typer.Argument(metavar="[DIR]", help="Default: where you are.")]
Format = Annotated[str, typer.Option("--format", "-f", help="table or json.")]
# As many stacks are named where many say the same.
_SHOWN = 8
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show it, and allow nothing.")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("allow")(allow)
    app.command("deny")(deny)
    app.command("revoke")(revoke)
    trust = group(app, "trust", "What shells may take from which directory.")
    trust.command("list")(list_all)
    trust.command("prune")(prune)


def allow(
    ctx: typer.Context, directory: Directory = "", form: Format = "table", dry_run: DryRun = False
) -> None:
    """Show what a directory gives to a shell, and allow exactly that."""
    from wrapper import hook, trust
    from wrapper.hook import closure

    session: Session = ctx.obj
    world = _at(session.world, directory)
    _known(form)
    found = closure.read(world, session.globals.options)
    if found is None:
        raise ConfigError(
            f"there is no atmos.yaml and no .atmos-wrap.yaml at or above {world.cwd}",
            hint="name the directory: `atmos-wrap allow DIR`",
        )
    config, shown = found
    before = trust.verdict(shown, world)
    stacks, left_out = _stacks(config, shown, before, world)
    # What was read is what is shown and what is stored: nothing is read a second time.
    if not dry_run:
        trust.allow(shown, world, [part for part, one in stacks if one.state != "unsafe"])
    _tell(config, shown, before, stacks, left_out, form, dry_run, session.world)
    if not dry_run:
        hook.prepare(world)


def deny(ctx: typer.Context, directory: Directory = "") -> None:
    """Leave a directory alone from now on, without a word."""
    from wrapper import trust, ui

    world = _at(ctx.obj.world, directory)
    root = _root(ctx.obj, world)
    trust.deny(root, world)
    ui.note(
        world, f"denied {_line(root)}: shells leave it alone; `atmos-wrap revoke` takes it back"
    )


def revoke(ctx: typer.Context, directory: Directory = "") -> None:
    """Forget what was said of a directory."""
    from wrapper import trust, ui

    world = _at(ctx.obj.world, directory)
    root = _root(ctx.obj, world)
    if not trust.revoke(root, world):
        raise ConfigError(
            f"nothing was said of {root}", hint="`atmos-wrap trust list` shows what was"
        )
    ui.note(world, f"forgotten: {_line(root)}")


def list_all(ctx: typer.Context, form: Format = "table") -> None:
    """List the directories that were allowed or denied."""
    from datetime import UTC, datetime

    from wrapper import owners, trust
    from wrapper.cli import output

    session: Session = ctx.obj
    _known(form)
    rows = [
        {
            "root": one.root,
            "state": one.state,
            "when": datetime.fromtimestamp(one.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "owner": owners.user(one.owner),
        }
        for one in trust.listed(session.world)
    ]
    if form == "table":
        rows = [{key: _line(value) for key, value in row.items()} for row in rows]
    output.table(session, rows, form)


def prune(ctx: typer.Context) -> None:
    """Forget directories that are not there any more."""
    from wrapper import trust, ui

    for root in trust.prune(ctx.obj.world):
        ui.note(ctx.obj.world, f"forgotten: {_line(root)}")


def _stacks(
    config: Config, shown: Closure, before: Verdict, world: World
) -> tuple[list[tuple[Part, Verdict]], list[str]]:
    """Return the stacks whose manifests hold `auth` with their verdicts, and what is unreadable."""
    if not config.stacks_dir or not os.path.isdir(config.stacks_dir):
        return [], []
    from wrapper import trust
    from wrapper.errors import WrapError
    from wrapper.hook import closure
    from wrapper.stacks.passive import Passive

    found: list[tuple[Part, Verdict]] = []
    try:
        look = Passive(config, world._replace(fetches=False))
        names = look.stacks()
    except WrapError as error:
        return [], [error.message]
    left_out, known = [], trust.stacks(shown, world)
    for name, paths in names.items():
        try:
            said = look.said(name, paths)
        except WrapError as error:
            place = f"{error.at[0]}: " if error.at else ""
            left_out.append(f'stack "{name}": {place}{error.message}')
            continue
        if said.files:
            part = closure.part(said, config, shown)
            verdict = trust.of_stack(shown, part, world, known)
            if before.state != "allowed" and verdict.state == "allowed":
                verdict = trust.Verdict("unknown", stack=name)
            found.append((part, verdict))
    return found, left_out


def _known(form: str) -> None:
    if form not in ("table", "json"):
        raise UsageError(f'unknown format "{form}"', hint="table and json are known")


def _at(world: World, directory: str) -> World:
    """Return the world as seen from a directory. Raises: UsageError when there is none."""
    if not directory:
        return world
    path = os.path.normpath(os.path.join(world.cwd, directory))
    if not os.path.isdir(path):
        raise UsageError(f"there is no directory {directory}")
    return world._replace(cwd=path)


def _root(session: Session, world: World) -> str:
    """Return the directory that a word of the user is about; its files are not read."""
    from wrapper.hook import closure

    return closure.root(world, session.globals.options) or os.path.realpath(world.cwd)


def _tell(
    config: Config,
    shown: Closure,
    before: Verdict,
    stacks: list[tuple[Part, Verdict]],
    left_out: list[str],
    form: str,
    dry_run: bool,
    world: World,
) -> None:
    from wrapper import trust, ui

    identities = _identities(config)
    faults = trust.check(shown, world) if dry_run else []
    if form == "json":
        from wrapper.cli import output

        told = {
            "root": shown.root,
            "state": before.state if dry_run else "allowed",
            "before": before.state,
            "files": dict(shown.files),
            "settings": dict(shown.settings),
            "identities": identities,
            "changes": list(before.changes),
            "changed_files": list(before.files) if before.state == "changed" else [],
            "faults": [str(fault) for fault in faults],
            "stacks": {part.stack: _of_stack(part, one, dry_run) for part, one in stacks},
            "unreadable": left_out,
        }
        world.stdout.write(output.as_json(told))
        return
    state = {"allowed": "allowed already"}.get(before.state, "not allowed")
    lines = [f"{state if dry_run else 'allowed'}: {_line(shown.root)}", "files:"]
    lines += [f"  {_line(_short(path, shown.root))}" for path in sorted(shown.files)]
    lines += ["identities:"] if identities else []
    lines += ["  " + "  ".join(_line(v) for v in one.values() if v) for one in identities]
    pinned = {k: v for k, v in shown.settings.items() if k.startswith("pin.") or k == "profile"}
    lines += [f"{_line(key)}: {_line(value)}" for key, value in pinned.items()]
    if before.state == "changed":
        lines.append("since you allowed it:")
        lines += [f"  {_line(text)}" for text in before.files]
        lines += [f"  {_line(text)}" for text in before.changes] or [
            "  nothing else means anything"
        ]
    lines += _stack_lines(shown, stacks)
    lines += [f"left out: {_line(text)}" for text in left_out]
    lines += [f"unsafe: {_line(str(fault))}" for fault in faults]
    ui.write(world, "".join(f"{line}\n" for line in lines))


def _of_stack(part: Part, verdict: Verdict, dry_run: bool) -> dict[str, Any]:
    safe = verdict.state != "unsafe"
    return {
        "state": verdict.state if dry_run or not safe else "allowed",
        "before": verdict.state,
        "files": dict(part.files),
        "settings": dict(part.settings),
        "changes": list(verdict.changes),
        "changed_files": list(verdict.files),
        "reason": verdict.reason,
    }


def _stack_lines(shown: Closure, stacks: list[tuple[Part, Verdict]]) -> list[str]:
    """Return what manifests add, once for all stacks that say the same; then what changed in each."""
    same: dict[tuple[Any, ...], list[str]] = {}
    for part, verdict in stacks:
        if verdict.state != "unsafe":
            said = (tuple(part.files), tuple(part.settings.items()))
            same.setdefault(said, []).append(part.stack)
    lines = ["stacks:"] if stacks else []
    for (paths, settings), names in same.items():
        told = ", ".join(names[:_SHOWN]) + (
            f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
        )
        lines.append(f"  {_line(told)}: {_line(', '.join(_short(p, shown.root) for p in paths))}")
        named = ((key.removeprefix("auth.identities."), value) for key, value in settings)
        lines += [f"    {_line(key)}: {_line(value)}" for key, value in named]
    for part, verdict in stacks:
        if verdict.state == "changed":
            lines.append(f'stack "{_line(part.stack)}", since you allowed it:')
            lines += [f"  {_line(text)}" for text in (*verdict.files, *verdict.changes)]
        elif verdict.state == "unsafe":
            lines.append(f'unsafe: stack "{_line(part.stack)}": {_line(verdict.reason)}')
    return lines


def _identities(config: Config) -> list[dict[str, str]]:
    """Return name, kind and account of each identity."""
    section = (config.data.get("auth") or {}).get("identities") or {}
    return [
        {"name": str(name), "kind": _text(entry, "kind"), "account": _account(entry)}
        for name, entry in sorted(section.items())
    ]


def _account(entry: Any) -> str:
    """Return the account that an identity is in, as far as its own fields say."""
    principal = entry.get("principal") if isinstance(entry, dict) else None
    if not isinstance(principal, dict):
        return ""
    account = principal.get("account")
    if isinstance(account, dict):
        return _text(account, "name") or _text(account, "id")
    role = str(principal.get("assume_role") or "").split(":")
    return role[4] if len(role) > 5 else str(account or "")


def _text(entry: Any, key: str) -> str:
    value = entry.get(key) if isinstance(entry, dict) else None
    return "" if value is None else str(value)


def _short(path: str, root: str) -> str:
    return path[len(root) + 1 :] if path.startswith(f"{root}/") else path


def _line(text: str) -> str:
    """Return a foreign text on one line, with nothing raw in it."""
    from wrapper import ui

    return ui.escape(text).replace("\n", "\\n").replace("\t", "\\t")
