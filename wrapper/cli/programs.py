"""Other programs as the right identity: `exec`, `aws`, `gcloud`, `az`, `kubectl`, `atmos`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.errors import UsageError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.cli.args import Globals
    from wrapper.config import Config
    from wrapper.run import Ready
    from wrapper.world import World

_HELP = """\
Usage: atmos-wrap exec [-i IDENTITY | -c COMPONENT -s STACK] -- PROGRAM [ARGUMENTS…]
       atmos-wrap aws|gcloud|az|kubectl|atmos [-i IDENTITY | -c COMPONENT -s STACK] [ARGUMENTS…]

Run a program as an identity. Without -i, the identity is the default of the component, or of
the repository. The program replaces this process: its exit status, signals and terminal are
its own.

  -i, --identity NAME    run as this identity (`false`: as the shell is)
  -c, --component NAME   use this component's `auth` and `env`; needs --stack
  -s, --stack NAME       the component's stack (or ATMOS_STACK)
  -h, --help             show this and exit
"""


def main(argv: Sequence[str], given: Globals, world: World) -> int:
    """Run `exec PROGRAM …`, `auth exec -- PROGRAM …` or `aws …` and the like; never returns on success.

    Raises: UsageError, ConfigError, StackError, AuthError, ToolMissing.
    """
    words = _program(argv)
    if words is None:
        world.stdout.write(_HELP)
        return 0
    from wrapper import config, process

    loaded = config.load(world, given.options)
    if given.stack and not given.component and argv[0] != "auth":
        raise UsageError("--stack needs --component", hint="add -c COMPONENT, or leave -s out")
    own = {"ATMOS_IDENTITY": "false"} if words[0] == "atmos" else {}
    _, environ = signed_in(loaded, given, world, own, insist=argv[0] == "auth")
    return process.replace(words, cwd=world.cwd, environ=environ)


def signed_in(
    loaded: Config,
    given: Globals,
    world: World,
    own: Mapping[str, str] | None = None,
    *,
    insist: bool = False,
) -> tuple[Ready, dict[str, str]]:
    """Sign in as the flags say; return who that is, and the environment of a program.

    `own` is laid over the configuration's environment first. With `insist` it is an error when no
    identity is configured. Raises: UsageError, ConfigError, StackError, AuthError.
    """
    from wrapper import run

    component = None
    environ = run.section_env(loaded.data.get("env") or {}).apply(loaded.environ)
    if given.component:
        from wrapper import stacks

        stack = given.stack or world.environ.get("ATMOS_STACK")
        if not stack:
            raise UsageError("--component needs --stack", hint="add -s STACK or set ATMOS_STACK")
        component = stacks.component(loaded, world, given.component, stack)
    environ.update(own or {})
    ready = run.sign_in(loaded, component, given.identity, world, environ=environ)
    if insist and ready.choice.name is None:
        from wrapper.auth import selection

        selection.insist(ready.choice, run.auth_of(loaded, component, world))
    if component is None:
        return ready, ready.environ
    return ready, run.environment_of(ready, loaded, component, world, environ)


def _program(argv: Sequence[str]) -> list[str] | None:
    """Return the program and its arguments; None when help is asked for.

    Raises: UsageError when no program is named.
    """
    own = 2 if list(argv[:2]) == ["auth", "exec"] else 1
    rest = list(argv[own:])
    if argv[0] in ("exec", "auth"):
        if rest[:1] in (["--help"], ["-h"]):
            return None
        words = rest[1:] if rest[:1] == ["--"] else rest
        if rest[:1] != ["--"] and (argv[0] == "auth" or (words and words[0].startswith("-"))):
            _refuse(words, needs_dashes=argv[0] == "auth" and bool(words))
        if not words:
            _refuse(words, needs_dashes=False)
        return words
    return [argv[0], *(rest[1:] if rest[:1] == ["--"] else rest)]


def _refuse(words: Sequence[str], *, needs_dashes: bool) -> None:
    if words and words[0].startswith("-") and words[0] != "--":
        raise UsageError(f"unknown flag: {words[0]}", hint="put `--` before the program")
    if needs_dashes:
        raise UsageError("no command specified", hint=f"put `--` before it: `-- {words[0]}`")
    raise UsageError("no command specified", hint="for example: atmos-wrap exec -- aws s3 ls")
