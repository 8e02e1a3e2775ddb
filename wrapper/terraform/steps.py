"""What one terraform command does, worked out before anything happens."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import ConfigError, StackError, ToolMissing, UsageError
from wrapper.process import Child, find
from wrapper.terraform import files, init, workspace
from wrapper.terraform.environment import environment
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.terraform.hooks import Hooks
    from wrapper.terraform.invocation import Answer, Invocation
    from wrapper.terraform.provision import Backend
    from wrapper.terraform.retry import Retry

_ABSTRACT = ("plan", "apply", "deploy", "workspace")
_LOCKED = ("apply", "deploy", "destroy", "import", "taint", "untaint")
_WITH_VARFILE = ("plan", "apply", "deploy", "destroy", "refresh", "import", "test")
_SHELL_VARFILE = ("plan", "apply", "refresh", "import", "destroy", "console")


class Steps(NamedTuple):
    """One run. Paths are absolute.

    `init` (with `lock` behind it) and `select`/`create` are children run before `command` unless they would change
    nothing; `after` are files to remove when everything succeeded; `hooks` follow `command`; `retry`
    says when a child is tried again, `backend` what to make before init, `answer` what becomes of
    what the command tells; `verify` comes before all of it, and has to end well. `command` is None when init and
    workspace are all there is to do.
    """

    directory: str
    data_dir: str
    binary: str
    write: tuple[files.File, ...]
    stale: tuple[str, ...]
    cache_dir: str
    init: Child | None
    lock: Child | None
    always_init: bool
    select: Child | None
    create: Child | None
    command: Child | None
    after: tuple[str, ...]
    hooks: Hooks | None = None
    retry: Retry | None = None
    backend: Backend | None = None
    answer: Answer | None = None
    verify: Steps | None = None


def program(component: Component | None, config: Config, invocation: Invocation) -> str:
    """Return the program to run: the component's `command`, the configuration's, the word typed.

    Source: reference/atmos-stacks.md 5.2.
    """
    own = component.section.get("command") if component is not None else None
    command = str(own or files.setting(config, "command", default="") or "terraform")
    if command == "terraform" and invocation.program == "tofu":
        return "tofu"
    return command


def is_disabled(component: Component) -> bool:
    """Say whether `metadata.enabled: false` takes the component out of use."""
    return (component.section.get("metadata") or {}).get("enabled") is False


def refuse(component: Component, invocation: Invocation) -> None:
    """Stop what the component's metadata forbids.

    Raises: StackError. Source: reference/atmos-stacks.md 5.2.
    """
    metadata = component.section.get("metadata") or {}
    command = invocation.command
    if metadata.get("type") == "abstract" and invocation.subcommand in _ABSTRACT:
        raise StackError(
            f'the component "{component.name}" is abstract: it cannot be provisioned',
            at=component.where("metadata", "type"),
            hint="name a component that inherits it",
        )
    if metadata.get("locked") is True and command in _LOCKED:
        raise StackError(
            f'the component "{component.name}" is locked: {command} is not allowed',
            at=component.where("metadata", "locked"),
            hint="set metadata.locked to false first",
        )
    if invocation.subcommand == "workspace" and component.section.get("backend_type") == "http":
        raise StackError(
            "workspaces are not supported for the HTTP backend", at=component.where("backend_type")
        )


def has_varfile(invocation: Invocation) -> bool:
    """Say whether a run writes the varfile. Source: reference/atmos-stacks.md 5.2."""
    planned = invocation.from_plan or invocation.planfile is not None
    return invocation.subcommand != "workspace" and not planned


def prepare(
    component: Component,
    config: Config,
    invocation: Invocation,
    environ: Mapping[str, str],
    cwd: str,
) -> Steps:
    """Return the steps of a run; nothing is written or started, the module's files are read.

    `environ` is the environment made of the shell's, the `env` sections and the identity;
    `cwd` is where the user stands.

    Raises: StackError, ConfigError, UsageError, ToolMissing.
    Source: reference/atmos-stacks.md 5.2 to 5.7.
    """
    refuse(component, invocation)
    directory = files.directory(component, config)
    names = files.names(component, config)
    saved_plan = _saved_plan(invocation, directory, names)
    data, hidden = files.varfile(component, config, directory)
    write, stale = files.generated(component, config, directory)
    if invocation.subcommand != "workspace" and not saved_plan:
        write.insert(0, files.File(os.path.join(directory, names.varfile), data, 0o600))
    env = environment(environ, config, cwd, hidden=hidden)
    name = program(component, config, invocation)
    binary = _binary(name, component, config, env, directory)
    platforms = [f"-platform={p}" for p in files.setting(config, "platforms", default=[])]
    start_init = _starts_with_init(config, invocation)
    reconfigure = files.setting(config, "init_run_reconfigure") is True
    init_flags = _init_flags(config, names, reconfigure or invocation.subcommand == "workspace")
    selects = workspace.applies(
        component, invocation.subcommand, invocation.words, environ.get("TF_WORKSPACE", "")
    )
    wanted = workspace.name(component)
    cache = env.get("TF_PLUGIN_CACHE_DIR", "")
    cache = cache if cache != environ.get("TF_PLUGIN_CACHE_DIR") else ""

    def child(*arguments: str, quiet: bool = False, to_stderr: bool = False) -> Child:
        return Child((name, *arguments), directory, env, quiet, to_stderr)

    return Steps(
        directory=directory,
        data_dir=init.data_dir(directory, env),
        binary=binary,
        write=tuple(write),
        stale=tuple(stale),
        cache_dir=cache,
        init=child("init", *init_flags, to_stderr=True) if start_init else None,
        lock=child("providers", "lock", *platforms, to_stderr=True) if platforms else None,
        always_init=invocation.force_init,
        select=child("workspace", "select", "-or-create", wanted, quiet=True) if selects else None,
        create=child("workspace", "new", wanted, quiet=True) if selects else None,
        command=_command(component, config, invocation, names, saved_plan, init_flags, child()),
        after=_after(invocation, directory, names),
        backend=_backend(component),
        answer=_answer(invocation, names),
        verify=prepare(component, config, _verifying(invocation, saved_plan), environ, cwd)
        if saved_plan and invocation.verify_plan
        else None,
    )


def _verifying(invocation: Invocation, saved_plan: str) -> Invocation:
    """Return what compares a saved plan with one that is made now."""
    from wrapper.terraform.invocation import Answer

    return invocation._replace(
        subcommand="plan",
        arguments=(),
        from_plan=False,
        planfile=None,
        verify_plan=False,
        answer=Answer("plan-diff", original=saved_plan),
    )


def _answer(invocation: Invocation, names: files.Names) -> Answer | None:
    """Return what becomes of the answer; a plan as a document is written beside the saved plan."""
    answer = invocation.answer
    if answer is None or answer.kind != "planfile" or answer.file:
        return answer
    return answer._replace(file=f"{names.planfile}.{answer.form}")


def _backend(component: Component) -> Backend | None:
    if not component.section.get("provision"):
        return None
    from wrapper.terraform import provision

    return provision.wanted(component)


def _binary(
    name: str, component: Component, config: Config, env: Mapping[str, str], directory: str
) -> str:
    """Return the program's path. Raises: ToolMissing; ConfigError when `command` names it."""
    try:
        return find(name, env, directory, "install it, or set components.terraform.command")
    except ToolMissing as error:
        if name in ("terraform", "tofu"):
            raise
        raise ConfigError(
            f'the program "{name}" that `command` names is not there',
            at=component.where("command") or config.where("components", "terraform", "command"),
            hint="install it, or put its directory into PATH",
        ) from error


def _starts_with_init(config: Config, invocation: Invocation) -> bool:
    if invocation.subcommand == "init" or invocation.skip_init:
        return False
    return (
        invocation.subcommand != "deploy" or files.setting(config, "deploy_run_init") is not False
    )


def _init_flags(config: Config, names: files.Names, reconfigure: bool) -> list[str]:
    flags = ["-reconfigure"] if reconfigure else []
    if files.setting(config, "init", "pass_vars") is True:
        flags += ["-var-file", names.varfile]
    return flags


def _saved_plan(invocation: Invocation, directory: str, names: files.Names) -> str:
    """Return the plan file that `apply` and `deploy` were told to use, '' when none.

    Raises: UsageError when `--from-plan` finds none.
    """
    if invocation.subcommand not in ("apply", "deploy"):
        if invocation.from_plan or invocation.planfile is not None:
            raise UsageError(f"--from-plan and --planfile do not go with {invocation.subcommand}")
        return ""
    if invocation.planfile:
        return invocation.planfile
    if not invocation.from_plan:
        return ""
    if not os.path.isfile(os.path.join(directory, names.planfile)):
        raise UsageError(
            f"there is no planfile {os.path.join(directory, names.planfile)}",
            hint=f"run `plan {invocation.component} -s {invocation.stack}` first, "
            "or name a plan with --planfile",
        )
    return names.planfile


def _command(
    component: Component,
    config: Config,
    invocation: Invocation,
    names: files.Names,
    saved_plan: str,
    init_flags: list[str],
    base: Child,
) -> Child | None:
    """Return the main command. Source: reference/atmos-stacks.md 5.6."""
    given = list(invocation.arguments)
    sub, words = invocation.subcommand, invocation.words
    if sub == "shell":
        return _shell(component, names, base)
    if sub == "workspace":
        if not words:
            return None
        named = [] if words[0] in ("list", "show") else [workspace.name(component)]
        return base._replace(argv=(*base.argv, sub, *words, *named, *given))
    if sub == "init":
        return base._replace(argv=(*base.argv, sub, *init_flags, *given))
    env = base.env
    if sub == "import":
        region = (component.section.get("vars") or {}).get("region")
        if isinstance(region, str) and region:
            env = {**base.env, "AWS_REGION": region}
    if sub in ("apply", "deploy"):
        words, given = (), _applying(config, invocation, saved_plan)
    before = [] if saved_plan else _own_flags(config, invocation, names)
    verb = "apply" if sub == "deploy" else sub
    return base._replace(argv=(*base.argv, verb, *words, *before, *given), env=env)


def _own_flags(config: Config, invocation: Invocation, names: files.Names) -> list[str]:
    """Return the options of ours that stand before the user's."""
    sub, given = invocation.subcommand, invocation.arguments
    flags = ["-var-file", names.varfile] if sub in _WITH_VARFILE else []
    if sub == "plan":
        skips = files.setting(config, "plan", "skip_planfile") is True
        skips = skips or invocation.answer is not None  # its plan is not kept
        if not skips and not any(a == "-out" or a.startswith("-out=") for a in given):
            flags += ["-out", names.planfile]
        if invocation.upload_status and "-detailed-exitcode" not in given:
            flags.append("-detailed-exitcode")
    return flags


def _applying(config: Config, invocation: Invocation, saved_plan: str) -> list[str]:
    """Return the user's options of apply and deploy, with approval or the saved plan behind them."""
    given = list(invocation.arguments)
    if saved_plan:
        return [*given, saved_plan]
    approves = (
        invocation.subcommand == "deploy" or files.setting(config, "apply_auto_approve") is True
    )
    if approves and not any(a.startswith("-auto-approve") for a in given):
        given.append("-auto-approve")
    return given


def _shell(component: Component, names: files.Names, base: Child) -> Child:
    """Return the shell in the component's directory, ready for bare terraform commands."""
    made = dict(base.env)
    for sub in _SHELL_VARFILE:
        made[f"TF_CLI_ARGS_{sub}"] = f"-var-file={names.varfile}"
    made["ATMOS_STACK"] = component.stack
    made["ATMOS_COMPONENT"] = component.name
    made["ATMOS_SHELL_WORKING_DIR"] = base.cwd
    made["ATMOS_TERRAFORM_WORKSPACE"] = workspace.name(component)
    shell = base.env.get("SHELL") or "/bin/sh"
    return Child((shell,), base.cwd, made, login=True)


def _after(invocation: Invocation, directory: str, names: files.Names) -> tuple[str, ...]:
    """Return what to remove after success. Source: reference/atmos-stacks.md 5.2.19."""
    gone: list[str] = []
    # As Atmos: the saved plan is used up by every command that does not make or show one.
    if invocation.subcommand not in ("plan", "show") and invocation.planfile is None:
        gone.append(names.planfile)
    if invocation.subcommand in ("apply", "deploy"):
        gone.append(names.varfile)
    return tuple(os.path.join(directory, name) for name in gone)
