"""The Security Token Service of the fake: sessions that are minted, remembered and end in time.

Source: STS API reference; IAM User Guide, "Policy evaluation logic". Stricter than AWS in one
point: a role of the caller's own account needs the caller's policy, too, so that every link of a
chain can be broken by taking away either of its two policies.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple
from xml.sax.saxutils import escape

from botocore.credentials import Credentials
from moto.iam.access_control import (
    AssumedRoleAccessKey,
    IAMPolicy,
    IAMUserAccessKey,
    PermissionResult,
)
from moto.iam.exceptions import NotFoundException
from moto.iam.models import iam_backends
from moto.sts.models import sts_backends

from tests.fakes import trust, web_identity

PARTITION = "aws"
CHAINED_MAX = 3600
ROOT_MAX = 900
# What a root session may do, by the name of its task policy.
ROOT_TASKS = {
    "S3UnlockBucketPolicy": [
        "s3:ListAllMyBuckets",
        "s3:GetBucketPolicy",
        "s3:PutBucketPolicy",
        "s3:DeleteBucketPolicy",
    ],
}


class Principal(NamedTuple):
    """Who a key belongs to. `moto` is the key that moto knows the same one by."""

    kind: str  # "user", "session" (of a user), "role", "root" (of an account, for one task)
    arn: str
    account: str
    user_id: str
    credentials: Credentials
    moto: Credentials
    trusted_as: tuple[str, ...]  # ARNs that a trust policy may name
    expires: float | None = None  # seconds since the epoch
    mfa: bool = False


class Refusal(Exception):
    """An answer that is an error of AWS."""

    def __init__(self, code: str, message: str, status: int = 403) -> None:
        super().__init__(f"{code}: {message}")
        self.code, self.message, self.status = code, message, status


class Sessions:
    """All keys of all accounts, and what STS says to their owners."""

    def __init__(self) -> None:
        self._principals: dict[str, Principal] = {}
        self._mfa: dict[str, tuple[str, str]] = {}  # ARN of a user -> serial number, code
        self._issuers: dict[str, dict[str, web_identity.Trusted]] = {}  # account -> URL -> issuer

    def add_user(self, arn: str, account: str, user_id: str, key: Credentials) -> None:
        """Remember a user's own key."""
        self._principals[key.access_key] = Principal(
            "user", arn, account, user_id, key, key, (arn,)
        )

    def set_mfa(self, arn: str, serial: str, code: str) -> None:
        """Give a user an MFA device that shows one code."""
        self._mfa[arn] = (serial, code)

    def revoke(self, access_key_id: str) -> None:
        """Forget a key."""
        self._principals.pop(access_key_id, None)

    def of_key(self, access_key_id: str) -> Principal | None:
        """Return the owner of a key, however old the session is."""
        return self._principals.get(access_key_id)

    def answer(
        self, principal: Principal, form: Mapping[str, str], now: float, lifetime: float | None
    ) -> tuple[str, str | None]:
        """Answer one request; return the XML and the access key id of a session if one was made.

        `lifetime` (seconds) shortens the session. Raises: Refusal.
        """
        action = form.get("Action", "")
        if action == "GetCallerIdentity":
            return _xml(action, _caller(principal)), None
        if action == "GetSessionToken":
            new = self._user_session(principal, form, now, lifetime)
            return _xml(action, _credentials(new)), new.credentials.access_key
        if action == "AssumeRole":
            new = self._role_session(principal, form, now, lifetime)
            named = (
                f"<AssumedRoleUser><Arn>{escape(new.arn)}</Arn>"
                f"<AssumedRoleId>{escape(new.user_id)}</AssumedRoleId></AssumedRoleUser>"
            )
            return _xml(action, _credentials(new) + named), new.credentials.access_key
        if action == "AssumeRoot":
            new = self._root_session(principal, form, now, lifetime)
            return _xml(action, _credentials(new)), new.credentials.access_key
        raise Refusal("InvalidAction", f"Could not find operation {action}", 400)

    def add_issuer(self, account: str, url: str, trusted: web_identity.Trusted) -> None:
        """Let an account know an issuer of OIDC tokens."""
        self._issuers.setdefault(account, {})[url] = trusted

    def federated(
        self, form: Mapping[str, str], now: float, lifetime: float | None
    ) -> tuple[str, Principal]:
        """Answer AssumeRoleWithWebIdentity, which nobody signs. Raises: Refusal."""
        arn, action = form.get("RoleArn", ""), "AssumeRoleWithWebIdentity"
        account = arn.split(":")[4] if arn.count(":") >= 5 else ""
        denied = Refusal("AccessDenied", f"Not authorized to perform sts:{action}")
        try:
            web_identity.checked(form)
            known = self._issuers.get(account, {})
            claims = web_identity.verified(form["WebIdentityToken"], known, now)
            role = iam_backends[account][PARTITION].get_role_by_arn(arn)
        except web_identity.Refused as error:
            raise Refusal(error.code, error.message, 400) from None
        except NotFoundException:
            raise denied from None
        document = json.loads(role.assume_role_policy_document)
        caller = (web_identity.provider_arn(account, claims["iss"]),)
        values = web_identity.condition_values(claims)
        if not trust.allows(document, f"sts:{action}", caller, values):
            raise denied
        seconds = _duration(form, default=3600, top=int(role.max_session_duration or 3600))
        ends = now + (seconds if lifetime is None else lifetime)
        new = self._session_of(arn, form["RoleSessionName"], ends)
        told = (
            f"<SubjectFromWebIdentityToken>{escape(claims['sub'])}</SubjectFromWebIdentityToken>"
            f"<AssumedRoleUser><Arn>{escape(new.arn)}</Arn>"
            f"<AssumedRoleId>{escape(new.user_id)}</AssumedRoleId></AssumedRoleUser>"
        )
        return _xml(action, _credentials(new) + told), new

    def grant(self, arn: str, seconds: float, now: float) -> Principal:
        """Make a session of a role for a service that is not STS; `arn` is the session's own."""
        _, _, _, _, account, what = arn.split(":")
        _, role, name = what.split("/")
        return self._session_of(f"arn:aws:iam::{account}:role/{role}", name, now + seconds)

    def _user_session(
        self, caller: Principal, form: Mapping[str, str], now: float, lifetime: float | None
    ) -> Principal:
        if caller.kind != "user":
            raise Refusal("AccessDenied", "Cannot call GetSessionToken with session credentials")
        seconds = _duration(form, default=43200, top=129600)
        _check(caller, "sts:GetSessionToken", "*", implicit=True)
        mfa = self._used_mfa(caller, form)
        new = caller._replace(
            kind="session",
            credentials=_mint(),
            expires=now + (seconds if lifetime is None else lifetime),
            mfa=mfa,
        )
        self._principals[new.credentials.access_key] = new
        return new

    def _role_session(
        self, caller: Principal, form: Mapping[str, str], now: float, lifetime: float | None
    ) -> Principal:
        arn, name = form.get("RoleArn", ""), form.get("RoleSessionName", "")
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", name, re.ASCII):
            raise Refusal("ValidationError", f"Value '{name}' at 'roleSessionName' failed", 400)
        if not re.fullmatch(r"arn:aws:iam::\d{12}:role/.+", arn):
            raise Refusal("ValidationError", f"{arn} is invalid", 400)
        seconds = _duration(form, default=3600, top=43200)
        refused = Refusal(
            "AccessDenied",
            f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        )
        try:
            role = iam_backends[arn.split(":")[4]][PARTITION].get_role_by_arn(arn)
        except NotFoundException:
            raise refused from None
        _check(caller, "sts:AssumeRole", arn, refused=refused)
        mfa = caller.mfa or ("SerialNumber" in form and self._used_mfa(caller, form))
        values = {
            "sts:ExternalId": form.get("ExternalId"),
            "sts:RoleSessionName": name,
            "aws:MultiFactorAuthPresent": "true" if mfa else None,
            "aws:PrincipalArn": caller.trusted_as[-1],
        }
        document = json.loads(role.assume_role_policy_document)
        if not trust.allows(document, "sts:AssumeRole", caller.trusted_as, values):
            raise refused
        if caller.kind == "role" and seconds > CHAINED_MAX:
            raise Refusal(
                "ValidationError",
                "The requested DurationSeconds exceeds the 1 hour session limit for roles"
                " assumed by role chaining",
                400,
            )
        if seconds > int(role.max_session_duration or 3600):
            raise Refusal(
                "ValidationError",
                "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
                400,
            )
        ends = now + (seconds if lifetime is None else lifetime)
        return self._session_of(arn, name, ends, form.get("ExternalId", ""))

    def _session_of(self, role: str, name: str, ends: float, external_id: str = "") -> Principal:
        """Remember a session of a role, here and in moto."""
        account = role.split(":")[4]
        known = sts_backends[account][PARTITION].assume_role(
            region_name="us-east-1",
            role_session_name=name,
            role_arn=role,
            policy="",
            duration=3600,  # moto's own sessions outlive ours, which end as `ends` says
            external_id=external_id,
        )
        new = Principal(
            kind="role",
            arn=known.arn,
            account=account,
            user_id=known.user_id,
            credentials=_mint(),
            moto=Credentials(known.access_key_id, known.secret_access_key, known.session_token),
            trusted_as=(known.arn, role),
            expires=ends,
        )
        self._principals[new.credentials.access_key] = new
        return new

    def _root_session(
        self, caller: Principal, form: Mapping[str, str], now: float, lifetime: float | None
    ) -> Principal:
        account = form.get("TargetPrincipal", "")
        seconds = int(form.get("DurationSeconds") or ROOT_MAX)
        task = form.get("TaskPolicyArn.arn", "").removeprefix(
            f"arn:{PARTITION}:iam::aws:policy/root-task/"
        )
        if task not in ROOT_TASKS or not 0 < seconds <= ROOT_MAX:
            raise Refusal("ValidationError", f"no root session for {task}, {seconds} s", 400)
        root = f"arn:{PARTITION}:iam::{account}:root"
        _check(caller, "sts:AssumeRoot", root)
        # moto has no root sessions: it knows this one as a role that may do the task.
        stand_in = _role_of_task(account, task)
        ends = now + (seconds if lifetime is None else lifetime)
        held = self._session_of(stand_in, "root", ends)
        new = held._replace(kind="root", arn=root, user_id=account, trusted_as=(root,))
        self._principals[new.credentials.access_key] = new
        return new

    def _used_mfa(self, caller: Principal, form: Mapping[str, str]) -> bool:
        serial, code = form.get("SerialNumber"), form.get("TokenCode")
        if serial is None and code is None:
            return False
        if (serial, code) != self._mfa.get(caller.arn):
            raise Refusal(
                "AccessDenied",
                "MultiFactorAuthentication failed with invalid MFA one time pass code.",
            )
        return True


def policies(principal: Principal) -> list[Any]:
    """Return the identity policies that moto holds for a principal."""
    key = principal.moto.access_key
    if principal.kind in ("role", "root"):
        headers = {"X-Amz-Security-Token": principal.moto.token or ""}
        return list(
            AssumedRoleAccessKey(principal.account, PARTITION, key, headers).collect_policies()
        )
    return list(IAMUserAccessKey(principal.account, PARTITION, key, {}).collect_policies())


def _check(
    principal: Principal,
    action: str,
    resource: str,
    *,
    implicit: bool = False,
    refused: Refusal | None = None,
) -> None:
    """Ask moto's evaluation of the caller's policies; `implicit`: all but a Deny will do."""
    found = [IAMPolicy(each).is_action_permitted(action, resource) for each in policies(principal)]
    permitted = implicit or PermissionResult.PERMITTED in found
    if PermissionResult.DENIED in found or not permitted:
        raise refused or Refusal(
            "AccessDenied",
            f"User: {principal.arn} is not authorized to perform: {action} on resource: {resource}",
        )


def _role_of_task(account: str, task: str) -> str:
    """Return a role of moto that may do a root task, made when it is first needed."""
    backend, name = iam_backends[account][PARTITION], f"root-{task}"
    arn = f"arn:{PARTITION}:iam::{account}:role/{name}"
    try:
        backend.get_role_by_arn(arn)
    except NotFoundException:
        backend.create_role(name, "{}", "/", None, "", [], "3600")
        statement = {"Effect": "Allow", "Action": ROOT_TASKS[task], "Resource": "*"}
        document = {"Version": "2012-10-17", "Statement": [statement]}
        backend.put_role_policy(name, "task", json.dumps(document))
    return arn


def _duration(form: Mapping[str, str], *, default: int, top: int) -> int:
    seconds = int(form.get("DurationSeconds") or default)
    if not 900 <= seconds <= top:
        raise Refusal("ValidationError", f"Value '{seconds}' at 'durationSeconds' failed", 400)
    return seconds


def _mint() -> Credentials:
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
    return Credentials(
        "ASIA" + "".join(secrets.choice(alphabet) for _ in range(16)),
        secrets.token_urlsafe(30),
        secrets.token_urlsafe(120),
    )


def _caller(principal: Principal) -> str:
    return (
        f"<Arn>{escape(principal.arn)}</Arn><UserId>{escape(principal.user_id)}</UserId>"
        f"<Account>{principal.account}</Account>"
    )


def _credentials(new: Principal) -> str:
    ends = datetime.fromtimestamp(new.expires or 0, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return (
        f"<Credentials><AccessKeyId>{new.credentials.access_key}</AccessKeyId>"
        f"<SecretAccessKey>{new.credentials.secret_key}</SecretAccessKey>"
        f"<SessionToken>{new.credentials.token}</SessionToken>"
        f"<Expiration>{ends}</Expiration></Credentials>"
    )


def _xml(action: str, content: str) -> str:
    return (
        f'<{action}Response xmlns="https://sts.amazonaws.com/doc/2011-06-15/">'
        f"<{action}Result>{content}</{action}Result>"
        f"<ResponseMetadata><RequestId>{secrets.token_hex(8)}</RequestId></ResponseMetadata>"
        f"</{action}Response>"
    )
