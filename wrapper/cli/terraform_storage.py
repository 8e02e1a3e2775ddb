"""What `terraform backend`, `source` and `workdir` share: their component, the question before a deletion."""

from __future__ import annotations

from wrapper import run
from wrapper.cli.session import Session
from wrapper.errors import UsageError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.cli.args import Globals
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.terraform.invocation import Invocation
    from wrapper.world import World

# Commands that may be about several components.
_SEVERAL = (("backend", "list"), ("source", "list"), ("workdir", "list"), ("workdir", "clean"))


def main(given: Globals, invocation: Invocation, world: World) -> int:
    """Carry out one of the commands; return the exit code.

    Raises: UsageError, ConfigError, StackError, AuthError, StoreError.
    """
    sub = invocation.subcommand
    stray = invocation.arguments[:1]
    if stray:
        raise UsageError(f'unknown argument "{stray[0]}" for terraform {invocation.command}')
    if (sub, *invocation.words) not in _SEVERAL:
        if invocation.component is None:
            raise UsageError(
                "component is required",
                hint=f"atmos-wrap {invocation.program} {invocation.command} COMPONENT -s STACK",
            )
        if not invocation.stack:
            raise UsageError(
                "stack is required", hint="name it with --stack (-s), or set ATMOS_STACK"
            )
    session = Session(world, given)
    if sub == "backend":
        from wrapper.cli import terraform_backend

        return terraform_backend.main(session, invocation)
    from wrapper.cli import terraform_source

    return terraform_source.main(session, invocation)


def component_of(session: Session, invocation: Invocation) -> tuple[Config, Component]:
    """Return the configuration and the component that is named, its functions not run."""
    from wrapper import stacks
    from wrapper.terraform import location

    config, world = session.config(), session.world
    stack, given = invocation.stack or "", invocation.component or ""
    name = location.component_name(config, world, given, stack)
    reader = run.reader(config, session.globals.identity, world)
    return config, stacks.component(
        config, world, name, stack, templates=invocation.use_templates, reader=reader
    )


def form_of(invocation: Invocation, usual: str, known: tuple[str, ...]) -> str:
    """Return the format that is asked for. Raises: UsageError."""
    form = invocation.format or usual
    if form not in known:
        raise UsageError(f'unknown format "{form}"', hint=f"{' and '.join(known)} are known")
    return form


def agreed(world: World, invocation: Invocation, listing: str, what: str) -> bool:
    """Say whether what is listed may be deleted: `--force`, or asked on a terminal.

    Raises: UsageError where nobody can be asked.
    """
    if invocation.dry_run:
        world.stdout.write(f"Would delete:\n{listing}")
        return False
    if invocation.force:
        return True
    if not world.can_ask:
        raise UsageError(
            f"{what} and nobody can be asked here", hint="say --force, or --dry-run to see what"
        )
    world.stderr.write(f"This will delete:\n{listing}Go on? [y/N] ")
    world.stderr.flush()
    return world.stdin.readline().strip().lower() in ("y", "yes")
