"""The outputs of a component: from its state, or as Terraform tells them.

Source: reference/atmos-stacks.md 3.10.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.terraform import files, workspace
from wrapper.terraform.invocation import Invocation
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.world import World

_DEFAULT = "default"


def state_outputs(
    component: Component, config: Config, environ: Mapping[str, str]
) -> Mapping[str, Any] | None:
    """Return the outputs in a component's state, read as the backend reads it.

    `environ` is that of the component's identity. None when there is no state.
    Raises: StackError for a backend that cannot be read or refuses.
    """
    kind = component.section.get("backend_type") or "local"
    backend = component.section.get("backend") or {}
    name = workspace.name(component)
    if kind == "local":
        text = _local(component, config, backend, name)
    elif kind == "s3":
        text = _s3(backend, name, environ)
    elif kind == "gcs":
        text = gcs(backend, name, environ)
    elif kind == "azurerm":
        text = azurerm(backend, name, environ)
    else:
        raise StackError(
            f"the state of a {kind} backend cannot be read directly",
            at=component.where("backend_type") or component.where("backend"),
            hint="use !terraform.output, which asks Terraform",
        )
    if not text:
        return None
    try:
        found = json.loads(text)["outputs"] or {}
        return {key: one["value"] for key, one in found.items()}
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StackError("what the backend holds is not a state of Terraform") from error


def _local(
    component: Component, config: Config, backend: Mapping[str, Any], name: str
) -> str | None:
    directory = os.path.join(config.terraform_dir, files.module(component, config))
    if files.has_workdir(component, config):
        directory = files.directory(component, config)
    if name == _DEFAULT:
        path = str(backend.get("path") or "terraform.tfstate")
    else:
        folder = str(backend.get("workspace_dir") or "terraform.tfstate.d")
        path = os.path.join(folder, name, "terraform.tfstate")
    try:
        with open(os.path.join(directory, path), encoding="utf-8") as stream:
            return stream.read()
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise StackError(f"cannot read the state: {error}", at=path) from error


def _s3(backend: Mapping[str, Any], name: str, environ: Mapping[str, str]) -> str | None:
    from wrapper.stacks import cloud

    key = str(backend.get("key") or "terraform.tfstate")
    if name != _DEFAULT:
        key = f"{backend.get('workspace_key_prefix') or 'env:'}/{name}/{key}"
    if not backend.get("bucket"):
        raise StackError("the s3 backend names no bucket")
    text: str | None = cloud.ask({"what": "s3", "backend": backend, "key": key}, environ)
    return text


def gcs(backend: Mapping[str, Any], name: str, environ: Mapping[str, str]) -> str | None:
    """Return the text of a workspace's state in a bucket of Google's; None without one.

    Raises: StackError when there is no bucket, or it refuses.
    """
    import posixpath

    from wrapper.stacks import cloud

    prefix = str(backend.get("prefix") or "").lstrip("/")
    path = posixpath.normpath(posixpath.join(prefix, f"{name}.tfstate"))
    if not backend.get("bucket"):
        raise StackError("the gcs backend names no bucket")
    question = {"what": "gcp state", "backend": backend, "name": path}
    text: str | None = cloud.ask(question, environ)
    return text


def azurerm(backend: Mapping[str, Any], name: str, environ: Mapping[str, str]) -> str | None:
    """Return the text of a state.

    Terraform writes the state of a workspace below the key and `env:`; what Atmos looks for,
    `env:/WORKSPACE/KEY`, is never there. Source: the azurerm backend of Terraform.
    """
    from wrapper.stacks import cloud

    for key in ("storage_account_name", "container_name", "key"):
        if not backend.get(key):
            raise StackError(f"the azurerm backend has no {key}")
    path = str(backend["key"])
    if name != _DEFAULT:
        path = f"{path}env:{name}"
    question = {"what": "azure state", "backend": backend, "name": path}
    text: str | None = cloud.ask(question, environ)
    return text


def outputs(
    component: Component, config: Config, environ: Mapping[str, str], world: World
) -> Mapping[str, Any]:
    """Return the outputs as `terraform output -json` tells them, after init and workspace.

    Raises: StackError when Terraform fails, ToolMissing.
    """
    import subprocess

    from wrapper import children
    from wrapper.terraform import formats, running, steps

    if files.is_provided(component, config):
        from wrapper.terraform import workdir

        workdir.provision(component, config, world)
    invocation = Invocation(
        "terraform", "output", (), component.name, component.stack, ("-json",), use_functions=False
    )
    todo = steps.prepare(component, config, invocation, environ, world.cwd)
    # The varfile is not needed, and its functions have not run.
    varfile = files.names(component, config).varfile
    write = tuple(one for one in todo.write if os.path.basename(one.path) != varfile)
    command = todo.command
    assert command is not None
    todo = todo._replace(write=write, after=(), command=None, backend=None)
    code = running.carry_out(todo, component, world)
    said = b""
    if not code:
        done = children.run(
            command.argv,
            executable=todo.binary,
            cwd=command.cwd,
            env=dict(command.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        code, said = done.returncode, done.stdout
    if code:
        raise StackError(f"terraform output ended with exit code {code}")
    return formats.values(said)
