"""Which identities a manifest names, and for which of its components: names, kinds and accounts."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.merge import UNSET
from wrapper.stacks.imports import Tree
from wrapper.stacks.inherit import bases_of
from wrapper.typed import Any

# What a manifest says of identities, by name: kind and account, '' where it does not say; None takes
# one away, and under the name '' all that lie below.
Told = dict[str, "list[str] | None"]
_KIND = "terraform"
# The part of a manifest that is needed.
FIELD = ("auth", "identities")


def account(body: Mapping[str, Any]) -> str:
    """Return the account, project or subscription of an identity, '' where it does not say."""
    principal = _map(body.get("principal"))
    named = principal.get("account")
    named = _map(named) or {"name": named}
    where = named.get("name") or named.get("id") or ""
    role = str(principal.get("assume_role") or principal.get("target_account") or "")
    if not where and role.startswith("arn:"):
        where = (role.split(":") + [""] * 5)[4]
    for key in ("project_id", "subscription_id", "project", "subscription"):
        where = where or principal.get(key) or ""
    return str(where)


def of(tree: Tree) -> str:
    """Return what a manifest and its imports say of identities, for the index; '' for nothing.

    It is JSON: lists of Told, the number of the stack's own, that of its Terraform components, and
    of each component that has another. Nothing is rendered; what is wrong is told elsewhere.
    """
    bodies = {
        name: body
        for name, body in _map(_map(tree.merged.get("components")).get(_KIND)).items()
        if isinstance(body, dict)
    }
    stack = _said(tree.merged)
    shared = _over(stack, _said(_map(tree.merged.get(_KIND))))
    own = {name: said for name, body in bodies.items() if (said := _own(body))}
    if not own and not shared:
        return ""
    import json

    lists: dict[str, int] = {}

    def number(told: Told) -> int:
        return lists.setdefault(json.dumps(told), len(lists))

    two = number(stack), number(shared)
    others: dict[str, int] = {}
    for name, body in bodies.items() if own else ():
        told = shared
        try:
            inherits = "component" in body or _map(body.get("metadata")).get("inherits")
            for base in bases_of(name, bodies, tree.path).order if inherits else ():
                told = _over(told, _said(bodies[base]))
        except StackError:
            continue
        told = _over(told, own.get(name, {}))
        if told != shared:
            others[name] = number(told)
    return json.dumps([[json.loads(one) for one in lists], *two, others], separators=(",", ":"))


def _own(body: Mapping[str, Any]) -> Told:
    """Return what a component itself says, its overrides last."""
    overrides = _map(body.get("overrides"))
    return _over(_said(body), _said(overrides)) if "auth" in overrides else _said(body)


def _said(section: Mapping[str, Any]) -> Told:
    auth = section.get("auth")
    if not isinstance(auth, dict) or "identities" not in auth:
        return {}
    if auth["identities"] is None:
        return {"": None}
    told: Told = {}
    for name, body in _map(auth["identities"]).items():
        if body is None or body is UNSET:
            told[str(name)] = None
        elif isinstance(body, dict) and name and "{{" not in str(name):
            kind = body.get("kind")
            told[str(name)] = [kind if isinstance(kind, str) else "", account(body)]
    return told


def _over(lower: Told, upper: Told) -> Told:
    """Return what is said in a higher place over what is said in a lower one."""
    if not lower or not upper:
        return lower or upper
    if "" in upper:
        return upper
    merged = dict(lower)
    for name, said in upper.items():
        known = merged.get(name)
        if said is None or known is None:
            merged[name] = said
        else:
            merged[name] = [above or below for above, below in zip(said, known, strict=True)]
    return merged


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
