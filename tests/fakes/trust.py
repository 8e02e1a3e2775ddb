"""Trust policies of IAM roles: who may assume a role, under which conditions.

Source: IAM User Guide, "AWS JSON policy elements: Principal" and "Condition operators".
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from typing import Any

Values = Mapping[str, str | None]


class UnknownCondition(Exception):
    """A policy uses something that this fake does not know; nothing is guessed."""


def allows(policy: Mapping[str, Any], action: str, caller: Sequence[str], values: Values) -> bool:
    """Say whether a trust policy lets a caller do an action.

    `caller` holds every ARN the caller answers to (an assumed-role session: its own and its
    role's); `values` the context keys of conditions. A matching Deny wins.
    """
    allowed = False
    for statement in _list(policy["Statement"]):
        if not any(fnmatch.fnmatchcase(action, each) for each in _list(statement["Action"])):
            continue
        if not _principal(statement["Principal"], caller):
            continue
        if not _conditions(statement.get("Condition", {}), values):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed


def _principal(principal: Any, caller: Sequence[str]) -> bool:
    if principal == "*":
        return True
    if any(each in caller for each in _list(principal.get("Federated", []))):
        return True
    account = caller[0].split(":")[4]
    whole_account = (account, f"arn:aws:iam::{account}:root")
    return any(
        each == "*" or each in whole_account or each in caller
        for each in _list(principal.get("AWS", []))
    )


def _conditions(conditions: Mapping[str, Mapping[str, Any]], values: Values) -> bool:
    return all(
        _holds(operator, key, [str(each) for each in _list(wanted)], values)
        for operator, keys in conditions.items()
        for key, wanted in keys.items()
    )


def _holds(operator: str, key: str, wanted: list[str], values: Values) -> bool:
    folded = {name.lower(): value for name, value in values.items()}
    if key.lower() not in folded:
        raise UnknownCondition(f"condition key {key}")
    actual = folded[key.lower()]
    if operator.endswith("IfExists"):
        if actual is None:
            return True
        operator = operator.removesuffix("IfExists")
    negated = operator.startswith("StringNot")
    if actual is None:
        return negated
    if operator in ("StringEquals", "StringNotEquals", "ArnEquals"):
        return (actual in wanted) != negated
    if operator in ("StringLike", "StringNotLike", "ArnLike"):
        return any(fnmatch.fnmatchcase(actual, each) for each in wanted) != negated
    if operator == "Bool":
        return actual.lower() in [each.lower() for each in wanted]
    raise UnknownCondition(f"condition operator {operator}")


def _list(value: Any) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else [value]
