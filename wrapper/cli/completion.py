"""`completion`: the file that lets a shell complete this program's command lines."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from wrapper.cli.session import Session
from wrapper.errors import StoreError, UsageError

FILES = {"bash": "atmos-wrap.bash", "zsh": "_atmos-wrap", "fish": "atmos-wrap.fish"}
# What a file calls as it stands in `completions/`; found by PATH, and through a start script.
_BY_NAME = "atmos-wrap __complete "
_CODE = "import sys; from wrapper import complete; sys.exit(complete.main(sys.argv[1:]))"


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command("completion")
    def completion(
        ctx: typer.Context,
        shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")] = "",
    ) -> None:
        """Print the file that completes command lines: eval "$(atmos-wrap completion zsh)"."""
        session: Session = ctx.obj
        if not shell:
            from wrapper.cli import hook as around

            shell = around.surrounding()
        session.world.stdout.write(script(shell))


def script(shell: str) -> str:
    """Return the file of a shell, with the interpreter named absolutely.

    Raises: UsageError for another shell.
    """
    if shell not in FILES:
        raise UsageError(
            f"there is no completion for {shell}", hint=f"one of {', '.join(sorted(FILES))}"
        )
    from wrapper.hook.code import quoted

    command = f"{quoted(shell, sys.executable)} -E -P -c '{_CODE}' __complete "
    return _source(FILES[shell]).replace(_BY_NAME, command)


def _source(name: str) -> str:
    """Return one of the files: beside the package in a clone, in it in a wheel."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    places = (os.path.join(package, "_completions"), os.path.join(package, "..", "completions"))
    for directory in places:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, encoding="utf-8") as stream:
                return stream.read()
    raise StoreError(f"the installation lacks {name}", hint="install atmos-wrap again")
