"""Carrying out the steps of a run, or showing them."""

from __future__ import annotations

import os
import shlex
from typing import IO, TYPE_CHECKING, NamedTuple

from wrapper import files as storage
from wrapper import process, ui
from wrapper.terraform import init, turn, workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from wrapper.process import Child
    from wrapper.stacks import Component
    from wrapper.terraform.steps import Steps
    from wrapper.terraform.turn import Turn
    from wrapper.world import World


def show(steps: Steps) -> str:
    """Return what a run would do, one line per step, for `--dry-run`; no content, no values."""
    lines = [f"cd {shlex.quote(steps.directory)}"]
    lines += [f"# write {os.path.basename(file.path)}" for file in steps.write]
    lines += [f"# remove {os.path.basename(p)}" for p in steps.stale if os.path.lexists(p)]
    children = (steps.init, steps.lock if steps.init else None, steps.select, steps.command)
    for child in children:
        if child is not None:
            lines.append(shlex.join(child.argv))
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


def _run(steps: Steps, world: World, held: Turn, crew: Crew | None) -> int:
    assert steps.command is not None
    command, leftover = steps.command, [path for path in steps.after if os.path.lexists(path)]
    if command.argv[1:2] == ("init",):
        init.forget(steps.data_dir)
    _flush(world)
    if crew is None and (command.login or command.argv[1:2] == ("console",)):
        process.execute(command)  # somebody sits there for hours: others need not wait
    if crew is None and not leftover:
        held.hand_over()
        process.execute(command)
    code = _spawn(crew)(command)
    if code == 0 and held.is_alone():  # else they may still be needed
        for path in leftover:
            storage.remove(path)
    return code


def _spawn(crew: Crew | None) -> Callable[..., int]:
    return process.spawn if crew is None else crew.spawn


def _make_ready(steps: Steps, component: Component, world: World, crew: Crew | None) -> int:
    """Write files, run init and select the workspace as far as needed; return what failed's code."""
    for path in steps.stale:
        storage.remove(path)
    for file in steps.write:
        storage.write_if_changed(file.path, file.data, file.mode)
    known = init.recorded(steps.data_dir)
    fresh = steps.init is None or _is_fresh(steps, known)
    if not fresh and steps.init is not None:
        init.forget(steps.data_dir)
        workspace.forget(steps.data_dir)
        _flush(world)
        code = _spawn(crew)(steps.init)
        if code == 0 and steps.lock is not None:
            code = _spawn(crew)(steps.lock)
        if code:
            return code
    settled = (
        fresh and steps.init is not None and workspace.is_settled(component, steps.data_dir, known)
    )
    if steps.select is not None and steps.create is not None and not settled:
        code = _select(steps.select, steps.create, steps.data_dir, crew)
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


def _select(select: Child, create: Child, data_dir: str, crew: Crew | None) -> int:
    """Select the workspace, making it if need be; what it says is shown only when that fails.

    Source: reference/atmos-stacks.md 5.5.
    """
    import tempfile

    with tempfile.TemporaryFile() as said:
        code = _spawn(crew)(select, said)
        if code == 1:
            code = _spawn(crew)(create, said)
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
