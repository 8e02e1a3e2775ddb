"""Sources without a working directory: they fill the component's own directory, once.

docs/explanation/working-directories.md says what is copied and what is never removed.
Source: reference/atmos-stacks.md 3.14, 5.8.
"""

from __future__ import annotations

import os
import shutil

from wrapper.errors import StackError, StoreError
from wrapper.terraform import files, source, workdir
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.terraform.source import Spec
    from wrapper.terraform.turn import Turn
    from wrapper.world import World


class Vendored(NamedTuple):
    """What can be deleted of a component's directory: all paths from it. `left` stays."""

    target: str
    fetched: tuple[str, ...]
    made: tuple[str, ...]
    left: tuple[str, ...]


def directory(component: Component, config: Config, spec: Spec) -> str:
    """Return the directory that a source fills. Raises: StackError when it is none of ours."""
    target = os.path.normpath(os.path.join(config.terraform_dir, files.module(component, config)))
    if not target.startswith(os.path.normpath(config.terraform_dir) + os.sep):
        raise StackError(
            f'the directory of the component "{component.name}" is outside of the components',
            at=spec.at,
        )
    return target


def holds(target: str) -> bool:
    """Say whether a directory holds anything but notes, and what runs left behind."""
    try:
        names = os.listdir(target)
    except OSError:
        return False
    return any(name not in workdir.LEFT and not name.endswith(workdir.STATES) for name in names)


def fill(
    component: Component, config: Config, spec: Spec, world: World, *, force: bool = False
) -> bool:
    """Copy a source to the component's directory, unless something is there, as Atmos does.

    With `force` it is fetched anew and laid over what is there; only what came with it before is
    removed. Say whether anything was copied.
    Raises: StackError, ConfigError, NotFetched, FetchError, StoreError, Interrupted.
    """
    from wrapper import files as storage
    from wrapper import ui

    target = os.path.normpath(os.path.join(config.terraform_dir, files.module(component, config)))
    if holds(target) and not force:
        return False
    directory(component, config, spec)
    module = source.module(spec, config, world, anew=force)
    wanted = dict(workdir.files_of(module, spec, config))
    folder = os.path.join(storage.state_dir(world.environ), "turns")
    lock = os.path.join(folder, f"{target.replace('/', '%')[-100:]}.source.lock")
    temporary = f"{target}.{os.getpid()}.tmp"
    with storage.lock(lock, f"copying {spec.uri}"):
        if holds(target) and not force:
            return False
        held = _turn(target, f"copying the source of {component.name}", world) if force else None
        try:
            if os.path.isdir(target) and os.listdir(target):
                workdir.sync(wanted, target, workdir.record(target), clears=False)
            else:
                workdir.sync(wanted, temporary, {})
                if os.path.isdir(target):
                    os.rmdir(target)
                os.rename(temporary, target)
            workdir.note(wanted, module, target)
        except OSError as error:
            raise StoreError(f"cannot write {target}: {error.strerror or error}") from error
        finally:
            shutil.rmtree(temporary, ignore_errors=True)
            if held is not None:
                held.end()
    ui.note(world, f"source of {component.name}: {files.module(component, config)} was filled")
    return True


def _turn(target: str, label: str, world: World) -> Turn:
    from wrapper import ui
    from wrapper.terraform import turn

    held = turn.take(
        target, world.environ, lambda who: ui.note(world, f"waiting for another run: {who}")
    )
    held.sign(label)
    return held


def vendored(component: Component, config: Config, spec: Spec) -> Vendored | None:
    """Return what `source delete` may delete; None without a directory.

    Raises: StackError for a directory that nobody knows to be fetched.
    """
    target = directory(component, config, spec)
    if not os.path.isdir(target):
        return None
    known = workdir.record(target)
    if not known:
        raise StackError(
            f"{target} was not filled from the source: nothing of it is deleted",
            at=spec.at,
            hint="`terraform source pull --force` lays the source over it; or delete it yourself",
        )
    made = [files.BACKEND, files.PROVIDERS, files.REQUIRED, ".terraform.lock.hcl"]
    made += [files.names(component, config).varfile, files.names(component, config).planfile]
    made += [".terraform", workdir.OWN]
    fetched, ours, left = [], [], []
    for folder, below, names in os.walk(target):
        for name in [*names, *below]:
            path = os.path.relpath(os.path.join(folder, name), target)
            if path in known:
                fetched.append(path)
            elif path in made:
                ours.append(path)
                below[:] = [one for one in below if one != name or folder != target]
            elif name in names:
                left.append(path)
    return Vendored(target, tuple(sorted(fetched)), tuple(sorted(ours)), tuple(sorted(left)))


def delete(found: Vendored, world: World) -> None:
    """Delete what was fetched and what runs made of it, then directories that are empty.

    Raises: StoreError, Interrupted.
    """
    held = _turn(found.target, "deleting the source", world)
    try:
        for path in (*found.fetched, *found.made):
            whole = os.path.join(found.target, path)
            if os.path.isdir(whole) and not os.path.islink(whole):
                shutil.rmtree(whole)
            else:
                os.unlink(whole)
        for folder, _, _ in os.walk(found.target, topdown=False):
            if not os.listdir(folder):
                os.rmdir(folder)
    except OSError as error:
        raise StoreError(f"cannot delete {error.filename}: {error.strerror}") from error
    finally:
        held.end()
