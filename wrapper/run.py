"""One command from start to end; the only module that knows both stacks and auth."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.env import EnvDelta
from wrapper.errors import Problems, UsageError, WrapError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.auth import Auth, Choice, Setting
    from wrapper.config import Config, Options
    from wrapper.stacks import Component
    from wrapper.stacks.others import Reader
    from wrapper.terraform.invocation import Invocation
    from wrapper.terraform.steps import Steps
    from wrapper.world import World

# Sub-commands that change infrastructure or state: they say as whom. Of `state` not the words that look.
_CHANGES = (
    "apply", "deploy", "destroy", "import", "refresh", "state", "taint", "untaint", "force-unlock",
)  # fmt: skip
_LOOKING = (("list",), ("show",), ("pull",), ("identities",))


class Ready(NamedTuple):
    """A program's identity and environment, signed in and written.

    `environ` is the complete environment; `delta` what the identity changed in it; `wanted` the
    wish that led to it.
    """

    choice: Choice
    delta: EnvDelta
    environ: dict[str, str]
    wanted: Setting | None = None


def auth_of(config: Config, component: Component | None, world: World) -> Auth:
    """Return the merged `auth` of the configuration and, if given, the component.

    Raises: Problems with every fault and its place.
    Source: design 8.
    """
    from wrapper import auth

    section, layers = config.data.get("auth"), config.auth_layers
    if component is not None:
        section, layers = component.section.get("auth"), (*layers, *component.auth_layers)
    known = auth.read(section or {}, layers, config.dir, world, config.data.get("wrap"))
    return known._replace(elsewhere=lambda name: _profiles_with(config, world, name))


def _profiles_with(config: Config, world: World, identity: str) -> list[str]:
    from wrapper.config import places

    return places.profiles_with(config, world, identity)


def chosen(
    config: Config, component: Component | None, wanted: Setting | None, world: World
) -> tuple[Auth | None, Choice]:
    """Return the merged `auth` and the identity that a command uses, nobody signed in yet.

    None instead of `auth` when identities are switched off.
    Raises: ConfigError, NeedsLogin, Interrupted.
    """
    from wrapper import auth, ui
    from wrapper.auth import selection

    wish = selection.wish(wanted, world)
    if wish is not None and selection.is_off(wish):
        # Also the way out of a broken `auth` section: it is not even read.
        return None, auth.Choice(None, f"switched off by {wish.source}", off=True)
    known = auth_of(config, component, world)
    for warning in known.warnings:
        place = f" ({warning.at[0]})" if warning.at else ""
        ui.warn(world, f"{warning.message}{place}")
    return known, auth.select(known, wanted, world)


def sign_in(
    config: Config,
    component: Component | None,
    wanted: Setting | None,
    world: World,
    *,
    environ: Mapping[str, str] | None = None,
) -> Ready:
    """Choose the identity, sign in to it and the required ones, and write what programs read.

    `environ` is the environment that the identity is laid over (default: the configuration's).
    Raises: ConfigError, AuthError, StoreError.
    """
    from wrapper import auth, ui

    base = dict(config.environ if environ is None else environ)
    world = world._replace(environ=dict(config.environ))
    known, choice = chosen(config, component, wanted, world)
    if known is None or choice.name is None:
        ui.info(world, f"no identity: {choice.why}")
        return Ready(choice, EnvDelta(), base, wanted)
    for warning in auth.sign_in(known, choice.name, world):
        ui.warn(world, warning)
    delta = auth.environment(known, choice.name, world)
    write_files(delta)
    return Ready(choice, delta, delta.apply(base), wanted)


def as_identity(
    ready: Ready,
    config: Config,
    component: Component,
    world: World,
    environ: Mapping[str, str],
    invocation: Invocation | None = None,
) -> tuple[Component, dict[str, str]]:
    """Return the component with its YAML functions run as the identity, and its environment.

    The component's `env` is laid over `environ`; what the identity sets and removes wins over both.
    Source: reference/atmos-stacks.md 5.7.
    """
    component = _evaluated(component, config, world, ready.environ, invocation, ready.wanted)
    own = section_env(component.section.get("env") or {})
    return component, ready.delta.apply(own.apply(environ))


def environment_of(
    ready: Ready,
    config: Config,
    component: Component,
    world: World,
    environ: Mapping[str, str],
    asked: Reader | None = None,
) -> dict[str, str]:
    """Return the environment of a program that runs for a component: no other function is run.

    As with `as_identity`; `asked` is the reader to use.
    """
    from wrapper.stacks import functions

    asked = (asked or reader(config, ready.wanted, world))._replace(masks=False)
    own = functions.evaluate_key(component, "env", config, world, ready.environ, asked, strict=True)
    return ready.delta.apply(section_env(own or {}).apply(environ))


def _evaluated(
    component: Component,
    config: Config,
    world: World,
    environ: Mapping[str, str],
    invocation: Invocation | None,
    wanted: Setting | None = None,
) -> Component:
    from wrapper import stacks

    if invocation is not None and not invocation.use_functions:
        return component
    skip = frozenset(invocation.skip_functions if invocation else ())
    asked = reader(config, wanted, world)
    return stacks.evaluate(component, config, world, environ, skip=skip, reader=asked, strict=True)


def reader(config: Config, wanted: Setting | None, world: World, *, masks: bool = False) -> Reader:
    """Return who reads the outputs of other components, each as that component's identity.

    Signs in when first asked. With `masks` secrets are not read, for what is only shown. Source: reference/atmos-stacks.md 3.10, 5.9.
    """
    from wrapper.stacks.others import Reader

    known: dict[tuple[str, ...], Any] = {}
    shell = section_env(config.data.get("env") or {}).apply(config.environ)

    def environ(component: Component) -> Mapping[str, str]:
        key = ("environ", component.name, component.stack)
        if key not in known:
            ready = sign_in(config, component, wanted, world, environ=shell)
            # What functions of `env` ask works as the identity, without that `env`.
            known[key] = ready.environ
            known[key] = environment_of(ready, config, component, world, shell, asked)
        found: Mapping[str, str] = known[key]
        return found

    def as_identity(component: Component, name: str) -> Mapping[str, str]:
        from wrapper.auth import selection
        from wrapper.auth.model import Setting as Wish

        off = selection.wish(wanted, world)
        if not name or (off is not None and selection.is_off(off)):
            return environ(component)
        key = ("identity", component.name, component.stack, name)
        if key not in known:
            wish = Wish(name, "the store's `identity`")
            known[key] = sign_in(config, component, wish, world, environ=shell).environ
        found: Mapping[str, str] = known[key]
        return found

    def with_backend(component: Component) -> Component:
        from wrapper.stacks import functions

        if not component.section.get("backend"):
            return component
        backend = functions.evaluate_key(
            component, "backend", config, world, shell, asked._replace(masks=False)
        )
        return component._replace(section={**component.section, "backend": backend})

    def state(component: Component) -> Mapping[str, Any] | None:
        from wrapper.terraform import remote

        local = component.section.get("backend_type") in (None, "", "local")
        there = shell if local else environ(component)
        return remote.state_outputs(with_backend(component), config, there)

    def outputs(component: Component) -> Mapping[str, Any] | None:
        from wrapper.terraform import remote

        return remote.outputs(with_backend(component), config, environ(component), world)

    asked = Reader(state, outputs, environ, known, [], as_identity, masks)
    return asked


def write_files(delta: EnvDelta) -> None:
    """Write the files of a delta, each only if it differs. Raises: StoreError."""
    from wrapper import files

    for path, data in delta.files.items():
        files.write_if_changed(path, data)


def section_env(section: Mapping[str, Any]) -> EnvDelta:
    """Return an `env` section as a delta: null removes, anything else is text as Go prints it.

    Source: reference/atmos-stacks.md 3.7, 5.7.
    """
    from wrapper.stacks.template import go_text

    given = {str(k): v for k, v in section.items()}
    return EnvDelta(
        {k: v if isinstance(v, str) else go_text(v) for k, v in given.items() if v is not None},
        frozenset(k for k, v in given.items() if v is None),
    )


def terraform(
    world: World, options: Options, wanted: Setting | None, invocation: Invocation
) -> int:
    """Run one terraform command of a component; on success this process often becomes Terraform.

    Raises: UsageError, ConfigError, StackError, AuthError, StoreError, ToolMissing.
    Source: design 10, reference/atmos-stacks.md 5.2.
    """
    from wrapper import config, stacks, ui
    from wrapper.terraform import commands, location, steps

    if not invocation.component or not invocation.stack:
        raise UsageError("a component and a stack are required")
    loaded = config.load(world, options)
    name = location.component_name(loaded, world, invocation.component, invocation.stack)
    component = stacks.component(
        loaded,
        world,
        name,
        invocation.stack,
        templates=invocation.use_templates,
        reader=None if invocation.dry_run else reader(loaded, wanted, world),
    )
    if invocation.subcommand == "clean":
        return commands.clean(component, loaded, invocation, world)
    if steps.is_disabled(component) and invocation.subcommand != "generate":
        ui.note(world, f'component "{name}" is not enabled (metadata.enabled): nothing to do')
        return 0
    steps.refuse(component, invocation)
    shell = section_env(loaded.data.get("env") or {}).apply(loaded.environ)
    if invocation.subcommand == "generate":
        if invocation.use_functions and commands.needs_identity(component):
            ready = sign_in(loaded, component, wanted, world, environ=shell)
            shell = ready.environ
        component = _evaluated(component, loaded, world, shell, invocation, wanted)
        return commands.generate(component, loaded, invocation, world)
    return _terraform(loaded, component, wanted, invocation, shell, world)


def _terraform(
    config: Config,
    component: Component,
    wanted: Setting | None,
    invocation: Invocation,
    shell: Mapping[str, str],
    world: World,
) -> int:
    """Sign in, work out the steps and carry them out, or show them; `shell` lies below all."""
    from wrapper.terraform import running, steps

    warn_of(component, world)
    if invocation.dry_run:
        chosen(config, component, wanted, world)
        environ = section_env(component.section.get("env") or {}).apply(shell)
        todo = steps.prepare(component, config, invocation, environ, world.cwd)
        if component.section.get("hooks"):
            todo = _following(todo, component, config, invocation, wanted, world)
        world.stdout.write(running.show(todo))
        return 0
    try:
        ready = sign_in(config, component, wanted, world, environ=shell)
    except Problems:
        raise  # the configuration is at fault: nothing is written, as with Atmos
    except WrapError:
        _leave_varfile(config, component, invocation, shell, world)
        raise
    component, todo = steps_as(ready, config, component, invocation, shell, world)
    return running.carry_out(todo, component, world)


def warn_of(component: Component, world: World) -> None:
    """Tell of what a run passes over, and of variables that Terraform follows."""
    from wrapper import ui
    from wrapper.terraform import environment
    from wrapper.terraform.left_out import left_out

    for line in left_out(component):
        ui.warn(world, line)
    for variable in environment.noteworthy(world.environ):
        ui.warn(world, f"{variable} is set in the environment: terraform will follow it")


def steps_as(
    ready: Ready,
    config: Config,
    component: Component,
    invocation: Invocation,
    shell: Mapping[str, str],
    world: World,
) -> tuple[Component, Steps]:
    """Return the evaluated component and the steps of its run as the identity; say as whom.

    Raises: StackError, ConfigError, UsageError, ToolMissing.
    """
    from wrapper import ui
    from wrapper.terraform import files, guard, steps

    component, environ = as_identity(ready, config, component, world, shell, invocation)
    if files.is_provided(component, config):
        from wrapper.terraform import workdir

        workdir.provision(component, config, world)
    elif component.section.get("generate"):
        from wrapper.terraform import generate

        generate.provide(component, config)
    todo = steps.prepare(component, config, invocation, environ, world.cwd)
    if component.section.get("hooks") or component.section.get("retry"):
        todo = _following(todo, component, config, invocation, ready.wanted, world)
    accept = invocation.accept_state_change
    guard.check(component, config, world.environ, invocation.subcommand, accept=accept)
    changes = invocation.subcommand in _CHANGES and invocation.words not in _LOOKING
    if ready.choice.name and changes:
        ui.note(world, f"identity: {ready.choice.name} ({ready.choice.why})")
    return component, todo


def _following(
    todo: Steps,
    component: Component,
    config: Config,
    invocation: Invocation,
    wanted: Setting | None,
    world: World,
) -> Steps:
    """Return the steps with the hooks and the `retry` of the component.

    Raises: StackError, ToolMissing for a hook's program.
    """
    from wrapper.terraform import files, hooks, retry

    planfile = f"{todo.directory}/{files.names(component, config).planfile}"
    asked = reader(config, wanted, world)
    found = hooks.read(component, config, invocation, world, asked, planfile)
    if todo.command is not None:
        hooks.check(found, todo.command.env, todo.directory)
    return todo._replace(hooks=found, retry=retry.read(component))


def _leave_varfile(
    config: Config,
    component: Component,
    invocation: Invocation,
    shell: Mapping[str, str],
    world: World,
) -> None:
    """Write the varfile although nobody is signed in: as with Atmos, it is there to look at."""
    from wrapper.terraform import commands, steps

    if steps.has_varfile(invocation) and not commands.needs_identity(component):
        shown = _evaluated(component, config, world, shell, invocation)
        commands.generate(shown, config, invocation._replace(words=("varfile",)), world)
