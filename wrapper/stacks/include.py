"""`!include` and `!include.raw`: other files as values, read while a manifest is parsed."""

from __future__ import annotations

import os
import re

from wrapper.errors import Location, WrapError
from wrapper.stacks.manifest import Fault, read_bytes
from wrapper.typed import Any


def read(tag: str, value: Any, at: Location, roots: tuple[str, ...], reads: list[str]) -> Any:
    """Return what an include names: decoded by its extension, or its text for `!include.raw`.

    Looked for beside the manifest, then under each of `roots`. Every candidate is added to
    `reads`, so that a file that appears later is noticed. What cannot be read is a Fault.
    Source: reference/atmos-stacks.md 3.10.
    """
    if not isinstance(value, str) or not value.strip():
        return Fault(f"{tag} needs a file name", *at)
    name, query = _parts(value)
    if "://" in name or "::" in name or "github.com/" in name:
        return Fault(f"{tag} of a remote file is not supported: {name}", *at)
    path = ""
    for base in (os.path.dirname(at.path), *roots):
        candidate = os.path.normpath(os.path.join(base, name))
        reads.append(candidate)
        if os.path.isfile(candidate):
            path = candidate
            break
    if not path:
        return Fault(f"{tag}: file not found: {name}", *at)
    try:
        content = read_bytes(path, "the file")
        found = (
            content.decode("utf-8", "replace") if tag == "!include.raw" else decoded(content, path)
        )
        if query:
            from wrapper.stacks import query as expressions

            found = expressions.run(query, found)
    except WrapError as error:
        return Fault(f"{tag} {name}: {error.message}", *at)
    except RecursionError:
        return Fault(f"{tag} {name}: nested too deeply", *at)
    except (OSError, ValueError) as error:
        return Fault(f"{tag} {name}: {error}", *at)
    return found


def _parts(value: str) -> tuple[str, str]:
    """Return a file's name and the query, whose own quotes stay when it is not quoted as a whole."""
    import shlex

    try:
        words = shlex.split(value)
        found = re.match(r"""\s*(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^\s"'])+""", value)
        query = words[1] if len(words) == 2 and value.rstrip()[-1] in "'\"" else ""
    except ValueError:
        words, found, query = value.split(), re.match(r"\s*\S+", value), ""
    rest = value[found.end() :].strip() if found else ""
    whole = query and rest[:1] in ("'", '"')
    return words[0], query if whole else rest


def decoded(content: bytes, path: str) -> Any:
    """Return the content of a file by its extension, else its text. Raises: ValueError, WrapError."""
    name = os.path.basename(path)
    if name == ".env" or name.startswith(".env.") or name.endswith(".env"):
        return dotenv(content.decode("utf-8", "replace"))
    extension = os.path.splitext(name)[1].lower()
    if extension == ".json":
        import json

        return json.loads(content)
    if extension in (".yaml", ".yml"):
        from wrapper import yamlio

        return yamlio.load(content, path).data
    if extension in (".hcl", ".tf", ".tfvars"):
        from wrapper.stacks import hcl

        return hcl.values(content.decode("utf-8", "replace"))
    return content.decode("utf-8", "replace")


def dotenv(text: str) -> dict[str, str]:
    """Return the keys and values of a dotenv file; quotes are taken off."""
    found: dict[str, str] = {}
    for line in text.splitlines():
        line = line.strip()
        if not line or line.startswith("#") or "=" not in line:
            continue
        key, _, value = line.removeprefix("export ").partition("=")
        value = value.strip()
        if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
            value = value[1:-1]
        else:
            value = value.split(" #", 1)[0].rstrip()
        found[key.strip()] = value
    return found
