"""Providers and identities as text, in the formats and bytes of `atmos auth list`.

Source: reference/atmos-auth.md 7.6.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence

from wrapper.auth import rules
from wrapper.auth.lookup import follow, truth
from wrapper.auth.model import Auth, Entry
from wrapper.auth.references import Secret
from wrapper.errors import UsageError, WrapError
from wrapper.typed import Any, NamedTuple

NOTHING = "No providers or identities configured."
_TITLE = " Authentication Configuration"
_SECRET_KEYS = ("secret_access_key", "password", "client_secret", "session_token")
_MASK = "***"
_SOON = 15 * 60.0


class Shown(NamedTuple):
    """What is listed; `left` maps an identity to the seconds that its session has left."""

    auth: Auth
    providers: Sequence[Entry]
    identities: Sequence[Entry]
    left: Mapping[str, float]


def duration(seconds: float) -> str:
    """Return a remaining time as `1h5m`, `1h`, `9m`, `30s` or `expired`."""
    if seconds <= 0:
        return "expired"
    hours, rest = divmod(int(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    if hours:
        return f"{hours}h{minutes}m" if minutes else f"{hours}h"
    return f"{minutes}m" if minutes else f"{rest}s"


def values(entry: Entry) -> dict[str, Any]:
    """Return an entry as the schema orders it, without secrets and unknown keys."""
    known = rules.PROVIDER_KEYS if entry.role == "provider" else rules.IDENTITY_KEYS
    found = {}
    for key in known:
        value = entry.raw.get(key)
        if value in (None, "", [], {}) or (key in ("default", "required") and not truth(value)):
            continue
        found[key] = True if key in ("default", "required") else _shown(value, key)
    return found


def _shown(value: Any, key: str) -> Any:
    if key in _SECRET_KEYS:
        return _MASK
    if isinstance(value, Secret):
        return value.value if value.value is not None else f"!env {value.variable}"
    if isinstance(value, Mapping):
        return {k: _shown(value[k], k) for k in sorted(value)}
    if isinstance(value, list):
        return [_pair(v) if isinstance(v, Mapping) else v for v in value]
    return value


def _pair(value: Mapping[str, Any]) -> dict[str, Any]:
    return {k: _shown(v, k) for k, v in value.items()}


def _data(shown: Shown) -> dict[str, Any]:
    found = {
        "identities": {e.name: values(e) for e in shown.identities},
        "providers": {e.name: values(e) for e in shown.providers},
    }
    return {k: v for k, v in found.items() if v}


def _json(shown: Shown) -> str:
    return json.dumps(_data(shown), indent=2, ensure_ascii=False) + "\n"


def _yaml(shown: Shown) -> str:
    data = _data(shown)
    return "".join(f"{line}\n" for line in _yaml_lines(data, 0)) if data else "{}\n"


def _yaml_lines(value: Mapping[str, Any], depth: int) -> list[str]:
    """Return YAML as Go writes it: four spaces, text in quotes only where it must be."""
    pad = " " * (4 * depth)
    lines = []
    for key, item in value.items():
        if isinstance(item, Mapping) and item:
            lines += [f"{pad}{_scalar(key)}:", *_yaml_lines(item, depth + 1)]
        elif isinstance(item, list) and item:
            lines.append(f"{pad}{_scalar(key)}:")
            for one in item:
                if isinstance(one, Mapping) and one:
                    inner = _yaml_lines(one, depth + 2)
                    lines.append(f"{pad}    - {inner[0].lstrip()}")
                    lines += [f"{pad}      {line.lstrip()}" for line in inner[1:]]
                else:
                    lines.append(f"{pad}    - {_scalar(one)}")
        else:
            lines.append(f"{pad}{_scalar(key)}: {_scalar(item)}")
    return lines


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        from wrapper import yamlio

        plain = yamlio.scalar(value) == value and value not in ("yes", "no", "on", "off", "y", "n")
        if (
            plain
            and re.fullmatch(r"[\w./@+=-][\w ./@+=:,()-]*", value)
            and not re.search(r": |:$| $", value)
        ):
            return value
        return json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


def _table(shown: Shown) -> str:
    blocks = []
    if shown.providers:
        rows: list[tuple[str, ...]] = [
            (
                e.name,
                e.kind,
                str(e.raw.get("region") or "-"),
                str(e.raw.get("start_url") or e.raw.get("url") or "-"),
                _tick(e),
            )
            for e in shown.providers
        ]
        blocks.append(("PROVIDERS", rows))
    if shown.identities:
        blocks.append(("IDENTITIES", [_row(shown, e) for e in shown.identities]))
    if not blocks:
        return NOTHING + "\n"
    texts = ["\n".join([title, *("\t".join(row) for row in rows)]) for title, rows in blocks]
    return "\n\n".join(texts) + "\n"


def _row(shown: Shown, entry: Entry) -> tuple[str, ...]:
    via = entry.raw.get("via")
    via = via if isinstance(via, Mapping) else {}
    provider = via.get("provider") or ("aws-user" if entry.kind == "aws/user" else "-")
    left = shown.left.get(entry.name)
    return (
        " " if left is None else "●",
        entry.name,
        entry.kind,
        str(provider),
        str(via.get("identity") or "-"),
        _tick(entry),
        str(entry.raw.get("alias") or "-"),
        "-" if left is None else duration(left),
    )


def _tick(entry: Entry) -> str:
    return "✓" if truth(entry.raw.get("default")) else ""


# ---- tree -----------------------------------------------------------------------------------------

Branch = tuple[str, list[Any]]


def _tree(shown: Shown) -> str:
    if not shown.providers and not shown.identities:
        return NOTHING + "\n"
    parents = {e.name: _parent(shown, e) for e in shown.identities}
    branches: list[Branch] = []
    for provider in shown.providers:
        children = [
            _identity(shown, e, parents, (e.name,))
            for e in shown.identities
            if parents[e.name] == ("provider", provider.name)
        ]
        branch = _attributes(provider)
        if children:
            branch.append(("Identities", children))
        branches.append((f"{provider.name} ({provider.kind}){_default_mark(provider)}", branch))
    alone = [
        _identity(shown, e, parents, (e.name,))
        for e in shown.identities
        if parents[e.name][0] == "none"
    ]
    if alone:
        branches.append(("Standalone Identities", alone))
    return "\n".join([_TITLE, *_drawn(branches, "")]) + "\n"


def _parent(shown: Shown, entry: Entry) -> tuple[str, str]:
    """Return what an identity hangs from in the tree: a provider, an identity, or nothing shown."""
    step = follow(shown.auth, entry)
    if step is None or isinstance(step, WrapError):
        return ("none", "")
    here = shown.providers if step.role == "provider" else shown.identities
    if not any(e.name == step.name for e in here):
        return ("none", "")
    return (step.role, step.name)


def _identity(
    shown: Shown, entry: Entry, parents: Mapping[str, tuple[str, str]], path: tuple[str, ...]
) -> Branch:
    left = shown.left.get(entry.name)
    text = f"{entry.name} ({entry.kind}){_default_mark(entry)}"
    if entry.raw.get("alias"):
        text += f" [ALIAS: {entry.raw['alias']}]"
    if left is not None:
        text = f"● {text} {duration(left)}"
    branch: list[Any] = []
    principal = entry.raw.get("principal")
    if isinstance(principal, Mapping) and principal:
        branch.append(("Principal", _nested(principal)))
    for child in shown.identities:
        if parents[child.name] == ("identity", entry.name):
            if child.name in path:
                branch.append((f"{child.name} (cycle detected)", []))
            else:
                branch.append(_identity(shown, child, parents, (*path, child.name)))
    return text, branch


def _attributes(provider: Entry) -> list[Any]:
    raw = provider.raw
    found: list[Any] = [
        (f"{title}: {raw[key]}", [])
        for title, key in (
            ("Region", "region"),
            ("Start URL", "start_url"),
            ("URL", "url"),
            ("Username", "username"),
            ("Provider Type", "provider_type"),
        )
        if raw.get(key)
    ]
    length = rules.look(raw, ("session", "duration"))
    if length:
        found.append(("Session", [(f"Duration: {length}", [])]))
    return found


def _nested(value: Mapping[str, Any], depth: int = 1) -> list[Any]:
    found: list[Any] = []
    for key in sorted(value):
        if isinstance(value[key], Mapping) and depth < 5:
            found.append((key, _nested(value[key], depth + 1)))
        else:
            found.append((f"{key}: {_shown(value[key], key)}", []))
    return found


def _default_mark(entry: Entry) -> str:
    return " [DEFAULT]" if truth(entry.raw.get("default")) else ""


def _drawn(branches: Sequence[Branch], pad: str) -> list[str]:
    lines = []
    for index, (text, children) in enumerate(branches):
        last = index == len(branches) - 1
        lines.append(f"{pad}{'└──' if last else '├──'}{text}")
        lines += _drawn(children, pad + ("   " if last else "│  "))
    return lines


# ---- graphs ---------------------------------------------------------------------------------------


def _edge(entry: Entry) -> str:
    via = entry.raw.get("via")
    given = via if isinstance(via, Mapping) else {}
    return str(given.get("provider") or given.get("identity") or "")


def _graphviz(shown: Shown) -> str:
    lines = ["digraph AuthConfig {"]
    if not shown.providers and not shown.identities:
        return "\n".join([*lines, "  // No providers or identities configured", "}"]) + "\n"
    lines += ["  rankdir=LR;", "  node [shape=box, style=rounded];", ""]
    for entry in shown.providers:
        lines.append(_dot_node(entry, "lightblue"))
    if shown.providers and shown.identities:
        lines.append("")
    for entry in shown.identities:
        lines.append(_dot_node(entry, "lightgreen"))
        if _edge(entry):
            lines.append(f'  "{_edge(entry)}" -> "{entry.name}";')
    return "\n".join([*lines, "}"]) + "\n"


def _dot_node(entry: Entry, colour: str) -> str:
    style = f', style="rounded,filled", fillcolor={colour}' if _tick(entry) else ""
    return f'  "{entry.name}" [label="{entry.name}\\n({entry.kind})"{style}];'


def _mermaid(shown: Shown) -> str:
    everything = (*shown.providers, *shown.identities)
    if not everything:
        return "graph LR\n  Empty[No providers or identities configured]\n"
    ids = _ids(everything)
    lines = ["graph LR"]
    lines += [f'  {ids[e.name]}["{e.name}<br/>{e.kind}"]' for e in everything]
    edges = [(_edge(e), e.name) for e in shown.identities if _edge(e)]
    lines += [f"  {ids.get(a) or _id(a)} --> {ids[b]}" for a, b in edges]
    lines += [
        "",
        "  classDef provider fill:#e3f2fd,stroke:#1976d2,stroke-width:2px",
        "  classDef identity fill:#e8f5e9,stroke:#388e3c,stroke-width:2px",
        "  classDef default stroke:#ff9800,stroke-width:3px",
        "",
        "",
    ]
    for group, name in ((shown.providers, "provider"), (shown.identities, "identity")):
        lines += [f"  class {ids[e.name]} {name}" for e in group]
        lines += [f"  class {ids[e.name]} default" for e in group if _tick(e)]
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    return re.sub(r"\W", "_", name.lower())


def _ids(entries: Sequence[Entry]) -> dict[str, str]:
    """Return a node id for each name; two names never share one."""
    found: dict[str, str] = {}
    for entry in entries:
        wanted, count = _id(entry.name), 2
        while entry.name not in found and wanted in found.values():
            wanted, count = f"{_id(entry.name)}_{count}", count + 1
        found.setdefault(entry.name, wanted)
    return found


def _markdown(shown: Shown) -> str:
    if not shown.providers and not shown.identities:
        return f"# Authentication Configuration\n\n{NOTHING}\n"
    return f"# Authentication Configuration\n\n```mermaid\n{_mermaid(shown)}```\n"


FORMATS: Mapping[str, Callable[[Shown], str]] = {
    "table": _table,
    "tree": _tree,
    "json": _json,
    "yaml": _yaml,
    "graphviz": _graphviz,
    "dot": _graphviz,
    "mermaid": _mermaid,
    "markdown": _markdown,
    "md": _markdown,
}


def render(form: str, shown: Shown) -> str:
    """Return the list in one of FORMATS. Raises: UsageError."""
    if form not in FORMATS:
        known = ", ".join(name for name in FORMATS if name not in ("dot", "md"))
        raise UsageError(f'invalid format "{form}" (one of {known})')
    return FORMATS[form](shown)
