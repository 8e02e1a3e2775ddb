"""What two plans have different, told for people.

Source: `terraform show -json` of a plan; reference/atmos-stacks.md 5.8.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping

from wrapper import ui
from wrapper.errors import StackError
from wrapper.terraform import gojson
from wrapper.typed import Any, NamedTuple

SENSITIVE = "(sensitive value)"
_UNKNOWN = "(known after apply)"
# In place of the moment at which a plan was made: two plans never share it.
_MOMENT = "(time of the plan)"


class Change(NamedTuple):
    """What a plan says of one thing; `hidden` marks what is sensitive, as Terraform does."""

    value: Any
    hidden: Any = False


def read(text: bytes) -> dict[str, Any]:
    """Return a plan from the JSON of `terraform show`, without the moment it was made at.

    Raises: StackError when it is no plan.
    """
    try:
        plan = json.loads(text)
        moment = plan.get("timestamp")
        if isinstance(moment, str) and moment:
            plan = json.loads(text.replace(moment.encode(), _MOMENT.encode()))
        if not isinstance(plan["format_version"], str):
            raise TypeError
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StackError("terraform show gave no plan") from error
    found: dict[str, Any] = plan
    return found


def differences(
    old: Mapping[str, Any], new: Mapping[str, Any], secret: Collection[str] = ()
) -> str:
    """Return the differences of two plans, '' for none: variables, managed resources, outputs.

    Sensitive values, and those of variables in `secret`, are compared and never shown.
    """
    parts = [
        ("Variables", [*_entries(*_as_given(_variables(old, secret), _variables(new, secret)))]),
        ("Resources", [*_entries(_resources(old), _resources(new), below=True)]),
        ("Outputs", [*_entries(_outputs(old), _outputs(new))]),
    ]
    told = [
        "\n".join((f"{title}:", "-" * (len(title) + 1), *lines)) for title, lines in parts if lines
    ]
    return "\n\n".join(told) + "\n" if told else ""


def _variables(plan: Mapping[str, Any], secret: Collection[str]) -> dict[str, Change]:
    declared = ((plan.get("configuration") or {}).get("root_module") or {}).get("variables") or {}
    return {
        name: Change(
            one.get("value"),
            name in secret or (declared.get(name) or {}).get("sensitive") is True,
        )
        for name, one in (plan.get("variables") or {}).items()
    }


def _as_given(
    old: dict[str, Change], new: dict[str, Change]
) -> tuple[dict[str, Change], dict[str, Change]]:
    """Return the variables; what a command line gave as text is equal to the number it says."""
    alike = {
        name
        for name in {*old, *new} - ({*old} ^ {*new})
        if isinstance(old[name].value, str) != isinstance(new[name].value, str)
        and _bare(old[name].value) == _bare(new[name].value)
    }
    return old, {name: old[name] if name in alike else one for name, one in new.items()}


def _bare(value: Any) -> str:
    return value if isinstance(value, str) else gojson.dumps(value)


def _resources(plan: Mapping[str, Any]) -> dict[str, Change]:
    """Return the resources that Terraform manages by address; data sources are only looked at."""
    found: dict[str, Change] = {}
    for one in plan.get("resource_changes") or ():
        if one.get("mode") == "data":
            continue
        address = str(one.get("address"))
        if one.get("deposed"):
            address += f" (deposed {one['deposed']})"
        change = one.get("change") or {}
        made = _change(change)
        beside = {
            "(action)": change.get("actions"),
            "(import)": change.get("importing"),
            "(moved from)": one.get("previous_address"),
        }
        values = {"": made["after"], "(now)": made["before"]}
        hidden = {
            "": change.get("after_sensitive") or False,
            "(now)": change.get("before_sensitive") or False,
        }
        known = {key: value for key, value in beside.items() if value}
        found[address] = Change({**known, **values}, hidden)
    return found


def _outputs(plan: Mapping[str, Any]) -> dict[str, Change]:
    return {
        name: Change(_change(one)["after"], one.get("after_sensitive") or False)
        for name, one in (plan.get("output_changes") or {}).items()
    }


def _change(change: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "before": change.get("before"),
        "after": _with_unknown(change.get("after"), change.get("after_unknown")),
    }


def _with_unknown(value: Any, unknown: Any) -> Any:
    """Return a value with a mark where it is not known yet; Terraform leaves that out."""
    if unknown is True:
        return _UNKNOWN
    if not _marks(unknown):
        return value
    if isinstance(unknown, Mapping):
        whole = dict(value) if isinstance(value, Mapping) else {}
        return {**whole, **{key: _with_unknown(whole.get(key), unknown[key]) for key in unknown
                            if _marks(unknown[key])}}  # fmt: skip
    items = list(value) if isinstance(value, list) else []
    items += [None] * (len(unknown) - len(items))
    return [
        _with_unknown(item, unknown[index] if index < len(unknown) else False)
        for index, item in enumerate(items)
    ]


def _marks(mask: Any) -> bool:
    """Say whether a mask marks anything."""
    if isinstance(mask, Mapping):
        return any(_marks(item) for item in mask.values())
    if isinstance(mask, list):
        return any(_marks(item) for item in mask)
    return mask is True


def _entries(
    old: Mapping[str, Change], new: Mapping[str, Change], *, below: bool = False
) -> Iterator[str]:
    """Yield a line for each thing that is only in one of them, or different; `below`: what of it."""
    for name in sorted({*old, *new}):
        if name not in old or name not in new:
            sign, one = ("+", new[name]) if name in new else ("-", old[name])
            yield f"{sign} {ui.line(name)}" + ("" if below else f": {_shown(one)}")
        elif old[name].value != new[name].value:
            if not below:
                yield f"~ {ui.line(name)}: {_shown(old[name])} => {_shown(new[name])}"
                continue
            yield f"~ {ui.line(name)}"
            lines = [*_inside("", old[name], new[name])]
            # What is there now is mostly told by what will be there.
            telling = [line for line in lines if not line[2:].startswith("(now)")]
            yield from (f"  {line}" for line in telling or lines)


def _inside(path: str, old: Change, new: Change) -> Iterator[str]:
    """Yield a line for each value below `path` that differs."""
    if old.value == new.value:
        return
    if old.hidden is not True and new.hidden is not True:
        if isinstance(old.value, Mapping) and isinstance(new.value, Mapping):
            for key in sorted({*old.value, *new.value}):
                yield from _one(".".join(filter(None, (path, ui.line(key)))), key, old, new)
            return
        if _are_alike(old.value, new.value):
            for index in range(len(old.value)):
                yield from _one(f"{path}[{index}]", index, old, new)
            return
    yield f"~ {path}: {_shown(old)} => {_shown(new)}"


def _one(path: str, key: Any, old: Change, new: Change) -> Iterator[str]:
    if isinstance(key, str) and (key not in old.value or key not in new.value):
        sign, one = ("+", new) if key in new.value else ("-", old)
        yield f"{sign} {path}: {_shown(_below(one, key))}"
    else:
        yield from _inside(path, _below(old, key), _below(new, key))


def _are_alike(old: Any, new: Any) -> bool:
    """Say whether two lists are better told item by item: as long, and with maps in them."""
    return (
        isinstance(old, list)
        and isinstance(new, list)
        and len(old) == len(new)
        and any(isinstance(item, Mapping) for item in old)
    )


def _below(one: Change, key: Any) -> Change:
    hidden = one.hidden
    if isinstance(hidden, Mapping):
        hidden = hidden.get(key, False)
    elif isinstance(hidden, list):
        hidden = hidden[key] if isinstance(key, int) and key < len(hidden) else False
    return Change(one.value[key], hidden)


def _shown(one: Change) -> str:
    text = gojson.dumps(_masked(one))
    for mark in (SENSITIVE, _UNKNOWN, _MOMENT):
        text = text.replace(f'"{mark}"', mark)
    return text


def _masked(one: Change) -> Any:
    if one.hidden is True:
        return SENSITIVE
    if isinstance(one.value, Mapping):
        return {key: _masked(_below(one, key)) for key in one.value}
    if isinstance(one.value, list):
        return [_masked(_below(one, index)) for index in range(len(one.value))]
    return one.value
