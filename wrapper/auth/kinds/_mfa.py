"""The code of an MFA device: from a variable, a command, or whoever sits at the terminal."""

from __future__ import annotations

import re

from wrapper import ui
from wrapper.errors import AuthError, Interrupted, NeedsLogin
from wrapper.world import World

# Set by `auth login --mfa-code`.
CODE = "ATMOS_WRAP_MFA_CODE"
# A command that prints the code; the device's ARN is its last argument.
COMMAND = "ATMOS_WRAP_MFA_COMMAND"
DIGITS = 6
_SECONDS = 60.0


# A device that shows codes: an app by its ARN, a key fob by the number on its back.
_ARN = re.compile(r"arn:aws[a-z-]*:iam::\d{12}:mfa/[\w+=,.@/-]+", re.ASCII)
_SERIAL = re.compile(r"(?!A[KS]IA)(?=.*\d)[A-Z]{2}[A-Z0-9-]{7,}")
_SHAPE = "it looks like arn:aws:iam::111111111111:mfa/NAME; IAM shows it under Security credentials"


def fault(device: str) -> tuple[str, str] | None:
    """Return what is wrong with an MFA device, as message and hint; None for one that can be used.

    Source: STS API reference, "GetSessionToken"; IAM User Guide, "MFA device" ARNs.
    """
    if _ARN.fullmatch(device) or _SERIAL.fullmatch(device):
        return None
    if ":u2f/" in device:
        told = "it is a security key or passkey, which shows no codes, and STS takes nothing else"
        return f'"{device}" cannot be used: {told}', f"register an authenticator app, too: {_SHAPE}"
    return f'"{device}" is no MFA device', _SHAPE


def code(name: str, device: str, world: World, *, again: bool = False) -> str:
    """Return the current code of a device.

    `again` says that the first one was refused. Raises: NeedsLogin when nobody can type it,
    AuthError when the command fails, Interrupted.
    """
    given = world.environ.get(CODE, "").strip()
    if given and not again:
        if len(given) != DIGITS or not given.isdigit():
            raise AuthError(f'identity "{name}": the MFA code that was given has not 6 digits')
        return given
    if world.environ.get(COMMAND):
        return _of_command(name, device, world)
    if given and not world.can_ask:
        raise AuthError(
            f'identity "{name}": AWS refused the MFA code of {device} that was given',
            hint="a code counts once and for half a minute: give the next one",
        )
    if not world.can_ask:
        raise NeedsLogin(
            f'identity "{name}" needs an MFA code of {device}, and there is no terminal',
            hint=[
                f"sign in at a terminal first: atmos-wrap auth login -i {name}",
                f"or give it: --mfa-code, or {COMMAND} with a command that prints it",
            ],
        )
    for _ in range(3):
        refused = "refused; " if again else ""
        ui.write(world, ui.escape(f"{refused}MFA code of {device}: "))
        line = world.stdin.readline()
        if not line:
            raise Interrupted("no MFA code was given")
        if len(line.strip()) == DIGITS:
            return line.strip()
        ui.write(world, "an MFA code has 6 digits\n")
    raise NeedsLogin(f'identity "{name}": no MFA code was given')


def _of_command(name: str, device: str, world: World) -> str:
    import shlex
    from subprocess import DEVNULL, PIPE, TimeoutExpired

    from wrapper import children

    try:
        argv = [*shlex.split(world.environ[COMMAND]), device]
        done = children.run(
            argv,
            seconds=_SECONDS,
            env=dict(world.environ),
            cwd=world.cwd or None,
            stdin=DEVNULL,
            stdout=PIPE,
        )
    except (OSError, ValueError, TimeoutExpired) as error:
        raise AuthError(
            f'identity "{name}": {COMMAND} could not be run: {type(error).__name__}'
        ) from error
    found = done.stdout.decode("utf-8", "replace").strip()
    if done.returncode or len(found) != DIGITS or not found.isdigit():
        raise AuthError(
            f'identity "{name}": {COMMAND} ended with status {done.returncode} and gave no code',
            hint="it must print the six digits and nothing else",
        )
    return found
