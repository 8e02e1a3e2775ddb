"""What each kind needs in its entry, as tables: for checking a configuration without using it.

Source: reference/atmos-auth.md 1.5.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from wrapper.auth.kinds import STANDALONE
from wrapper.auth.model import CHECKED, FATAL, USED, Entry
from wrapper.typed import Any, NamedTuple


class Finding(NamedTuple):
    """A broken rule: the key path inside the entry, what is wrong, whom it stops."""

    keys: tuple[str, ...]
    message: str
    weight: int = USED
    hint: str | None = None


PROVIDER_KEYS = (
    "kind", "start_url", "url", "region", "username", "password", "driver", "provider_type",
    "download_browser_driver", "browser_type", "browser_executable_path",
    "auto_provision_identities", "session", "console", "default", "spec", "tags",
)  # fmt: skip
IDENTITY_KEYS = (
    "kind", "default", "required", "provider", "via", "principal", "credentials", "spec", "alias",
    "env", "session", "emulator", "tags", "region", "location",
)  # fmt: skip
SECTION_KEYS = (
    "realm", "logs", "keyring", "console", "providers", "identities", "integrations",
    "require_identity",
)  # fmt: skip
# Identities that sign a request with the credential before them.
NEEDS_AWS = ("aws/assume-role", "aws/assume-root")
LOG_LEVELS = ("Debug", "Info", "Warn", "Error")
_AZURE_CLOUDS = ("public", "usgovernment", "china", "german")

# Provider kind -> the keys that must hold text, and whom a missing one stops.
_NEEDED: Mapping[str, tuple[tuple[tuple[str, ...], int], ...]] = {
    "aws/iam-identity-center": ((("start_url",), FATAL), (("region",), USED)),
    "aws/saml": ((("url",), USED), (("region",), USED)),
    "github/oidc": ((("spec", "audience"), USED),),
    "azure/cli": ((("spec", "tenant_id"), USED),),
    "azure/device-code": ((("spec", "tenant_id"), USED),),
    "azure/interactive": ((("spec", "tenant_id"), USED),),
    "azure/oidc": ((("spec", "tenant_id"), USED), (("spec", "client_id"), USED)),
    "gcp/workload-identity-federation": (
        (("spec", "project_number"), USED),
        (("spec", "workload_identity_pool_id"), USED),
        (("spec", "workload_identity_provider_id"), USED),
    ),
    "azure/subscription": ((("principal", "subscription_id"), USED),),
    "gcp/service-account": ((("principal", "service_account_email"), FATAL),),
    "gcp/project": ((("principal", "project_id"), FATAL),),
    "aws/permission-set": ((("principal", "name"), USED),),
    "aws/assume-role": ((("principal", "assume_role"), USED),),
    "aws/assume-root": (
        (("principal", "target_principal"), USED),
        (("principal", "task_policy_arn"), USED),
    ),
    **dict.fromkeys(
        ("aws/emulator", "azure/emulator", "gcp/emulator", "kubernetes/emulator"),
        ((("emulator",), FATAL),),
    ),
}
# Partition -> the beginning of its ARNs; a task by its short name is one of the region's partition.
TASK_POLICIES = {
    partition: f"arn:{partition}:iam::aws:policy/root-task/"
    for partition in (
        "aws",
        "aws-us-gov",
        "aws-cn",
        "aws-eusc",
        "aws-iso",
        "aws-iso-b",
        "aws-iso-e",
        "aws-iso-f",
    )
}
# The tasks that AWS has. Source: reference/atmos-auth.md 4.3.
ROOT_TASKS = (
    "IAMAuditRootUserCredentials",
    "IAMCreateRootUserPassword",
    "IAMDeleteRootUserCredentials",
    "S3UnlockBucketPolicy",
    "SQSUnlockQueuePolicy",
)


def findings(entry: Entry) -> Iterator[Finding]:
    """Yield the broken rules of one provider or identity, in reading order."""
    yield from _needed(entry)
    extra = _KINDS.get(entry.kind)
    if extra is not None:
        yield from extra(entry)
    if entry.role == "identity":
        yield from _via(entry)
        yield from _env(entry)


# The names that these had before. Source: reference/atmos-auth.md 3.10.
_OLDER: Mapping[tuple[str, ...], tuple[str, ...]] = {
    ("spec", "workload_identity_pool_id"): ("spec", "workload_identity_pool"),
    ("spec", "workload_identity_provider_id"): ("spec", "workload_identity_provider"),
}


def _needed(entry: Entry) -> Iterator[Finding]:
    for keys, weight in _NEEDED.get(entry.kind, ()):
        value = look(entry.raw, keys) or look(entry.raw, _OLDER.get(keys, keys))
        if isinstance(value, bool) or not (isinstance(value, str) and value.strip()):
            known = look(entry.raw, keys[:-1]) is not None
            if value not in (None, "", {}) and not isinstance(value, str):
                yield Finding(keys, f"{'.'.join(keys)} must be text (put it in quotes)", weight)
            else:
                at = keys if known else keys[:1]
                yield Finding(at, f"{'.'.join(keys)} is required", weight, _example(keys))


def _example(keys: tuple[str, ...]) -> str:
    """Return how a missing key is written: `principal: {assume_role: …}`."""
    text = "…"
    for key in reversed(keys[1:]):
        text = f"{{{key}: {text}}}"
    return f"add `{keys[0]}: {text}`"


def _permission_set(entry: Entry) -> Iterator[Finding]:
    account = look(entry.raw, ("principal", "account"))
    if not isinstance(account, Mapping) or not (account.get("id") or account.get("name")):
        yield Finding(("principal", "account"), "principal.account needs an id or a name")
        return
    by_id = isinstance(account.get("id"), str) and account["id"]
    for key in ("id",) if by_id else ("id", "name"):
        if account.get(key) is not None and not isinstance(account[key], str):
            yield Finding(
                ("principal", "account", key),
                f"principal.account.{key} must be text",
                hint="put the number in quotes",
            )


def _assume_root(entry: Entry) -> Iterator[Finding]:
    target = look(entry.raw, ("principal", "target_principal"))
    if isinstance(target, str) and target and not re.fullmatch("[0-9]{12}", target):
        yield Finding(("principal", "target_principal"), "target_principal is 12 digits")
    policy = look(entry.raw, ("principal", "task_policy_arn"))
    if isinstance(policy, str) and policy and root_task(policy) not in ROOT_TASKS:
        yield Finding(
            ("principal", "task_policy_arn"),
            f'"{policy}" is no root task',
            hint=f"one of {', '.join(ROOT_TASKS)}, or its ARN ({TASK_POLICIES['aws']}…)",
        )


def root_task(given: str) -> str:
    """Return the short name of a root task that may be written as an ARN."""
    for begins in TASK_POLICIES.values():
        given = given.removeprefix(begins)
    return given


def _oidc(entry: Entry) -> Iterator[Finding]:
    from wrapper.auth.kinds import oidc

    spec = entry.raw.get("spec")
    for key, message, hint in oidc.faults(spec if isinstance(spec, Mapping) else {}):
        yield Finding(("spec", key), message, hint=hint)


def _saml(entry: Entry) -> Iterator[Finding]:
    url = entry.raw.get("url")
    if isinstance(url, str) and url and not re.match(r"[a-zA-Z][\w+.-]*://[^/\s]+(/|\?|$)", url):
        yield Finding(("url",), f'url "{url}" has no scheme or no host')


def _portal(entry: Entry) -> Iterator[Finding]:
    folder = look(entry.raw, ("spec", "files", "base_path"))
    if not isinstance(folder, str) or not folder:
        return
    if not folder.strip() or any(c in folder for c in "\0\r\n"):
        yield Finding(("spec", "files", "base_path"), f"spec.files.base_path {folder!r} is no path")


def _azure(entry: Entry) -> Iterator[Finding]:
    cloud = look(entry.raw, ("spec", "cloud_environment"))
    if cloud not in (None, "", *_AZURE_CLOUDS):
        known = ", ".join(_AZURE_CLOUDS)
        yield Finding(
            ("spec", "cloud_environment"),
            f'unknown cloud_environment "{cloud}"',
            hint=f"one of {known}",
        )


def _gcp(entry: Entry) -> Iterator[Finding]:
    if not entry.raw.get("spec"):
        yield Finding(
            ("spec",),
            "spec is required",
            FATAL,
            "put project_id and the other fields under `spec:`",
        )
    yield from _strict(entry, "spec", _GCP_TEXT, ("scopes",))
    source = look(entry.raw, ("spec", "token_source"))
    if source is not None and not isinstance(source, Mapping):
        yield Finding(("spec", "token_source"), "spec.token_source must be a map", FATAL)


_GCP_TEXT = (
    "project_id", "region", "project_number", "workload_identity_pool_id", "workload_identity_pool",
    "workload_identity_provider_id", "workload_identity_provider", "service_account_email",
    "lifetime", "zone", "location",
)  # fmt: skip


def _strict(
    entry: Entry, section: str, texts: tuple[str, ...], lists: tuple[str, ...]
) -> Iterator[Finding]:
    """Yield the values of Google's kinds that are of another type: there Atmos converts nothing.

    Source: reference/atmos-auth.md 4.6.
    """
    given = entry.raw.get(section)
    told = {keys for keys, _ in _NEEDED.get(entry.kind, ())}
    for key, value in given.items() if isinstance(given, Mapping) else ():
        title = f"{section}.{key}"
        if key in texts and not isinstance(value, str | type(None)) and (section, key) not in told:
            yield Finding((section, key), f"{title} must be text (put it in quotes)", FATAL)
        parts = value if isinstance(value, list) else [value]
        if key in lists and not (
            value is None or (isinstance(value, list) and all(isinstance(p, str) for p in parts))
        ):
            yield Finding((section, key), f"{title} must be a list of texts", FATAL)


def _project(entry: Entry) -> Iterator[Finding]:
    yield from _strict(entry, "principal", _GCP_TEXT, ())


def _subscription(entry: Entry) -> Iterator[Finding]:
    if look(entry.raw, ("via", "identity")) and not look(entry.raw, ("via", "provider")):
        yield Finding(("via",), "via.provider is required: a subscription starts from a provider")


def _service_account(entry: Entry) -> Iterator[Finding]:
    yield from _strict(entry, "principal", _GCP_TEXT, ("delegates", "scopes"))
    mail = look(entry.raw, ("principal", "service_account_email"))
    if isinstance(mail, str) and mail:
        if "@" not in mail or not mail.endswith(".iam.gserviceaccount.com"):
            yield Finding(
                ("principal", "service_account_email"),
                f'service_account_email "{mail}" is no service account',
            )


def _ambient(entry: Entry) -> Iterator[Finding]:
    if entry.raw.get("via") is not None:
        yield Finding(("via",), f"{entry.kind} must not define via", FATAL)


def _user(entry: Entry) -> Iterator[Finding]:
    keys = entry.raw.get("credentials")
    if isinstance(keys, Mapping):
        given = [k for k in ("access_key_id", "secret_access_key") if keys.get(k)]
        if len(given) == 1:
            yield Finding(
                ("credentials",),
                "access_key_id and secret_access_key must both be given, or neither",
            )


_KINDS = {
    "aws/permission-set": _permission_set,
    "aws/assume-root": _assume_root,
    "aws/saml": _saml,
    "aws/iam-identity-center": _portal,
    "oidc": _oidc,
    "azure/cli": _azure,
    "azure/device-code": _azure,
    "azure/interactive": _azure,
    "azure/oidc": _azure,
    "gcp/adc": _gcp,
    "gcp/workload-identity-federation": _gcp,
    "gcp/service-account": _service_account,
    "gcp/project": _project,
    "azure/subscription": _subscription,
    "aws/ambient": _ambient,
    "aws/user": _user,
}


_VIA = "via: {identity: …}` or `via: {provider: …}"


def _via(entry: Entry) -> Iterator[Finding]:
    via = entry.raw.get("via")
    if entry.kind in STANDALONE:
        return
    if via is None:
        yield Finding((), "has no via", USED, f"add `{_VIA}`")
    elif not via.get("provider") and not via.get("identity"):
        yield Finding(("via",), "via needs a provider or an identity", hint=f"write `{_VIA}`")


# Fields of a role that AssumeRoleWithWebIdentity has no place for, and that only we know.
_SIGNED_ONLY = ("session_tags", "transitive_tag_keys", "source_identity", "mfa_serial")


def unsent(entry: Entry, kind: str) -> Iterator[Finding]:
    """Yield the fields of a role that cannot be sent from where it starts, a provider's `kind`.

    Source: AWS, AssumeRoleWithWebIdentity. `external_id` is Atmos's: a warning at sign-in.
    """
    if entry.kind != "aws/assume-role" or kind not in ("github/oidc", "oidc"):
        return
    for key in _SIGNED_ONLY:
        if look(entry.raw, ("principal", key)):
            message = f"principal.{key} cannot be sent with an OIDC token"
            hint = (
                "session tags and source identity are claims of the token; or go via another role"
            )
            yield Finding(("principal", key), message, hint=hint)


def _env(entry: Entry) -> Iterator[Finding]:
    given = entry.raw.get("env")
    if given is None:
        return
    pairs = given if isinstance(given, list) else [None]
    if not all(isinstance(p, Mapping) and isinstance(p.get("key"), str) for p in pairs):
        yield Finding(("env",), "env must be a list of {key, value}", CHECKED)
    for pair in pairs:
        if isinstance(pair, Mapping) and isinstance(pair.get("value"), Mapping | list):
            yield Finding(("env",), f"the value of {pair.get('key')} in env must be text", CHECKED)


def look(raw: Any, keys: tuple[str, ...]) -> Any:
    """Return the value at a key path, None when there is none."""
    for key in keys:
        if not isinstance(raw, Mapping):
            return None
        raw = raw.get(key)
    return raw


def bad_name(name: str) -> str:
    """Return what is wrong with the name of an entry, else nothing."""
    if not name.strip():
        return "the name is empty"
    if any(ord(c) < 32 or c in "[]\"'\\" for c in name):
        return "a name cannot contain control characters, quotes, brackets or backslashes"
    return ""
