"""The `auth` section: checked as a whole, every fault with its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper import files
from wrapper.auth import beside, decoded, defaults, links, provisioned, realms, references, rules
from wrapper.auth.kinds import IDENTITY_KINDS, PROVIDER_KINDS
from wrapper.auth.model import CHECKED, FATAL, USED, Auth, Entry, Problem, problem
from wrapper.auth.places import Places
from wrapper.errors import ConfigError, Location, WrapError, near
from wrapper.merge import Layer, deep_merge
from wrapper.typed import Any
from wrapper.world import World


def read(
    section: Any,
    layers: Sequence[Layer],
    config_dir: str,
    world: World,
    wrap: Mapping[str, Any] | None = None,
) -> Auth:
    """Return the section as entries, with every fault found in `problems`; raises nothing.

    `layers` are the files that made it, lowest first; `wrap` is our own top-level section.
    """
    places = Places(layers, files.cache_dir(world.environ))
    problems: list[Problem] = []
    warnings: list[WrapError] = []
    if section is None:
        section = {}
    if not isinstance(section, Mapping):
        problems.append(problem("", "auth must be a map", places.at(), FATAL))
        section = {}
    section = provisioned.added(section, world)
    realm, source, fault = realms.of(section, config_dir, world.environ)
    if fault:
        problems.append(
            problem("", fault, places.at("realm") if source == "config" else None, FATAL)
        )
    _section(section, places, problems, warnings)
    misread: set[tuple[str, str]] = set()
    providers = _entries("provider", section, places, problems, warnings, misread)
    identities = _entries("identity", section, places, problems, warnings, misread)
    withheld = _secrets(identities, places, world) | _provider_passwords(providers, places, world)
    beside.keyrings(identities, section, realm, world)
    beside.shares(providers, wrap, world)
    for entry in (*providers.values(), *identities.values()):
        told = {key for title, key in misread if title == entry.title}
        problems += _checked(entry, places, told)
    auth = Auth(
        section, layers, realm, source, providers, identities,
        withheld=withheld | _passwords(section, world), warnings=tuple(warnings),
    )  # fmt: skip
    problems += links.faults(auth, places)
    delivery = _setting("delivery", ("pointers", "files", "env"), wrap, world, problems)
    required = _setting("required", ("warn", "strict"), wrap, world, problems)
    return auth._replace(
        problems=tuple(problems),
        defaults=defaults.in_force(auth, places),
        delivery=delivery,
        required=required,
    )


# ---- the section itself -------------------------------------------------------------------------


def _section(
    section: Mapping[str, Any],
    places: Places,
    problems: list[Problem],
    warnings: list[WrapError],
) -> None:
    for key in section:
        if key not in rules.SECTION_KEYS:
            warnings.append(_unknown(f"auth.{key}", key, rules.SECTION_KEYS, places.at(key)))
    read, faults = decoded.decoded(section, decoded.SECTION)
    for one in faults:
        problems.append(problem("", f"auth.{one.message}", places.at(*one.keys), FATAL))
    level = rules.look(read, ("logs", "level"))
    if level not in (None, "", *rules.LOG_LEVELS):
        problems.append(
            problem(
                "",
                f'invalid log level "{level}"',
                places.at("logs", "level"),
                CHECKED,
                f"one of {', '.join(rules.LOG_LEVELS)}",
            )
        )
    keyring = rules.look(read, ("keyring", "type"))
    if keyring not in (None, "", "system", "file", "memory"):
        at = places.at("keyring", "type")
        warnings.append(
            ConfigError(f'unknown keyring type "{keyring}"', at=at, hint="system is used")
        )


def _unknown(title: str, key: str, known: Sequence[str], at: Location | None) -> WrapError:
    return ConfigError(f"{title} is not known", at=at, hint=near(key, known))


def _setting(
    key: str,
    known: Sequence[str],
    wrap: Mapping[str, Any] | None,
    world: World,
    problems: list[Problem],
) -> str:
    """Return one of our own settings: ATMOS_WRAP_*, else `wrap.*`, else the first known word."""
    given = wrap.get(key) if isinstance(wrap, Mapping) else None
    value = world.environ.get(f"ATMOS_WRAP_{key.upper()}") or given or known[0]
    if value in known:
        return str(value)
    hint = f"one of {', '.join(known)}"
    problems.append(problem("", f'wrap.{key} "{value}" is not known', None, FATAL, hint))
    return known[0]


# ---- entries --------------------------------------------------------------------------------------


def _entries(
    role: str,
    section: Mapping[str, Any],
    places: Places,
    problems: list[Problem],
    warnings: list[WrapError],
    misread: set[tuple[str, str]],
) -> dict[str, Entry]:
    kinds = PROVIDER_KINDS if role == "provider" else IDENTITY_KINDS
    known = rules.PROVIDER_KEYS if role == "provider" else rules.IDENTITY_KEYS
    fields = decoded.PROVIDER if role == "provider" else decoded.IDENTITY
    plural = "providers" if role == "provider" else "identities"
    given = section.get(plural)
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        problems.append(problem("", f"auth.{plural} must be a map", places.at(plural), FATAL))
        return {}
    found: dict[str, Entry] = {}
    for name, raw in _folded(given).items():
        title = f'{role} "{name}"'
        at = places.at(plural, name)
        if raw is None:
            warnings.append(ConfigError(f"{title} is empty", at=at))
            continue
        if not isinstance(raw, Mapping):
            problems.append(problem(title, f"{title} must be a map", at, FATAL))
            continue
        fault = rules.bad_name(name)
        if fault:
            problems.append(problem(title, f"{title}: {fault}", at, FATAL))
        for key in raw:
            if key not in known:
                place = places.at(plural, name, key)
                warnings.append(_unknown(f"{title}: {key}", key, known, place))
        raw, bad = _typed(title, raw, fields, (plural, name), places, problems)
        misread |= {(title, key) for key in bad}
        kind = raw.get("kind")
        if "kind" in bad:
            continue
        if not kind:
            portals = list(provisioned.portals(section)) if role == "identity" else []
            other = near(name, sorted({*given} - {name}))
            problems.append(_kindless(title, raw, at, other, portals))
            continue
        if kind not in kinds:
            place = places.at(plural, name, "kind")
            problems.append(
                problem(
                    title, f'{title}: kind "{kind}" is not known', place, FATAL, near(kind, kinds)
                )
            )
            continue
        found[name] = Entry(role, name, kind, raw, at)
    return found


def _typed(
    title: str,
    raw: Mapping[str, Any],
    fields: decoded.Fields,
    path: tuple[str, str],
    places: Places,
    problems: list[Problem],
) -> tuple[dict[str, Any], set[str]]:
    """Return an entry with its fields in their types, and the keys that could not be read."""
    found, faults = decoded.decoded(raw, fields)
    for one in faults:
        at = places.at(*path, *one.keys)
        problems.append(problem(title, f"{title}: {one.message}", at, FATAL))
    return found, {one.keys[0] for one in faults}


def _kindless(
    title: str, raw: Mapping[str, Any], at: Location | None, other: str | None, portals: list[str]
) -> Problem:
    if portals:
        hint = f"if a portal lists it, sign in there: auth login --provider {' or '.join(portals)}"
        return problem(title, f"{title} has no kind, and no portal lists it", at, FATAL, hint)
    if set(raw) <= {"default"}:
        return problem(title, f"{title} is not defined", at, FATAL, other)
    hint = "add `kind:`, or did you forget to specify a profile?"
    return problem(title, f"{title} has no kind", at, FATAL, hint)


def _folded(given: Mapping[str, Any]) -> dict[str, Any]:
    """Join an entry without a kind to the one that it names in another case."""
    found = dict(given)
    for name, raw in given.items():
        if not isinstance(raw, Mapping) or raw.get("kind"):
            continue
        whole = [
            other
            for other, entry in given.items()
            if other != name and other.lower() == name.lower()
            and isinstance(entry, Mapping) and entry.get("kind")
        ]  # fmt: skip
        if len(whole) == 1:
            found[whole[0]] = deep_merge(found[whole[0]], raw)
            del found[name]
    return found


def _secrets(identities: dict[str, Entry], places: Places, world: World) -> frozenset[str]:
    """Put references in place of IAM users' keys; return the variables that hold such keys."""
    variables: set[str] = set()
    for name, entry in identities.items():
        keys_aside = {k: v for k, v in entry.raw.items() if k != "credentials"}
        raw = {**entry.raw, **references.evaluated(keys_aside, world.environ)}
        entry = identities[name] = entry._replace(raw=raw)
        given = entry.raw.get("credentials")
        if not isinstance(given, Mapping):
            continue
        traced: dict[str, Any] = dict(given)
        for key, value in given.items():
            if isinstance(value, Mapping) or value is None:
                continue
            found = places.layer(("identities", name, "credentials", key))
            path, keys = "", tuple[str, ...]()
            if found is not None:
                path, keys = found[0].path, (*found[0].prefix, *found[1])
            secret = references.trace(value, path, keys, world.environ)
            if secret.variable:
                variables.add(secret.variable)
            if key in ("access_key_id", "secret_access_key"):
                traced[key] = secret
            elif secret.variable:
                traced[key] = secret.value
        identities[name] = entry._replace(raw={**entry.raw, "credentials": traced})
    return frozenset(variables)


def _provider_passwords(
    providers: dict[str, Entry], places: Places, world: World
) -> frozenset[str]:
    """Put references in place of providers' passwords; return the variables that hold them."""
    variables: set[str] = set()
    for name, entry in providers.items():
        raw = references.evaluated(entry.raw, world.environ)
        given = entry.raw.get("password")
        if "password" in entry.raw and not isinstance(given, Mapping | list):
            found = places.layer(("providers", name, "password"))
            path, keys = (found[0].path, (*found[0].prefix, *found[1])) if found else ("", ())
            raw["password"] = references.trace(given, path, keys, world.environ)
            variables |= {raw["password"].variable} - {""}
        providers[name] = entry._replace(raw=raw)
    return frozenset(variables)


def _passwords(section: Mapping[str, Any], world: World) -> frozenset[str]:
    """Return the variables that may hold the keyring's password. Source: atmos-auth.md 5.8."""
    names = {"ATMOS_KEYRING_PASSWORD", world.environ.get("ATMOS_KEYRING_PASSWORD_ENV", "")}
    names.add(str(rules.look(section, ("keyring", "spec", "password_env")) or ""))
    return frozenset(names - {""})


# ---- rules of entries ------------------------------------------------------------------------------


def _checked(entry: Entry, places: Places, misread: set[str]) -> list[Problem]:
    plural = "providers" if entry.role == "provider" else "identities"
    found = []
    function = references.function_in(entry.raw)
    if function:
        message = f"{entry.title}: {function} cannot be used in the auth section of a stack"
        hint = "identities must be known before functions run; use !env, or put it into atmos.yaml"
        found.append(problem(entry.title, message, entry.at, USED, hint))
    found += [
        links.broken(entry, finding, places)
        for finding in rules.findings(entry)
        if not misread.intersection(finding.keys[:1])
    ]
    for keys, pair in (
        (("via",), ("provider", "identity")),
        (("principal", "account"), ("id", "name")),
    ):
        found += _both(entry, plural, keys, pair, places)
    return found


def _both(
    entry: Entry, plural: str, keys: tuple[str, ...], pair: tuple[str, str], places: Places
) -> list[Problem]:
    """Two keys of which only one may be: from two files it is a conflict that nobody meant."""
    given = rules.look(entry.raw, keys)
    if not isinstance(given, Mapping) or not all(given.get(key) for key in pair):
        return []
    if keys == ("via",) and entry.kind == "aws/user":
        return []
    found = [places.layer((plural, entry.name, *keys, key)) for key in pair]
    apart = all(found) and found[0][0] is not found[1][0]  # type: ignore[index]
    if not apart and keys != ("via",):
        return []
    at = [places.in_layer(*one) for one in found if one is not None]
    dotted = ".".join(keys)
    message = f"{entry.title}: {dotted}.{pair[0]} and {dotted}.{pair[1]} are both set"
    hint = f"set one of them to null: `{pair[0]}: null` or `{pair[1]}: null`"
    return [problem(entry.title, message, at, USED if apart else CHECKED, hint)]
