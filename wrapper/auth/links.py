"""How identities hang together: links that are missing, that cannot work, that go in circles."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.auth import rules
from wrapper.auth.lookup import follow
from wrapper.auth.model import USED, Auth, Entry, Problem, problem
from wrapper.auth.places import Places
from wrapper.errors import WrapError


def broken(entry: Entry, finding: rules.Finding, places: Places) -> Problem:
    """Return a broken rule of an entry as a fault with its place."""
    plural = "providers" if entry.role == "provider" else "identities"
    at = places.at(plural, entry.name, *finding.keys)
    message = f"{entry.title}: {finding.message}"
    return problem(entry.title, message, at, finding.weight, finding.hint)


def faults(auth: Auth, places: Places) -> list[Problem]:
    """Return the links that are missing or cannot work, and the circles, each once."""
    found: list[Problem] = []
    told: set[frozenset[str]] = set()
    broken = _named_only(auth)
    for name, entry in auth.identities.items():
        step = follow(auth, entry)
        if isinstance(step, WrapError) and str(entry.raw["via"].get("identity")) in broken:
            continue  # told of where it is defined
        if isinstance(step, WrapError):
            found.append(Problem(entry.title, step, USED))
            continue
        if step is not None:
            found += _unfit(entry, step, places)
        path = [name]
        while step is not None and not isinstance(step, WrapError) and step.role == "identity":
            if step.name in path:
                circle = path[path.index(step.name) :]
                if name not in circle:
                    found.append(_into_circle(entry, circle[0], places))
                elif frozenset(circle) not in told:
                    told.add(frozenset(circle))
                    found.append(_circle(circle, places))
                break
            path.append(step.name)
            step = follow(auth, step)
    return found


def _named_only(auth: Auth) -> set[str]:
    """Return the identities that are in the configuration but could not be read."""
    given = auth.section.get("identities")
    return set(map(str, given)) - set(auth.identities) if isinstance(given, Mapping) else set()


def _unfit(entry: Entry, step: Entry, places: Places) -> list[Problem]:
    """Refuse a link that can never work. Source: reference/atmos-auth.md 3.1, 4.1."""
    if step.kind == "aws/iam-identity-center" and entry.kind in rules.NEEDS_AWS:
        message = f"{entry.title} needs AWS credentials, and an SSO provider gives none by itself"
        hint = "go via an aws/permission-set of that provider: `via: {identity: …}`"
    elif step.kind == "aws/saml" and entry.kind == "aws/assume-root":
        message = f"{entry.title} needs AWS credentials, and a SAML provider gives none by itself"
        hint = "go via an aws/assume-role of that provider: `via: {identity: …}`"
    elif entry.kind == "aws/permission-set" and step.kind != "aws/iam-identity-center":
        message = f"{entry.title} goes via {step.title}, which is no SSO provider"
        hint = "write `via: {provider: …}` with a provider of kind aws/iam-identity-center"
    else:
        return [broken(entry, finding, places) for finding in rules.unsent(entry, step.kind)]
    at = places.at("identities", entry.name, "via")
    return [problem(entry.title, message, at, USED, hint)]


def _into_circle(entry: Entry, name: str, places: Places) -> Problem:
    at = places.at("identities", entry.name, "via", "identity")
    message = f'{entry.title} goes via "{name}", which is in a circular chain'
    return problem(entry.title, message, at)


def _circle(names: list[str], places: Places) -> Problem:
    drawn = " → ".join(f'"{name}"' for name in (*names, names[0]))
    at = [p for p in (places.at("identities", n, "via", "identity") for n in names) if p]
    hint = "one of them must go via a provider, or be a user"
    return problem(f'identity "{names[0]}"', f"circular chain: {drawn}", at, hint=hint)
