"""Questions to a cloud, asked by a child process in the environment of an identity.

A child, because SDKs read the environment of their process: only there is it the identity's alone.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any, Literal

from wrapper.errors import Location, StackError

_SECONDS = 30.0
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
    from subprocess import PIPE

    from wrapper import children

    done = children.run(
        [sys.executable, "-E", "-P", "-m", "wrapper.stacks.cloud"],
        data=json.dumps(question).encode(),
        env=dict(environ),
        stdout=PIPE,
        stderr=PIPE,
    )
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        last = done.stderr.decode("utf-8", "replace").strip().split("\n")[-1]
        raise StackError(f"the question to the cloud failed: {last}") from None
    if "error" in answer:
        raise StackError(answer["error"])
    return answer["answer"]


def send(method: str, url: str, headers: Mapping[str, str], **body: Any) -> Any:
    """Return the response to a request over HTTP, asked again while the server is busy."""
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    session = requests.Session()
    busy = Retry(
        total=3,
        backoff_factor=0.5,
        status_forcelist=(429, 500, 502, 503, 504),
        allowed_methods=None,
        raise_on_status=False,
    )
    for scheme in ("https://", "http://"):
        session.mount(scheme, HTTPAdapter(max_retries=busy))
    return session.request(method, url, headers=dict(headers), timeout=_SECONDS, **body)


def main() -> int:
    """Answer one question on stdin with JSON on stdout: `answer` or `error`."""
    import json

    question = json.load(sys.stdin)
    trusted = os.environ.get("SSL_CERT_FILE")
    if trusted:  # what Terraform trusts, in this process alone
        os.environ.setdefault("REQUESTS_CA_BUNDLE", trusted)
    try:
        answer = {"answer": _answer(question)}
    except Exception as error:  # noqa: BLE001  told to the parent, which knows the place
        answer = {"error": " ".join(f"{type(error).__name__}: {error}".split())}
    json.dump(answer, sys.stdout)
    return 0


def _answer(question: Mapping[str, Any]) -> Any:
    what: str = question["what"]
    if what.startswith("azure"):
        from wrapper.stacks import azure

        return azure.ANSWERS[what](question)
    if what.startswith("gcp"):
        from wrapper.stacks import google

        return google.ANSWERS[what](question)
    if what.startswith("s3"):
        from wrapper.stacks import s3

        return s3.ANSWERS[what](question)
    return _ANSWERS[what](question)


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


def _of_store(service: Literal["ssm", "secretsmanager"], question: Mapping[str, Any]) -> Any:
    """Return the client of a store, in the role that it names for reading or writing."""
    import boto3

    options = question["options"]
    region = str(options["region"])
    endpoint = options.get("endpoint") or options.get("endpoint_url") or None
    session = boto3.session.Session(region_name=region)
    writes = question["what"].endswith(" put")
    arn = options.get("write_role_arn" if writes else "read_role_arn")
    keys: dict[str, Any] = {}
    if arn and service == "ssm":
        from wrapper.stacks.s3 import role

        keys = role(session.client("sts", endpoint_url=endpoint), str(arn), "atmos-ssm-session")
    return session.client(service, endpoint_url=endpoint, **keys)


def _parameter(question: Mapping[str, Any]) -> str | None:
    client = _of_store("ssm", question)
    try:
        found = client.get_parameter(Name=question["name"], WithDecryption=True)
    except client.exceptions.ParameterNotFound:
        return None
    text: str = found["Parameter"]["Value"]
    return text


def _put_parameter(question: Mapping[str, Any]) -> None:
    _of_store("ssm", question).put_parameter(
        Name=question["name"],
        Value=question["text"],
        Type="SecureString" if question["secret"] else "String",
        Overwrite=True,
    )


def _secret(question: Mapping[str, Any]) -> str | None:
    client = _of_store("secretsmanager", question)
    try:
        found = client.get_secret_value(SecretId=question["name"])
    except client.exceptions.ResourceNotFoundException:
        return None
    if "SecretString" not in found:
        raise ValueError(f"the secret {question['name']} holds bytes, not text")
    text: str = found["SecretString"]
    return text


def _put_secret(question: Mapping[str, Any]) -> None:
    client = _of_store("secretsmanager", question)
    try:
        client.put_secret_value(SecretId=question["name"], SecretString=question["text"])
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=question["name"], SecretString=question["text"])


_ANSWERS = {
    "caller": _caller,
    "region": _region,
    "organization_id": _organization,
    "aws/ssm get": _parameter,
    "aws/ssm put": _put_parameter,
    "aws/asm get": _secret,
    "aws/asm put": _put_secret,
}


if __name__ == "__main__":
    sys.exit(main())
