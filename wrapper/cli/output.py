"""Values as JSON or YAML on stdout or in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wrapper.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from wrapper.cli.session import Session

FORMATS = ("json", "yaml")


def emit(session: Session, value: Any, output: str, file: str = "") -> None:
    """Write a value in a format, to stdout or to a file.

    Raises: UsageError for an unknown format, ConfigError for what JSON cannot hold, StoreError.
    """
    if output not in FORMATS:
        raise UsageError(f'unknown format "{output}"', hint="json and yaml are known")
    text = as_json(value) if output == "json" else as_yaml(value)
    if file:
        import os

        from wrapper import files

        path = os.path.join(session.world.cwd, file)
        files.write_atomic(path, text.encode(), 0o644)
    else:
        session.world.stdout.write(text)


def as_json(value: Any) -> str:
    """Return a value as indented JSON with sorted keys.

    Raises: ConfigError for `.inf` and `.nan`, as Atmos. Source: reference/atmos-stacks.md 3.3.
    """
    import json

    try:
        return (
            json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
        )
    except ValueError as error:
        raise ConfigError("JSON has no form for .inf and .nan", hint="use --format yaml") from error


def as_yaml(value: Any) -> str:
    """Return a value as YAML that Atmos reads back as the same value; bare for a single text."""
    if isinstance(value, str):
        return value + "\n"
    if isinstance(value, bool | int | float) or value is None:
        return as_json(value)
    import yaml

    text: str = yaml.dump(
        value, Dumper=_dumper(), default_flow_style=False, allow_unicode=True, width=1 << 20
    )
    return text


def _dumper() -> Any:
    import yaml

    from wrapper import yamlio

    class Dumper(yaml.SafeDumper):
        """Writes no aliases, and quotes text that Go's YAML would read as something else."""

        def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> Any:
        style = "|" if "\n" in value else None
        if not isinstance(yamlio.scalar(value), str):
            style = "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    Dumper.add_representer(str, text)
    return Dumper
