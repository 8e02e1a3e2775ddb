"""The token of a portal where the AWS CLI looks for it, when the user shares it (`wrap.sso.share`).

Source: the cache of AWS CLI v2 and botocore: SHA-1 of the start URL, or of the sso-session's name.
"""

from __future__ import annotations

import hashlib
import json
import os
import time

from wrapper import files, ui
from wrapper.auth.kinds import _sso_token
from wrapper.auth.kinds._sso_token import Client, Token
from wrapper.errors import StoreError
from wrapper.world import World


def store(start_url: str, region: str, token: Token, world: World) -> None:
    """Write the token for each profile of the portal. A failure is a warning: our own file counts."""
    found = {
        "startUrl": start_url,
        "region": region,
        "accessToken": token.access,
        "expiresAt": _text(token.expires),
    }
    if token.client is not None:
        found |= {
            "clientId": token.client.id,
            "clientSecret": token.client.secret,
            "registrationExpiresAt": _text(token.client.expires),
        }
    if token.refresh:
        found["refreshToken"] = token.refresh
    for url, file in paths(start_url, region, world):
        try:
            files.write_atomic(file, json.dumps({**found, "startUrl": url}).encode())
        except StoreError as error:
            ui.warn(world, f"the AWS CLI does not get the token: {error.message}")


def newer(start_url: str, region: str, kept: Token, world: World) -> Token:
    """Return what is kept with the refresh token of the AWS CLI, if that is the later one.

    Who refreshes first spends the other's refresh token.
    """
    for _, file in paths(start_url, region, world):
        found = _sso_token.cli_file(file)
        ends = _sso_token.seconds(found.get("expiresAt"))
        texts = [found.get(name) for name in ("refreshToken", "clientId", "clientSecret")]
        if ends > kept.expires and all(isinstance(text, str) and text for text in texts):
            refresh, name, secret = map(str, texts)
            until = _sso_token.seconds(found.get("registrationExpiresAt"))
            kept = kept._replace(expires=ends, refresh=refresh, client=Client(name, secret, until))
    return kept


def holding(start_url: str, region: str, access: str, world: World) -> list[str]:
    """Return the files that hold this token."""
    return [
        file
        for _, file in paths(start_url, region, world)
        if access and _sso_token.cli_file(file).get("accessToken") == access
    ]


def paths(start_url: str, region: str, world: World) -> list[tuple[str, str]]:
    """Return start URL, as its profile writes it, and file of each way to name the portal."""
    directory = os.path.join(world.home, ".aws", "sso", "cache")
    names = {start_url: start_url, **_profiles(start_url, region, world)}
    return [
        (url, os.path.join(directory, f"{hashlib.sha1(name.encode()).hexdigest()}.json"))  # noqa: S324
        for name, url in names.items()
    ]


def _profiles(start_url: str, region: str, world: World) -> dict[str, str]:
    """Return what the user's own AWS configuration calls the portal: name -> its start URL."""
    import configparser

    parser = configparser.RawConfigParser(strict=False)
    given = world.environ.get("AWS_CONFIG_FILE", "")
    if not given or given.startswith(os.path.abspath(files.state_dir(world.environ))):
        given = os.path.join(world.home, ".aws", "config")  # ours names no portal
    try:
        with open(given, encoding="utf-8") as stream:
            parser.read_file(stream)
    except (OSError, ValueError, configparser.Error):
        return {}
    found = {}
    for section in parser.sections():
        url = parser.get(section, "sso_start_url", fallback="").strip()
        same = _sso_token.plain_url(url) == _sso_token.plain_url(start_url)
        if not url or not same or parser.get(section, "sso_region", fallback="") != region:
            continue
        kind, _, name = section.partition(" ")
        found[name.strip().strip("'\"") if kind == "sso-session" else url] = url
    return found


def _text(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))
