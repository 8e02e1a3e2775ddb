"""What Terraform finds in its environment besides the identity."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from wrapper import __version__
from wrapper.files import atmos_dir
from wrapper.terraform.files import setting
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.config import Config

_PLUGIN_CACHE = re.compile(r"^\s*plugin_cache_dir\s*=", re.MULTILINE)


def environment(
    environ: Mapping[str, str],
    config: Config,
    cwd: str,
    *,
    hidden: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the complete environment of Terraform.

    `environ` is what the shell, the `env` sections and the identity make together; `hidden` are
    the variables that do not go into the varfile. Source: reference/atmos-stacks.md 5.7.
    """
    made = dict(environ)
    if config.dir:
        made["ATMOS_CLI_CONFIG_PATH"] = config.dir
    if config.base_path:
        # As Atmos: a relative base path is taken from where the user stands.
        raw = config.data.get("base_path")
        base = os.path.join(cwd, raw) if isinstance(raw, str) and raw else config.base_path
        made["ATMOS_BASE_PATH"] = os.path.normpath(base)
    made["TF_IN_AUTOMATION"] = "true"
    agent = str(setting(config, "append_user_agent", default="") or f"atmos-wrap/{__version__}")
    made.setdefault("TF_APPEND_USER_AGENT", agent)
    made.update(_plugin_cache(made, config))
    made.update(hidden or {})
    made["ATMOS_SHLVL"] = deeper(environ)
    return made


def deeper(environ: Mapping[str, str]) -> str:
    """Return `ATMOS_SHLVL` for what is started from an environment: one more, or 1."""
    level = environ.get("ATMOS_SHLVL", "")
    return str(int(level) + 1 if level.isdecimal() else 1)


def _plugin_cache(environ: Mapping[str, str], config: Config) -> dict[str, str]:
    """Return the variables of the shared plugin cache; none when the user has one of his own.

    As in Atmos, that is one of the shell or of `env` in `atmos.yaml`: a component's is replaced.
    """
    given = {**config.environ, **(config.data.get("env") or {})}
    if given.get("TF_PLUGIN_CACHE_DIR") not in (None, "", "/"):
        return {}
    if setting(config, "plugin_cache") is False:
        return {}
    path = cli_config(environ)
    if path and _names_plugin_cache(path):
        return {}
    wanted = str(setting(config, "plugin_cache_dir", default="") or "")
    if wanted:
        if not os.path.isabs(wanted) or wanted == "/":  # as Atmos: such a cache is none
            return {}
        directory = wanted
    else:
        directory = os.path.join(atmos_dir(environ, "CACHE"), "terraform", "plugins")
    return {
        "TF_PLUGIN_CACHE_DIR": os.path.normpath(directory),
        "TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE": "true",
    }


def cli_config(environ: Mapping[str, str]) -> str:
    """Return the path of Terraform's own configuration file, '' when there is none."""
    named = environ.get("TF_CLI_CONFIG_FILE") or environ.get("TERRAFORM_CONFIG")
    home = environ.get("HOME", "")
    for path in (named, os.path.join(home, ".terraformrc"), os.path.join(home, ".tofurc")):
        if path and os.path.isfile(path):
            return path
    return ""


def _names_plugin_cache(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as stream:
            return _PLUGIN_CACHE.search(stream.read()) is not None
    except OSError:
        return False


def noteworthy(environ: Mapping[str, str]) -> list[str]:
    """Return the names of variables that change what Terraform does behind the configuration.

    Source: reference/atmos-stacks.md 5.2.
    """
    exact = ("TF_CLI_ARGS", "TF_WORKSPACE", "TF_DATA_DIR")
    prefixes = ("TF_CLI_ARGS_", "TF_VAR_")
    return sorted(name for name in environ if name in exact or name.startswith(prefixes))
