"""Whether `terraform init` must run again: a fingerprint of all that it reads and leaves behind."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence

from wrapper.terraform.environment import cli_config
from wrapper.typed import Any

# Beside Terraform's own files: deleting the data directory, or naming another one, means init.
FINGERPRINT = "atmos-wrap.json"
_SCHEMA = 1
_MODULE_FILES = (".tf", ".tf.json", ".tofu", ".tofu.json")


def data_dir(directory: str, environ: Mapping[str, str]) -> str:
    """Return where Terraform keeps its working data for a module directory."""
    return os.path.join(directory, environ.get("TF_DATA_DIR") or ".terraform")


def fingerprint(
    directory: str,
    environ: Mapping[str, str],
    binary: str,
    arguments: Sequence[str],
    extra: Iterable[str] = (),
) -> str:
    """Return the fingerprint of everything that decides what `init` does, and of what it made.

    Covers the module's files by content, lock file, local modules, CLI configuration, binary,
    arguments, files in `extra` (by content), the variables that Terraform reads for init, and the
    state of the data directory: modules, providers that are still there, the backend's record.
    """
    data = data_dir(directory, environ)
    parts: list[Any] = [_SCHEMA, os.path.realpath(directory), list(arguments)]
    parts.append([_content(path) for path in _module_files(directory)])
    parts.append(_content(os.path.join(directory, ".terraform.lock.hcl")))
    parts.append([_content(os.path.join(directory, name)) for name in sorted(extra)])
    parts.append(_content(cli_config(environ)))
    parts.append(_status(os.path.realpath(binary)))
    parts.append(sorted(_variables(environ).items()))
    parts.append(_content(os.path.join(data, "terraform.tfstate")))
    parts.append(_modules(directory, data))
    parts.append(_providers(os.path.join(data, "providers")))
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _variables(environ: Mapping[str, str]) -> dict[str, str]:
    names = ("TF_DATA_DIR", "TF_CLI_ARGS", "TF_CLI_ARGS_init", "TF_PLUGIN_CACHE_DIR")
    return {name: environ[name] for name in names if name in environ}


def _module_files(directory: str) -> list[str]:
    try:
        names = os.listdir(directory)
    except OSError:
        return []
    return [os.path.join(directory, n) for n in sorted(names) if n.endswith(_MODULE_FILES)]


def _content(path: str) -> list[str | None]:
    try:
        with open(path, "rb") as stream:
            return [path, hashlib.sha256(stream.read()).hexdigest()]
    except OSError:
        return [path, None]


def _status(path: str) -> list[Any]:
    try:
        status = os.stat(path)
    except OSError:
        return [path, None]
    return [path, status.st_mtime_ns, status.st_size, status.st_ino]


def _modules(directory: str, data: str) -> list[Any]:
    """Return what `init` wrote down about modules, with the files of those inside the repository."""
    listing = os.path.join(data, "modules", "modules.json")
    try:
        with open(listing, encoding="utf-8") as stream:
            modules = json.load(stream)["Modules"]
        places = sorted({str(module["Dir"]) for module in modules if module.get("Key")})
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [_content(listing)]
    found: list[Any] = [_content(listing)]
    for place in places:
        path = os.path.join(directory, place)
        found.append([place, [_content(file) for file in _module_files(path)]])
    return found


def _providers(directory: str) -> list[list[Any]]:
    """Return each installed provider (host/namespace/type/version/platform) and what it links to."""
    level = [directory]
    for _ in range(5):
        level = [
            entry.path
            for path in level
            for entry in _entries(path)
            if entry.is_dir() or entry.is_symlink()
        ]
    return [[path, os.path.exists(path), os.path.realpath(path)] for path in sorted(level)]


def _entries(path: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            return list(entries)
    except OSError:
        return []


def recorded(data: str) -> dict[str, Any]:
    """Return what the last run left in the data directory; `{}` when nothing or nothing usable."""
    from wrapper.files import read_private

    raw = read_private(os.path.join(data, FINGERPRINT))
    try:
        found = json.loads(raw) if raw else {}
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def record(data: str, init: str, workspace: str | None) -> None:
    """Write down a run that came through: the fingerprint, and the workspace it selected."""
    from wrapper.files import write_if_changed

    text = json.dumps({"init": init, "workspace": workspace}, sort_keys=True)
    os.makedirs(data, exist_ok=True)
    write_if_changed(os.path.join(data, FINGERPRINT), text.encode())


def forget(data: str) -> None:
    """Make the next run start with `init`."""
    from wrapper.files import remove

    remove(os.path.join(data, FINGERPRINT))
