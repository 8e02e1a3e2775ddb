"""The text of a shell's hook, and whether it is at work in the shell around this program."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

from wrapper.errors import StoreError, UsageError, WrapError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.world import World

_LINE = {
    "bash": 'eval "$(atmos-wrap hook bash)"',
    "zsh": 'eval "$(atmos-wrap hook zsh)"',
    "fish": "atmos-wrap hook fish | source",
}


def script(shell: str, world: World) -> str:
    """Return the hook of a shell, with what is started at a prompt named absolutely.

    Raises: UsageError for another shell.
    """
    from wrapper.hook import answer, code

    if shell == "direnv":
        import shlex

        return _source("direnv.sh").replace("'@PYTHON@'", shlex.quote(sys.executable))
    if shell not in answer.SHELLS:
        known = ", ".join((*answer.SHELLS, "direnv", "mise"))
        raise UsageError(f"there is no hook for {shell}", hint=f"one of {known}")
    text = _source(f"atmos-wrap.{shell}")
    texts = answer.home(world.environ, shell)
    marks = {"PYTHON": sys.executable, "START": _start(), "TEXTS": texts, "FORM": code.FORM}
    for mark, value in marks.items():
        text = text.replace(f"'@{mark}@'", code.quoted(shell, value))
    text = text.replace("@VERSION@", _version(text))
    if shell == "zsh":  # read, and later run, as plain zsh, whatever options the user has set
        return f"builtin emulate zsh -o no_aliases -c {code.quoted(shell, text)}\n"
    return text


def _start() -> str:
    """Return what starts this program with its own directories only: `site` and `-m` take 7 ms."""
    import site
    from importlib import util

    places = []
    for name in ("wrapper", "yaml"):
        spec = util.find_spec(name)
        places += [
            os.path.dirname(path) for path in (spec and spec.submodule_search_locations) or ()
        ]
    places += [path for path in site.getsitepackages() if os.path.isdir(path)]
    found = ascii(list(dict.fromkeys(places)))
    return f"import sys; sys.path += {found}; from wrapper.__main__ import main; sys.exit(main())"


def _version(text: str) -> str:
    """Return what tells the hook of one installation from those of others."""
    from wrapper import sha256

    return sha256.hexdigest(text.encode("utf-8", "surrogateescape"))[:8]


def _source(name: str) -> str:
    with open(path(name), encoding="utf-8") as stream:
        return stream.read()


def path(name: str) -> str:
    """Return the path of one of the shell files: beside the package in a clone, in it in a wheel.

    Raises: StoreError.
    """
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    for directory in (os.path.join(package, "_shell"), os.path.join(package, "..", "shell")):
        found = os.path.normpath(os.path.join(directory, name))
        if os.path.exists(found):
            return found
    raise StoreError(f"the installation lacks {name}", hint="install atmos-wrap again")


def surrounding() -> str:
    """Return the name of the shell that has started this program. Raises: UsageError."""
    import shellingham  # type: ignore[import-untyped]

    try:
        name: str = shellingham.detect_shell()[0]
    except (shellingham.ShellDetectionFailure, OSError, RuntimeError) as error:
        raise UsageError(
            "the shell around this program is not known", hint="name it: `atmos-wrap hook zsh`"
        ) from error
    return name


def check(named: str, world: World) -> int:
    """Say whether the hook is at work in the shell around, and what to do; return 0 when it is."""
    from wrapper import ui

    good = True
    for topic, text, fine in _findings(named, world):
        good = good and fine
        world.stdout.write(f"{' ' if fine else '!'} {topic:<10}  {ui.escape(text)}\n")
    return 0 if good else 1


def _findings(named: str, world: World) -> Iterator[tuple[str, str, bool]]:
    """Yield a topic, what was found, and whether that is as it should be."""
    shell, owner, version = (world.environ.get("ATMOS_WRAP_HOOK", "") + "::").split(":")[:3]
    ours = owner == str(os.getppid()) and named in ("", shell)
    if not ours:
        try:
            shell = named or surrounding()
        except UsageError as error:
            yield "shell", f"{error.message}: name it: `atmos-wrap hook --check zsh`", False
            return
    if shell not in _LINE:
        yield "shell", f"{shell}, for which there is no hook: one of {', '.join(_LINE)}", False
        return
    yield "shell", shell, True
    yield from _loaded(shell, version if ours else "", world)
    yield from _start_file(shell, world, loaded=bool(version) and ours)
    yield from _directories(shell, world)


def _loaded(shell: str, version: str, world: World) -> Iterator[tuple[str, str, bool]]:
    if not version:
        yield "hook", f"not in this shell: type `{_LINE[shell]}`, or start a new one", False
        return
    try:
        same = f":{version}" in script(shell, world)
    except WrapError as error:
        yield "hook", error.message, False
        return
    old = "of another version or place of atmos-wrap: start a new shell"
    yield "hook", "at work in this shell" if same else old, same


def _start_file(shell: str, world: World, *, loaded: bool) -> Iterator[tuple[str, str, bool]]:
    try:
        files = list(_start_files(shell, world))
    except WrapError as error:
        yield "start file", error.message, False
        return
    for found in files:
        try:
            with open(found, encoding="utf-8", errors="replace") as stream:
                lines = [line.strip() for line in stream]
        except OSError:
            continue
        if any("atmos-wrap hook" in line and not line.startswith("#") for line in lines):
            yield "start file", f"{found} loads the hook", True
            return
    # A file that is read by the start file can load it as well.
    yield "start file", f"{files[0]} lacks the line `{_LINE[shell]}`", loaded


def _start_files(shell: str, world: World) -> Iterator[str]:
    """Yield the files that an interactive shell reads, the usual place of the line first."""
    home = world.home
    if shell == "bash":
        yield from (os.path.join(home, name) for name in (".bashrc", ".bash_profile", ".profile"))
    elif shell == "zsh":
        yield os.path.join(world.environ.get("ZDOTDIR") or home, ".zshrc")
    else:
        config = world.environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        yield os.path.join(config, "fish", "config.fish")
        more = os.path.join(config, "fish", "conf.d")
        if os.path.isdir(more):
            yield from (os.path.join(more, each) for each in sorted(os.listdir(more)))


def _directories(shell: str, world: World) -> Iterator[tuple[str, str, bool]]:
    from wrapper import files
    from wrapper.hook import answer

    try:
        places = {
            "cache": answer.home(world.environ, shell),
            "state": files.state_dir(world.environ),
        }
    except WrapError as error:
        yield "cache", error.message, False
        return
    lost = {
        "cache": "each prompt in a repository starts a program",
        "state": "nothing can be allowed, and nobody signed in",
    }
    for name, directory in places.items():
        fault = _fault(directory)
        said = f"{directory} {fault}: {lost[name]}" if fault else f"{directory} can be written"
        yield name, said, not fault


def _fault(directory: str) -> str:
    """Return why nothing can be kept in a directory that may not be there yet, '' when it can."""
    here = directory
    while not os.path.lexists(here) and here != os.path.dirname(here):
        here = os.path.dirname(here)
    if not os.path.isdir(here):
        return f"cannot be made: {here} is no directory"
    if here == directory and os.stat(here).st_uid != os.geteuid():
        return "belongs to somebody else"
    return "" if os.access(here, os.W_OK | os.X_OK) else "cannot be written"
