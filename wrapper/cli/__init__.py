"""The command line: which module answers, and how usage errors are told."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from wrapper.cli import args
from wrapper.errors import UsageError, near
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.world import World

# First word of a command -> the modules under wrapper.cli that register it.
COMMANDS = {
    "allow": ("trust",),
    "auth": ("auth",),
    "completion": ("completion",),
    "deactivate": ("shell",),
    "deny": ("trust",),
    "fetch": ("fetch",),
    "describe": ("show", "stacks", "dependents", "affected"),
    "hook": ("shell",),
    "list": ("show", "lists", "values", "auth", "list_files", "list_affected"),
    "profile": ("show",),
    "prompt": ("shell",),
    "reload": ("shell",),
    "revoke": ("trust",),
    "status": ("shell",),
    "trust": ("trust",),
    "use": ("shell",),
    "validate": ("stacks",),
    "version": ("show",),
    "why": ("why",),
    "workflow": ("workflow",),
}
MODULES = (
    "auth",
    "completion",
    "fetch",
    "show",
    "stacks",
    "lists",
    "values",
    "list_files",
    "dependents",
    "affected",
    "list_affected",
    "why",
    "trust",
    "shell",
    "workflow",
)
# Commands that hand the rest of the line to another program; they never meet Typer.
# Commands that a shell may call, or that only look: nothing is run or fetched for them.
LOOKING = (
    "allow", "completion", "deactivate", "deny", "hook", "list", "profile", "prompt", "reload",
    "revoke", "status", "trust", "use", "version", "why",
)  # fmt: skip
PROGRAMS = ("exec", "aws", "gcloud", "az", "kubectl", "atmos")


def main(argv: Sequence[str], world: World) -> int:
    """Run one command line; return its exit code. Raises: WrapError."""
    at = args.command_at(argv)
    word = argv[at] if at is not None else ""
    if at is not None and word == "help":
        return main([*argv[:at], *argv[at + 1 :], "--help"], world)
    world = world._replace(fetches=word not in LOOKING)
    if word in args.TERRAFORM:
        from wrapper.cli import terraform

        return terraform.main(list(argv), world)
    given, rest = args.split_globals(argv, world.environ)
    given = given._replace(passive=word in LOOKING)
    world = args.enter(given, world)
    if word in PROGRAMS or rest[:2] == ["auth", "exec"]:
        from wrapper.cli import programs

        return programs.main(rest, given, world)
    if rest == ["--version"]:
        rest = ["version"]
    from wrapper.cli import quick

    if quick.answer(rest, given, world):
        return 0
    return _typer(word, rest, given, world)


def _typer(word: str, rest: list[str], given: args.Globals, world: World) -> int:
    import typer
    from typer.exceptions import TyperException

    from wrapper.cli import booleans
    from wrapper.cli.session import Session

    if word and word not in COMMANDS:
        from wrapper.cli import custom

        session = Session(world, given)
        if rest[:1] == [word] and word in custom.read(config := session.config()):
            return custom.main(rest, given, config, world)
        raise UsageError(f'unknown command "{word}"', hint=_advice(word))
    command = typer.main.get_command(build(word))
    rest = booleans.plain(command, rest)
    after: list[str] = []
    if rest[:2] == ["auth", "shell"] and "--" in rest:
        # Typer would take `--` away, and with it the difference between a shell and its arguments.
        at = rest.index("--")
        rest, after = rest[:at], rest[at + 1 :]
    try:
        code: Any = command.main(
            args=rest,
            prog_name="atmos-wrap",
            standalone_mode=False,
            obj=Session(world, given, tuple(after)),
        )
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except TyperException as error:
        return _usage(error, world)
    except SystemExit as ended:
        if isinstance(ended.__context__, BrokenPipeError):  # Typer makes exit status 1 of it
            raise ended.__context__ from None
        raise
    return code if isinstance(code, int) else 0


def _advice(word: str) -> str:
    """Return what may have been meant by a word that is no command."""
    from wrapper.cli.terraform_args import SUBCOMMANDS

    if word in SUBCOMMANDS:
        return f"did you mean `atmos-wrap terraform {word}`?"
    known = [*COMMANDS, *PROGRAMS, *args.TERRAFORM]
    return near(word, known) or "`atmos-wrap --help` lists the commands"


def _usage(error: Any, world: World) -> int:
    """Tell a usage error; help that was asked for by typing nothing is no error."""
    from wrapper import ui

    # A missing argument has no message of its own, only a formatted one.
    message = str(getattr(error, "message", error)) or str(error.format_message())
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        ui.write(world, message.rstrip() + "\n")
        return UsageError.exit_code
    path = context.command_path if context is not None else "atmos-wrap"
    raise UsageError(message.rstrip(".") or "wrong usage", hint=f"see `{path} --help`") from error


def build(word: str = "") -> Any:
    """Return the Typer application, with the modules of one first word or, without it, of all."""
    import typer

    app = typer.Typer(
        name="atmos-wrap",
        help="Run Terraform and the cloud CLIs as the right identity.",
        epilog=_EPILOG,
        add_completion=False,
        no_args_is_help=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def root() -> None:
        """Run Terraform and the cloud CLIs as the right identity."""

    for module in COMMANDS.get(word, MODULES):
        importlib.import_module(f"wrapper.cli.{module}").register(app)
    return app


def group(app: Any, name: str, text: str) -> Any:
    """Return the sub-command group of that name, made and added on first use."""
    import typer

    for info in app.registered_groups:
        if info.name == name:
            return info.typer_instance
    made = typer.Typer(help=text, no_args_is_help=True, rich_markup_mode=None)
    app.add_typer(made, name=name)
    return made


_EPILOG = """\
Also: terraform|tofu SUBCOMMAND COMPONENT -s STACK [terraform options] runs Terraform (`atmos-wrap
terraform --help`); exec|aws|gcloud|az|kubectl [-i IDENTITY | -c COMPONENT -s STACK] … runs another
program. Everywhere: -s/--stack, -i/--identity, --profile, --base-path, -C/--chdir, --logs-level."""
