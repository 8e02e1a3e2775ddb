"""One answer for all directories of a repository in which nothing else is said.

A shell takes it for a directory that it has not seen yet, after looking, with builtins only, for
what would say something else between that directory and the repository's own.
"""

from __future__ import annotations

import os

from wrapper.hook import answer
from wrapper.hook.answer import Answer
from wrapper.hook.evaluate import MARKS
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.hook.evaluate import View
    from wrapper.world import World


def keep(view: View, found: Answer, shell: str, directory: str, world: World, at: float) -> None:
    """Keep the answer of a directory for all those that must have the same.

    `directory` is the shell's `$PWD`, `at` when reading for the answer began. Nothing is kept where
    a directory can decide: for pins and stacks, paths that start at it, files found from it.
    """
    if view.config is None or view.fault is not None:
        return
    top = _top(directory, view.root)
    if not top or not _uniform(view, view.config, world):
        return
    # Between the repository and a directory the shell looks by itself.
    absent = [path for path in found.absent if not _between(path, view.root, directory)]
    shared = found._replace(absent=absent, apart=_apart(view.config, view.root, top))
    answer.keep(shared, shell, top, world.environ, at, below=True)


def _top(directory: str, root: str) -> str:
    """Return the repository as the shell's `$PWD` names it; '' where a link leads from it."""
    real = os.path.realpath(directory)
    if not _within(real, root):
        return ""
    here = directory.rstrip("/")
    for _ in range(real[len(root) :].count("/")):
        if os.path.islink(here):
            return ""
        here = os.path.dirname(here)
    return here if here and os.path.realpath(here) == root else ""


def _uniform(view: View, config: Config, world: World) -> bool:
    """Say whether each directory below that is not configured by itself has the same answer."""
    from wrapper import config as configuration
    from wrapper.config import Options, files

    environ = world.environ
    if any(environ.get(name) for name in answer.PLACES) or config.placed:
        return False
    if any(configuration.given(Options(), world)):
        return False
    if view.pin.path and os.path.realpath(os.path.dirname(view.pin.path)) != view.root:
        return False
    if view.found is not None and not view.found.shared:
        return False
    if config.git_root and not _within(view.root, config.git_root):
        return False
    anchor = configuration.anchor_root(world)
    sources = [
        [os.path.realpath(one.path) for one in files.discover(environ, world.home, each, anchor)]
        for each in (world.cwd, os.path.join(view.root, answer.NAME))
    ]
    return sources[0] == sources[1]


def _within(path: str, directory: str) -> bool:
    """Say whether a path is a directory, or below it; both by their real names."""
    real = os.path.realpath(path)
    return f"{real}/".startswith(os.path.join(os.path.realpath(directory), ""))


def _between(path: str, root: str, directory: str) -> bool:
    """Say whether a path is a mark below a repository's directory, on the way to `directory`."""
    up, name = os.path.split(path)
    on_the_way = _within(up, root) and _within(directory, up) and not _within(root, up)
    return name in MARKS and on_the_way


def _apart(config: Config, root: str, top: str) -> str:
    """Return the directory of manifests as the shell would name it; '' where it is elsewhere."""
    real = os.path.realpath(config.stacks_dir) if config.stacks_dir else ""
    return os.path.join(top, os.path.relpath(real, root)) if real and _within(real, root) else ""
