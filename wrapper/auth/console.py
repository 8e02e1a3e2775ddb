"""The address that signs a browser in to the AWS console as an identity.

Source: reference/atmos-auth.md 7.9, appendix A.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from urllib.parse import urlencode

from wrapper.auth.model import Credential, Entry
from wrapper.errors import AuthError, UsageError, near
from wrapper.typed import NamedTuple
from wrapper.world import World

SHORTEST, LONGEST = 900.0, 43_200.0
# Region prefix -> domains of sign-in and console; the first that fits.
_PARTITIONS = (
    ("us-gov-", "signin.amazonaws-us-gov.com", "console.amazonaws-us-gov.com"),
    ("cn-", "signin.amazonaws.cn", "console.amazonaws.cn"),
    ("eusc-", "eusc-de-east-1.signin.amazonaws-eusc.eu", "console.amazonaws-eusc.eu"),
    ("", "signin.aws.amazon.com", "console.aws.amazon.com"),
)
# Services whose alias is their path.
_PLAIN = (
    "s3 efs fsx glacier backup ec2 lambda lightsail batch elasticbeanstalk ecs ecr eks rds dynamodb "
    "elasticache neptune timestream keyspaces qldb memorydb vpc cloudfront route53 apigateway "
    "directconnect globalaccelerator iam organizations cognito secretsmanager kms acm shield "
    "guardduty inspector macie securityhub detective cloudwatch cloudtrail config cloudformation "
    "servicecatalog systems-manager opsworks controltower license-manager resource-groups codecommit "
    "codebuild codedeploy codepipeline codeartifact cloud9 xray athena emr cloudsearch kinesis "
    "quicksight glue msk redshift sns sqs appflow dms datasync transfer billing sagemaker rekognition "
    "textract comprehend translate polly transcribe lex personalize forecast kendra bedrock "
    "greengrass workspaces worklink"
).split()
_OTHER = {
    "serverless": "lambda/home#/applications",
    "fargate": "ecs",
    "documentdb": "docdb",
    "elb": "ec2/v2/home#LoadBalancers",
    "transitgateway": "vpc/home#TransitGateways",
    "privatelink": "vpc/home#Endpoints",
    "waf": "wafv2",
    "sso": "singlesignon",
    "directory": "directoryservicev2",
    "ssm": "systems-manager",
    "tag-editor": "resource-groups/tag-editor",
    "trusted-advisor": "trustedadvisor",
    "well-architected": "wellarchitected",
    "elasticsearch": "aos",
    "opensearch": "aos",
    "lake-formation": "lakeformation",
    "eventbridge": "events",
    "mq": "amazon-mq",
    "step-functions": "states",
    "migration-hub": "migrationhub",
    "application-discovery": "discovery",
    "server-migration": "servermigration",
    "cost-explorer": "cost-management/home#/cost-explorer",
    "budgets": "billing/home#/budgets",
    "iot-core": "iot",
    "iot-analytics": "iotanalytics",
    "iot-events": "iotevents",
    "appstream": "appstream2",
    "console": "console/home",
    "home": "console/home",
    "dashboard": "console/home",
}
ALIASES = {**{name: name for name in _PLAIN}, **_OTHER}


class Wish(NamedTuple):
    """Where to go, as whom it is shown, and how many seconds the console is to stay open.

    An empty destination is the start page; without seconds it stays open as long as the session.
    """

    destination: str = ""
    issuer: str = "atmos"
    seconds: float | None = None


def destination(wanted: str, region: str) -> str:
    """Return the page of an alias; an address stays as it is. Raises: UsageError."""
    _, domain = _domains(region)
    text = wanted.strip()
    if text.startswith(("https://", "http://")):
        return text
    if text and text.lower() not in ALIASES:
        advice = near(text.lower(), sorted(ALIASES))
        raise UsageError(
            f'unknown destination "{text}"',
            hint=advice or "an alias such as s3, ec2, cloudformation, or a whole address",
        )
    return f"https://{domain}/{ALIASES[text.lower()] if text else ''}"


def _domains(region: str) -> tuple[str, str]:
    for prefix, signin, console in _PARTITIONS:
        if region.startswith(prefix):
            return signin, console
    raise AssertionError


def duration(asked: float, chain: Sequence[Entry]) -> tuple[float | None, str]:
    """Return the seconds that AWS can be asked for, and what to tell when these are others.

    AWS refuses any for a role that was assumed from a session: with it role chaining would last for
    longer than its hour.

    Source: IAM user guide, "Enable custom identity broker access to the AWS console".
    """
    if len(chain) > 1 and chain[-2].role == "identity":
        return None, (
            "AWS refuses it for a role that is assumed from another session;"
            " the console stays open as long as the role's session, at most 1h from role to role"
        )
    given = min(max(asked, SHORTEST), LONGEST)
    return given, "" if given == asked else "AWS gives 15m to 12h"


def sign_in_url(credential: Credential, wish: Wish, world: World) -> str:
    """Ask AWS for a sign-in token and return the address that uses it; it is secret for 15 minutes.

    Raises: UsageError, AuthError for a credential that cannot sign in to the console.
    """
    from wrapper.auth.kinds import _http

    target = destination(wish.destination, credential.region)
    if credential.cloud != "aws" or not credential.fields.get("session_token"):
        raise AuthError(
            "this identity cannot sign in to a web console",
            hint="the AWS console takes sessions: permission sets, roles, users signed in here",
        )
    fields = credential.fields
    session = {
        "sessionId": fields["access_key_id"],
        "sessionKey": fields["secret_access_key"],
        "sessionToken": fields["session_token"],
    }
    base = f"https://{_domains(credential.region)[0]}/federation"
    length = {} if wish.seconds is None else {"SessionDuration": f"{wish.seconds:.0f}"}
    asked = urlencode({"Action": "getSigninToken", **length, "Session": json.dumps(session)})
    try:
        status, _, body = _http.fetch(f"{base}?{asked}", world)
    except _http.Unreached as error:
        raise _http.unreachable("the console", base, error) from error
    token = _http.json_of(body).get("SigninToken")
    if status != 200 or not isinstance(token, str) or not token:
        hints = ["a session by GetSessionToken cannot: assume a role first"]
        if length:
            hints.append("or AWS gives no such duration: try without --duration")
        raise AuthError(f"AWS gave no sign-in token for the console (HTTP {status})", hint=hints)
    return f"{base}?" + urlencode(
        {"Action": "login", "Destination": target, "Issuer": wish.issuer, "SigninToken": token}
    )
