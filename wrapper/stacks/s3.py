"""S3's answers: the state in a bucket, and the bucket itself; asked in the child, as the identity.

Source: the s3 backend of Terraform; reference/atmos-stacks.md 3.14 (`provision.backend`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress

from wrapper.typed import Any

# Somebody else makes or removes the bucket at this moment: so often, so many seconds apart.
_TRIES, _PAUSE = 20, 0.5
_MARK = {"Key": "ManagedBy", "Value": "Atmos"}
_CLOSED = dict.fromkeys(
    ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
)


def role(sts: Any, arn: str, name: str, **more: str) -> dict[str, str]:
    """Return the keys of a session of a role, as a client of boto3 takes them."""
    given = sts.assume_role(RoleArn=arn, RoleSessionName=name, **more)["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def _client(backend: Mapping[str, Any]) -> Any:
    """Return the client that the backend would use: its region, profile, endpoints, role."""
    import boto3
    from botocore.config import Config

    session = boto3.session.Session(
        profile_name=backend.get("profile") or None, region_name=backend.get("region") or None
    )
    wanted = backend.get("assume_role") or {}
    arn = wanted.get("role_arn") or backend.get("role_arn")
    endpoints = backend.get("endpoints") or {}
    keys: dict[str, Any] = {}
    if backend.get("access_key") and backend.get("secret_key"):
        keys = {
            "aws_access_key_id": backend["access_key"],
            "aws_secret_access_key": backend["secret_key"],
            "aws_session_token": backend.get("token") or None,
        }
    if arn:
        sts = session.client("sts", endpoint_url=endpoints.get("sts"), **keys)
        more = {"ExternalId": wanted["external_id"]} if wanted.get("external_id") else {}
        name = wanted.get("session_name") or "atmos-wrap"
        keys = role(sts, arn, name, **more)
    path_style = backend.get("use_path_style") or backend.get("force_path_style")
    return session.client(
        "s3",
        endpoint_url=endpoints.get("s3") or backend.get("endpoint") or None,
        config=Config(s3={"addressing_style": "path"}) if path_style else None,
        **keys,
    )


def _code(error: Exception) -> str:
    """Return the code of an error of AWS; '' for any other."""
    found = getattr(error, "response", {}).get("Error", {}).get("Code", "")
    return str(found)


def _object(question: Mapping[str, Any]) -> str | None:
    """Return the text of an object as the s3 backend reads it."""
    from botocore.exceptions import ClientError

    backend = question["backend"]
    try:
        found = _client(backend).get_object(Bucket=backend["bucket"], Key=question["key"])
    except ClientError as error:
        if _code(error) in ("NoSuchKey", "404"):
            return None
        raise
    text: str = found["Body"].read().decode()
    return text


# ---- the bucket ---------------------------------------------------------------------------------


def _is_there(client: Any, bucket: str) -> bool:
    """Say whether there is a bucket. Raises: ClientError when it cannot be known."""
    from botocore.exceptions import ClientError

    try:
        client.head_bucket(Bucket=bucket)
    except ClientError as error:
        if _code(error) in ("404", "NoSuchBucket", "NotFound"):
            return False
        raise
    return True


def _make(question: Mapping[str, Any]) -> dict[str, Any]:
    """Make the bucket unless it is there; one that is there is not touched.

    `made` says which it was. What a new one lacks is an error, and the empty bucket goes again:
    the next run would take it for one that is as it should be.
    """
    backend, bucket = question["backend"], question["backend"]["bucket"]
    client = _client(backend)
    try:
        if _is_there(client, bucket):
            return {"made": False}
    except Exception as error:  # noqa: BLE001  init can do with fewer rights, and says what is wrong
        return {"made": False, "unknown": " ".join(str(error).split())}
    ours = _create(client, bucket, client.meta.region_name)
    client.get_waiter("bucket_exists").wait(
        Bucket=bucket, WaiterConfig={"Delay": 1, "MaxAttempts": 30}
    )
    try:
        _close(client, bucket)
        _encrypt(client, bucket)
        _keep_versions(client, bucket)
        _tag(client, bucket)
    except Exception as error:
        gone = False
        if ours:
            with suppress(Exception):
                client.delete_bucket(Bucket=bucket)
                gone = True
        left = "it is removed again" if gone else "IT IS STILL THERE, without all that it needs"
        raise RuntimeError(f"the new bucket {bucket} cannot be set up, {left}: {error}") from error
    return {"made": True}


def _create(client: Any, bucket: str, region: str) -> bool:
    """Make a bucket; False when another run has just done so."""
    from botocore.exceptions import ClientError

    place = {} if region == "us-east-1" else {"LocationConstraint": region}
    more = {"CreateBucketConfiguration": place} if place else {}
    for left in reversed(range(_TRIES)):
        try:
            client.create_bucket(Bucket=bucket, **more)
            return True
        except ClientError as error:
            if _code(error) == "BucketAlreadyOwnedByYou":
                return False
            if _code(error) != "OperationAborted" or not left:
                raise
        time.sleep(_PAUSE)
    return False


def _close(client: Any, bucket: str) -> None:
    client.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=_CLOSED)


def _encrypt(client: Any, bucket: str) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    client.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _keep_versions(client: Any, bucket: str) -> None:
    client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})


def _tag(client: Any, bucket: str, kept: tuple[Mapping[str, str], ...] = ()) -> None:
    tags = [{"Key": "Name", "Value": bucket}, _MARK]
    names = {one["Key"] for one in kept}
    wanted = [*kept, *(one for one in tags if one["Key"] not in names)]
    client.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": wanted})


def _tags(client: Any, bucket: str) -> tuple[Mapping[str, str], ...]:
    from botocore.exceptions import ClientError

    try:
        return tuple(client.get_bucket_tagging(Bucket=bucket)["TagSet"])
    except ClientError as error:
        if _code(error) == "NoSuchTagSet":
            return ()
        raise


def _update(question: Mapping[str, Any]) -> list[str] | None:
    """Give an existing bucket what it lacks; return what that was, None without a bucket.

    Stronger encryption and the tags that it has stay.
    """
    from botocore.exceptions import ClientError

    bucket = question["backend"]["bucket"]
    client = _client(question["backend"])
    if not _is_there(client, bucket):
        return None
    done: list[str] = []
    try:
        closed = client.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
    except ClientError as error:
        if _code(error) != "NoSuchPublicAccessBlockConfiguration":
            raise
        closed = {}
    if not all(closed.get(name) for name in _CLOSED):
        _close(client, bucket)
        done.append("public access is blocked")
    try:
        client.get_bucket_encryption(Bucket=bucket)
    except ClientError as error:
        if _code(error) != "ServerSideEncryptionConfigurationNotFoundError":
            raise
        _encrypt(client, bucket)
        done.append("encryption is on")
    if client.get_bucket_versioning(Bucket=bucket).get("Status") != "Enabled":
        _keep_versions(client, bucket)
        done.append("versions are kept")
    kept = _tags(client, bucket)
    if not {"Name", "ManagedBy"} <= {one["Key"] for one in kept}:
        _tag(client, bucket, kept)
        done.append("tags are there")
    return done


def _look(question: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return what a bucket holds: versions, states among them, and whether it was made by us."""
    bucket = question["backend"]["bucket"]
    client = _client(question["backend"])
    if not _is_there(client, bucket):
        return None
    found: list[str] = []
    states: set[str] = set()
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = page.get("Versions", ())
        found += [one["Key"] for one in (*versions, *page.get("DeleteMarkers", ()))]
        states |= {one["Key"] for one in versions if one["Key"].endswith(".tfstate")}
    return {"objects": len(found), "states": sorted(states), "ours": _MARK in _tags(client, bucket)}


def _delete(question: Mapping[str, Any]) -> None:
    """Delete a bucket with everything in it, older versions too."""
    bucket = question["backend"]["bucket"]
    client = _client(question["backend"])
    for page in client.get_paginator("list_object_versions").paginate(Bucket=bucket):
        each = (*page.get("Versions", ()), *page.get("DeleteMarkers", ()))
        names = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in each]
        if names:
            told = client.delete_objects(Bucket=bucket, Delete={"Objects": names, "Quiet": True})
            for fault in told.get("Errors", ()):
                raise RuntimeError(f"{fault['Key']} cannot be deleted: {fault.get('Code')}")
    client.delete_bucket(Bucket=bucket)


ANSWERS = {
    "s3": _object,
    "s3 make": _make,
    "s3 update": _update,
    "s3 look": _look,
    "s3 delete": _delete,
}
