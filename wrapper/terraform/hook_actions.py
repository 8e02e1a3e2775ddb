"""What a hook does when its time has come: a program, a step, outputs into a store.

Source: reference/atmos-stacks.md 3.14.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping

from wrapper import ui
from wrapper.errors import StackError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.errors import Location
    from wrapper.process import Child
    from wrapper.terraform.hooks import Hook, Hooks, Outcome

# Kinds that run steps, as those of workflows.
STEPS = ("step", "steps")


def command(
    body: Mapping[str, Any],
    hook: Hook,
    hooks: Hooks,
    child: Child,
    spawn: Callable[[Child], int],
    outcome: Outcome,
) -> int:
    """Run a program in the component's directory, as the component's identity."""
    import tempfile

    from wrapper.process import Child

    args = body.get("args")
    if not isinstance(args, list | None):
        raise StackError(f"hook {hook.name}: `args` is a list", at=hook.at)
    with tempfile.TemporaryDirectory(prefix="atmos-wrap-hook-") as scratch:
        output = os.path.join(scratch, "output")
        own = {
            "ATMOS_COMPONENT_PATH": child.cwd,
            "ATMOS_COMPONENT": hooks.component.name,
            "ATMOS_STACK": hooks.component.stack,
            "ATMOS_OUTPUT_DIR": scratch,
            "ATMOS_OUTPUT_FILE": output,
            "ATMOS_PLANFILE": hooks.planfile if os.path.isfile(hooks.planfile) else "",
            "ATMOS_HOOK_STATUS": outcome.status,
            "ATMOS_HOOK_EXIT_CODE": str(outcome.code),
            "ATMOS_HOOK_ERROR": f"exit code {outcome.code}" if outcome.code else "",
        }
        env = _with_env(body, hook, {**child.env, **own})
        if hook.kind in STEPS:
            code = _steps(body, hook, hooks, child._replace(env=env), spawn)
        else:
            argv = [text_of(body.get("command")), *(text_of(one) for one in args or ())]
            code = spawn(Child(tuple(expanded(one, env) for one in argv), child.cwd, env))
        if body.get("format") == "markdown" and os.path.isfile(output):
            with open(output, encoding="utf-8", errors="replace") as stream:
                ui.write(hooks.world, ui.escape(stream.read(1 << 20)).rstrip("\n") + "\n")
        return code


def _with_env(body: Mapping[str, Any], hook: Hook, env: Mapping[str, str]) -> dict[str, str]:
    """Return an environment with that of a hook or step. Raises: StackError."""
    given = body.get("env")
    if not isinstance(given, Mapping | None):
        raise StackError(f"hook {hook.name}: `env` is a map", at=hook.at)
    return {**env, **{str(k): expanded(text_of(v), env) for k, v in (given or {}).items()}}


def steps_of(kind: str, body: Mapping[str, Any], name: str, at: Location | None) -> list[Any]:
    """Return the steps of a hook, each with its `type`. Raises: StackError for what is none."""
    given = body.get("with")
    if kind == "step":
        if not body.get("type"):
            raise StackError(f"hook {name}: the kind step needs a `type`, such as shell", at=at)
        given = [{**given, "type": body["type"]}] if isinstance(given, Mapping) else None
    if not isinstance(given, list) or not given:
        what = "a map" if kind == "step" else "a list of steps"
        raise StackError(f"hook {name}: the kind {kind} needs `with`, {what}", at=at)
    for one in given:
        if not isinstance(one, Mapping):
            raise StackError(f"hook {name}: a step is a map", at=at)
        if _type(one) == "shell" and not isinstance(one.get("command"), str):
            raise StackError(f"hook {name}: a step of type shell needs a `command`", at=at)
    return given


def unknown(kind: str, body: Mapping[str, Any], name: str, at: Location | None) -> str:
    """Return the type of a step that is not built; '' if all are. Raises: StackError."""
    return next((t for t in map(_type, steps_of(kind, body, name, at)) if t != "shell"), "")


def _type(step: Mapping[str, Any]) -> str:
    return str(step.get("type") or "shell")


def _steps(
    body: Mapping[str, Any],
    hook: Hook,
    hooks: Hooks,
    child: Child,
    spawn: Callable[[Child], int],
) -> int:
    """Run the steps in order until one fails, all of them again as `retry` says."""
    import random
    import time

    from wrapper.terraform import retry

    again = retry.of_map(body.get("retry"), hook.at, f"hook {hook.name}: retry")
    attempt = 1
    while True:
        code = 0
        for step in steps_of(hook.kind, body, hook.name, hook.at):
            code = code or spawn(_shell(step, hook, hooks, child))
        if not code or code > 128 or again is None or 0 < again.attempts <= attempt:
            return code
        pause = again.pause(attempt, random.random())  # noqa: S311  no secret
        attempt += 1
        ui.note(hooks.world, f"hook {hook.name} failed: attempt {attempt} in {pause:.1f} s")
        time.sleep(pause)


def _shell(step: Mapping[str, Any], hook: Hook, hooks: Hooks, child: Child) -> Child:
    """Return a step as a program. Its directory is the component's, or from there; `./` is yours."""
    from wrapper import process

    given = str(step.get("working_directory") or "")
    dotted = given in (".", "..") or given.startswith(("./", "../"))
    cwd = os.path.normpath(os.path.join(hooks.world.cwd if dotted else child.cwd, given))
    return process.shell(str(step["command"]), cwd, _with_env(step, hook, child.env))


def text_of(value: Any) -> str:
    """Return a value as Go prints it."""
    from wrapper.stacks.template import go_text

    return value if isinstance(value, str) else go_text(value)


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """Return a text with `$NAME` and `${NAME}` as the environment has them; others stay."""
    import re

    def put(match: re.Match[str]) -> str:
        return environ.get(match.group(1) or match.group(2), match.group(0))

    return re.sub(r"\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))", put, text)


def store(body: Mapping[str, Any], hook: Hook, hooks: Hooks, child: Child) -> None:
    """Write outputs of the component into a store. Raises: StackError, ConfigError."""
    import re

    from wrapper.stacks import query, store

    wanted = body.get("outputs")
    if not isinstance(wanted, Mapping) or not wanted:
        ui.info(hooks.world, f"hook {hook.name}: no outputs are named")
        return
    component = hooks.component
    found = store.find(hooks.config, str(body.get("name") or ""), hook.at)
    outputs: Mapping[str, Any] | None = None
    for key, value in wanted.items():
        text = str(value)
        if text.startswith("."):
            if outputs is None:
                outputs = _outputs(child)
            first = re.split(r"[.\[| ]", text[1:], maxsplit=1)[0]
            if first not in outputs:
                raise StackError(f"the component has no output {first}", at=hook.at)
            value = query.run(text, dict(outputs))
        slot = store.Slot(component.stack, component.name, str(key))

        def environ(identity: str) -> Mapping[str, str]:
            return hooks.reader.as_identity(component, identity) if identity else child.env

        store.put(found, slot, value, environ)


def _outputs(child: Child) -> Mapping[str, Any]:
    """Return the outputs as Terraform tells them, where it just ran. Raises: StackError."""
    from subprocess import DEVNULL, PIPE

    from wrapper import children
    from wrapper.process import find
    from wrapper.terraform import formats

    done = children.run(
        [child.argv[0], "output", "-json"],
        executable=find(child.argv[0], child.env, child.cwd),
        cwd=child.cwd,
        env=dict(child.env),
        stdin=DEVNULL,
        stdout=PIPE,
    )
    if done.returncode:
        raise StackError(f"{child.argv[0]} output -json gave no outputs")
    return formats.values(done.stdout)
