"""The files of a component's `generate` section: what they hold and where they go."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import StackError, StoreError
from wrapper.terraform import files, gojson, hcltext
from wrapper.terraform.files import File
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component

_CONTEXT = ("namespace", "tenant", "environment", "stage", "region")
_SECTIONS = ("vars", "settings", "env", "backend", "backend_type", "providers", "metadata")


def is_whole_module(component: Component, config: Config) -> bool:
    """Say whether a run makes the component's directory, should it not be there.

    Source: reference/atmos-stacks.md 3.14, measured on Atmos.
    """
    made = component.section.get("generate")
    return bool(made) and bool(files.setting(config, "auto_generate_files"))


def provide(component: Component, config: Config) -> None:
    """Make the directory of a component that is generated as a whole, with its files.

    Later runs find it and only change what differs. Raises: StackError, StoreError.
    """
    from wrapper import files as storage

    directory = files.module_directory(component, config)
    if os.path.isdir(directory):
        return
    try:
        os.makedirs(directory, exist_ok=True)
    except OSError as error:
        raise StoreError(f"cannot make {directory}: {error.strerror}") from error
    for file in section_files(component, directory, config):
        storage.write_if_changed(file.path, file.data, file.mode)


def section_files(component: Component, path: str, config: Config) -> list[File]:
    """Return the files of the `generate` section for the directory `path`.

    A text is a Go template over the component's sections; a map is written in the language of the
    file's name, its texts being templates, too. A null takes back a file that was inherited.
    Raises: StackError with the place of a file that cannot be made.
    """
    given = component.section.get("generate")
    if not isinstance(given, Mapping):
        return []
    context = _context(component, config)
    made: list[File] = []
    for name, content in given.items():
        target = os.path.normpath(os.path.join(path, str(name)))
        place = component.where("generate", str(name))
        if os.path.isabs(str(name)) or not target.startswith(path + os.sep):
            raise StackError(f'generate: "{name}" is outside the component directory', at=place)
        if content is None:
            continue
        if not isinstance(content, str | Mapping):
            raise StackError(
                f'generate: "{name}" is neither a text nor a map',
                at=place,
                hint="write the file's text as a string",
            )
        try:
            made.append(File(target, _data(str(name), content, context), 0o644))
        except StackError as error:
            raise StackError(
                f'generate: "{name}": {error.message}', at=error.at or place, hint=error.hints
            ) from error
    return made


def _context(component: Component, config: Config) -> dict[str, Any]:
    """Return what the templates of the files read."""
    section = component.section
    variables = section.get("vars") or {}
    texts = {name: variables.get(name) for name in _CONTEXT}
    base = (section.get("metadata") or {}).get("component")
    return {
        **{name: text if isinstance(text, str) else "" for name, text in texts.items()},
        **{name: section.get(name) or ("" if name == "backend_type" else {}) for name in _SECTIONS},
        "atmos_component": component.name,
        "atmos_stack": component.stack,
        "atmos_stack_file": section.get("atmos_stack_file") or "",
        "component": files.module(component, config).rsplit("/", 1)[-1],
        "base_component": base if isinstance(base, str) else "",
        "workspace": section.get("workspace") or "",
    }


def _data(name: str, content: str | Mapping[str, Any], context: Mapping[str, Any]) -> bytes:
    rendered = _rendered(content, context)
    if isinstance(rendered, str):
        return rendered.encode()
    extension = os.path.splitext(name)[1].lower()
    if extension in (".yaml", ".yml"):
        from wrapper import goyaml

        return goyaml.dumps(rendered).encode()
    if extension in (".tf", ".hcl"):
        return hcltext.blocks(rendered)
    if extension == ".tfvars":
        return hcltext.attributes(rendered)
    # As Go's encoder writes it: no line's end, and nothing that HTML would read.
    return gojson.for_html(gojson.dumps(rendered, "  ")).encode()


def _rendered(value: Any, context: Mapping[str, Any]) -> Any:
    """Return a value with each of its texts rendered; keys are not."""
    from wrapper.stacks import template

    if isinstance(value, str):
        return template.render(value, context, what="the template", strict=False)
    if isinstance(value, Mapping):
        return {str(key): _rendered(item, context) for key, item in value.items()}
    if isinstance(value, list):
        return [_rendered(item, context) for item in value]
    return value
