"""A token that a program prints: run with the shell's environment, for a limited time and size."""

from __future__ import annotations

from collections.abc import Sequence

from wrapper.errors import AuthError
from wrapper.world import World

SECONDS = 60.0
# A token is a few kilobytes; more than this is no token.
LIMIT = 1 << 16


def printed(
    what: str, argv: Sequence[str], world: World, hint: str, *, seconds: float = SECONDS
) -> str:
    """Return what a program prints, without the white space around it.

    What it says on stderr is shown as it is. `what` begins the errors. Raises: AuthError.
    """
    import os
    import signal
    import subprocess
    import threading
    from contextlib import suppress

    from wrapper import children

    late = threading.Event()

    def too_late() -> None:
        late.set()
        with suppress(ProcessLookupError):  # what it started may hold the pipe open
            os.killpg(running.pid, signal.SIGKILL)

    timer = threading.Timer(seconds, too_late)
    timer.daemon = True
    try:
        with children.started(
            argv,
            env=dict(world.environ),
            cwd=world.cwd or None,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        ) as running:
            timer.start()
            assert running.stdout is not None
            found = running.stdout.read(LIMIT + 1)
            if len(found) > LIMIT:
                children.end(running, group=True)
            running.stdout.close()
            status = running.wait()
    except OSError as error:
        reason = "is not in PATH" if isinstance(error, FileNotFoundError) else str(error.strerror)
        raise AuthError(f"{what}: {argv[0]} {reason}", hint=hint) from error
    finally:
        timer.cancel()
    if late.is_set():
        raise AuthError(f"{what}: {argv[0]} did not end within {seconds:g} s", hint=hint)
    if len(found) > LIMIT:
        raise AuthError(f"{what}: {argv[0]} printed more than a token", hint=hint)
    text = found.decode("utf-8", "replace").strip()
    if status or not text:
        told = f"ended with status {status}" if status else "printed nothing"
        raise AuthError(f"{what}: {argv[0]} {told}", hint=hint)
    return text
