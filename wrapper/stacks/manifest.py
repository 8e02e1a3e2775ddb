"""One manifest file: parsed once, with what parsing alone cannot settle kept as values."""

from __future__ import annotations

import os

from wrapper.errors import Location, StackError, WrapError
from wrapper.merge import UNSET, Append
from wrapper.typed import Any, NamedTuple

# Tags that stay text until a component is evaluated. Source: reference/atmos-stacks.md 3.10.
FUNCTIONS = frozenset(
    """!env !exec !template !literal !terraform.output !terraform.state !store !store.get !secret
    !repo-root !git.root !git.sha !git.branch !git.ref !git.repository !git.owner !git.name
    !git.host !git.url !aws.account_id !aws.caller_identity_arn !aws.caller_identity_user_id
    !aws.region !aws.organization_id !emulator !version !tags !labels !labels.keys !labels.values
    !cel !random !cwd""".split()
)
INCLUDES = ("!include", "!include.raw")
EXTENSIONS = (".yaml", ".yml", ".yaml.tmpl", ".yml.tmpl")
_MARK = "\x00"
# A larger file is no manifest; what it holds would fill the memory many times over.
LIMIT = 16 << 20


class Fault(NamedTuple):
    """A value that could not be read; whoever needs it stops with this message and place."""

    message: str
    path: str
    line: int
    column: int
    hint: str = ""

    def error(self) -> StackError:
        """Return the error that this value stands for."""
        at = Location(self.path, self.line, self.column)
        return StackError(self.message, at=at, hint=self.hint or None)


class Manifest(NamedTuple):
    """A parsed manifest. `reads` are the files that its `!include` tags read, absolute."""

    data: dict[str, Any]
    reads: tuple[str, ...] = ()


def is_template(path: str) -> bool:
    """Say whether the file is rendered before it is parsed."""
    return path.endswith(".tmpl")


def read_bytes(path: str, what: str = "the manifest") -> bytes:
    """Return the bytes of a plain file of at most 16 MiB.

    Raises: StackError with the file; a pipe, which would block, and a device are none.
    """
    import stat

    at = Location(path, 1, 1)
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        with open(os.open(path, flags), "rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                hint = "remove it, or exclude it by stacks.excluded_paths"
                raise StackError(f"cannot read {what}: not a plain file", at=at, hint=hint)
            content = stream.read(LIMIT + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", "") or "unreadable"
        raise StackError(
            f"cannot read {what}: {reason}", at=at, hint="check its permissions"
        ) from error
    if len(content) > LIMIT:
        raise StackError(f"{what} is larger than {LIMIT >> 20} MiB", at=at)
    return content


def parse(text: bytes, path: str, roots: tuple[str, ...] = (), delimiter: str = "") -> Manifest:
    """Parse one manifest; `roots` are the further directories that `!include` looks in.

    Raises: StackError with the place for bad YAML and for a root that is no map.
    Source: reference/atmos-stacks.md 3.3.
    """
    from wrapper import yamlio

    reads: list[str] = []

    def read_tag(tag: str, value: Any, at: Location) -> Any:
        if tag in INCLUDES:
            from wrapper.stacks import include

            return include.read(tag, value, at, roots, reads)
        if tag in ("!append", "!unset"):
            return yamlio.plain_tags(tag, value, at)
        if tag not in FUNCTIONS:
            known = ", ".join(sorted(FUNCTIONS | {*INCLUDES, "!append", "!unset"}))
            message = f"unsupported YAML tag: '{tag}' found in file '{os.path.basename(path)}'"
            return Fault(message, *at, hint=f"supported tags are: {known}")
        if not isinstance(value, str):
            return Fault(f"{tag} takes text, not a list or a map", *at)
        return f"{tag} {value}".rstrip()

    try:
        data = yamlio.load(text, path, read_tag, delimiter).data
    except WrapError as error:
        raise StackError(error.message, at=error.at, hint=error.hints) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise StackError("a stack manifest must be a map", at=Location(path, 1, 1))
    return Manifest(data, tuple(dict.fromkeys(reads)))


def encode(manifest: Manifest) -> str:
    """Return a manifest as JSON text; `decode` gives the same value back."""
    import json

    return json.dumps([_marked(manifest.data), manifest.reads], separators=(",", ":"))


def decode(text: str) -> Manifest:
    """Return the manifest that `encode` wrote. Raises: ValueError for anything else."""
    import json

    hook = _unmarked if "\\u0000" in text else None
    data, reads = json.loads(text, object_hook=hook)
    if not isinstance(data, dict):
        raise ValueError("not a manifest")
    return Manifest(data, tuple(reads))


def _marked(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if value is UNSET:
        return {_MARK: "unset"}
    if isinstance(value, Fault):
        return {_MARK: "fault", "value": list(value)}
    if isinstance(value, Append):
        return {_MARK: "append", "value": [_marked(item) for item in value]}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return value


def _unmarked(found: dict[str, Any]) -> Any:
    kind = found.get(_MARK)
    if kind == "unset":
        return UNSET
    if kind == "append":
        return Append(found["value"])
    if kind == "fault":
        return Fault(*found["value"])
    return found


def first_fault(value: Any) -> Fault | None:
    """Return the first unreadable value inside a section, or None."""
    if isinstance(value, Fault):
        return value
    items: Any = ()
    if isinstance(value, dict):
        items = value.values()
    elif isinstance(value, list):
        items = value
    for item in items:
        found = first_fault(item)
        if found is not None:
            return found
    return None
