"""Google's answers: the state in a bucket, secrets; asked in the child, as the identity.

Source: the gcs backend of Terraform; Google's JSON API of Cloud Storage, REST API of Secret Manager.
"""

from __future__ import annotations

import base64
import os
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from wrapper.stacks.cloud import send
from wrapper.typed import Any

_STORAGE = "https://storage.googleapis.com/storage/v1"
_SECRETS = "https://secretmanager.googleapis.com/v1"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"


def _first(*names: str) -> str:
    """Return the first of some variables that is set."""
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _headers(given: Mapping[str, Any]) -> dict[str, str]:
    """Return the header that shows who asks, as Terraform's backend and Atmos's stores find out."""
    import google.auth
    from google.auth.transport.requests import Request

    token = str(given.get("access_token") or _first("GOOGLE_OAUTH_ACCESS_TOKEN"))
    email = given.get("impersonate_service_account") or _first(
        "GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT", "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT"
    )
    if token and not email:
        return {"Authorization": f"Bearer {token}"}
    credentials: Any
    written = str(
        given.get("credentials") or _first("GOOGLE_BACKEND_CREDENTIALS", "GOOGLE_CREDENTIALS")
    )
    if token:
        from google.oauth2.credentials import Credentials

        credentials = Credentials(token=token)  # type: ignore[no-untyped-call]
    elif written.lstrip().startswith("{"):
        import json

        credentials, _ = google.auth.load_credentials_from_dict(  # type: ignore[no-untyped-call]
            json.loads(written), scopes=[_SCOPE]
        )
    elif written:
        credentials, _ = google.auth.load_credentials_from_file(  # type: ignore[no-untyped-call]
            os.path.expanduser(written), scopes=[_SCOPE]
        )
    else:
        credentials, _ = google.auth.default(scopes=[_SCOPE])
    if email:
        from google.auth import impersonated_credentials

        credentials = impersonated_credentials.Credentials(  # type: ignore[no-untyped-call]
            source_credentials=credentials,
            target_principal=str(email),
            target_scopes=[_SCOPE],
            delegates=list(given.get("impersonate_service_account_delegates") or ()),
        )
    if not credentials.valid:
        credentials.refresh(Request())
    headers: dict[str, str] = {}
    credentials.apply(headers)
    return headers


def _refused(response: Any) -> ValueError:
    """Return an error with the server's own words."""
    try:
        said = response.json()["error"]["message"]
    except (ValueError, LookupError, TypeError):
        said = " ".join(response.text.split())[:300]
    host = urlsplit(response.url).hostname
    return ValueError(f"{host} answered {response.status_code}: {said}")


# ---- the gcs backend ----------------------------------------------------------------------------


def _state(question: Mapping[str, Any]) -> str | None:
    """Return the text of a state; None when it is not there."""
    backend = question["backend"]
    emulator = _first("STORAGE_EMULATOR_HOST")
    endpoint = str(
        backend.get("storage_custom_endpoint")
        or _first("GOOGLE_BACKEND_STORAGE_CUSTOM_ENDPOINT", "GOOGLE_STORAGE_CUSTOM_ENDPOINT")
    )
    if endpoint:
        base = endpoint.rstrip("/").removesuffix("/b")
    elif emulator:
        base = f"{emulator if '://' in emulator else f'http://{emulator}'}/storage/v1"
    else:
        base = _STORAGE
    headers = {} if emulator else _headers(backend)
    bucket = f"{base}/b/{quote(str(backend['bucket']), safe='')}"
    url = f"{bucket}/o/{quote(question['name'], safe='')}"
    found = send("GET", url, {**headers, **_own_key(backend)}, params={"alt": "media"})
    if found.status_code == 404:
        # Of the bucket or of the object? Terraform lists, too, to know its workspaces.
        there = send("GET", f"{bucket}/o", headers, params={"maxResults": "1"})
        if there.status_code == 404:
            raise ValueError(f'there is no bucket "{backend["bucket"]}"')
        return None
    if found.status_code != 200:
        raise _refused(found)
    text: str = found.content.decode()
    return text


def _own_key(backend: Mapping[str, Any]) -> dict[str, str]:
    """Return the headers for a state under a key of the customer: base64, or a file that holds it."""
    import hashlib

    given = str(backend.get("encryption_key") or _first("GOOGLE_ENCRYPTION_KEY"))
    if not given:
        return {}
    path = os.path.expanduser(given)
    if os.path.isfile(path):
        with open(path, encoding="utf-8") as stream:
            given = stream.read()
    raw = base64.b64decode(given.strip(), validate=True)
    return {
        "x-goog-encryption-algorithm": "AES256",
        "x-goog-encryption-key": base64.b64encode(raw).decode(),
        "x-goog-encryption-key-sha256": base64.b64encode(hashlib.sha256(raw).digest()).decode(),
    }


# ---- Secret Manager -----------------------------------------------------------------------------


def _secret(question: Mapping[str, Any]) -> str | None:
    options = question["options"]
    url = f"{_project(options)}/secrets/{quote(question['name'], safe='')}/versions/latest:access"
    found = send("GET", url, _headers(options))
    if found.status_code == 404:
        return None
    if found.status_code != 200:
        raise _refused(found)
    return base64.b64decode(found.json()["payload"]["data"]).decode()


def _put_secret(question: Mapping[str, Any]) -> None:
    options, name = question["options"], quote(question["name"], safe="")
    headers = _headers(options)
    replication: dict[str, Any] = {"automatic": {}}
    if options.get("locations"):
        replicas = [{"location": place} for place in options["locations"]]
        replication = {"userManaged": {"replicas": replicas}}
    url = f"{_project(options)}/secrets"
    data = base64.b64encode(question["text"].encode()).decode()
    body = {"payload": {"data": data}}
    made = send("POST", f"{url}/{name}:addVersion", headers, json=body)
    if made.status_code == 404:
        first = send(
            "POST", url, headers, params={"secretId": name}, json={"replication": replication}
        )
        if first.status_code not in (200, 409):
            raise _refused(first)
        made = send("POST", f"{url}/{name}:addVersion", headers, json=body)
    if made.status_code != 200:
        raise _refused(made)


def _project(options: Mapping[str, Any]) -> str:
    base = str(options.get("endpoint") or _SECRETS).rstrip("/")
    return f"{base}/projects/{quote(str(options['project_id']), safe='')}"


ANSWERS = {
    "gcp state": _state,
    "gcp/secretmanager get": _secret,
    "gcp/secretmanager put": _put_secret,
}
