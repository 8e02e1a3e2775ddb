"""Questions to a cloud, asked by a child process in the environment of an identity.

A child, because SDKs read the environment of their process: only there is it the identity's alone.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from wrapper.errors import Location, StackError

_FACTS = {
    "account_id": "Account",
    "caller_identity_arn": "Arn",
    "caller_identity_user_id": "UserId",
}


def aws_fact(
    fact: str, environ: Mapping[str, str], known: dict[tuple[str, ...], Any], at: Location | None
) -> str:
    """Return who the identity is to AWS; each question is asked once per run.

    Raises: StackError with the place when AWS does not answer.
    """
    if fact == "region":
        found = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION")
        if found:
            return found
    what = fact if fact in ("organization_id", "region") else "caller"
    key = ("aws", what, environ.get("AWS_CONFIG_FILE", ""), environ.get("AWS_PROFILE", ""))
    if key not in known:
        try:
            known[key] = ask({"what": what}, environ)
        except StackError as error:
            raise StackError(f"!aws.{fact}: {error.message}", at=at, hint=error.hints) from error
    return str(known[key][_FACTS.get(fact, "value")])


def ask(question: Mapping[str, Any], environ: Mapping[str, str]) -> Any:
    """Return the answer to a question; None when the thing asked for is not there.

    Raises: StackError with the cloud's own words.
    """
    import json
    import subprocess

    done = subprocess.run(
        [sys.executable, "-E", "-P", "-m", "wrapper.stacks.cloud"],
        env=dict(environ),
        input=json.dumps(question).encode(),
        capture_output=True,
        check=False,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise StackError(f"the question to the cloud failed: {last}") from None
    if "error" in answer:
        raise StackError(answer["error"])
    return answer["answer"]


def main() -> int:
    """Answer one question on stdin with JSON on stdout: `answer` or `error`."""
    import json

    question = json.load(sys.stdin)
    try:
        answer = {"answer": _ANSWERS[question["what"]](question)}
    except Exception as error:  # noqa: BLE001  told to the parent, which knows the place
        answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
    json.dump(answer, sys.stdout)
    return 0


def _caller(_question: Mapping[str, Any]) -> dict[str, str]:
    import boto3

    found = boto3.client("sts").get_caller_identity()
    return {key: found[key] for key in _FACTS.values()}


def _region(_question: Mapping[str, Any]) -> dict[str, str]:
    import boto3

    return {"value": boto3.session.Session().region_name or ""}


def _organization(_question: Mapping[str, Any]) -> dict[str, str]:
    import boto3

    found = boto3.client("organizations", region_name="us-east-1").describe_organization()
    return {"value": found["Organization"]["Id"]}


def _s3_object(question: Mapping[str, Any]) -> str | None:
    """Return the text of an object as the s3 backend reads it."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    backend = question["backend"]
    session = boto3.session.Session(
        profile_name=backend.get("profile") or None, region_name=backend.get("region") or None
    )
    role = backend.get("assume_role") or {}
    arn = role.get("role_arn") or backend.get("role_arn")
    endpoints = backend.get("endpoints") or {}
    keys: dict[str, Any] = {}
    if arn:
        more = {"ExternalId": role["external_id"]} if role.get("external_id") else {}
        name = role.get("session_name") or "atmos-wrap"
        sts = session.client("sts", endpoint_url=endpoints.get("sts"))
        given = sts.assume_role(RoleArn=arn, RoleSessionName=name, **more)["Credentials"]
        keys = {
            "aws_access_key_id": given["AccessKeyId"],
            "aws_secret_access_key": given["SecretAccessKey"],
            "aws_session_token": given["SessionToken"],
        }
    path_style = backend.get("use_path_style") or backend.get("force_path_style")
    client = session.client(
        "s3",
        endpoint_url=endpoints.get("s3") or backend.get("endpoint") or None,
        config=Config(s3={"addressing_style": "path"}) if path_style else None,
        **keys,
    )
    try:
        found = client.get_object(Bucket=backend["bucket"], Key=question["key"])
    except ClientError as error:
        if error.response["Error"]["Code"] in ("NoSuchKey", "404"):
            return None
        raise
    text: str = found["Body"].read().decode()
    return text


_ANSWERS = {
    "caller": _caller,
    "region": _region,
    "organization_id": _organization,
    "s3": _s3_object,
}


if __name__ == "__main__":
    sys.exit(main())
