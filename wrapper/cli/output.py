"""Values as JSON, YAML or tables, byte for byte as Atmos writes them; to stdout or a file."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

from wrapper.errors import ConfigError, StackError, UsageError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.cli.session import Session

FORMATS = ("json", "yaml")


def emit(session: Session, value: Any, output: str, file: str = "", *, apart: bool = False) -> None:
    """Write a value in a format, to stdout or to a file.

    `apart`: as Atmos does for queries, a blank line follows a map or a list in YAML on stdout.
    Raises: UsageError for an unknown format, ConfigError for what JSON cannot hold, StoreError.
    """
    if output not in FORMATS:
        raise UsageError(f'unknown format "{output}"', hint="json and yaml are known")
    text = as_json(value) if output == "json" else as_yaml(value)
    if apart and output == "yaml" and isinstance(value, dict | list) and not file:
        text += "\n"
    put(session, text, file)


def order(output: str) -> Callable[[str], Any]:
    """Return what a format compares the keys of a map by."""
    if output == "json":
        return str
    from wrapper import goyaml

    return goyaml.order


def emit_each(
    session: Session, entries: Iterable[tuple[str, Any]], output: str, file: str = ""
) -> None:
    """Write a map of many entries, in the format's order, as `emit` does.

    Until all of them are there nothing is written: an error on the way leaves no half document.
    They wait packed, as the whole would fill the memory. Raises: as `emit`.
    """
    import zlib

    if output not in FORMATS:
        raise UsageError(f'unknown format "{output}"', hint="json and yaml are known")
    packer, packed, count = zlib.compressobj(1), [], 0
    for key, value in entries:
        text = as_json({key: value}) if output == "json" else as_yaml({key: value})
        if output == "json":
            text = ("{" if not count else ",") + text[1:-3]
        packed.append(packer.compress(text.encode("utf-8", "surrogateescape")))
        count += 1
    end = "{}\n" if not count else "\n}\n" if output == "json" else ""
    packed += [packer.compress(end.encode()), packer.flush()]
    unpacker = zlib.decompressobj()
    if file:
        whole = b"".join(unpacker.decompress(one) for one in packed)
        put(session, whole.decode("utf-8", "surrogateescape"), file)
        return
    from codecs import getincrementaldecoder

    decoder = getincrementaldecoder("utf-8")("surrogateescape")
    for one in packed:
        session.world.stdout.write(decoder.decode(unpacker.decompress(one)))


def put(session: Session, text: str, file: str = "") -> None:
    """Write a text to stdout or to a file. Raises: StoreError."""
    if file:
        from wrapper import files

        files.write_named(session.world.cwd, file, text.encode("utf-8", "surrogateescape"))
    else:
        session.world.stdout.write(text)


def table(
    session: Session,
    rows: Sequence[Mapping[str, str]],
    output: str,
    *,
    header: bool = False,
    delimiter: str = "",
) -> None:
    """Write rows: `table` is tab-separated, its first line the names of columns with `header`.

    `csv` and `tsv` always have that line; `delimiter` is what they put between columns.
    Raises: UsageError for an unknown format.
    """
    write = session.world.stdout.write
    if output in FORMATS:
        emit(session, [dict(row) for row in rows], output)
    elif output in ("csv", "tsv"):
        import csv

        mark = delimiter.replace("\\t", "\t")[:1] or {"csv": ",", "tsv": "\t"}[output]
        lines = csv.writer(session.world.stdout, delimiter=mark, lineterminator="\n")
        lines.writerows([[*rows[0]], *([*row.values()] for row in rows)] if rows else [])
    elif output in ("", "table"):
        names = [{name: name for name in rows[0]}] if header and rows else []
        from wrapper import ui

        shown = [map(ui.line, row.values()) for row in [*names, *rows]]
        write("".join("\t".join(cells) + "\n" for cells in shown))
    else:
        raise UsageError(
            f'unknown format "{output}"', hint="table, json, yaml, csv and tsv are known"
        )


def as_json(value: Any) -> str:
    """Return a value as indented JSON with sorted keys.

    Raises: ConfigError for `.inf` and `.nan`, as Atmos. Source: reference/atmos-stacks.md 3.3.
    """
    from wrapper.terraform import gojson

    try:
        return gojson.dumps(value, "  ") + "\n"
    except StackError as error:
        raise ConfigError("JSON has no form for .inf and .nan", hint="use --format yaml") from error


def as_yaml(value: Any) -> str:
    """Return a value as YAML, as Go writes it; bare for a single text."""
    from wrapper import goyaml

    return f"{value}\n" if isinstance(value, str) else goyaml.dumps(value)


def inline(value: Any) -> str:
    """Return a value on one line: text as YAML writes it, lists and maps as JSON."""
    from wrapper import goyaml
    from wrapper.terraform import gojson

    if isinstance(value, float):
        return goyaml.number(value)
    if isinstance(value, str) and "\n" not in value:
        return goyaml.dumps(value).rstrip("\n")
    try:
        return gojson.dumps(value)
    except StackError:
        return str(value)
