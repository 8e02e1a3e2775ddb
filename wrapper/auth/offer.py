"""The offer to sign in, at the terminal of a program that needs a credential (`wrap.shell.login`).

A program runs `credential-process` with pipes; the terminal is asked itself, and only while the
program is in its foreground: nothing in the background is stopped by a question.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from wrapper import files, ui
from wrapper.auth import sessions
from wrapper.errors import Interrupted, NeedsLogin
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.auth.model import Credential
    from wrapper.world import World

    Walk = Callable[[World], Credential]


def sign_in(name: str, walk: Walk, realm: str, world: World, need: NeedsLogin) -> Credential:
    """Ask at the terminal whether to sign in to an identity, and do it.

    `walk` goes along its chain in a given world. One question at a time for a realm: whoever waited
    for it first looks whether it is still needed; a "no" holds for all programs of the shell's job.
    Raises: `need` where nobody can or wants to be asked; what `walk` raises.
    """
    if not _wanted(world):
        raise need
    declined = os.path.join(realm, "sessions", "offer.failed")
    descriptor = _terminal()
    if descriptor < 0:
        raise need
    with (
        open(descriptor, encoding="utf-8", errors="replace") as reading,
        open(os.dup(descriptor), "w", encoding="utf-8", errors="replace") as writing,
    ):
        asking = world._replace(
            stdin=reading, stderr=writing, stdin_tty=True, stderr_tty=True, asks=True
        )
        with files.lock(os.path.join(realm, "sessions", "offer.lock"), "a question"):
            told = sessions.remembered_failure(declined, 0.0, world.now())
            if told is not None and told[0] == str(os.getpgrp()):
                raise need
            try:
                return walk(world._replace(stdin_tty=False, asks=False))
            except NeedsLogin:
                ui.debug(world, f"{name} is still to be signed in to")
            if not _agreed(name, asking):
                sessions.remember_failure(declined, str(os.getpgrp()), (), world.now())
                raise need
            return walk(asking)


def _wanted(world: World) -> bool:
    """Say whether the user wants to be asked at all."""
    if world.in_ci or not world._replace(stdin_tty=True, stderr_tty=True).can_ask:
        return False
    from wrapper.config import personal

    return personal.shell_login(world) == "ask"


def _terminal() -> int:
    """Return a descriptor of this process's terminal; -1 without one, and in the background."""
    try:
        descriptor = os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return -1
    try:
        front = os.tcgetpgrp(descriptor) == os.getpgrp()
    except OSError:
        front = False
    if not front:
        os.close(descriptor)
    return descriptor if front else -1


def _agreed(name: str, world: World) -> bool:
    ui.write(world, f"atmos-wrap: sign in to {ui.escape(name)}? [Y/n] ")
    line = world.stdin.readline()
    if not line:
        raise Interrupted("no answer was given")
    return line.strip().lower() in ("", "y", "yes")
