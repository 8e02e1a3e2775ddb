"""What the AWS kinds share: clients that only the chain signs, and what STS's refusals mean."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Mapping
from functools import cache

from wrapper.auth.kinds import _bounds
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError
from wrapper.typed import Any
from wrapper.world import World

DEFAULT_REGION = "us-east-1"
# The clock of this machine may differ from that of AWS by so many seconds.
SKEW = 240.0
_SHOWN = 300
_UNITS = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)")


def go_duration(text: str) -> float | None:
    """Return the seconds of a Go duration (`1h30m`); None when it is none."""
    rest, total = text.strip(), 0.0
    if rest == "0":
        return 0.0
    parts = _PART.findall(rest)
    if not parts or "".join(number + unit for number, unit in parts) != rest:
        return None
    for number, unit in parts:
        total += float(number) * _UNITS[unit]
    return total


def client(
    service: str,
    region: str,
    world: World,
    credential: Credential | None,
    endpoint: str,
    *,
    attempts: int = 3,
) -> Any:
    """Return a client that signs with `credential` and nothing else (None: not at all).

    No profile, configuration file or key of the shell is read. The user's endpoints, proxies, CA
    bundles, retry and regional settings are kept.
    """
    import botocore.session
    from botocore import UNSIGNED
    from botocore.config import Config

    environ = world.environ
    session = botocore.session.Session(
        session_vars={
            "profile": (None, None, None, None),
            "config_file": (None, None, os.devnull, None),
            "credentials_file": (None, None, os.devnull, None),
        }
    )
    if environ.get("AWS_STS_REGIONAL_ENDPOINTS"):
        session.set_config_variable(
            "sts_regional_endpoints", environ["AWS_STS_REGIONAL_ENDPOINTS"].lower()
        )
    bounds = _bounds.of(world)
    settings: dict[str, Any] = {
        "connect_timeout": bounds.connect,
        "read_timeout": bounds.answer,
        "retries": _retries(environ, attempts),
        "use_fips_endpoint": yes(environ, "AWS_USE_FIPS_ENDPOINT"),
        "use_dualstack_endpoint": yes(environ, "AWS_USE_DUALSTACK_ENDPOINT"),
        "ignore_configured_endpoint_urls": True,
        "defaults_mode": "legacy",  # `auto` of the shell would ask the machine's metadata
        "user_agent_extra": "atmos-wrap",
    }
    url = endpoint or configured_endpoint(service, environ)
    keys: dict[str, Any] = {}
    if credential is None:
        settings["signature_version"] = UNSIGNED
    else:
        keys = {
            "aws_access_key_id": credential.fields["access_key_id"],
            "aws_secret_access_key": credential.fields["secret_access_key"],
        }
        if credential.fields.get("session_token"):
            keys["aws_session_token"] = credential.fields["session_token"]
    with _making:  # one after the other: what the first one reads, the others find
        session.register_component("data_loader", _models())
        made = session.create_client(
            service,
            region_name=region,
            endpoint_url=url or None,
            verify=authorities(environ),
            config=Config(**settings),
            **keys,
        )
    _bounds.bind(made, bounds, authorities(environ), lambda url: proxies(url, environ))
    return made


_making = threading.Lock()


@cache
def _models() -> Any:
    """Return botocore's descriptions of services, read once: each costs 40 ms."""
    from botocore.loaders import create_loader

    return create_loader()


def call(client: Any, operation: str, what: str, **given: Any) -> Mapping[str, Any]:
    """Ask AWS, and again when it stumbles; return the answer. `what` begins the text of an error.

    Raises: AuthError without an answer that can be read, botocore's ClientError for a refusal.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer: Mapping[str, Any] = getattr(client, operation)(**given)
    except (ClientError, AuthError):
        raise
    except (BotoCoreError, _bounds.TooLarge) as error:
        raise unreachable(what, error, client.meta.endpoint_url) from error
    except Exception as error:  # its parsers fail by whatever an answer makes them fail
        raise unreadable(what, client.meta.endpoint_url) from error
    return answer


def configured_endpoint(service: str, environ: Mapping[str, str]) -> str:
    """Return the endpoint that the user's environment sets for a service, empty for AWS's own."""
    if yes(environ, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"):
        return ""
    own = environ.get(f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}")
    return own or environ.get("AWS_ENDPOINT_URL", "")


def authorities(environ: Mapping[str, str]) -> str | None:
    """Return the user's own CA bundle, None for the system's."""
    for name in ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if environ.get(name):
            return environ[name]
    return None


def proxies(url: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the proxies for a URL as the environment names them, none where it is excepted.

    Source: as botocore; an empty name in small letters takes the one in capitals away.
    Raises: AuthError when that of the URL is no address.
    """
    from urllib.parse import urlsplit
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]

    found = {}
    for scheme in ("http", "https", "no"):
        value = environ.get(f"{scheme}_proxy", environ.get(f"{scheme.upper()}_PROXY", ""))
        if value:
            found[scheme] = value
    if proxy_bypass_environment(urlsplit(url).netloc, found):
        return {}
    found.pop("no", None)
    scheme = urlsplit(url).scheme
    if scheme in found and not _readable(found[scheme]):
        raise AuthError(
            f"{scheme.upper()}_PROXY is not the address of a proxy",
            hint="it is like http://NAME:PASSWORD@HOST:PORT; in a password / is %2F, # %23, ? %3F",
        )
    return found


def _readable(proxy: str) -> bool:
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(proxy if "://" in proxy else f"//{proxy}")
        _ = parts.port
    except ValueError:
        return False
    # What follows the first `/` of a password would be taken for a path.
    return bool(parts.hostname) and "@" not in parts.path + parts.query + parts.fragment


def tunnel(text: str) -> str:
    """Return why a proxy made no tunnel, empty if the text is about something else."""
    found = re.search(r"Tunnel connection failed: (\d{3})", text)
    if not found:
        return ""
    if found[1] == "407":
        return "the proxy wants another name and password (HTTP 407)"
    return f"the proxy refuses to connect to it (HTTP {found[1]})"


def _retries(environ: Mapping[str, str], attempts: int) -> dict[str, Any]:
    mode = environ.get("AWS_RETRY_MODE", "")
    tries = environ.get("AWS_MAX_ATTEMPTS", "")
    return {
        "mode": mode if mode in ("legacy", "standard", "adaptive") else "standard",
        "total_max_attempts": int(tries) if tries.isdigit() and int(tries) > 0 else attempts,
    }


def yes(environ: Mapping[str, str], name: str) -> bool:
    """Say whether a setting of the SDKs is on."""
    return environ.get(name, "").lower() in ("true", "1")


def credential(
    answer: Mapping[str, Any], region: str, principal: str, now: float, what: str = ""
) -> Credential:
    """Return the credential of an STS answer.

    Raises: AuthError when something is missing, which begins with `what`.
    """
    missing = AuthError(f"{what}: STS answered without a credential".lstrip(": "))
    try:
        given = answer["Credentials"]
        fields = {
            "access_key_id": given["AccessKeyId"],
            "secret_access_key": given["SecretAccessKey"],
            "session_token": given["SessionToken"],
        }
        expires = given["Expiration"].timestamp()
    except (KeyError, TypeError, AttributeError) as error:
        raise missing from error
    if not all(isinstance(value, str) and value for value in fields.values()):
        raise missing
    return Credential("aws", fields, expires, principal, region, now)


def keys_environment(credential: Credential) -> EnvDelta:
    """Return the variables that hand over the keys themselves (`wrap.delivery: env`)."""
    names = {
        "access_key_id": "AWS_ACCESS_KEY_ID",
        "secret_access_key": "AWS_SECRET_ACCESS_KEY",
        "session_token": "AWS_SESSION_TOKEN",
    }
    found = {names[k]: v for k, v in credential.fields.items() if k in names and v}
    return EnvDelta(set=found, secret=frozenset(found))


def refused(error: Any) -> tuple[str, str]:
    """Return code and message of a botocore ClientError; a page that answered is cut short."""
    given = error.response.get("Error", {})
    code, message = (" ".join(str(given.get(key, "")).split()) for key in ("Code", "Message"))
    return code[:_SHOWN], message if len(message) <= _SHOWN else f"{message[:_SHOWN]}…"


def passing(error: Any) -> bool:
    """Say whether a refusal is about the service or the network, and not about who asked."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= 500 or 300 <= status < 400 or _busy(error, status)


def _busy(error: Any, status: int) -> bool:
    code = refused(error)[0]
    return status == 429 or "Throttl" in code or code == "TooManyRequestsException"


def advice(error: Any, world: World, own: str | None = None) -> list[str]:
    """Return what helps against a refusal: of clocks, networks and busy services, then `own`."""
    about = error.response.get("ResponseMetadata", {})
    status, headers = about.get("HTTPStatusCode", 0), about.get("HTTPHeaders", {})
    found = clock(headers.get("date", ""), world)
    if _busy(error, status):
        found.append(
            "AWS is asked too often: try again in a minute (AWS_MAX_ATTEMPTS tries longer)"
        )
    elif status >= 500:
        found.append("the fault is on the side of AWS: try again in a minute")
    elif headers.get("content-type", "").startswith("text/html") or 300 <= status < 400:
        found.append("a page of the network answered instead of AWS: see HTTPS_PROXY and the like")
    return [*found, own] if own else found


def clock(date: str, world: World) -> list[str]:
    """Return advice when the clock of this machine is not that of a service's `Date`."""
    from email.utils import parsedate_to_datetime

    try:
        ahead = world.now() - parsedate_to_datetime(date).timestamp()
    except (TypeError, ValueError):
        return []
    if abs(ahead) < SKEW:
        return []
    way = "ahead of" if ahead > 0 else "behind"
    return [f"the clock of this machine is {abs(ahead) / 60:.0f} minutes {way} that of AWS: set it"]


_REASONS = {
    "ReadTimeoutError": "it did not answer in time",
    "ConnectTimeoutError": "it cannot be reached",
    "EndpointConnectionError": "it cannot be reached",
    "ConnectionClosedError": "it closed the connection",
    "ProxyConnectionError": "the proxy cannot be reached",
    "TooLarge": "it is larger than any that there is",
}


def unreachable(what: str, error: Exception, endpoint: str) -> AuthError:
    """Return the error for a request that was not sent, or got no answer."""
    name = type(error).__name__
    if name == "ParamValidationError":
        # Its first line is a title; the others name parameters and what they may be.
        report = "; ".join(line for line in str(error).splitlines()[1:] if line)
        return AuthError(f"{what}: {report}", hint="see the identity's `principal` and `session`")
    if name == "SSLError":
        cause = str(getattr(error, "kwargs", {}).get("error", "")).partition("[SSL: ")[2]
        said = cause.partition("(_ssl")[0].rpartition("] ")[2].strip() or "no TLS"
        return AuthError(
            f"{what}: {endpoint} cannot be trusted: {said}",
            hint="AWS_CA_BUNDLE names the certificates of a proxy or a company's own authority",
        )
    said = tunnel(str(getattr(error, "kwargs", {}).get("error", "")))
    return AuthError(
        f"{what}: no answer from {endpoint}: {said or _REASONS.get(name, name)}",
        hint="check the network, proxy and CA settings (HTTPS_PROXY, AWS_CA_BUNDLE, AWS_ENDPOINT_URL)",
    )


def unreadable(what: str, endpoint: str) -> AuthError:
    """Return the error for an answer in another form than the service's."""
    return AuthError(
        f"{what}: {endpoint} gave an answer that cannot be read",
        hint="something else may answer there: see HTTPS_PROXY, AWS_ENDPOINT_URL",
    )


def caller(credential: Credential | None, region: str, world: World, endpoint: str = "") -> str:
    """Ask STS who a credential is; return the ARN. Raises: AuthError."""
    from botocore.exceptions import ClientError

    sts = client("sts", region or DEFAULT_REGION, world, credential, endpoint)
    try:
        arn = call(sts, "get_caller_identity", "GetCallerIdentity").get("Arn")
    except ClientError as error:
        code, message = refused(error)
        raise AuthError(
            f"STS refused GetCallerIdentity: {code}: {message}", hint=advice(error, world)
        ) from error
    if not isinstance(arn, str) or not arn.startswith("arn:"):
        raise AuthError("GetCallerIdentity: STS answered without an ARN")
    return arn
