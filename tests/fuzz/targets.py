"""Parts of the program that are fed alone, a thousand times a second: YAML, templates, imports, lines.

Each target takes a source of chance and a directory, and returns what was fed and, if the answer was
not proper, a report. Proper is a value, or an error of ours.
"""

from __future__ import annotations

import copy
import io
import os
import random
import shutil
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wrapper import config, goyaml, stacks, ui, world, yamlio
from wrapper.cli import args, terraform_args
from wrapper.errors import WrapError
from wrapper.stacks import gotemplate, manifest, rendering, template

Answer = tuple[bytes, str]
Target = Callable[[random.Random, Path], Answer]

WORDS = (
    "null", "~", "true", "no", "on", "0x1F", "0o17", "1e999", "-.inf", ".nan", "2024-01-01", "1:30",
    "''", '"', "'", "[", "]", "{", "}", "[]", "{}", "- ", ": ", "? ", ", ", "# ", "|", ">", "&a", "*a",
    "<<: *a", "!env X", "!include a.yaml", "!unset", "!append [1]", "!!binary x", "!!int x", "---\n",
    "%YAML 9.9\n", "\t", "\n", "\n  ", "\r\n", "\x00", "\u2028", "\ufeff", "\U0001f600", "{{ .vars.x }}",
    "components:", "terraform:", "import:", "vars:", "metadata:", "inherits:", "auth:", "identities:",
    "kind: aws/user", "via:", "../../x", "catalog/app", "**/*", "a" * 5000, "x: 1\n", "- 1\n", "|-\n  x\n",
    "...\n", "!<tag:yaml.org,2002:str> 1", "!!", "!", "&", "*", "\x85", "\ud800", "<<", ">+2", "|9", "'''",
)  # fmt: skip
_FIELDS = (
    ".vars.x",
    ".vars",
    ".",
    ".x.y",
    "$",
    "$.vars.x",
    ".vars.list",
    "$v",
    ".settings.n",
    "nil",
)
_LITERALS = (
    "1", "-1", "0", "9" * 30, "1.5", '"a"', '""', "`b`", "true", "nil", "'c'", "'", '"', "0x1g", "1e400",
    '"\\x"', '"(["', "1000000", "1i",
)  # fmt: skip
_PIECES = (
    "text", "\n", " {{", "}} ", "{{-", "-}}", "{{ end }}", "{{ else }}", "{{/* x */}}", "{{ break }}", "{", "}}",
    "{{ if EXPR }}BODY{{ end }}", "{{ range EXPR }}BODY{{ end }}", "{{ with EXPR }}BODY{{ else }}BODY{{ end }}",
    "{{ $v := EXPR }}", "{{ $v = EXPR }}", '{{ define "t" }}BODY{{ end }}', '{{ template "t" EXPR }}',
    '{{ block "b" EXPR }}BODY{{ end }}', "{{ EXPR }}", "{{ EXPR }}", "{{- EXPR -}}", "{{ EXPR | CALL }}",
    "{{ range $i, $v := EXPR }}BODY{{ end }}", "\u2028", "\x00", "{{ (EXPR) }}", "{{ (EXPR).x }}",
)  # fmt: skip
# What reaches out, or is slow by design (keys are made from passwords).
_LEFT_OUT = (
    "getHostByName",
    "bcrypt",
    "htpasswd",
    "derivePassword",
    "gen",
    "encryptAES",
    "decryptAES",
)
DATA: dict[str, Any] = {
    "vars": {"x": 1, "list": [1, "b", None, {"c": [2.5]}], "text": "a\nb", "empty": {}},
    "settings": {"n": None, "t": True},
}
_TEXTS = (
    "a", "catalog/a", "catalog/*", "**/*", "deploy/a", "./b", "../catalog/b", "{a,b}", "[", "x" * 300,
    "{{ .vars.x }}", "{{ .a", "!env X", "!env", "!include ../catalog/a.yaml", "!include.raw b", "!unset",
    "!template '{}'", "!append", "", "é\U0001f600", "null", "/etc/hostname", "catalog/t", "git::x", "//", "a.b",
    "!exec", "abstract", "b", "c", "true", "{stage}", "..", "~", "{{ range until 9 }}", "merge", "!repo-root",
)  # fmt: skip
_KEYS = (
    "vars", "settings", "env", "components", "terraform", "import", "overrides", "metadata", "inherits",
    "component", "name", "locals", "stage", "path", "context", "backend", "backend_type", "a", "b", "c", "auth",
    "type", "enabled", "providers", "hooks", "dependencies", "depends_on", "skip_if_missing", "command", "<<",
    "helmfile", "template", "tags", "labels", "remote_state_backend", "required_version", "source", "x.y",
)  # fmt: skip
_ATMOS = """
base_path: .
components: {terraform: {base_path: components/terraform}}
stacks: {base_path: stacks, included_paths: ["deploy/**/*"], excluded_paths: ["**/_x*"], NAME}
templates: {settings: {enabled: true, sprig: {enabled: true}, gomplate: {enabled: true}}}
settings: {list_merge_strategy: STRATEGY}
"""
_NAMES = (
    'name_template: "{{ .vars.stage }}"', 'name_pattern: "{stage}"', 'name_pattern: "{tenant}-{stage}"',
    'name_template: "{{ .vars.stage | default .vars.x }}"', "base_path: stacks",
)  # fmt: skip
FILES = ("deploy/a.yaml", "deploy/b.yaml", "catalog/a.yaml", "catalog/b.yml", "catalog/t.yaml.tmpl")


def fault(error: BaseException) -> str:
    """Return where an error that is none of ours arose, and what it says."""
    place = "".join(traceback.format_tb(error.__traceback__)[-1:])
    return f"{place}{type(error).__name__}: {error}"


def parsing(chance: random.Random, scratch: Path) -> Answer:
    """Parse a text as a manifest; what it gives must survive the index and our own writer."""
    text = _mutated(chance, _written(chance))
    path = str(scratch / "stacks/deploy/x.yaml")
    try:
        found = manifest.parse(text, path, (str(scratch),), chance.choice(("", "", ".")))
        kept = manifest.decode(manifest.encode(found))
        if repr(kept) != repr(found):
            return text, "the index would change it"
        plain = yamlio.load(text, path).data
        goyaml.dumps(rendering.without_locals(found.data))
        if isinstance(plain, dict):
            yamlio.locate(text, path, (next(iter(plain), ""), 0))
    except WrapError:
        return text, ""
    except Exception as error:  # noqa: BLE001  this is what is looked for
        return text, fault(error)
    return text, ""


def templating(chance: random.Random, scratch: Path) -> Answer:
    """Render a template."""
    del scratch
    text = _template(chance, 3)
    if chance.random() < 0.3:
        text = _mutated(chance, text.encode()).decode("utf-8", "replace")
    try:
        data = copy.deepcopy(DATA)
        template.render(text, data, what="x", strict=chance.random() < 0.5)
        template.render("{{ .vars }}", data, what="x")  # functions such as `set` change it
    except WrapError:
        pass
    except Exception as error:  # noqa: BLE001
        return text.encode("utf-8", "surrogatepass"), fault(error)
    return text.encode("utf-8", "surrogatepass"), ""


def importing(chance: random.Random, scratch: Path) -> Answer:
    """Ask a generated tree of manifests for everything, with whatever index the last ones left."""
    root = scratch / "tree"
    if not root.exists() or chance.random() < 0.02:
        shutil.rmtree(root, ignore_errors=True)
        for folder in ("deploy", "catalog"):
            (root / "stacks" / folder).mkdir(parents=True)
        chosen = chance.choice(("replace", "append", "merge"))
        text = _ATMOS.replace("NAME", chance.choice(_NAMES)).replace("STRATEGY", chosen)
        (root / "atmos.yaml").write_text(text)
    fed = b""
    for name in chance.sample(FILES, chance.choice((1, 1, 2, 5))):
        path = root / "stacks" / name
        if chance.random() < 0.1:
            path.unlink(missing_ok=True)
            continue
        content = goyaml.dumps(_manifest(chance)).encode("utf-8", "replace")
        path.write_bytes(_mutated(chance, content) if chance.random() < 0.1 else content)
        fed += b"--- " + name.encode() + b"\n" + path.read_bytes()
    here = world.real()._replace(
        environ={"HOME": str(scratch)},
        cwd=str(root),
        stdin=io.StringIO(),
        stdout=io.StringIO(),
        stderr=io.StringIO(),
    )
    ui._said.clear()
    try:
        loaded = config.load(here)
        known = stacks.stack_names(loaded, here)
    except WrapError:
        return fed, ""
    except Exception as error:  # noqa: BLE001
        return fed, fault(error)
    for stack in [*known[:2], "nowhere"]:
        try:
            stacks.component(loaded, here, chance.choice("abc"), stack)
        except WrapError:
            continue
        except Exception as error:  # noqa: BLE001
            return fed, fault(error)
    return fed, ""


def splitting(chance: random.Random, scratch: Path) -> Answer:
    """Take a command line apart."""
    del scratch
    argv = [chance.choice(_ARGUMENTS) for _ in range(chance.randint(0, 8))]
    try:
        args.command_at(argv)
        args.split_globals(argv, {})
        terraform_args.split(["terraform", "plan", *argv], {})
    except WrapError:
        pass
    except Exception as error:  # noqa: BLE001
        return repr(argv).encode(), fault(error)
    return repr(argv).encode(), ""


_ARGUMENTS = (
    "app", "dev", "-s", "--stack", "--stack=dev", "-i", "--identity", "-i=x", "--identity=false", "--dry-run",
    "--", "-", "", "-h", "--help", "-destroy", "-target=x", "-var", "a=b c", "-out", "--format", "json", "-=",
    "--profile", "ci", "--base-path", ".", "--config", "--chdir=..", "--logs-level", "--no-color=maybe", "--=",
    "-q", "--query=.[", "--all", "-c", "--component", "terraform", "plan", "state", "list", "--interactive=x",
    "\x00", "\udcff", "\x1b[31m", "\n", "é", "-sx", "-C", "--skip", "--max-parallel", "--max-parallel=x", "-1",
    "exec", "aws", "auth", "login", "--mask", "--pager", "--pager=", "--redirect-stderr", "--edition", "tofu",
)  # fmt: skip
TARGETS: dict[str, tuple[int, Target]] = {
    "yaml": (30, parsing),
    "template": (30, templating),
    "imports": (15, importing),
    "lines": (10, splitting),
}


def _written(chance: random.Random) -> bytes:
    if chance.random() < 0.3:
        return "".join(chance.choice(WORDS) for _ in range(chance.randint(1, 30))).encode(
            "utf-8", "surrogatepass"
        )
    return goyaml.dumps(_manifest(chance)).encode("utf-8", "replace")


def _mutated(chance: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(chance.choice((0, 1, 1, 2, 4))):
        at = chance.randrange(len(changed) + 1)
        kind = chance.randrange(3)
        if kind == 0:
            changed[at:at] = chance.choice(WORDS).encode("utf-8", "surrogatepass")
        elif kind == 1 and at < len(changed):
            changed[at] = chance.randrange(256)
        else:
            del changed[at : at + chance.choice((1, 5, 40))]
    return bytes(changed)


def _value(chance: random.Random, depth: int) -> Any:
    kind = chance.randrange(8 if depth else 5)
    if kind < 3:
        return chance.choice(_TEXTS)
    if kind == 3:
        return chance.choice((None, True, False, 0, -1, 1.5, 10**30, float("inf"), float("nan")))
    if kind == 4:
        return chance.choice(({}, []))
    if kind == 5:
        return [_value(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    return {chance.choice(_KEYS): _value(chance, depth - 1) for _ in range(chance.randint(0, 4))}


def _manifest(chance: random.Random) -> dict[str, Any]:
    """Return a manifest that is mostly well formed."""

    def some(value: Any) -> Any:
        return _value(chance, 3) if chance.random() < 0.02 else value

    def component() -> Any:
        inherits = [chance.choice("abc") for _ in range(chance.randint(0, 2))]
        metadata = {"inherits": some(inherits), "component": some("a")}
        return {"vars": some({"x": _value(chance, 2)}), "metadata": some(metadata)}

    imports: list[Any] = []
    for _ in range(chance.choice((0, 1, 2, 3))):
        path = chance.choice(("catalog/a", "catalog/b", "catalog/*", "./a", "catalog/t", "x"))
        context = {"path": path, "context": some({"stage": "s"}), "skip_if_missing": some(True)}
        imports.append(some(context if chance.random() < 0.3 else path))
    found = {
        "import": some(imports),
        "vars": some(
            {"stage": some(chance.choice(("s", "s", "t", "t", "{{ .stage }}"))), "x": some(1)}
        ),
        "components": some({"terraform": some({n: some(component()) for n in "abc"})}),
    }
    for key in chance.sample(_KEYS, chance.choice((0, 0, 1, 2))):
        found[key] = _value(chance, 3)
    for key in chance.sample(list(found), chance.choice((0, 0, 0, 1, 2))):
        del found[key]
    return found


_known: list[str] = []


def _expression(chance: random.Random, depth: int) -> str:
    if not _known:
        _known.extend(name for name in gotemplate.every() if not name.startswith(_LEFT_OUT))
    kind = chance.randrange(6 if depth else 3)
    if kind == 0:
        return chance.choice(_LITERALS)
    if kind < 3:
        return chance.choice(_FIELDS)
    name = chance.choice(_known).replace("__", ".")
    given = [_expression(chance, depth - 1) for _ in range(chance.randint(0, 3))]
    inner = " ".join(f"({one})" if " " in one else one for one in given)
    call = f"{name} {inner}".strip()
    return f"{call} | {chance.choice(_known).replace('__', '.')}" if kind == 5 else call


def _template(chance: random.Random, depth: int) -> str:
    out = []
    for _ in range(chance.randint(1, 3)):
        piece = chance.choice(_PIECES)
        while "BODY" in piece:
            piece = piece.replace("BODY", _template(chance, depth - 1) if depth else "x", 1)
        while "EXPR" in piece:
            piece = piece.replace("EXPR", _expression(chance, 2), 1)
        out.append(piece.replace("CALL", _expression(chance, 1)))
    return "".join(out)


def prepare(scratch: Path) -> None:
    """Make what the targets read."""
    (scratch / "stacks/deploy").mkdir(parents=True, exist_ok=True)
    (scratch / "a.yaml").write_text("a: 1\n")
    os.environ.pop("ATMOS_CLI_CONFIG_PATH", None)
