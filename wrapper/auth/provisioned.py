"""Identities that nobody wrote down: every permission set of the user, as the portal lists them.

Source: reference/atmos-auth.md 3.1.
"""

from __future__ import annotations

import json
import os
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from wrapper import files, ui
from wrapper.auth import sessions
from wrapper.auth.lookup import truth
from wrapper.errors import AuthError
from wrapper.merge import deep_merge
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple
from wrapper.world import World

if TYPE_CHECKING:
    import subprocess

    from wrapper.auth.kinds.aws_sso import Spec
    from wrapper.auth.model import Credential

SSO = "aws/iam-identity-center"
AT_ONCE = 8
# The command of our own that makes a list.
COMMAND = "provision-identities"
# Seconds that a program's end waits for its first list, and for a later one.
FIRST, LATER = 5.0, 1.0
_running: list[tuple[subprocess.Popen[bytes], str, float]] = []
# Seconds for which a list is taken as it is.
FRESH = 3600.0
_UNFIT = re.compile(r"[\x00-\x1f\x7f\[\]\"'\\]")


class Assignment(NamedTuple):
    """One permission set in one account."""

    account_id: str
    account_name: str
    role: str


def path(token_file: str) -> str:
    """Return the file of the list, beside the portal's token."""
    return token_file.removesuffix(".json") + ".identities"


def added(section: Mapping[str, Any], world: World) -> Mapping[str, Any]:
    """Return the section with the provisioned identities of its providers.

    What is written down wins; an entry without a kind is a change of the provisioned one.
    """
    wanted = portals(section)
    given = section.get("identities")
    if not wanted or not (given is None or isinstance(given, Mapping)):
        return section
    identities: dict[str, Any] = dict(given or {})
    folded = {name.lower(): name for name in identities}
    for provider, raw in wanted.items():
        for name, entry in _entries(provider, raw, world).items():
            written = folded.setdefault(name.lower(), name)
            own = identities.get(written)
            if written not in identities:
                identities[name] = entry
            elif isinstance(own, Mapping) and not own.get("kind"):
                identities[written] = deep_merge(entry, own)
    return {**section, "identities": identities}


def portals(section: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the providers whose permission sets become identities: name -> map."""
    providers = section.get("providers")
    return {
        str(name): raw
        for name, raw in (providers.items() if isinstance(providers, Mapping) else ())
        if isinstance(raw, Mapping) and raw.get("kind") == SSO
        and truth(raw.get("auto_provision_identities")) is True
    }  # fmt: skip


def _entries(provider: str, raw: Mapping[str, Any], world: World) -> dict[str, dict[str, Any]]:
    from wrapper.auth.kinds import _sso_token

    url, region = raw.get("start_url"), raw.get("region")
    if not isinstance(url, str) or not isinstance(region, str):
        return {}
    spec = raw.get("spec")
    endpoint = str(spec.get("endpoint_url") or "") if isinstance(spec, Mapping) else ""
    found = _load(path(_sso_token.path(url.strip(), region.strip(), endpoint, world)))
    return {
        name: {
            "kind": "aws/permission-set",
            "provider": provider,
            "via": {"provider": provider},
            "principal": {
                "name": one.role,
                "account": {"name": one.account_name, "id": one.account_id},
            },
        }
        for name, one in named(found).items()
    }


def named(found: Sequence[Assignment]) -> dict[str, Assignment]:
    """Return the assignments by name: `account/set`, in lower case as Atmos has them.

    Accounts of one name get their id, too. Source: reference/atmos-auth.md 3.1.
    """
    ids = {(one.account_name.lower(), one.account_id) for one in found}
    twins = Counter(name for name, _ in ids)
    names = {}
    for one in sorted(found):
        account = one.account_name or one.account_id
        if twins[one.account_name.lower()] > 1:
            account = f"{account}-{one.account_id}"
        names[_UNFIT.sub("-", f"{account}/{one.role}").lower()] = one
    return names


def _load(file: str) -> list[Assignment]:
    rows = (sessions.record(file) or {}).get("assignments")
    found = []
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, list) and len(row) == 3 and all(isinstance(v, str) for v in row):
            found.append(Assignment(*row))
    return found


def age(spec: Spec, world: World) -> float | None:
    """Return the seconds since the list was made, None when there is none."""
    from wrapper.auth.kinds import _sso_token

    file = path(_sso_token.path(spec.start_url, spec.region, spec.endpoint, world))
    made = (sessions.record(file) or {}).get("made")
    return world.now() - made if isinstance(made, int | float) else None


def refresh(spec: Spec, token: Credential, world: World) -> None:  # noqa: ARG001
    """Have the list made anew by a process of its own: nobody waits for it but `settle`.

    It finds the token in its file. A portal with hundreds of accounts answers for minutes, and the
    sign-in is good without them.
    """
    import subprocess
    import sys

    log = f"{_file(spec, world)}.log"
    if any(other == log for _, other, _ in _running):
        return
    argv = [sys.executable, "-E", "-P", "-m", "wrapper", COMMAND, json.dumps(spec)]
    null = subprocess.DEVNULL
    files.make_private_dir(os.path.dirname(log))
    try:
        with open(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as stream:
            child = subprocess.Popen(
                argv,
                env=dict(world.environ),
                stdin=null,
                stdout=null,
                stderr=stream,
                start_new_session=True,
            )
    except OSError as error:
        ui.warn(world, f'provider "{spec.name}": its identities are not listed: {error.strerror}')
        return
    _running.append((child, log, FIRST if age(spec, world) is None else LATER))


def settle(world: World) -> None:
    """Give the lists that are being made a moment, and tell what went wrong with them."""
    if not _running:
        return
    import subprocess

    while _running:
        child, log, seconds = _running.pop()
        try:
            child.wait(seconds)
        except (subprocess.TimeoutExpired, KeyboardInterrupt):
            child.returncode = 0  # it goes on without us
            ui.note(world, "the portal's identities are still being listed, in the background")
            continue
        with open(log, encoding="utf-8", errors="replace") as stream:
            ui.write(world, ui.escape(stream.read()))
        files.remove(log)


def make(argv: Sequence[str], world: World) -> int:
    """Make the list of the portal that `refresh` wrote into the arguments; return the exit code."""
    from wrapper.auth.kinds import _sso_token, aws_sso

    spec = aws_sso.Spec(*json.loads(argv[0]))
    token = _sso_token.load(_sso_token.path(spec.start_url, spec.region, spec.endpoint, world))
    listed(spec, token.access, world)
    return 0


def _file(spec: Spec, world: World) -> str:
    from wrapper.auth.kinds import _sso_token

    return path(_sso_token.path(spec.start_url, spec.region, spec.endpoint, world))


def listed(spec: Spec, access: str, world: World) -> int | None:
    """Ask the portal for all accounts and permission sets; return how many there are.

    Nothing is asked of anybody. A failure is told as a warning and keeps the old list: None.
    """
    from botocore.exceptions import ClientError

    from wrapper.auth.kinds import _aws, aws_permission_set

    portal = _aws.client(
        "sso", spec.region, world, None, spec.endpoint, attempts=aws_permission_set.ATTEMPTS
    )
    try:
        what = f'provider "{spec.name}"'
        accounts = aws_permission_set.accounts(portal, access, what)
        found = _assignments(portal, access, accounts, what, world)
    except ClientError as error:
        said = ": ".join(_aws.refused(error))
        ui.warn(world, f'provider "{spec.name}": its identities could not be listed: {said}')
        return None
    except AuthError as error:
        ui.warn(world, f"{error.message}; its identities could not be listed")
        return None
    file = _file(spec, world)
    written = {
        "version": sessions.VERSION,
        "made": world.now(),
        "for": spec.start_url,
        "assignments": [list(one) for one in sorted(found)],
    }
    files.make_private_dir(os.path.dirname(file))
    files.write_atomic(file, json.dumps(written).encode())
    return len(found)


def _assignments(
    portal: Any, access: str, accounts: Sequence[tuple[str, str]], what: str, world: World
) -> list[Assignment]:
    """Return the sets of all accounts, several accounts at once; a refused account is a warning."""
    from concurrent.futures import ThreadPoolExecutor

    from botocore.exceptions import ClientError

    from wrapper.auth.kinds import _aws, aws_permission_set

    def of(account: tuple[str, str]) -> list[Assignment]:
        asked = {"accessToken": access, "accountId": account[0]}
        try:
            rows = aws_permission_set.listed(
                portal, "list_account_roles", "roleList", what, **asked
            )
        except ClientError as error:
            said = ": ".join(_aws.refused(error))
            ui.warn(world, f"account {account[1]} ({account[0]}) is left out: {said}")
            return []
        roles = (row.get("roleName") for row in rows)
        return [Assignment(*account, role) for role in roles if isinstance(role, str) and role]

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return [one for found in pool.map(of, accounts) for one in found]
