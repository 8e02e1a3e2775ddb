"""Carrying out the steps of a run, or showing them."""

from __future__ import annotations

import os
import shlex

from wrapper import files as storage
from wrapper import process, ui
from wrapper.terraform import init, turn, workspace
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import IO

    from wrapper.process import Child
    from wrapper.stacks import Component
    from wrapper.terraform.hooks import Outcome
    from wrapper.terraform.steps import Steps
    from wrapper.terraform.turn import Turn
    from wrapper.world import World


def show(steps: Steps) -> str:
    """Return what a run would do, one line per step, for `--dry-run`; no content, no values."""
    lines = show(steps.verify).splitlines() if steps.verify is not None else []
    lines += [f"cd {shlex.quote(steps.directory)}"]
    lines += [f"# write {os.path.basename(file.path)}" for file in steps.write]
    lines += [f"# remove {os.path.basename(p)}" for p in steps.stale if os.path.lexists(p)]
    if steps.backend is not None and (steps.init or _is_init(steps.command)):
        lines.append(f"# make {steps.backend.name} unless it is there")
    children = (steps.init, steps.lock if steps.init else None, steps.select, steps.command)
    for child in children:
        if child is not None:
            lines.append(shlex.join(child.argv))
    if steps.answer is not None:
        from wrapper.terraform import answers

        lines.append(answers.show(steps.answer))
    if steps.hooks is not None:
        for moment in ("before", "after"):
            lines += [f"# hook {one.name}, {moment}" for one in steps.hooks.at(moment)]
    return "\n".join(lines) + "\n"


class Crew(NamedTuple):
    """How a run among others starts its programs: the signals of all, its own streams."""

    signals: process.Signals
    streams: process.Streams = process.Streams()

    def spawn(self, child: Child, stderr: IO[bytes] | None = None) -> int:
        """Run a program as a child and wait; return its exit code."""
        return process.spawn(child, stderr, signals=self.signals, streams=self.streams)


def carry_out(steps: Steps, component: Component, world: World, crew: Crew | None = None) -> int:
    """Run the steps; return the exit code. Often it never returns: this process becomes terraform.

    It stays only when something has to follow: files to remove after success, or, with a crew,
    other components.

    Raises: StoreError, ToolMissing, WrapError.
    Source: reference/atmos-stacks.md 5.2; design 10.
    """
    if steps.verify is not None:
        code = carry_out(steps.verify, component, world, crew)
        if code:
            return code
    if steps.answer is not None:
        from wrapper.terraform import answers

        return answers.carry_out(steps, component, world)
    label = shlex.join(steps.command.argv[:2] if steps.command else ("workspace",))
    if component.stack:
        label += f" for {component.name} in {component.stack}"
    waits = f"waiting for another run in {steps.directory}: "

    def take(*, shared: bool) -> Turn:
        return turn.take(
            steps.directory,
            world.environ,
            lambda who: ui.note(world, waits + who),
            shared=shared,
            given_up=None if crew is None else lambda: bool(crew.signals.received),
        )

    if steps.cache_dir:
        os.makedirs(steps.cache_dir, exist_ok=True)
    held = take(shared=True)
    try:
        if not _is_ready(steps, component):
            held.end()
            held = take(shared=False)
            held.sign(label)
            code = _make_ready(steps, component, world, crew)
            if code and steps.command is not None and steps.hooks is not None:
                steps.hooks.run("after", steps.command, _spawn(crew), _outcome(steps, code))
            if code or steps.command is None:
                return code
            if not _changes_directory(steps.command):
                held.share()
        held.sign(label, beside=True)
        return _run(steps, world, held, crew)
    finally:
        held.end()


def needs_init(steps: Steps) -> bool:
    """Say whether init has to run, going by what it left behind the last time."""
    return steps.init is not None and not _is_fresh(steps, init.recorded(steps.data_dir))


def _is_ready(steps: Steps, component: Component) -> bool:
    """Say whether the directory is as the run needs it, so that others may use it as well."""
    if steps.command is None or _changes_directory(steps.command):
        return False
    if any(os.path.lexists(path) for path in steps.stale):
        return False
    if not all(storage.holds(file.path, file.data, file.mode) for file in steps.write):
        return False
    known = init.recorded(steps.data_dir)
    if not _is_fresh(steps, known):
        return False
    return steps.select is None or workspace.is_settled(component, steps.data_dir, known)


def _changes_directory(command: Child) -> bool:
    """Say whether the command itself changes what belongs to the directory."""
    return command.argv[1:2] in (("init",), ("workspace",), ("providers",), ("get",))


def _is_init(command: Child | None) -> bool:
    return command is not None and command.argv[1:2] == ("init",)


def _run(steps: Steps, world: World, held: Turn, crew: Crew | None) -> int:
    assert steps.command is not None
    command, leftover = steps.command, [path for path in steps.after if os.path.lexists(path)]
    if _is_init(command):
        init.forget(steps.data_dir)
    _flush(world)
    if crew is None and (command.login or command.argv[1:2] == ("console",)):
        process.execute(command)  # somebody sits there for hours: others need not wait
    hooks = steps.hooks
    if hooks is not None:
        stops = hooks.run("before", command, _spawn(crew), _outcome(steps, 0))
        if stops:
            return stops
    follows = hooks is not None and hooks.may_follow()
    if crew is None and not leftover and not follows and steps.retry is None:
        held.hand_over()
        process.execute(command)
    code = _starter(steps, world, crew)(command)
    after = 0
    if hooks is not None and follows:
        after = hooks.run("after", command, _spawn(crew), _outcome(steps, code))
    if code == 0 and held.is_alone():  # else they may still be needed
        for path in leftover:
            storage.remove(path)
    return code or after


def _outcome(steps: Steps, code: int) -> Outcome:
    """Return how a command ended, for hooks: changes that a plan found are no failure."""
    from wrapper.terraform.hooks import Outcome

    argv = steps.command.argv if steps.command is not None else ()
    found = code == 2 and argv[1:2] == ("plan",) and "-detailed-exitcode" in argv
    return Outcome(0 if found else code)


def _spawn(crew: Crew | None) -> Callable[..., int]:
    return process.spawn if crew is None else crew.spawn


def _starter(steps: Steps, world: World, crew: Crew | None) -> Callable[..., int]:
    """Return what starts a program of Terraform's: again and again, if `retry` says so."""
    known = steps.retry
    if known is None:
        return _spawn(crew)
    from wrapper.terraform import retry

    signals = process.Signals() if crew is None else crew.signals
    streams = process.Streams() if crew is None else crew.streams

    def once(child: Child, there: process.Streams) -> int:
        return process.spawn(child, signals=signals, streams=there)

    def start(child: Child, stderr: IO[bytes] | None = None) -> int:
        there = streams if stderr is None else streams._replace(stderr=stderr.fileno())
        return retry.run(known, child, once, there, world, lambda: bool(signals.received))

    return start


def _make_ready(steps: Steps, component: Component, world: World, crew: Crew | None) -> int:
    """Write files, run init and select the workspace as far as needed; return what failed's code."""
    for path in steps.stale:
        storage.remove(path)
    for file in steps.write:
        storage.write_if_changed(file.path, file.data, file.mode)
    known = init.recorded(steps.data_dir)
    fresh = steps.init is None or _is_fresh(steps, known)
    starting = steps.command if _is_init(steps.command) else None if fresh else steps.init
    if steps.backend is not None and starting is not None:
        from wrapper.terraform import provision

        provision.make(steps.backend, starting.env, world)
    if not fresh and steps.init is not None:
        init.forget(steps.data_dir)
        workspace.forget(steps.data_dir)
        _flush(world)
        start = _starter(steps, world, crew)
        code = start(steps.init)
        if code == 0 and steps.lock is not None:
            code = start(steps.lock)
        if code:
            return code
    settled = (
        fresh and steps.init is not None and workspace.is_settled(component, steps.data_dir, known)
    )
    if steps.select is not None and steps.create is not None and not settled:
        start = _starter(steps, world, crew)
        code = _select(steps.select, steps.create, steps.data_dir, start, crew)
        if code:
            return code
    if steps.init is not None and not (fresh and (settled or steps.select is None)):
        selected = workspace.selected(steps.data_dir) if steps.select is not None else None
        init.record(steps.data_dir, _print(steps), selected)
    return 0


def _is_fresh(steps: Steps, known: Mapping[str, object]) -> bool:
    """Say whether init has run with everything as it is now."""
    if steps.init is None or steps.always_init:
        return False
    print_now = _print(steps)
    return bool(print_now) and known.get("init") == print_now


def _print(steps: Steps) -> str:
    """Return the fingerprint for these steps; '' when the run does not start with init."""
    if steps.init is None:
        return ""
    arguments = (*steps.init.argv[1:], *(steps.lock.argv[1:] if steps.lock else ()))
    named = [arguments[i + 1] for i, a in enumerate(arguments[:-1]) if a == "-var-file"]
    return init.fingerprint(steps.directory, steps.init.env, steps.binary, arguments, named)


def _select(
    select: Child, create: Child, data_dir: str, start: Callable[..., int], crew: Crew | None
) -> int:
    """Select the workspace, making it if need be; what it says is shown only when that fails.

    Source: reference/atmos-stacks.md 5.5.
    """
    import tempfile

    with tempfile.TemporaryFile() as said:
        code = start(select, said)
        if code == 1:
            code = start(create, said)
            if code == 1 and workspace.selected(data_dir) == create.argv[-1]:
                return 0
        if code:
            said.seek(0)
            ended = (
                f"error: {shlex.join(select.argv)} in {select.cwd} ended with exit code {code}\n"
            )
            target = None if crew is None else crew.streams.stderr
            with open(2 if target is None else target, "wb", closefd=False) as stream:
                stream.write(said.read() + ended.encode())
        return code


def _flush(world: World) -> None:
    world.stdout.flush()
    world.stderr.flush()
