"""What the configuration says beside an entry, and its kind has to know."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth import provisioned, rules
from wrapper.auth.lookup import truth
from wrapper.auth.model import Entry
from wrapper.typed import Any
from wrapper.world import World


def keyrings(
    identities: dict[str, Entry], section: Mapping[str, Any], realm: str, world: World
) -> None:
    """Tell IAM users which keyring holds their keys."""
    if not any(entry.kind == "aws/user" for entry in identities.values()):
        return
    from wrapper.auth import keyring

    found = keyring.settings(section, world)
    place = {"realm": realm, "type": found.type, "path": found.path, "variable": found.password}
    for name, entry in identities.items():
        if entry.kind == "aws/user":
            identities[name] = entry._replace(raw={**entry.raw, "keyring": place})


def shares(providers: dict[str, Entry], wrap: Mapping[str, Any] | None, world: World) -> None:
    """Tell portals whether the AWS CLI may have their token (`wrap.sso.share`).

    What the entry itself says about it does not count.
    """
    given = world.environ.get("ATMOS_WRAP_SSO_SHARE") or rules.look(wrap or {}, ("sso", "share"))
    for name, entry in providers.items():
        if entry.kind == provisioned.SSO:
            raw = {key: value for key, value in entry.raw.items() if key != "share"}
            shared = {"share": True} if truth(given) is True else {}
            providers[name] = entry._replace(raw={**raw, **shared})
