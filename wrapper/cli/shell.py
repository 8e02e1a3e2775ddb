"""`hook`, `use`, `deactivate`, `reload`, `status` and `prompt`: the shell's side of identities."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli.session import Session
from wrapper.errors import UsageError

if TYPE_CHECKING:
    from wrapper.hook.evaluate import View
    from wrapper.world import World


def register(app: typer.Typer) -> None:
    """Add the commands."""

    @app.command("hook")
    def hook(
        ctx: typer.Context,
        shell: Annotated[str, typer.Argument(help="bash, zsh, fish, direnv or mise.")] = "",
        check: Annotated[bool, typer.Option("--check", help="Say whether it is at work.")] = False,
    ) -> None:
        """Print the shell's hook: eval "$(atmos-wrap hook zsh)"."""
        session: Session = ctx.obj
        from wrapper.cli import hook as text

        if check:
            raise typer.Exit(text.check(shell, session.world))
        if shell == "mise":
            session.world.stdout.write(os.path.dirname(text.path("mise/metadata.lua")) + "\n")
            return
        session.world.stdout.write(text.script(shell or text.surrounding(), session.world))

    @app.command("status")
    def status(
        ctx: typer.Context,
        form: Annotated[str, typer.Option("--format", "-f", help="table or json.")] = "table",
    ) -> None:
        """Say which identity a shell has here, why, and until when."""
        session: Session = ctx.obj
        from wrapper.hook import evaluate

        view = evaluate.look(session.world)
        _print(view, form, session.world)

    @app.command("prompt")
    def prompt(
        ctx: typer.Context,
        form: Annotated[
            str, typer.Option("--format", help="Text with {identity}, {mark}, {left}, and others.")
        ] = "",
        marked: Annotated[
            str, typer.Option("--production", help="The text where the identity is production.")
        ] = "",
    ) -> None:
        """Print the identity of this directory for a prompt; nothing where there is none."""
        session: Session = ctx.obj
        from wrapper.cli import prompt as text

        raise typer.Exit(text.show(form, marked, session.world))

    for name, text in (
        ("use", "Use a stack or an identity in this shell (`-`: the one before)."),
        ("deactivate", "Give this shell back what the hook changed, and switch the hook off."),
        ("reload", "Look at this directory anew, and switch the hook on again."),
    ):
        _in_the_shell(app, name, text)


def _in_the_shell(app: typer.Typer, name: str, text: str) -> None:
    @app.command(name, help=text)
    def command(
        words: Annotated[list[str] | None, typer.Argument(help="STACK, IDENTITY or -.")] = None,
    ) -> None:
        raise UsageError(
            f"`{' '.join(['atmos-wrap', name, *(words or [])])}` works in a shell that has the hook",
            hint='put `eval "$(atmos-wrap hook bash)"` (or zsh, fish) into the shell\'s start file',
        )


def _print(view: View, form: str, world: World) -> None:
    if form not in ("table", "json"):
        raise UsageError(f"unsupported format: {form}", hint="one of table, json")
    found = described(view, world)
    if form == "json":
        import json

        world.stdout.write(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
        return
    from wrapper import ui

    rows = [(key, ui.escape(str(value))) for key, value in found.items() if value not in ("", None)]
    width = max(len(key) for key, _ in rows)
    world.stdout.write("".join(f"{key:<{width}}  {value}\n" for key, value in rows))
    if view.fault is not None:
        raise view.fault


def described(view: View, world: World) -> dict[str, Any]:
    """Return what `status` tells, in order."""
    from wrapper.auth import status

    if view.closure is None and view.fault is None:
        return {"directory": world.cwd, "state": "no repository"}
    found = view.found
    consent = view.verdict.state if view.verdict is not None else "unreadable"
    told: dict[str, Any] = {
        "directory": world.cwd,
        "repository": view.root,
        "consent": consent,
        "identity": found.name if found is not None else "",
        "stack": found.stack if found is not None else "",
        "why": found.why if found is not None else "",
    }
    if found is not None and found.name:
        import shlex

        login = f"atmos-wrap auth login {shlex.quote(found.name)}"
        told["signed in"] = "yes" if view.signed_in else f"no: {login}"
        told["until"] = status.expiry(view.expires, world.now())
    return told
