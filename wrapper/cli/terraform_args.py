"""Splitting a terraform command line into ours and Terraform's, before anything parses it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.cli import args, terraform_answers, terraform_bulk
from wrapper.cli.args import Flag, Found, Globals
from wrapper.errors import UsageError, near
from wrapper.terraform.invocation import Invocation
from wrapper.typed import NamedTuple

SUBCOMMANDS = (
    "apply backend clean console deploy destroy fmt force-unlock generate get graph import init "
    "login logout metadata modules output plan plan-diff providers refresh shell show source state taint test "
    "untaint validate version workdir workspace"
).split()
_LATER = "cache lint migrate planfile".split()
# Where a component's module and state are; answered here, not by Terraform.
STORAGE = ("backend", "source", "workdir")
# Sub-commands with a word of their own before the component.
WORDS: Mapping[str, tuple[str, ...]] = {
    "state": ("list", "mv", "pull", "push", "replace-provider", "rm", "show", "identities"),
    "providers": ("lock", "mirror", "schema"),
    "workspace": ("list", "show", "select", "new", "delete"),
    "generate": (
        "varfile", "backend", "varfiles", "backends", "files", "required-providers", "planfile",
    ),
    "write": ("varfile",),
    "metadata": ("functions",),
    "backend": ("create", "list", "describe", "update", "delete"),
    "source": ("pull", "list", "describe", "delete"),
    "workdir": ("list", "show", "describe", "clean"),
}  # fmt: skip
# Terraform's options that take the next argument as their value; all others need `=`.
VALUED = frozenset(
    (
        "-var -var-file -config -target -exclude -target-file -exclude-file -replace -out -lock-timeout "
        "-parallelism -state -state-out -backup -backup-out -backend-config -from-module "
        "-plugin-dir -lockfile -generate-config-out -platform -fs-mirror -net-mirror -filter "
        "-test-directory -type -plan -id -module-depth -junit-xml -cloud-run -chdir -query"
    ).split()
)

_BOOLEANS = (
    "dry-run skip-init init skip-planfile from-plan init-pass-vars init-run-reconfigure "
    "auto-generate-backend-file process-templates process-functions deploy-run-init "
    "upload-status accept-state-change use-mocks verify-plan ci"
).split()
_VALUES = ("planfile", "append-user-agent", "skip")
FLAGS = (
    *args.GLOBAL_FLAGS,
    *(Flag(name, takes="bool") for name in _BOOLEANS),
    *(Flag(name) for name in _VALUES),
    Flag("skip-hooks", takes="attached"),
    *terraform_bulk.FLAGS,
)
_CLEAN = (
    Flag("force", "f", "bool"),
    Flag("skip-lock-file", takes="bool"),
    Flag("everything", takes="bool"),
)
_GENERATE = (
    Flag("file", "f"),
    Flag("with-secrets", takes="bool"),
    Flag("file-template"),
    Flag("format"),
    Flag("stacks"),
    Flag("clean", takes="bool"),
)
_FORM, _FORCE = Flag("format", "f"), Flag("force", takes="bool")
_STORAGE: Mapping[str, tuple[Flag, ...]] = {
    "backend": (_FORM, _FORCE),
    "source": (_FORM._replace(short=""), _FORCE._replace(short="f")),
    "source list": (_FORM,),
    "workdir": (
        _FORM, _FORCE, Flag("all", "a", "bool"), Flag("expired", "e", "bool"), Flag("ttl", "t"),
        Flag("dry-run", "n", "bool"),
    ),
}  # fmt: skip
GENERATE_ALL = ("varfiles", "backends")
# Older words for `generate varfile`.
_VARFILE = ("varfile", "write")

_SETTINGS = {
    "init-run-reconfigure": "components.terraform.init_run_reconfigure",
    "auto-generate-backend-file": "components.terraform.auto_generate_backend_file",
    "init-pass-vars": "components.terraform.init.pass_vars",
    "skip-planfile": "components.terraform.plan.skip_planfile",
    "append-user-agent": "components.terraform.append_user_agent",
}
_VARIABLES = {
    "dry-run": "ATMOS_DRY_RUN",
    "skip-init": "ATMOS_SKIP_INIT",
    "init-pass-vars": "ATMOS_INIT_PASS_VARS",
    "process-templates": "ATMOS_PROCESS_TEMPLATES",
    "process-functions": "ATMOS_PROCESS_FUNCTIONS",
    "skip": "ATMOS_SKIP",
    "from-plan": "ATMOS_TERRAFORM_APPLY_FROM_PLAN",
    "stack": "ATMOS_STACK",
}


class Line(NamedTuple):
    """A terraform command line. `wants_help` is set for `--help`.

    `options` are those of ours that were typed; `multi` is the one that means several components.

    `asks_terraform` is set for `-help` and `-version`, which Terraform answers without a component.
    """

    given: Globals
    invocation: Invocation
    wants_help: bool
    multi: str
    asks_terraform: bool = False
    options: Mapping[str, str] = {}


def split(argv: Sequence[str], environ: Mapping[str, str]) -> Line:
    """Split an argument list that holds `terraform` or `tofu` somewhere behind global flags.

    `--` ends what is ours. Before it, an argument that is exactly one of our options (or
    `--long=…`, `-s=…`) is ours, with its value; the first bare words are sub-command, its own word
    where it has one, and component. Everything else is Terraform's, in order; an option of
    Terraform's that takes a value keeps the argument behind it, whatever that looks like.

    Raises: UsageError for an unknown option with two dashes, a missing value or sub-command.
    Source: design 10.1; reference/atmos-stacks.md 5.6.
    """
    given: list[Found] = []
    bare: list[str] = []
    rest: list[str] = []
    wants_help = asks_terraform = False
    index = 0
    while index < len(argv):
        token = argv[index]
        if token == "--":
            rest.extend(argv[index + 1 :])
            break
        found = args.match(argv, index, _flags(bare), glued=False)
        if found is not None:
            given.append(found)
            index += found.used
            continue
        index += 1
        if token in ("--help", "-h"):
            wants_help = True
        elif token.startswith("-") and token != "-":
            _check(token, bare)
            asks_terraform = asks_terraform or token in ("-help", "-version", "-v")
            rest.append(token)
            if token in VALUED and index < len(argv):
                rest.append(argv[index])
                index += 1
        elif _is_ours(bare):
            bare.append(token)
        else:
            rest.append(token)
    line = _line(given, bare, rest, environ, wants_help)
    return line._replace(asks_terraform=asks_terraform)


def _flags(bare: Sequence[str]) -> tuple[Flag, ...]:
    sub = bare[1] if len(bare) > 1 else ""
    if sub in STORAGE:
        return (*FLAGS, *_STORAGE.get(" ".join(bare[1:3]), _STORAGE[sub]))
    own = {
        "clean": _CLEAN, "generate": _GENERATE, "varfile": _GENERATE, "write": _GENERATE,
        "output": terraform_answers.OUTPUT, "plan-diff": terraform_answers.PLAN_DIFF,
    }  # fmt: skip
    return (*FLAGS, *own.get(sub, ()))


def _is_ours(bare: Sequence[str]) -> bool:
    """Say whether the next bare word is the program, sub-command, its word or the component."""
    if len(bare) < 2:
        return True
    own_word = bare[1] in WORDS
    if own_word and len(bare) == 2:
        return True
    return len(bare) < (4 if own_word and bare[2] in WORDS[bare[1]] else 3)


def _check(token: str, bare: Sequence[str]) -> None:
    """Refuse an option with two dashes that is not ours; sub-commands with words let them through.

    Raises: UsageError.
    """
    if not token.startswith("--"):
        return
    sub = bare[1] if len(bare) > 1 else ""
    if sub in ("state", "providers", "workspace") and len(bare) > 2 and bare[2] in WORDS[sub]:
        return
    name = token.partition("=")[0]
    known = [f"--{flag.name}" for flag in _flags(bare)]
    raise UsageError(
        f"unknown flag {name} for terraform {sub}".rstrip(),
        hint=[
            *filter(None, [None if name[1:] in VALUED else near(name, known)]),
            f"write Terraform's own options with one dash ({name[1:]}), or behind `--`",
        ],
    )


def _line(
    found: Sequence[Found],
    bare: Sequence[str],
    rest: Sequence[str],
    environ: Mapping[str, str],
    wants_help: bool,
) -> Line:
    typed = {one.flag.name: one.value for one in found}
    last = dict(typed)
    for flag, variable in _VARIABLES.items():
        if environ.get(variable) and flag not in last:
            last[flag] = environ[variable]

    def on(flag: str, default: str = "false") -> bool:
        return args.truth(flag, last.get(flag) or default)

    booleans = {flag: on(flag) for flag in _SETTINGS if flag in last and flag in _BOOLEANS}
    globals_ = args.collect(found, environ)
    overrides = dict(globals_.overrides)
    for flag, key in _SETTINGS.items():
        if flag in last:
            overrides[key] = booleans.get(flag, last[flag])
    sub = bare[1] if len(bare) > 1 else ""
    known = WORDS.get(sub, ())
    words = tuple(bare[2:3]) if len(bare) > 2 and bare[2] in known else ()
    behind = bare[2 + len(words) :]
    if sub in _VARFILE and (words or sub == "varfile"):
        sub, words = "generate", ("varfile",)
    invocation = Invocation(
        program="tofu" if bare[:1] == ["tofu"] else "terraform",
        subcommand=sub,
        words=words,
        component=behind[0] if behind else None,
        stack=last.get("stack"),
        arguments=tuple(rest),
        dry_run=on("dry-run"),
        skip_init=on("skip-init"),
        force_init=on("init"),
        from_plan=on("from-plan") if sub in ("apply", "deploy") or _named(found) else False,
        planfile=last.get("planfile"),
        verify_plan=on("verify-plan"),
        upload_status=on("upload-status"),
        accept_state_change=on("accept-state-change"),
        use_templates=on("process-templates", "true"),
        use_functions=on("process-functions", "true"),
        skip_functions=terraform_bulk.several(last.get("skip")),
        file=last.get("file"),
        with_secrets=on("with-secrets"),
        force=on("force"),
        skip_lock_file=on("skip-lock-file"),
        clean=on("clean"),
        file_template=last.get("file-template"),
        format=last.get("format"),
        stacks=terraform_bulk.several(last.get("stacks")),
        components=terraform_bulk.several(last.get("components")),
        skip_hooks=(last["skip-hooks"] or "*") if "skip-hooks" in last else "",
    )
    if sub in STORAGE:
        invocation = invocation._replace(
            everywhere=on("all"), expired=on("expired"), ttl=last.get("ttl")
        )
        return Line(
            globals_._replace(overrides=overrides), invocation, wants_help, "", options=typed
        )
    if sub in ("generate", "clean") and not terraform_bulk.is_asked(typed, sub):
        return Line(globals_._replace(overrides=overrides), invocation, wants_help, "")
    bulk, multi = terraform_bulk.read(typed, invocation, environ)
    invocation = invocation._replace(bulk=bulk)
    given = globals_._replace(overrides=overrides)
    return Line(given, invocation, wants_help, multi, options=typed)


def _named(found: Sequence[Found]) -> bool:
    return any(one.flag.name == "from-plan" for one in found)


def require(line: Line) -> Invocation:
    """Return the invocation of a command for one component, or for several.

    Raises: UsageError when the sub-command is unknown, or component or stack are missing.
    Source: reference/atmos-stacks.md 4.2.
    """
    invocation = line.invocation
    sub = invocation.subcommand
    if sub in _LATER:
        raise UsageError(f"terraform {sub} is not built yet", hint="run Atmos itself for it")
    if sub not in SUBCOMMANDS:
        raise UsageError(
            f'unknown command "{sub}" for terraform',
            hint=near(sub, SUBCOMMANDS) or "`atmos-wrap terraform --help` lists the commands",
        )
    if sub in ("state", "generate", "write", *STORAGE) and not invocation.words:
        raise UsageError(
            f"terraform {sub} needs one of: {', '.join(WORDS[sub])}",
            hint=near(invocation.component or "", WORDS[sub]),
        )
    if sub in STORAGE:
        _check_storage(line)
        return invocation
    terraform_bulk.check(invocation, line.options, line.multi)
    if invocation.bulk is not None:
        return invocation
    if invocation.component is None:
        raise UsageError(
            "component is required",
            hint=f"atmos-wrap {invocation.program} {invocation.command} COMPONENT -s STACK",
        )
    if not invocation.stack:
        raise UsageError("stack is required", hint="name it with --stack (-s), or set ATMOS_STACK")
    return invocation


def _check_storage(line: Line) -> None:
    """Refuse options that choose several components. Raises: UsageError."""
    invocation = line.invocation
    chosen = [name for name in line.options if name != "all" or invocation.subcommand != "workdir"]
    if terraform_bulk.is_asked(dict.fromkeys(chosen, ""), invocation.subcommand):
        raise UsageError(
            f"terraform {invocation.command} is for one component",
            hint="name one component and its stack",
        )
