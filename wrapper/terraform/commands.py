"""The sub-commands that are ours alone: `generate …` and `clean`."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper import files as storage
from wrapper.errors import StackError, StoreError, UsageError
from wrapper.terraform import files, init
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.terraform.invocation import Invocation
    from wrapper.world import World


# YAML functions that ask a program, a cloud or a state, and do so as the identity.
_AS_IDENTITY = ("!exec", "!store", "!terraform.", "!aws.", "!secret")


def needs_identity(component: Component) -> bool:
    """Say whether making the component's files runs a YAML function that has to be signed in."""

    def asks(value: object) -> bool:
        if isinstance(value, str):
            return value.startswith(_AS_IDENTITY)
        if isinstance(value, Mapping):
            return any(asks(item) for item in value.values())
        return isinstance(value, list) and any(asks(item) for item in value)

    return any(asks(component.section.get(key)) for key in ("vars", "backend", "generate"))


def generate(component: Component, config: Config, invocation: Invocation, world: World) -> int:
    """Write the varfile, the backend file or other generated files of a component.

    Raises: StackError, StoreError. Source: reference/atmos-stacks.md 5.8.
    """
    word = invocation.words[0]
    if word == "files":
        return _section_files(component, config, invocation, world)
    if invocation.file:  # the module itself need not be there
        directory = os.path.join(config.terraform_dir, files.module(component, config))
    else:
        directory = files.module_directory(component, config)
    if word == "backend":
        target, data = files.BACKEND, files.backend(component)
    elif word == "required-providers":
        found = files.required(component)
        if found is None:
            world.stderr.write(
                "No required_version or required_providers configured for component "
                f"{component.name} in {component.stack}\n"
            )
            return 0
        target, data = files.REQUIRED, found
    else:
        target = files.names(component, config).varfile
        data, _ = files.varfile(component, config, directory, with_secrets=invocation.with_secrets)
    _write(os.path.join(directory, target), data, invocation, world)
    return 0


def _write(path: str, data: bytes, invocation: Invocation, world: World) -> None:
    """Write a file where it belongs, or to the one that was named; or only say so."""
    if invocation.file:
        path = os.path.join(world.cwd, os.path.expanduser(invocation.file))
    if invocation.dry_run:
        world.stdout.write(f"# write {path}\n")
    elif invocation.file:
        storage.write_named(world.cwd, path, data, 0o600)
    else:
        storage.write_if_changed(path, data)


def _section_files(
    component: Component, config: Config, invocation: Invocation, world: World
) -> int:
    """Write the files of the `generate` section, or with `--clean` delete them."""
    from wrapper.terraform import generate

    directory = os.path.join(config.terraform_dir, files.module(component, config))
    directory = os.path.normpath(directory)
    for file in generate.section_files(component, directory, config):
        if invocation.dry_run:
            verb = "delete" if invocation.clean else "write"
            world.stdout.write(f"# {verb} {file.path}\n")
        elif invocation.clean:
            storage.remove(file.path)
        else:
            storage.write_if_changed(file.path, file.data, file.mode)
    return 0


# What can be written of all components: the formats, the usual one first.
_FORMATS = {"varfiles": ("json", "yaml", "hcl"), "backends": ("hcl", "json", "backend-config")}


def generate_all(config: Config, invocation: Invocation, world: World) -> int:
    """Write the varfiles, backend files or generated files of all components.

    `--stacks` (names, or paths of manifests) and `--components` narrow it. `--file-template` names
    each file, with `{stage}`, `{component}` and the like; without it they go where a run would put
    them. Abstract components have none.

    Raises: UsageError, StackError, StoreError. Source: reference/atmos-stacks.md 5.8, measured on
    Atmos.
    """
    from wrapper import stacks, ui
    from wrapper.stacks import overview

    word = invocation.words[0]
    known = _FORMATS.get(word, ("",))
    form = invocation.format or known[0]
    if form not in known:
        raise UsageError(f'unknown format "{form}" for {word}', hint=f"known: {', '.join(known)}")
    if word == "varfiles" and form != "json" and not invocation.file_template:
        raise UsageError(f"--format {form} needs --file-template", hint="such as {stage}.tfvars")
    chosen = overview.stacks_named(config, world, invocation.stacks)
    if invocation.stacks and not chosen:
        ui.warn(world, f"no stack is called {' or '.join(invocation.stacks)}")
    for stack in chosen:
        for name in stacks.component_names(config, world, stack):
            if invocation.components and name not in invocation.components:
                continue
            component = stacks.component(config, world, name, stack)
            if invocation.use_functions:
                skip = frozenset(invocation.skip_functions)
                component = stacks.evaluate(component, config, world, config.environ, skip=skip)
            if word == "files":
                _section_files(component, config, invocation, world)
                continue
            try:
                data = _in_format(component, config, invocation, form)
            except StackError as error:
                if word != "backends":
                    raise
                ui.warn(world, f"no backend file for {name} in {stack}: {error.message}")
                continue
            path = _path(component, config, invocation, form)
            template = invocation.file_template
            named = invocation._replace(file=path if template else None)
            _write(path, data, named, world)
    return 0


def _in_format(component: Component, config: Config, invocation: Invocation, form: str) -> bytes:
    """Return a varfile or a backend file as one of `_FORMATS`."""
    from wrapper.terraform import hcltext

    if invocation.words == ("backends",):
        if form == "json":
            return files.backend(component)
        kind, settings = files.backend_settings(component)
        if form == "backend-config":
            return hcltext.attributes(settings)
        if kind == "cloud":
            return hcltext.blocks({"terraform": {"cloud": settings}})
        lines = hcltext.block("backend", (kind,), settings)
        return hcltext.document(["terraform {", *lines, "}"])
    directory = os.path.join(config.terraform_dir, files.module(component, config))
    with_secrets = invocation.with_secrets
    if form == "json":
        return files.varfile(component, config, directory, with_secrets=with_secrets)[0]
    shown, _ = files.shown_variables(component, config, directory, with_secrets=with_secrets)
    if form == "hcl":
        return hcltext.attributes(shown)
    from wrapper import goyaml

    return goyaml.dumps(shown).encode()


def _path(component: Component, config: Config, invocation: Invocation, form: str) -> str:
    """Return where a varfile or backend file goes. Raises: StackError without a module."""
    if invocation.file_template:
        return _expand(invocation.file_template, component, config)
    directory = files.module_directory(component, config)
    if invocation.words == ("backends",):
        name = files.BACKEND if form == "json" else files.BACKEND.removesuffix(".json")
    else:
        name = files.names(component, config).varfile
    return os.path.join(directory, name)


def _expand(template: str, component: Component, config: Config) -> str:
    """Return a file name for a component. Source: reference/atmos-stacks.md 5.8."""
    variables = component.section.get("vars") or {}
    names = ("namespace", "tenant", "environment", "region", "stage", "attributes")
    values = {name: _text(variables.get(name)) for name in names}
    module = files.module(component, config)
    values["component"] = component.name.replace("/", "-")
    values["base-component"] = module.replace("/", "-")
    values["component-path"] = os.path.join(config.terraform_dir, module)
    values["workspace"] = values["terraform_workspace"] = str(component.section["workspace"])
    for name, value in values.items():
        template = template.replace("{" + name + "}", value)
    return template


def _text(value: object) -> str:
    if isinstance(value, list):
        return "-".join(map(str, value))
    return str(value or "")


def clean(component: Component | None, config: Config, invocation: Invocation, world: World) -> int:
    """Delete what runs have left in a component's directory, and local state of its stack.

    Without a component: in all of them. Asks first, unless `--force`.
    Raises: UsageError without `--force` where nobody can be asked; StoreError.
    Source: reference/atmos-stacks.md 5.8.
    """
    if component is None:
        doomed = _of_all(config, invocation, world)
    else:
        doomed = _of_one(component, config, invocation, world.environ)
    doomed = sorted({path for path in doomed if os.path.lexists(path)})
    if not doomed:
        world.stderr.write("Nothing to delete\n")
        return 0
    listing = "".join(f"  {path}\n" for path in doomed)
    if invocation.dry_run:
        world.stdout.write(f"Would delete:\n{listing}")
        return 0
    if not invocation.force and not _agreed(listing, world):
        return 1
    for path in doomed:
        _delete(path)
    return 0


def _of_one(
    component: Component, config: Config, invocation: Invocation, environ: Mapping[str, str]
) -> list[str]:
    directory = files.directory(component, config)
    names = files.names(component, config)
    found = [".terraform", names.varfile, names.planfile, names.test_varfile, files.PROVIDERS]
    found += [f"{names.planfile}.{form}" for form in ("json", "yaml")]
    if not invocation.skip_lock_file:
        found.append(".terraform.lock.hcl")
    if files.setting(config, "auto_generate_backend_file") is True:
        found.append(files.BACKEND)
    if files.required(component) is not None:
        found.append(files.REQUIRED)
    if files.setting(config, "auto_generate_files"):
        found += [str(name) for name in component.section.get("generate") or {}]
    # Names that a manifest or a variable gives may lead out of the directory, or be it.
    paths = [os.path.join(directory, name) for name in (*found, init.data_dir("", environ))]
    paths = [path for path in map(os.path.normpath, paths) if path.startswith(directory + os.sep)]
    states = os.path.join(directory, "terraform.tfstate.d")
    # As Atmos: every workspace whose name begins with the stack's name.
    for folder in _listed(states):
        if folder.startswith(component.stack):
            inside = os.path.join(states, folder)
            paths += [
                os.path.join(inside, name)
                for name in _listed(inside)
                if name.endswith((".tfstate", ".tfstate.backup"))
            ]
    return paths


def _of_all(config: Config, invocation: Invocation, world: World) -> list[str]:
    """Return what runs left in the directories of all components that stacks have, not below them."""
    from wrapper.stacks import overview

    if not config.terraform_dir or not os.path.isdir(config.terraform_dir):
        raise StackError(f"there is no component directory {config.terraform_dir}")
    directories = {
        os.path.normpath(os.path.join(config.terraform_dir, files.module(one, config)))
        for one in overview.each(config, world, templates=False)
        if one.kind == "terraform"
    }
    doomed = {".terraform", "terraform.tfstate.d", ".terraform.lock.hcl"}
    if invocation.skip_lock_file:
        doomed.remove(".terraform.lock.hcl")
    return [
        os.path.join(directory, name)
        for directory in sorted(directories)
        for name in _listed(directory)
        if name in doomed or name.endswith(".tfvars.json")
    ]


def _listed(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _agreed(listing: str, world: World) -> bool:
    """Ask; True for yes. Raises: UsageError where nobody can be asked."""
    if not world.can_ask:
        raise UsageError(
            "clean deletes files and nobody can be asked here", hint="say --force, or --dry-run"
        )
    world.stderr.write(f"This will delete:\n{listing}Go on? [y/N] ")
    world.stderr.flush()
    return world.stdin.readline().strip().lower() in ("y", "yes")


def _delete(path: str) -> None:
    import shutil

    try:
        if os.path.isdir(path) and not os.path.islink(path):
            shutil.rmtree(path)
        else:
            os.unlink(path)
    except OSError as error:
        raise StoreError(f"cannot delete {path}: {error.strerror}") from error
