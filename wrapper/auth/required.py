"""Signing in to several identities at once: the one that was chosen and the required ones.

Source: reference/atmos-auth.md 6.5, design 6.
"""

from __future__ import annotations

import threading

from wrapper.auth import chain
from wrapper.auth.lookup import truth
from wrapper.auth.model import Auth
from wrapper.errors import NeedsLogin, WrapError
from wrapper.world import World


def names(auth: Auth, primary: str) -> list[str]:
    """Return the required identities but the primary one."""
    return [
        name
        for name, entry in auth.identities.items()
        if truth(entry.raw.get("required")) and name != primary
    ]


def sign_in(auth: Auth, primary: str, world: World) -> tuple[str, ...]:
    """Sign in to `primary` here and to the required ones beside it; return the latter's failures.

    A link that several share is signed once: whoever comes second waits for its lock and finds the
    session. Raises: as `chain.obtain` for the primary; with `wrap.required: strict` for all.
    """
    faults: dict[str, BaseException] = {}
    # Questions are for the primary identity alone: two prompts at once cannot be answered.
    quiet = world._replace(stdin_tty=False, asks=False)
    # After it, one by one, pages may be shown for sign-ins elsewhere; nothing is to be typed.
    showing = world._replace(stdin_tty=False)
    primary_done = threading.Event()

    def one(name: str) -> None:
        try:
            try:
                chain.obtain(auth, name, quiet)
            except NeedsLogin:  # perhaps for what the primary one is just being asked
                primary_done.wait()
                chain.obtain(auth, name, quiet)
        except Exception as error:  # noqa: BLE001  raised or told below, in the main thread
            faults[name] = error

    others = names(auth, primary)
    threads = [threading.Thread(target=one, args=(name,), daemon=True) for name in others]
    for thread in threads:
        thread.start()
    try:
        chain.obtain(auth, primary, world)
    finally:
        primary_done.set()
    for thread in threads:
        thread.join()
    for name in others if showing.can_show else ():
        if isinstance(faults.get(name), NeedsLogin):
            try:
                chain.obtain(auth, name, showing)
                del faults[name]
            except WrapError as error:
                faults[name] = error
    told = []
    for name in others:
        fault = faults.get(name)
        if fault is None:
            continue
        if not isinstance(fault, WrapError) or auth.required == "strict":
            raise fault
        told.append(f'required identity "{name}": {fault.message}')
    return tuple(told)
