"""Working directories of a component's own: where they are, and how the module gets there.

docs/explanation/working-directories.md says what is copied and what is never removed.
Source: reference/atmos-stacks.md 3.14, 5.6, 5.8.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress

from wrapper.errors import StackError, StoreError
from wrapper.terraform import files, source
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.terraform.source import Module, Spec
    from wrapper.world import World

FOLDER = ".workdir"
OWN = ".atmos"
_LOCK = ".terraform.lock.hcl"
# What runs leave behind is neither copied nor removed; what we generate is not copied.
LEFT = (".terraform", "terraform.tfstate.d", OWN, ".git")
STATES = (".tfstate", ".tfstate.backup", ".tfstate.lock.info")
_MADE = (".terraform.tfvars.json", ".terraform.test.tfvars.json", ".planfile", files.PROVIDERS)
# What a run in the module's directory is just writing.
_TEMPORARY = re.compile(r"\.\d+(\.[0-9a-f]+)?\.tmp$")
_MODULE = (".tf", ".tf.json", ".tofu", ".tofu.json")


def path(component: Component, config: Config) -> str:
    """Return the working directory of a component: one level below `.workdir/terraform`.

    `-` and `/` in the component's name are written so that no two names give the same.
    """
    name = component.name.replace("-", "-h").replace("/", "-s").replace("\\", "-b")
    folder = f"{component.stack.replace('/', '-')}-{name}"
    return os.path.join(config.base_path, FOLDER, component.kind, folder)


def directory(component: Component, config: Config) -> str:
    """Return where Terraform runs in a working directory: what was fetched may hold several modules."""
    found = path(component, config)
    inner = (component.section.get("metadata") or {}).get("component")
    if component.section.get("source") and isinstance(inner, str) and inner:
        below = os.path.normpath(os.path.join(found, inner))
        if below.startswith(found + os.sep) and os.path.isdir(below):
            return below
    return found


def provision(component: Component, config: Config, world: World, *, anew: bool = False) -> None:
    """Put the module where Terraform runs, if it has to be put there; only what differs is written.

    With `anew` a source is asked for what it holds now. Waits until no run is in the way when
    something has to be changed.
    Raises: StackError, ConfigError, NotFetched, FetchError, StoreError, Interrupted.
    """
    from wrapper import ui
    from wrapper.terraform import turn

    spec = source.of(component)
    if not files.has_workdir(component, config):
        if spec is not None:
            from wrapper.terraform import vendor

            vendor.fill(component, config, spec, world)
        return
    target = path(component, config)
    if spec is not None:
        module = source.module(spec, config, world, anew=anew)
    else:
        module = source.Module(files.module_directory(component, config), "", "")
    before = record(target)
    wanted = dict(files_of(module, spec, config))
    if _same(wanted, target, before):
        return
    held = turn.take(
        target, world.environ, lambda who: ui.note(world, f"waiting for another run: {who}")
    )
    try:
        held.sign(f"copying the module of {component.name} in {component.stack}")
        before = record(target)
        sync(wanted, target, before)
        _note(component, spec, module, wanted, target, world)
    except OSError as error:
        raise StoreError(f"cannot write {target}: {error.strerror or error}") from error
    finally:
        held.end()


def files_of(module: Module, spec: Spec | None, config: Config) -> Iterator[tuple[str, str]]:
    """Yield the files of a module: path from its root, and where each is.

    Raises: StackError for a link that leads out of what was fetched.
    """
    skipped: tuple[str, ...] = _MADE
    if files.setting(config, "auto_generate_backend_file") is True:
        skipped = (*_MADE, files.BACKEND)
    within = os.path.realpath(module.within) if module.within else ""
    stack: list[tuple[str, str, tuple[str, ...]]] = [
        ("", module.root, (os.path.realpath(module.root),))
    ]
    while stack:
        prefix, folder, trail = stack.pop()
        for entry in sorted(os.scandir(folder), key=lambda one: one.name):
            name = prefix + entry.name
            if entry.is_symlink() and within:
                real = os.path.realpath(entry.path)
                if not real.startswith(within + os.sep):
                    raise StackError(
                        f"the link {name} leads out of what was fetched",
                        at=spec.at if spec else None,
                    )
            if entry.is_dir():
                real = os.path.realpath(entry.path)
                if entry.name not in LEFT and real not in trail:
                    stack.append((f"{name}/", entry.path, (*trail, real)))
            elif entry.is_file() and not entry.name.endswith((*STATES, *skipped)):
                if not _TEMPORARY.search(entry.name) and source.takes(spec, name):
                    yield name, entry.path


def record(target: str) -> dict[str, list[int]]:
    """Return what was copied last: path from the root -> size, time and mode of the original."""
    try:
        with open(os.path.join(target, OWN, "atmos-wrap.json"), "rb") as stream:
            data = json.loads(stream.read())
    except (OSError, ValueError, RecursionError):
        return {}
    found = data.get("files") if isinstance(data, dict) else None
    return found if isinstance(found, dict) else {}


def note(wanted: Mapping[str, str], module: Module, target: str) -> None:
    """Write down what was copied. Raises: StoreError."""
    from wrapper import files as storage

    found = {}
    for name, where in wanted.items():
        with suppress(FileNotFoundError):
            found[name] = stamp(where)
    text = json.dumps({"files": found, "revision": module.revision})
    storage.write_atomic(os.path.join(target, OWN, "atmos-wrap.json"), text.encode())


def _created(target: str) -> str:
    """Return when a working directory was made; '' when that is not known."""
    try:
        with open(os.path.join(target, OWN, "metadata.json"), "rb") as stream:
            return str(json.loads(stream.read())["created_at"])
    except (OSError, ValueError, LookupError, TypeError):
        return ""


def stamp(path: str) -> list[int]:
    """Return size, time and mode of a file."""
    status = os.stat(path)
    return [status.st_size, status.st_mtime_ns, status.st_mode & 0o777]


def _same(wanted: Mapping[str, str], target: str, before: Mapping[str, list[int]]) -> bool:
    """Say whether a directory holds exactly these files."""
    if set(before) != set(wanted):
        return False
    return all(_is_copy(where, os.path.join(target, name), name, before)
               for name, where in wanted.items())  # fmt: skip


def _is_copy(where: str, copy: str, name: str, before: Mapping[str, list[int]]) -> bool:
    if name == _LOCK and before.get(name) == stamp(where) and os.path.isfile(copy):
        return True  # init writes into it: what it added stays until the original changes
    try:
        if (os.stat(copy).st_mode ^ os.stat(where).st_mode) & 0o100:
            return False
        with open(where, "rb") as one, open(copy, "rb") as other:
            return one.read() == other.read()
    except OSError:
        return False


def sync(
    wanted: Mapping[str, str],
    target: str,
    before: Mapping[str, list[int]],
    *,
    clears: bool = True,
) -> None:
    """Copy what differs; remove what was copied before and is gone, never anything else.

    Without a record of ours (another program made the directory) files of Terraform's go, too, if
    `clears`. What is gone before it is copied, as a run in the module's directory took it away, is
    none of the module.
    """
    os.makedirs(target, exist_ok=True)
    for name, where in wanted.items():
        copy = os.path.join(target, name)
        if not _is_copy(where, copy, name, before):
            os.makedirs(os.path.dirname(copy), exist_ok=True)
            temporary = f"{copy}.{os.getpid()}.tmp"
            try:
                shutil.copyfile(where, temporary)
                os.chmod(temporary, (os.stat(where).st_mode & 0o777) | 0o600)
            except FileNotFoundError:
                if os.path.exists(where):
                    raise
                continue
            os.replace(temporary, copy)
    gone = [name for name in before if name not in wanted and name != _LOCK]
    if not before and clears:
        ours = (files.BACKEND, files.REQUIRED, *_MADE)
        names = [name for name in os.listdir(target) if name not in wanted]
        gone = [name for name in names if name.endswith(_MODULE) and not name.endswith(ours)]
    for name in gone:
        path = os.path.normpath(os.path.join(target, name))
        if path.startswith(target + os.sep) and os.path.isfile(path):
            os.unlink(path)


def _note(
    component: Component,
    spec: Spec | None,
    module: Module,
    wanted: Mapping[str, str],
    target: str,
    world: World,
) -> None:
    """Write down what was copied, for us and, in its own form, for Atmos."""
    from datetime import UTC, datetime

    from wrapper import files as storage
    from wrapper import ui
    from wrapper.remote.address import hidden

    note(wanted, module, target)
    now = datetime.fromtimestamp(world.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    remote = spec is not None and not spec.is_local
    told = {
        "component": component.name,
        "stack": component.stack,
        "source_type": "remote" if spec is not None else "local",
        "source": "" if remote else module.root,
        "source_uri": hidden(spec.uri) if spec is not None else "",
        "source_version": spec.version if spec is not None else "",
        "created_at": _created(target) or now,
        "updated_at": now,
        "last_accessed": now,
    }
    kept = {key: value for key, value in told.items() if value}
    storage.write_atomic(
        os.path.join(target, OWN, "metadata.json"), (json.dumps(kept, indent=2) + "\n").encode()
    )
    ui.info(world, f"working directory of {component.name}: {target}")
