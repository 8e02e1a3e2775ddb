"""Azure's answers: the state in a container, secrets; asked in the child, as the identity.

Source: the azurerm backend of Terraform; Azure's REST APIs of Blob Storage and Key Vault.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from wrapper.stacks.cloud import send
from wrapper.typed import Any, NamedTuple

_BLOB_VERSION = "2021-12-02"
_VAULT_VERSION = "7.4"


class _Cloud(NamedTuple):
    """Where a cloud of Azure is: who signs in, who manages, the end of names of storage."""

    login: str
    management: str
    storage: str


_CLOUDS = {
    "public": _Cloud(
        "https://login.microsoftonline.com", "https://management.azure.com", "core.windows.net"
    ),
    "usgovernment": _Cloud(
        "https://login.microsoftonline.us",
        "https://management.usgovcloudapi.net",
        "core.usgovcloudapi.net",
    ),
    "china": _Cloud(
        "https://login.chinacloudapi.cn",
        "https://management.chinacloudapi.cn",
        "core.chinacloudapi.cn",
    ),
}


def _given(options: Mapping[str, Any], key: str, *names: str) -> str:
    """Return an option of the backend, else the first of its variables that is set."""
    found = options.get(key)
    if found not in (None, ""):
        return str(found)
    return next((os.environ[name] for name in names if os.environ.get(name)), "")


def _wants(options: Mapping[str, Any], key: str, *names: str, default: str = "false") -> bool:
    """Return a switch as Go reads it."""
    found = _given(options, key, *names) or default
    return found.lower() in ("1", "t", "true")


def _cloud(options: Mapping[str, Any]) -> _Cloud:
    """Return the cloud that is named, or that a metadata host describes."""
    host = _given(options, "metadata_host", "ARM_METADATA_HOSTNAME", "ARM_METADATA_HOST")
    if host:
        url = f"https://{host}/metadata/endpoints"
        told = send("GET", url, {}, params={"api-version": "2022-09-01"})
        if told.status_code != 200:
            raise _refused(told)
        found = told.json()
        return _Cloud(
            found["authentication"]["loginEndpoint"].rstrip("/"),
            found["resourceManager"].rstrip("/"),
            found["suffixes"]["storage"],
        )
    name = _given(options, "environment", "ARM_ENVIRONMENT") or "public"
    if name not in _CLOUDS:
        raise ValueError(f'the environment "{name}" of Azure is not known: {", ".join(_CLOUDS)}')
    return _CLOUDS[name]


def _refused(response: Any) -> ValueError:
    """Return an error with the server's own words: its code, or what the body says."""
    said = response.headers.get("x-ms-error-code", "")
    try:
        error = response.json()["error"]
        said = said or f"{error['code']}: {error['message']}"
    except (ValueError, LookupError, TypeError):
        said = said or " ".join(response.text.split())[:300]
    host = urlsplit(response.url).hostname
    return ValueError(f"{host} answered {response.status_code}: {said}")


def _token(options: Mapping[str, Any], login: str, scope: str) -> str:
    """Return a token of who is meant: a service principal, its OIDC token, a machine, or `az`."""
    from azure import identity

    host = urlsplit(login).hostname or login
    tenant = _given(options, "tenant_id", "ARM_TENANT_ID")
    client = _given(options, "client_id", "ARM_CLIENT_ID")
    secret = _given(options, "client_secret", "ARM_CLIENT_SECRET")
    certificate = _given(options, "client_certificate_path", "ARM_CLIENT_CERTIFICATE_PATH")
    path = _given(options, "client_secret_file_path", "ARM_CLIENT_SECRET_FILE_PATH")
    if path and not secret:
        secret = _text(path)
    found: Any
    if client and tenant and secret:
        found = identity.ClientSecretCredential(tenant, client, secret, authority=host)
    elif client and tenant and certificate:
        password = _given(options, "client_certificate_password", "ARM_CLIENT_CERTIFICATE_PASSWORD")
        found = identity.CertificateCredential(
            tenant, client, certificate, password=password or None, authority=host
        )
    elif client and tenant and _wants(options, "use_oidc", "ARM_USE_OIDC"):
        shown = _assertion(options)
        found = identity.ClientAssertionCredential(tenant, client, lambda: shown, authority=host)
    elif _wants(options, "use_msi", "ARM_USE_MSI"):
        found = identity.ManagedIdentityCredential(client_id=client or None)
    elif os.environ.get("AZURE_CLIENT_ID") and not _wants(options, "use_cli", "ARM_USE_CLI"):
        found = identity.DefaultAzureCredential(authority=host)
    else:
        found = identity.AzureCliCredential(tenant_id=tenant)
    with found:
        token: str = found.get_token(scope).token
    return token


def _assertion(options: Mapping[str, Any]) -> str:
    """Return the OIDC token that stands for a secret: given, in a file, or asked of the runner."""
    token = _given(options, "oidc_token", "ARM_OIDC_TOKEN")
    path = _given(options, "oidc_token_file_path", "ARM_OIDC_TOKEN_FILE_PATH")
    path = path or os.environ.get("AZURE_FEDERATED_TOKEN_FILE", "")
    if token:
        return token
    if path:
        return _text(path)
    names = ("ARM_OIDC_REQUEST_URL", "ACTIONS_ID_TOKEN_REQUEST_URL")
    url = _given(options, "oidc_request_url", *names)
    names = ("ARM_OIDC_REQUEST_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    bearer = _given(options, "oidc_request_token", *names)
    if not url or not bearer:
        raise ValueError("use_oidc is set, but there is no OIDC token and nobody to ask for one")
    told = send(
        "GET",
        url,
        {"Authorization": f"Bearer {bearer}"},
        params={"audience": "api://AzureADTokenExchange"},
    )
    if told.status_code != 200:
        raise _refused(told)
    text: str = told.json()["value"]
    return text


def _text(path: str) -> str:
    with open(path, encoding="utf-8") as stream:
        return stream.read().strip()


# ---- the azurerm backend ------------------------------------------------------------------------


def _state(question: Mapping[str, Any]) -> str | None:
    """Return the text of a state; None when it is not there."""
    backend = question["backend"]
    account = str(backend["storage_account_name"])
    cloud = _cloud(backend)
    path = f"/{quote(str(backend['container_name']))}/{quote(question['name'])}"
    url = f"https://{account}.blob.{cloud.storage}{path}"
    headers = {"x-ms-version": _BLOB_VERSION}
    shared = _given(backend, "sas_token", "ARM_SAS_TOKEN")
    key = _given(backend, "access_key", "ARM_ACCESS_KEY")
    if shared:
        url += f"?{shared.lstrip('?')}"
    elif key or not _wants(backend, "use_azuread_auth", "ARM_USE_AZUREAD"):
        headers |= _signed(account, key or _account_key(backend, cloud), path, headers)
    else:
        # Storage has one audience for all clouds.
        token = _token(backend, cloud.login, "https://storage.azure.com/.default")
        headers["Authorization"] = f"Bearer {token}"
    found = send("GET", url, headers)
    if found.status_code == 404 and found.headers.get("x-ms-error-code") != "ContainerNotFound":
        return None
    if found.status_code != 200:
        raise _refused(found)
    text: str = found.content.decode()
    return text


def _signed(account: str, key: str, path: str, headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers of a GET under an account's key (the scheme `SharedKey`)."""
    import base64
    import hashlib
    import hmac
    from email.utils import formatdate

    stamp = {"x-ms-date": formatdate(usegmt=True)}
    named = "".join(f"{name}:{value}\n" for name, value in sorted({**headers, **stamp}.items()))
    # Eleven standard headers between the method and ours, none of which is sent.
    text = f"GET{chr(10) * 12}{named}/{account}{path}"
    digest = hmac.new(base64.b64decode(key), text.encode(), hashlib.sha256).digest()
    return {**stamp, "Authorization": f"SharedKey {account}:{base64.b64encode(digest).decode()}"}


def _account_key(backend: Mapping[str, Any], cloud: _Cloud) -> str:
    """Return the first key of the storage account, which who manages it may list."""
    group = _given(backend, "resource_group_name")
    subscription = _given(backend, "subscription_id", "ARM_SUBSCRIPTION_ID")
    if not group or not subscription:
        raise ValueError(
            "the azurerm backend needs access_key, sas_token, use_azuread_auth, or "
            "resource_group_name and subscription_id to look the key up"
        )
    token = _token(backend, cloud.login, f"{cloud.management}/.default")
    url = (
        f"{cloud.management}/subscriptions/{quote(subscription)}/resourceGroups/{quote(group)}"
        f"/providers/Microsoft.Storage/storageAccounts/{quote(backend['storage_account_name'])}"
        "/listKeys"
    )
    told = send(
        "POST", url, {"Authorization": f"Bearer {token}"}, params={"api-version": "2023-01-01"}
    )
    if told.status_code != 200:
        raise _refused(told)
    key: str = told.json()["keys"][0]["value"]
    return key


# ---- Key Vault ----------------------------------------------------------------------------------


def _secret(question: Mapping[str, Any]) -> str | None:
    found = _vault("GET", question)
    if found.status_code == 404:
        return None
    if found.status_code != 200:
        raise _refused(found)
    text: str = found.json()["value"]
    return text


def _put_secret(question: Mapping[str, Any]) -> None:
    done = _vault("PUT", question, json={"value": question["text"]})
    if done.status_code != 200:
        raise _refused(done)


def _vault(method: str, question: Mapping[str, Any], **body: Any) -> Any:
    options = question["options"]
    base = str(options["vault_url"]).rstrip("/")
    host = urlsplit(base).hostname or ""
    # A token is for the vaults of one cloud: the host without the vault's own name.
    domain = host.partition(".")[2] if host.endswith(_VAULTS) else _VAULTS[0]
    login = _CLOUDS[dict(zip(_VAULTS, _CLOUDS, strict=True))[domain]].login
    token = _token(options, login, f"https://{domain}/.default")
    return send(
        method,
        f"{base}/secrets/{quote(question['name'])}",
        {"Authorization": f"Bearer {token}"},
        params={"api-version": _VAULT_VERSION},
        **body,
    )


_VAULTS = ("vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn")


ANSWERS = {
    "azure state": _state,
    "azure/keyvault get": _secret,
    "azure/keyvault put": _put_secret,
}
