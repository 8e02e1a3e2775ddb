"""The partitions of AWS: which regions, ARNs and sign-in pages belong together.

Source: botocore's `partitions.json` and the rules of its `signin` endpoints.
"""

from __future__ import annotations

import re

from wrapper.errors import ConfigError
from wrapper.typed import NamedTuple


class Partition(NamedTuple):
    """`regions` is how their names begin; `region` is asked where none is configured.

    `sign_in` is the domain of pages that people sign in on, `suffix` and `dual` those of services.
    """

    name: str
    regions: str
    region: str
    sign_in: str
    suffix: str
    dual: str


_AWS = Partition(
    "aws",
    r"(us|eu|ap|sa|ca|me|af|il|mx)-[a-z]+-\d",
    "us-east-1",
    "aws.amazon.com",
    "amazonaws.com",
    "api.aws",
)
_GOV = Partition(
    "aws-us-gov", "us-gov-", "us-gov-west-1", "amazonaws-us-gov.com", "amazonaws.com", "api.aws"
)
# Those with the narrower names first.
PARTITIONS = (
    _GOV,
    Partition(
        "aws-cn",
        "cn-",
        "cn-north-1",
        "amazonaws.cn",
        "amazonaws.com.cn",
        "api.amazonwebservices.com.cn",
    ),
    Partition(
        "aws-eusc",
        "eusc-",
        "eusc-de-east-1",
        "amazonaws-eusc.eu",
        "amazonaws.eu",
        "api.amazonwebservices.eu",
    ),
    Partition(
        "aws-iso",
        "us-iso-",
        "us-iso-east-1",
        "c2shome.ic.gov",
        "c2s.ic.gov",
        "api.aws.ic.gov",
    ),
    Partition(
        "aws-iso-b",
        "us-isob-",
        "us-isob-east-1",
        "sc2shome.sgov.gov",
        "sc2s.sgov.gov",
        "api.aws.scloud",
    ),
    Partition(
        "aws-iso-e",
        "eu-isoe-",
        "eu-isoe-west-1",
        "csphome.adc-e.uk",
        "cloud.adc-e.uk",
        "api.cloud-aws.adc-e.uk",
    ),
    Partition(
        "aws-iso-f",
        "us-isof-",
        "us-isof-south-1",
        "csphome.hci.ic.gov",
        "csp.hci.ic.gov",
        "api.aws.hci.ic.gov",
    ),
    _AWS,
)


def of_region(region: str) -> Partition | None:
    """Return the partition of a region, None for a name that no partition has."""
    return next((found for found in PARTITIONS if re.match(found.regions, region)), None)


def of_start_url(url: str) -> Partition | None:
    """Return the partition of a portal's address, None where the address does not tell."""
    from urllib.parse import urlsplit

    host = (urlsplit(url).hostname or "").lower()
    if host.endswith(".us-gov-home.awsapps.com"):
        return _GOV
    if host.endswith(".awsapps.cn"):
        return of_region("cn-north-1")
    found = re.search(r"\.portal\.([a-z0-9-]+)\.app\.", host)
    return of_region(found[1]) if found else None


def of_arn(arn: str) -> Partition | None:
    """Return the partition that an ARN names."""
    name = [*arn.split(":"), ""][1] if arn.startswith("arn:") else ""
    return next((found for found in PARTITIONS if found.name == name), None)


def foreign(arn: str, region: str) -> Partition | None:
    """Return the partition of an ARN when the region belongs to another one."""
    wanted, given = of_arn(arn), of_region(region)
    return wanted if wanted and given and wanted != given else None


def region(title: str, arn: str, given: str, *, anywhere: bool) -> str:
    """Return the region in which to ask for what an ARN names: `given`, else one of its partition.

    With `anywhere` an endpoint is configured, and the region does not decide who is asked.
    Raises: ConfigError, which begins with `title`, for a region of another partition.
    """
    if not given:
        wanted = of_arn(arn)
        return (wanted or _AWS).region
    wanted = foreign(arn, given)
    if wanted is None or anywhere:
        return given
    raise ConfigError(
        f"{title}: region {given} is not in {wanted.name}, where {arn} is",
        hint=[
            f"set `region` to one of {wanted.name}, as {wanted.region}",
            "credentials of one partition are unknown in the others",
        ],
    )


def sign_in_host(region: str, *, fips: bool = False, dual: bool = False) -> str:
    """Return the host of the sign-in service.

    Source: botocore's rules; reference/atmos-auth.md 4.4 for us-east-1.
    """
    found = of_region(region) or _AWS
    if fips and not dual and found is _GOV:
        place = "" if region == _GOV.region else f"{region}."
        return f"{place}signin-fips.{_GOV.sign_in}"
    if fips or dual:
        kind = "signin-fips" if fips else "signin"
        return f"{kind}.{region}.{found.dual if dual else found.suffix}"
    if region == _AWS.region:
        return f"signin.{_AWS.sign_in}"
    return f"{region}.signin.{found.sign_in}"
