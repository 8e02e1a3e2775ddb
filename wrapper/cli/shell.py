"""`hook`, `use`, `deactivate`, `reload`, `status` and `prompt`: the shell's side of identities."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from wrapper.cli.session import Session
from wrapper.errors import StoreError, UsageError

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
        if check:
            raise typer.Exit(_check(session.world))
        if shell == "mise":
            session.world.stdout.write(os.path.dirname(_path("mise/metadata.lua")) + "\n")
            return
        session.world.stdout.write(script(shell or _surrounding(), session.world))

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


def script(shell: str, world: World) -> str:
    """Return the hook of a shell, with what is started at a prompt named absolutely.

    Raises: UsageError for another shell.
    """
    from wrapper.hook import answer

    if shell == "direnv":
        import shlex

        return _source("direnv.sh").replace("'@PYTHON@'", shlex.quote(sys.executable))
    if shell not in answer.SHELLS:
        known = ", ".join((*answer.SHELLS, "direnv", "mise"))
        raise UsageError(f"there is no hook for {shell}", hint=f"one of {known}")
    text = _source(f"atmos-wrap.{shell}")
    texts = answer.home(world.environ, shell)
    for mark, value in (("@PYTHON@", sys.executable), ("@TEXTS@", texts)):
        text = text.replace(f"'{mark}'", answer.quoted(shell, value))
    if shell == "zsh":  # read, and later run, as plain zsh, whatever options the user has set
        return f"builtin emulate zsh -c {answer.quoted(shell, text)}\n"
    return text


def _source(name: str) -> str:
    with open(_path(name), encoding="utf-8") as stream:
        return stream.read()


def _path(name: str) -> str:
    """Return the path of one of the shell files: beside the package in a clone, in it in a wheel."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for directory in (os.path.join(package, "_shell"), os.path.join(package, "..", "shell")):
        path = os.path.normpath(os.path.join(directory, name))
        if os.path.exists(path):
            return path
    raise StoreError(f"the installation lacks {name}", hint="install atmos-wrap again")


def _surrounding() -> str:
    import shellingham  # type: ignore[import-untyped]

    try:
        name: str = shellingham.detect_shell()[0]
    except (shellingham.ShellDetectionFailure, OSError) as error:
        raise UsageError(
            "the shell around this program is not known", hint="name it: `atmos-wrap hook zsh`"
        ) from error
    return name


def _check(world: World) -> int:
    state = world.environ.get("ATMOS_WRAP_HOOK", "")
    shell, _, owner = state.partition(":")
    if shell and owner == str(os.getppid()):
        world.stdout.write(f"the hook is at work in this shell ({shell})\n")
        return 0
    world.stdout.write("the hook is not installed in this shell\n")
    return 1


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
