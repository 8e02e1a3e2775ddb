"""What direnv and mise are told of a directory: they lay it over a shell, watch and restore by themselves."""

from __future__ import annotations

import os
from collections.abc import Sequence

from wrapper.errors import UsageError, WrapError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.hook import pin
    from wrapper.hook.answer import Answer
    from wrapper.hook.evaluate import View
    from wrapper.world import World

TOOLS = ("direnv", "mise")


def main(argv: Sequence[str], world: World) -> int:
    """Print what holds in the working directory, for a tool; `argv` is the tool and maybe a pin.

    direnv gets lines of bash, mise JSON. Never asks; what is refused is said, and nothing set.
    Raises: UsageError when it was not called by one of them.
    """
    import io

    if not argv or argv[0] not in TOOLS or len(argv) > 2:
        raise UsageError(
            "hook-export takes direnv or mise, and a stack or an identity",
            hint="it is called by `use atmos` of an .envrc and `_.atmos-wrap` of a mise.toml",
        )
    quiet = world._replace(stdin_tty=False, stderr_tty=False, asks=False, stderr=io.StringIO())
    found, wrong = _look(argv[1] if len(argv) == 2 else "", quiet)
    unset = _there(found, world)
    world.stdout.write(
        _bash(found, unset, wrong=wrong) if argv[0] == "direnv" else _json(found, unset)
    )
    return 0


def _look(word: str, world: World) -> tuple[Answer, bool]:
    """Return the answer for a directory, and whether the pin is a wrong one."""
    from wrapper import files, ui
    from wrapper.hook import evaluate, pin

    view = evaluate.look(world)
    pinned = said = ""
    if word and view.config is not None and view.found is not None:
        try:
            pinned = pin.written(_pin(word, view, world))
            world = world._replace(environ={**world.environ, pin.VARIABLE: pinned})
            view = evaluate.look(world)
        except WrapError as error:
            said = ui.escape(": ".join(("atmos-wrap", error.message, *error.hints)))
            view = view._replace(found=None, delta=None)
    for path, data in view.delta.files.items() if view.delta is not None else ():
        files.write_if_changed(path, data)
    found = evaluate.answer(view, world)
    if pinned and found.values:
        # The shell's own hook, where there is one, then chooses the same.
        values = {**found.values, pin.VARIABLE: pinned}
        if _beneath(found, world):
            late = f"atmos-wrap: it is {ui.escape(word)} from the next prompt on, as our hook ran first"
            found = found._replace(unset=(), prefixes=(), say=late)
            values = {pin.VARIABLE: pinned}
        found = found._replace(values=values)
    return found._replace(say=said or found.say or _why_not(view, world)), bool(said)


def _beneath(found: Answer, world: World) -> bool:
    """Say whether the shell's hook has set another identity here: the tool would keep it as foreign.

    On leaving it would then put it back behind the hook's back.
    """
    from urllib.parse import unquote

    fields = world.environ.get("ATMOS_WRAP_STATE", "").split("|")[2:]
    given = dict(zip(fields[::3], fields[1::3], strict=False))
    return any(
        name in found.values
        and given[name]
        and unquote(given[name][1:]) == world.environ.get(name) != found.values[name]
        for name in given
        if not name.startswith("ATMOS_")
    )


def _pin(word: str, view: View, world: World) -> pin.Use:
    from wrapper import stacks
    from wrapper.hook import pin

    assert view.config is not None
    identities = (view.config.data.get("auth") or {}).get("identities") or {}
    known = stacks.stack_names(view.config, world) if view.config.stacks_dir else []
    return pin.of(word, identities, known, view.root)


def _why_not(view: View, world: World) -> str:
    """Return why there is nothing to set where someone has asked for it; '' when there is."""
    from wrapper import ui

    if view.closure is None:
        return f"atmos-wrap: there is no atmos.yaml in {ui.escape(world.cwd)} or above"
    if view.found is not None and not view.found.name and not view.found.off:
        return f"atmos-wrap: no identity in {ui.escape(world.cwd)}: {ui.escape(view.found.why)}"
    return ""


def _there(found: Answer, world: World) -> list[str]:
    """Return the variables to be taken away that are there, sorted."""
    prefixes = tuple(found.prefixes)
    gone = {name for name in world.environ if prefixes and name.startswith(prefixes)}
    gone |= {name for name in found.unset if name in world.environ}
    return sorted(name for name in gone if name not in found.values and name.isidentifier())


def _watched(found: Answer) -> list[str]:
    return [path for path in (*found.watch, *found.absent) if os.path.isabs(path)]


def _existing(path: str) -> str:
    """Return the path, or the directory in which it would begin: mise takes a missing one for new."""
    while path and not os.path.lexists(path):
        path = os.path.dirname(path)
    return path


def _bash(found: Answer, unset: Sequence[str], *, wrong: bool) -> str:
    from shlex import quote

    lines = [f"export {name}={quote(found.values[name])}" for name in sorted(found.values)]
    lines += [f"unset {name}" for name in unset]
    watched = " ".join(quote(path) for path in _watched(found))
    if watched:
        lines.append(f"watch_file {watched}")
    if found.say:
        lines.append(f"log_error {quote(found.say)}")
    if wrong:
        lines.append("return 64")
    return "".join(f"{line}\n" for line in lines)


def _json(found: Answer, unset: Sequence[str]) -> str:
    import json

    # A plugin of mise can take nothing away; the programs take an empty variable for none.
    env = {**dict.fromkeys(unset, ""), **found.values}
    told = {
        "env": [{"key": name, "value": env[name]} for name in sorted(env)],
        "watch_files": sorted({_existing(path) for path in _watched(found)}),
        "say": found.say,
    }
    return json.dumps(told, ensure_ascii=True) + "\n"
