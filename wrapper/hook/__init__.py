"""What a `cd` changes: the answer that a shell asks for when it knows a directory not yet."""

from __future__ import annotations

import os
from collections.abc import Sequence
from types import FrameType

from wrapper.errors import UsageError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.hook.evaluate import View
    from wrapper.world import World

# Seconds of work after which a prompt is not kept waiting any more; and seconds altogether: a
# machine that is busy with something else must not cost the identity, a disk that hangs may.
WORK, WAIT = 1.0, 5.0


class _TooLong(BaseException):
    """A deadline has passed; holds its seconds."""


def hook_env(argv: Sequence[str], world: World) -> int:
    """Print the assignments that say what holds in a shell's directory.

    `argv` is the shell, its `$PWD`, and the form of text that its hook reads. Never asks, never
    fails for what a repository holds.
    Raises: UsageError when it was not called by a hook.
    """
    import signal

    from wrapper.hook import answer, code

    if len(argv) not in (2, 3) or argv[0] not in answer.SHELLS:
        raise UsageError(
            "hook-env takes a shell and its directory", hint="it is called by the hook"
        )
    if len(argv) == 2 or argv[2] != code.FORM:
        raise UsageError(
            "this shell has the hook of another version of atmos-wrap", hint="start a new shell"
        )
    shell, directory = argv[:2]
    signal.signal(signal.SIGPROF, _too_long)
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_PROF, WORK)
    signal.setitimer(signal.ITIMER_REAL, WAIT)
    try:
        text = _told(shell, directory, world)
    except _TooLong as late_by:
        said = f"atmos-wrap: {directory} took more than {late_by} s to read: nothing is set here"
        late = answer.Answer(root=directory, say=_plain(said), asked=answer.asked(world.environ))
        text = answer.text(late, shell, "")
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
    world.stdout.write(text)
    return 0


def hook_use(argv: Sequence[str], world: World) -> int:
    """Print the pin that `use WORD` means, for the shell to keep.

    Raises: UsageError, ConfigError; an untrusted repository is refused.
    """
    from wrapper.errors import ConfigError
    from wrapper.hook import evaluate, pin

    if len(argv) != 1 or not argv[0]:
        raise UsageError("use takes a stack or an identity", hint="`atmos-wrap use prod-admin`")
    view = evaluate.look(world._replace(asks=False))
    if view.fault is not None:
        raise view.fault
    if view.config is None or view.verdict is None:
        raise ConfigError("there is no atmos.yaml here", hint="`use` pins within one repository")
    if view.verdict.state != "allowed":
        raise ConfigError(
            f"{view.root} is not allowed", hint="`atmos-wrap allow` shows and allows it"
        )
    from wrapper import stacks

    identities = (view.config.data.get("auth") or {}).get("identities") or {}
    known = stacks.stack_names(view.config, world) if view.config.stacks_dir else []
    world.stdout.write(pin.written(pin.of(argv[0], identities, known, view.root)))
    return 0


def prepare(world: World) -> None:
    """Keep the answer for `world.cwd` now, for the next prompt of the shell that started this.

    Does nothing where that shell has no hook.
    """
    import time

    from wrapper.hook import answer

    shell, owner, version = (world.environ.get("ATMOS_WRAP_HOOK", "") + "::").split(":")[:3]
    if shell not in answer.SHELLS or owner != str(os.getppid()) or not version:
        return
    _seen(world)
    # What was written a moment ago would count as newer than the answer.
    time.sleep(2 * answer.GRAIN)
    named = world.environ.get("PWD", "")
    _told(shell, named if named and _same(named, world.cwd) else world.cwd, world)


def _too_long(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    import signal

    raise _TooLong(f"{WAIT if number == signal.SIGALRM else WORK:g}")


def _plain(text: str) -> str:
    from wrapper import ui

    return ui.escape(text)


def _told(shell: str, directory: str, world: World) -> str:
    from wrapper.hook import answer, below, evaluate

    began = world.now()
    view = _seen(world)
    found = evaluate.answer(view, world)
    if not world.cwd or not _same(directory, world.cwd):
        return answer.text(found, shell, "")
    below.keep(view, found, shell, directory, world, began)
    return answer.keep(found, shell, directory, world.environ, began)


def _seen(world: World) -> View:
    """Return what holds in `world.cwd`; the files that its pointers lead to are there."""
    import io

    from wrapper.hook import evaluate

    quiet = world._replace(stdin_tty=False, stderr_tty=False, asks=False, stderr=io.StringIO())
    view = evaluate.look(quiet)
    if view.delta is not None:
        _write(view)
    return view


def _write(view: View) -> None:
    """Write the files that the pointers lead to; a disk that refuses leaves the shell without."""
    from wrapper import files

    assert view.delta is not None
    for path, data in view.delta.files.items():
        files.write_if_changed(path, data)


def _same(directory: str, cwd: str) -> bool:
    try:
        return os.path.samefile(directory, cwd)
    except OSError:
        return False
