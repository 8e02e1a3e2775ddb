"""`auth shell`: a shell in which every program runs as an identity."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from wrapper.errors import UsageError

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.run import Ready


def shell(
    ctx: typer.Context,
    words: Annotated[list[str] | None, typer.Argument(hidden=True)] = None,
    program: Annotated[
        str,
        typer.Option(
            "--shell", envvar="ATMOS_SHELL", help="The shell (default: SHELL, bash or sh)."
        ),
    ] = "",
) -> int:
    """Start a shell as an identity; what stands behind `--` is for the shell."""
    from wrapper import process, run, ui
    from wrapper.cli import programs

    session: Session = ctx.obj
    world, given = session.world, session.globals
    if words:
        raise UsageError(
            f'unexpected argument "{words[0]}"',
            hint=f"choose a shell with --shell, and put its arguments behind --: --shell {words[0]}",
        )
    if given.stack and not given.component:
        raise UsageError("--stack needs --component", hint="add -c COMPONENT, or leave -s out")
    loaded = session.config()
    config_env = run.section_env(loaded.data.get("env") or {})
    argv = command(program, session.after, config_env.apply(loaded.environ), world.cwd)
    ready, environ = programs.signed_in(loaded, given, world, insist=True)
    inside = config_env.apply(variables(ready, environ))
    changed = sorted(k for k, v in ready.delta.set.items() if inside.get(k) != v)
    if changed:
        ui.warn(world, f"`env` of atmos.yaml wins over the identity: {', '.join(changed)}")
    name = ready.choice.name or f"none, {ready.choice.why}"
    if world.stderr_tty:
        ui.note(world, f"→ shell with identity: {name}\n  `exit` leaves it")
    return process.replace(argv, cwd=world.cwd, environ=inside)


def command(
    wanted: str, arguments: Sequence[str], environ: Mapping[str, str], cwd: str
) -> list[str]:
    """Return the shell and its arguments: a login shell unless it is given some.

    Without a wish it is `SHELL`, else bash, else sh. Raises: ToolMissing.
    Source: reference/atmos-auth.md 7.5.
    """
    from wrapper import process
    from wrapper.errors import ToolMissing

    name = wanted or environ.get("SHELL", "")
    if name:
        process.find(name, environ, cwd, hint="name another one with --shell")
    else:
        name = "bash"
        try:
            process.find(name, environ, cwd)
        except ToolMissing:
            name = "sh"
    return [name, *(arguments or ("-l",))]


def variables(ready: Ready, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the environment with what tells programs in the shell where they are.

    Source: reference/atmos-auth.md 7.5.
    """
    from wrapper.terraform import environment

    made = dict(environ)
    if ready.choice.name is not None or ready.choice.off:
        made["ATMOS_IDENTITY"] = ready.choice.name or "false"
    made["ATMOS_SHLVL"] = environment.deeper(environ)
    return made
