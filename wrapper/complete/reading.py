"""Names read from the files themselves, and kept for the next Tab (see `wrapper.complete.stored`).

Nothing is run, asked or contacted; what cannot be read offers nothing.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, KeysView, Mapping

from wrapper.complete import stored
from wrapper.errors import StoreError, WrapError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.complete.place import Place
    from wrapper.complete.stored import Manifests
    from wrapper.config import Config, Options
    from wrapper.stacks.repository import Repository
    from wrapper.world import World

Asked = tuple[str, tuple[tuple[str, tuple[str, ...]], ...]]
_OVERRIDES = {
    "--stacks-dir": "stacks.base_path",
    "--terraform-dir": "components.terraform.base_path",
    "--settings-list-merge-strategy": "settings.list_merge_strategy",
}
_NOTHING: dict[str, Any] = {
    "identities": [], "providers": [], "profiles": [], "workflows": [], "workflow-files": [],
    "commands": {}, "manifests": None,
}  # fmt: skip


class Recorded(Mapping[str, str]):
    """An environment that knows which of its variables decided something."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.read: set[str] = set()
        self.copied = False

    def __getitem__(self, name: str) -> str:
        """Return a variable."""
        self.read.add(name)
        return self._environ[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names; whoever looks through them looks for ours."""
        self.read.update(name for name in self._environ if name.startswith("ATMOS_"))
        return iter(self._environ)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._environ)

    def keys(self) -> KeysView[str]:
        """Return the names; this is how a copy is made, of which nothing more is known."""
        self.copied = True
        return super().keys()


class Reading:
    """One reading of the configuration: who asked, what was found, which variables decided."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self.environ = Recorded(os.environ)
        self.world = _world(asked[0], self.environ)
        self.config: Config | None = None

    def load(self) -> Config:
        """Return the configuration. Raises: WrapError."""
        if self.config is None:
            from wrapper import config

            self.config = config.load(self.world, _options(self.asked))
        return self.config


_readings: list[Reading] = []


def _reading(asked: Asked) -> Reading:
    if not _readings:
        _readings.append(Reading(asked))
    return _readings[0]


def _world(cwd: str, environ: Mapping[str, str]) -> World:
    from wrapper import world

    silent = io.StringIO()
    outside = world.real()
    return outside._replace(
        environ=environ, cwd=cwd, stdout=silent, stderr=silent, stdin_tty=False, stderr_tty=False,
        asks=False, fetches=False,
    )  # fmt: skip


def _options(asked: Asked) -> Options:
    from wrapper.config import Options

    given = dict(asked[1])

    def listed(name: str) -> tuple[str, ...]:
        items = (item.strip() for value in given.get(name, ()) for item in value.split(","))
        return tuple(item for item in items if item)

    return Options(
        base_path=given["--base-path"][-1] if "--base-path" in given else None,
        config_files=listed("--config"),
        config_dirs=listed("--config-path"),
        profiles=listed("--profile") if "--profile" in given else None,
        overrides={key: given[flag][-1] for flag, key in _OVERRIDES.items() if flag in given},
        passive=True,
    )


def config(_found: Place, asked: Asked) -> dict[str, Any]:
    """Return the names that the configuration holds, and keep them."""
    reading = _reading(asked)
    if not asked[0] or not os.path.isdir(asked[0]):
        return _NOTHING
    # First what is looked at, then the look: a change in between is seen at the next Tab.
    try:
        before = _stamped(reading)
        loaded = reading.load()
    except WrapError:
        return _NOTHING
    payload = _payload(loaded, reading)
    _keep_config(reading, loaded, payload, before)
    return payload


def _stamped(reading: Reading) -> dict[str, int]:
    """Return the files that decide, with their stamps, as they are before the final reading."""
    from wrapper import config
    from wrapper.complete import watched

    paths = watched.of(config.load(reading.world, _options(reading.asked)), reading.world)
    return {} if paths is None else {path: watched.stamp(path) for path in paths}


def _keep_config(
    reading: Reading, loaded: Config, payload: dict[str, Any], before: Mapping[str, int]
) -> None:
    from wrapper.complete import watched

    paths = watched.of(loaded, reading.world)
    where = stored.config_file(reading.asked)
    if paths is None or not where or set(paths) != set(before):
        return
    groups = [(d, some, stored.digest(d, some)) for d, some in stored.groups_of(sorted(paths))]
    if any(watched.stamp(path) != before[path] for path in paths) or watched.is_young(paths):
        return
    variables = {name: stored.variable(os.environ.get(name)) for name in reading.environ.read}
    if reading.environ.copied or "env" in str(loaded.data.get("stacks", {}).get("name_template")):
        variables[""] = stored.everything()
    _write(where, (reading.asked, variables, groups, payload))


def _write(path: str, value: object) -> None:
    from wrapper import files

    try:
        files.write_cache(path, stored.pack(value))
    except (StoreError, OSError, ValueError):
        return


def _payload(loaded: Config, reading: Reading) -> dict[str, Any]:
    from wrapper.complete import sections

    auth = loaded.data.get("auth")
    auth = auth if isinstance(auth, dict) else {}
    workflows, files = sections.workflows(loaded)
    return {
        "identities": sections.identities(auth),
        "providers": sections.providers(auth),
        "profiles": sections.profiles(loaded, reading.world),
        "workflows": workflows,
        "workflow-files": files,
        "commands": sections.commands(loaded.data.get("commands")),
        "manifests": _reference(loaded, reading),
    }


def _reference(loaded: Config, reading: Reading) -> tuple[str, str] | None:
    """Return which names of manifests belong to a configuration: the directory, and a digest."""
    from wrapper import stacks

    try:
        repository = stacks.opened(loaded, reading.world._replace(environ=os.environ), quiet=True)
    except WrapError:
        return None
    return repository.settings.stacks_dir, stored.variable(repository.index.key)


def manifests(_found: Place, asked: Asked) -> Manifests:
    """Return the names in the manifests, see `stored.Manifests`; keep them."""
    from wrapper import stacks

    reading = _reading(asked)
    try:
        loaded = reading.load()
        world = reading.world._replace(environ=os.environ)
        repository = stacks.opened(loaded, world, quiet=True)
        if not repository.warm():
            found = _names(repository)
            repository = stacks.opened(loaded, world, quiet=True)
        else:
            found = None
        pieces = stored.groups_of(sorted(repository.index.watched()))
        groups = [(where, some, stored.digest(where, some)) for where, some in pieces]
        # Only what the index answers for after these stamps were taken is kept with them.
        sure = repository.index.changed() == set()
        if found is None or sure:
            found = _names(repository)
    except WrapError:
        return {}, [], b"", b""
    directory = stored.cache_dir()
    reference = (repository.settings.stacks_dir, stored.variable(repository.index.key))
    if sure and directory and groups:
        _write(stored.manifests_file(directory, reference[0]), (reference, groups, found))
    return found


def _names(repository: Repository) -> Manifests:
    from wrapper.complete import held
    from wrapper.stacks.names import path_name

    listings, root = repository.listings(), repository.settings.stacks_dir
    have: dict[str, set[str]] = {}
    for path, one in listings.items():
        for row in one.rows:
            some = have.setdefault(row.stack or path_name(path, root), set())
            if row.kind == "terraform" and not row.abstract and row.component.isprintable():
                some.add(row.component)
    numbers: dict[frozenset[str], int] = {}
    found = {
        name: numbers.setdefault(frozenset(have[name]), len(numbers))
        for name in sorted(have)
        if name.isprintable()
    }
    return found, [sorted(some) for some in numbers], *held.packed(repository, listings)
