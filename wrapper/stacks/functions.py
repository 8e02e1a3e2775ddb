"""YAML functions of manifests: run when a value is needed.

Source: reference/atmos-stacks.md 3.10.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from wrapper.errors import Location, StackError
from wrapper.stacks.others import nobody
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.others import Reader
    from wrapper.world import World

# Text that Atmos accepts in manifests and leaves as it is.
KEPT = frozenset(("!random", "!cwd"))
_TRIMMED = ("!template[", "!template{", '!template"')
_CALL = re.compile(r"(![a-z][a-z0-9._-]*)(?:\s+(.*))?\Z", re.S)


class _Run(NamedTuple):
    component: Component
    config: Config
    world: World
    environ: Mapping[str, str]
    skip: frozenset[str]
    done: dict[str, Any]
    reader: Reader
    strict: bool


def evaluate(
    component: Component,
    config: Config,
    world: World,
    environ: Mapping[str, str],
    skip: frozenset[str],
    *,
    reader: Reader | None = None,
    strict: bool = False,
) -> dict[str, Any]:
    """Return the section with every call replaced by its value; equal calls run once."""
    reader = reader or nobody()
    run = _Run(component, config, world, environ, skip, {}, reader, strict)
    return {key: _whole(key, run) for key in component.section}


def evaluate_key(
    component: Component,
    key: str,
    config: Config,
    world: World,
    environ: Mapping[str, str],
    reader: Reader,
    *,
    strict: bool = False,
) -> Any:
    """Return one part of the section with every call replaced by its value."""
    run = _Run(component, config, world, environ, frozenset(), {}, reader, strict)
    return _whole(key, run)


def _whole(key: str, run: _Run) -> Any:
    """Return one part of the section, what its layers say merged once more by their values."""
    from wrapper.stacks import deferred

    found = _value(run.component.section.get(key), run, (key,))
    for one in run.component.deferred:
        if one.section == key:
            values = [_value(value, run, (key, *one.path)) for value in one.values]
            found = deferred.applied(found, one, values)
    return found


def holding(variables: Any, texts: set[str]) -> frozenset[str]:
    """Return the names of the variables within which one of some texts stands."""

    def holds(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(holds, value.values()))
        if isinstance(value, list):
            return any(map(holds, value))
        return isinstance(value, str) and any(text in value for text in texts)

    given = variables if isinstance(variables, dict) else {}
    return frozenset(name for name, value in given.items() if holds(value))


def _value(value: Any, run: _Run, keys: tuple[str, ...]) -> Any:
    if isinstance(value, str):
        return _call(value, run, keys) if value.startswith("!") else value
    if isinstance(value, dict):
        kept = value.items() if "unset" in run.skip else _left(value.items())
        return {key: _value(item, run, (*keys, key)) for key, item in kept}
    if isinstance(value, list):
        listed = enumerate(value) if "unset" in run.skip else _left(enumerate(value))
        return [_value(item, run, keys) for _, item in listed]
    return value


def _left(items: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, Any]]:
    """Yield what is not taken away: a text counts as the tag that it begins like."""
    return (pair for pair in items if not (isinstance(pair[1], str) and pair[1][:6] == "!unset"))


def _call(text: str, run: _Run, keys: tuple[str, ...]) -> Any:
    from wrapper.stacks.manifest import FUNCTIONS

    if text.startswith(_TRIMMED):
        text = f"!template {text[9:]}"  # `{{-` took the space
    match = _CALL.match(text)
    if match is None or match.group(1) not in FUNCTIONS or match.group(1) in KEPT:
        return text
    name, argument = match.group(1), (match.group(2) or "").strip()
    if name[1:] in run.skip:
        return text
    known = WORKING.get(name)
    if known is None:
        raise StackError(
            f"the YAML function {name} is not supported yet: {'.'.join(keys)}",
            at=_at(run, keys),
        )
    if text not in run.done:
        run.done[text] = known(argument, run, keys)
    return run.done[text]


def _at(run: _Run, keys: tuple[str, ...]) -> Location | None:
    """Return the place of a key; of a backend also below its type, which sections do not show."""
    at = run.component.where(*keys)
    if at is None and keys[0] in ("backend", "remote_state_backend"):
        kind = str(run.component.section.get(f"{keys[0]}_type") or "")
        at = run.component.where(keys[0], kind, *keys[1:])
    return at


def _words(argument: str) -> list[str]:
    import shlex

    try:
        return shlex.split(argument)
    except ValueError:
        return argument.split()


def _env(argument: str, run: _Run, keys: tuple[str, ...]) -> str:
    words = _words(argument)
    if not words or len(words) > 2:
        raise StackError(f"!env takes a name and a default, not '{argument}'", at=_at(run, keys))
    own = run.component.section.get("env")
    if isinstance(own, Mapping) and words[0] in own and own[words[0]] is not None:
        from wrapper.stacks.template import go_text

        found = go_text(own[words[0]])
        if not found.startswith(f"!env {words[0]}"):
            return found
    return run.environ.get(words[0], words[1] if len(words) > 1 else "")


def _exec(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
    import json
    from subprocess import DEVNULL, PIPE

    from wrapper import children

    done = children.run(
        ["sh", "-c", argument],
        cwd=run.world.cwd or None,
        env=dict(run.environ),
        stdin=DEVNULL,
        stdout=PIPE,
    )
    if done.returncode != 0:
        raise StackError(
            f"!exec failed with exit code {done.returncode}: {argument}",
            at=_at(run, keys),
        )
    text = done.stdout.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text.rstrip("\n")


def _repo_root(argument: str, run: _Run, keys: tuple[str, ...]) -> str:
    if run.config.git_root:
        return run.config.git_root
    words = _words(argument)
    if words:
        return words[0]
    raise StackError("!repo-root: not in a git repository", at=_at(run, keys))


def _template(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
    import json

    from wrapper.stacks import template
    from wrapper.stacks.settings import settings_of

    text = argument
    if "{{" in text and settings_of(run.config).rendering:
        from wrapper.stacks import others

        at = _at(run, keys) or Location(run.component.manifest, 1, 1)
        section, settings = run.component.section, settings_of(run.config)
        text = template.render(
            text,
            section,
            what="!template",
            at=at,
            strict=False,
            functions=lambda: others.template_functions(
                section, at, settings, run.config, run.world, run.reader, lambda: run.component
            ),
        )
    try:
        return json.loads(text)
    except ValueError:
        return text


def _literal(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
    text = argument
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        text = text[1:-1]
    if text.startswith("!"):
        return _call(text, run, keys)
    from wrapper import yamlio

    return yamlio.scalar(text) if text == argument else text


def _git(fact: str) -> Callable[[str, _Run, tuple[str, ...]], Any]:
    def run_it(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
        from wrapper.stacks import git

        found = git.fact(fact, run.config.git_root, run.environ)
        if found is not None:
            return found
        words = _words(argument)
        if words:
            return words[0]
        raise StackError(f"!git.{fact}: git does not tell", at=_at(run, keys))

    return run_it


def _metadata(key: str, part: str) -> Callable[[str, _Run, tuple[str, ...]], Any]:
    def run_it(_argument: str, run: _Run, _keys: tuple[str, ...]) -> Any:
        found = run.component.section["metadata"].get(key)
        if key == "tags" or not part:
            return found if found is not None else ([] if key == "tags" else {})
        labels = found if isinstance(found, dict) else {}
        return sorted(labels) if part == "keys" else [labels[name] for name in sorted(labels)]

    return run_it


def _outputs(how: str) -> Callable[[str, _Run, tuple[str, ...]], Any]:
    def run_it(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
        from wrapper.stacks import outputs

        at = _at(run, keys)
        wanted = outputs.parse(argument, run.component.stack, f"!terraform.{how}", at)
        kind = "state" if how == "state" else "outputs"
        return outputs.value(wanted, kind, run.config, run.world, run.reader, at, strict=run.strict)

    return run_it


def _store(name: str) -> Callable[[str, _Run, tuple[str, ...]], Any]:
    def run_it(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
        from wrapper.stacks import stored

        ask = stored.value if name == "store" else stored.own_value
        return ask(argument, run.component, run.config, run.reader, _at(run, keys))

    return run_it


def _secret(argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
    from wrapper.stacks import stored

    def evaluated(text: str, own: tuple[str, ...]) -> Any:
        return _value(text, run, own)

    at = _at(run, keys)
    return stored.secret(argument, run.component, run.config, run.reader, at, evaluated)


def _aws(fact: str) -> Callable[[str, _Run, tuple[str, ...]], Any]:
    def run_it(_argument: str, run: _Run, keys: tuple[str, ...]) -> Any:
        from wrapper.stacks import cloud

        environ = run.reader.environ(run.component)
        return cloud.aws_fact(fact, environ, run.reader.known, _at(run, keys))

    return run_it


WORKING: dict[str, Callable[[str, _Run, tuple[str, ...]], Any]] = {
    "!env": _env,
    "!exec": _exec,
    "!repo-root": _repo_root,
    "!git.root": _repo_root,
    "!template": _template,
    "!literal": _literal,
    "!tags": _metadata("tags", ""),
    "!labels": _metadata("labels", ""),
    "!labels.keys": _metadata("labels", "keys"),
    "!labels.values": _metadata("labels", "values"),
    "!terraform.state": _outputs("state"),
    "!terraform.output": _outputs("output"),
    "!store": _store("store"),
    "!store.get": _store("store.get"),
    "!secret": _secret,
    **{
        f"!aws.{fact}": _aws(fact)
        for fact in (
            "account_id",
            "caller_identity_arn",
            "caller_identity_user_id",
            "region",
            "organization_id",
        )
    },
    **{
        f"!git.{fact}": _git(fact)
        for fact in ("sha", "branch", "ref", "repository", "owner", "name", "host", "url")
    },
}
