"""`hooks` of a component: programs and stores that follow what Terraform does.

Source: reference/atmos-stacks.md 3.14.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wrapper import ui
from wrapper.errors import Location, StackError, ToolMissing, WrapError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.process import Child
    from wrapper.stacks import Component
    from wrapper.stacks.others import Reader
    from wrapper.terraform.invocation import Invocation
    from wrapper.world import World

# Sub-commands that a hook without `events` follows.
_USUAL = ("init", "plan", "apply", "test")
_MODES = ("warn", "fail", "ignore")
_STATES = ("success", "failure", "always")


class Hook(NamedTuple):
    """One entry of `hooks`; `body` is what is written there, templates not run."""

    name: str
    kind: str
    events: tuple[str, ...]
    when: Any
    on_failure: str
    body: Mapping[str, Any]
    at: Location | None


class Outcome(NamedTuple):
    """How the command ended that a hook follows; before it, as if well."""

    code: int = 0

    @property
    def status(self) -> str:
        """Return `success` or `failure`."""
        return "failure" if self.code else "success"


class Hooks(NamedTuple):
    """The hooks of one run and what they need. `sub` is the sub-command as events name it."""

    found: tuple[Hook, ...]
    sub: str
    component: Component
    config: Config
    world: World
    reader: Reader
    planfile: str = ""

    def at(self, moment: str, outcome: Outcome | None = None) -> list[Hook]:
        """Return the hooks for `before` or `after`, in the order written."""
        event = f"{moment}.terraform.{self.sub}"
        return [
            hook
            for hook in self.found
            if (event in hook.events if hook.events else self.sub in _USUAL)
            and _holds(hook, (outcome or Outcome()).status, self.world)
        ]

    def may_follow(self) -> bool:
        """Say whether anything may have to be run when the command has ended."""
        return bool(self.at("after") or self.at("after", Outcome(1)))

    def run(
        self, moment: str, child: Child, spawn: Callable[[Child], int], outcome: Outcome
    ) -> int:
        """Run what follows; return the exit code of the first that stops the run, else 0."""
        for hook in self.at(moment, outcome):
            code, why = _run(hook, self, child, spawn, outcome)
            if not code or hook.on_failure == "ignore":
                continue
            if hook.on_failure == "fail":
                ui.write(self.world, ui.render(_failed(hook, why), self.world.cwd))
                return code
            ui.warn(self.world, f"hook {hook.name}: {why}")
        return 0


def _failed(hook: Hook, why: str) -> StackError:
    hint = "on_failure: warn lets the run go on; --skip-hooks leaves hooks out once"
    return StackError(f"hook {hook.name}: {why}", at=hook.at, hint=hint)


def read(
    component: Component,
    config: Config,
    invocation: Invocation,
    world: World,
    reader: Reader,
    planfile: str = "",
) -> Hooks | None:
    """Return the hooks that a run has to follow; None when there are none.

    What is not built is told, and stops the run where a failure of it would.
    Raises: StackError with the place of what is wrong.
    """
    section = component.section.get("hooks")
    if not section or invocation.subcommand in ("workspace", "shell", "generate", "clean"):
        return None
    if not isinstance(section, Mapping):
        raise StackError("`hooks` is a map of names", at=component.where("hooks"))
    skipped = _skipped(invocation.skip_hooks or world.environ.get("ATMOS_SKIP_HOOKS", ""))
    raw = _raw(component, config, world, section)
    hooks = Hooks((), invocation.event, component, config, world, reader, planfile)
    found: list[Hook] = []
    for name, body in section.items():
        hook = _hook(str(name), raw.get(name, body), component)
        one = hooks._replace(found=(hook,)) if hook is not None else hooks
        if hook is None or not (one.at("before") or one.may_follow()):
            continue
        if skipped is None or hook.name in skipped:
            ui.info(world, f"hook {hook.name}: skipped")
        elif _is_built(hook, world):
            found.append(hook)
    return hooks._replace(found=tuple(found)) if found else None


def check(hooks: Hooks | None, environ: Mapping[str, str], directory: str) -> None:
    """Make sure that the programs of hooks are there before Terraform runs. Raises: ToolMissing."""
    from wrapper.process import find
    from wrapper.terraform.hook_actions import expanded

    for hook in hooks.found if hooks is not None else ():
        command = str(hook.body.get("command") or "")
        if hook.kind == "command" and "{{" not in command and not command.startswith("!"):
            try:
                find(expanded(command, environ), environ, directory)
            except ToolMissing as error:
                raise ToolMissing(
                    f"hook {hook.name}: {error.message}",
                    at=hook.at,
                    hint="install it, or leave hooks out once: --skip-hooks",
                ) from error


def _skipped(text: str) -> frozenset[str] | None:
    """Return the names of hooks to leave out; None for all of them."""
    if text.strip().lower() in ("*", "true"):
        return None
    names = text.split(",") if text.strip().lower() != "false" else []
    return frozenset(name.strip() for name in names if name.strip())


def _raw(
    component: Component, config: Config, world: World, section: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Return the section with its templates as written: they may ask for how the command ended."""
    from wrapper import stacks
    from wrapper.stacks.settings import settings_of

    if not settings_of(config).rendering:
        return section
    name, stack = component.name, component.stack
    found = stacks.component(config, world, name, stack, templates=False).section.get("hooks")
    return found if isinstance(found, Mapping) else section


def _hook(name: str, body: Any, component: Component) -> Hook | None:
    """Return one entry; None for one that is switched off. Raises: StackError."""
    at = component.where("hooks", name)
    if not isinstance(body, Mapping):
        raise StackError(f"hook {name}: it must be a map", at=at)
    if body.get("enabled") is False:
        return None
    events = body.get("events")
    if events is not None and not isinstance(events, list):
        raise StackError(f"hook {name}: `events` is a list", at=at)
    kind = str(body.get("kind") or "")
    if not kind and body.get("command") == "store":
        kind = "store"
    mode = body.get("on_failure")
    if mode is not None and mode not in _MODES:
        raise StackError(f"hook {name}: on_failure must be warn, fail or ignore", at=at)
    usual = "fail" if kind in ("store", "git") else "warn"
    named = tuple(_event(str(one)) for one in events or ())
    hook = Hook(name, kind, named, body.get("when"), str(mode or usual), body, at)
    _holds(hook, "success", None)
    if kind == "command" and not isinstance(body.get("command"), str):
        raise StackError(f"hook {name}: the kind command needs a `command`", at=at)
    return hook


def _event(text: str) -> str:
    """Return an event in the form `after.terraform.apply`; deploy counts as apply."""
    dotted = text.replace("-", ".")
    return f"{dotted.removesuffix('.deploy')}.apply" if dotted.endswith(".deploy") else dotted


def _is_built(hook: Hook, world: World) -> bool:
    """Say whether a hook can be run; tell when not. Raises: StackError if that must not be passed."""
    if hook.kind in ("command", "store"):
        return True
    what = f"the kind {hook.kind} is not built" if hook.kind else "it names no `kind`"
    if hook.kind in ("step", "steps"):
        from wrapper.terraform import hook_actions

        kind = hook_actions.unknown(hook.kind, hook.body, hook.name, hook.at)
        if not kind:
            return True
        what = f"steps of the type {kind} are not built"
    if hook.on_failure == "fail":
        raise StackError(
            f"hook {hook.name}: {what}, and the run must not go on without it",
            at=hook.at,
            hint="`kind: command` runs any program; or leave hooks out once: --skip-hooks",
        )
    place = f" ({hook.at})" if hook.at is not None else ""
    ui.warn(world, f"hook {hook.name} is not run: {what}{place}")
    return False


def _holds(hook: Hook, status: str, world: World | None) -> bool:
    """Say whether `when` is true; without one, after success only. Raises: StackError."""
    mentioned: set[str] = set()

    def true(value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if isinstance(value, list):
            held = [true(one) for one in value]  # each is looked at: a wrong one is told
            return all(held)
        if isinstance(value, Mapping) and set(value) <= {"all", "any", "not"}:
            found = []
            for key, inner in value.items():
                items = [true(one) for one in (inner if isinstance(inner, list) else [inner])]
                found.append(any(items) if key == "any" else all(items) ^ (key == "not"))
            return all(found)
        if not isinstance(value, str) or value not in (*_STATES, "ci", "local", "never"):
            raise StackError(
                f"hook {hook.name}: `when` takes success, failure, always, never, ci, local, all, "
                "any and not; other expressions are not built",
                at=hook.at,
            )
        if value in _STATES:
            mentioned.add(value)
        in_ci = world is not None and world.in_ci
        known = {"always": True, "never": False, "ci": in_ci, "local": not in_ci}
        return known.get(value, value == status)

    held = hook.when is None or true(hook.when)
    return held and (bool(mentioned) or status == "success")


def _run(
    hook: Hook, hooks: Hooks, child: Child, spawn: Callable[[Child], int], outcome: Outcome
) -> tuple[int, str]:
    """Run one hook; return its exit code and, unless that is 0, why it failed."""
    from wrapper.terraform import hook_actions

    try:
        body = _rendered(hook, hooks, child.env, outcome)
        if hook.kind == "store":
            hook_actions.store(body, hook, hooks, child)
            return 0, ""
        code = hook_actions.command(body, hook, hooks, child, spawn, outcome)
    except WrapError as error:
        return error.exit_code, error.message
    what = body.get("command") or "a step"
    return code, f"{what} ended with exit code {code}" if code else ""


def _rendered(
    hook: Hook, hooks: Hooks, environ: Mapping[str, str], outcome: Outcome
) -> Mapping[str, Any]:
    """Return a hook's fields with templates and YAML functions run. Raises: StackError."""
    from wrapper.stacks import functions, template

    section = hooks.component.section
    error = f"exit code {outcome.code}" if outcome.code else ""
    told = {"status": outcome.status, "exit_code": outcome.code, "error": error}
    data = {**section, **told}

    def walk(value: Any) -> Any:
        if isinstance(value, str):
            what = f"hook {hook.name}"
            return template.render(value, data, what=what, at=hook.at, strict=False)
        if isinstance(value, Mapping):
            return {walk(key): walk(item) for key, item in value.items()}
        return [walk(item) for item in value] if isinstance(value, list) else value

    body = {key: value for key, value in hook.body.items() if key not in ("events", "when")}
    alone = hooks.component._replace(section={**section, "hooks": {hook.name: walk(body)}})
    found = functions.evaluate_key(alone, "hooks", hooks.config, hooks.world, environ, hooks.reader)
    made: Mapping[str, Any] = found[hook.name]
    return made
