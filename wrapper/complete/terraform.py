"""Terraform's sub-commands and flags: ours with two dashes, its own with one.

Source: `terraform SUBCOMMAND -help`, Terraform 1.11.
"""

from __future__ import annotations

from wrapper.complete.flags import TRUTH

SUBCOMMANDS = {
    "apply": "change what is there",
    "backend": "the storage of the state",
    "clean": "delete what runs left behind",
    "console": "try expressions",
    "deploy": "apply without asking",
    "destroy": "remove everything of the component",
    "fmt": "put files into shape",
    "force-unlock": "release a lock that stuck",
    "generate": "write varfiles and backend files",
    "get": "fetch modules",
    "graph": "show the graph of steps",
    "import": "take something that exists into the state",
    "init": "prepare the working directory",
    "login": "store a token of a registry",
    "logout": "remove a token of a registry",
    "metadata": "what Terraform knows of itself",
    "modules": "show the modules",
    "output": "show outputs",
    "plan": "show what would change",
    "plan-diff": "what two plans differ in",
    "providers": "show the providers",
    "refresh": "bring the state up to date",
    "shell": "a shell in the component's directory",
    "show": "show the state or a plan",
    "source": "a module that comes from elsewhere",
    "state": "look at or change the state",
    "taint": "mark something to be made anew",
    "test": "run tests",
    "untaint": "take such a mark away",
    "validate": "check the files",
    "version": "show Terraform's version",
    "workdir": "working directories",
    "workspace": "select workspaces",
}
WORDS = {
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
# Our flags, as in `wrapper.complete.flags`.
OURS = (
    ("--dry-run", "", "bool", TRUTH, "show the steps, do nothing"),
    ("--skip-init", "", "bool", TRUTH, "never run init first"),
    ("--init", "", "bool", TRUTH, "always run init first"),
    ("--skip-planfile", "", "bool", TRUTH, "plan without saving the plan"),
    ("--from-plan", "", "bool", TRUTH, "apply the saved plan"),
    ("--planfile", "", "value", "file", "apply this plan"),
    ("--init-pass-vars", "", "bool", TRUTH, "give the varfile to init, too"),
    ("--init-run-reconfigure", "", "bool", TRUTH, "init with -reconfigure"),
    ("--auto-generate-backend-file", "", "bool", TRUTH, "write backend.tf.json"),
    ("--process-templates", "", "bool", TRUTH, "false: leave templates as text"),
    ("--process-functions", "", "bool", TRUTH, "false: leave YAML functions as text"),
    ("--deploy-run-init", "", "bool", TRUTH, "run init before deploy"),
    ("--upload-status", "", "bool", TRUTH, "report the result to Atmos Pro"),
    ("--accept-state-change", "", "bool", TRUTH, "go on although the state moves"),
    ("--use-mocks", "", "bool", TRUTH, "mocked outputs"),
    ("--verify-plan", "", "bool", TRUTH, "compare the plan before applying"),
    ("--ci", "", "bool", TRUTH, "as on a build machine"),
    ("--append-user-agent", "", "value", "", "text for the user agent"),
    ("--skip", "", "value", "function", "a YAML function that stays text"),
    ("--skip-hooks", "", "attached", "", "run no hooks"),
    ("--all", "", "bool", TRUTH, "all components"),
    ("--affected", "", "bool", TRUTH, "components that a change touches"),
    ("--base", "", "value", "", "affected: branch of origin, or commit"),
    ("--ref", "", "value", "", "affected: a full reference"),
    ("--sha", "", "value", "", "affected: the name of a commit"),
    ("--repo-path", "", "value", "dir", "affected: another clone as it is"),
    ("--clone-target-ref", "", "bool", TRUTH, "affected: fetch the commit"),
    ("--ssh-key", "", "value", "file", "affected: fetch with this key"),
    ("--ssh-key-password", "", "value", "", "affected: the key's password"),
    ("--query", "", "value", "", "components for which this holds"),
    ("--components", "", "value", "component*", "components with these names"),
    ("--tags", "", "value", "", "components with one of these tags"),
    ("--labels", "", "value", "", "components with all these labels"),
    ("--max-concurrency", "", "value", "", "so many at once"),
    ("--max-parallel", "", "value", "", "so many at once"),
    ("--failure-mode", "", "value", "fail-fast|keep-going", "what a failure means"),
    ("--log-order", "", "value", "stream|grouped", "how output is shown"),
    ("--include-dependencies", "", "attached", "", "also what they need"),
    ("--include-dependents", "", "attached", "", "also what needs them"),
)
_OUTPUTS = "json|yaml|hcl|env|dotenv|bash|csv|tsv|table|github"
MORE = {
    "output": (
        ("--format", "-f", "value", _OUTPUTS, "format of the outputs"),
        ("--output-file", "-o", "value", "file", "write to this file"),
        ("--uppercase", "-u", "bool", TRUTH, "names in upper case"),
        ("--flatten", "", "bool", TRUTH, "one entry for each value in lists and maps"),
    ),
    "plan-diff": (
        ("--orig", "", "value", "file", "the plan to compare with"),
        ("--new", "", "value", "file", "this plan, in place of a new one"),
    ),
    "backend": (
        ("--force", "", "bool", TRUTH, "delete: without asking"),
        ("--format", "-f", "value", "yaml|json|table|csv|tsv", "format of the output"),
    ),
    "source": (
        ("--force", "-f", "bool", TRUTH, "pull: anew; delete: without asking"),
        ("--format", "", "value", "yaml|json|table|csv|tsv", "format of the output"),
    ),
    "workdir": (
        ("--force", "", "bool", TRUTH, "clean: without asking"),
        ("--format", "-f", "value", "table|json|yaml", "format of the output"),
        ("--all", "-a", "bool", TRUTH, "clean: all of them"),
        ("--expired", "-e", "bool", TRUTH, "clean: those long unused"),
        ("--ttl", "-t", "value", "", "clean: what is long: 7d"),
    ),
    "clean": (
        ("--force", "-f", "bool", TRUTH, "without asking"),
        ("--skip-lock-file", "", "bool", TRUTH, "keep the lock file"),
        ("--everything", "", "bool", TRUTH, "local states, too"),
    ),
    "generate": (
        ("--file", "-f", "value", "file", "write to this file"),
        ("--with-secrets", "", "bool", TRUTH, "sensitive values, too"),
        ("--file-template", "", "value", "file", "names of the files"),
        ("--format", "", "value", "json|yaml|hcl|backend-config", "format of the files"),
        ("--clean", "", "bool", TRUTH, "delete the files of the section"),
        ("--stacks", "", "value", "stack*", "only these stacks"),
    ),
}

# Terraform's own: name, kind of its value ('' for a switch, `text` for free text), text.
_COLOR = ("-no-color", "", "no colours")
_JSON = ("-json", "", "as JSON")
_INPUT = ("-input", TRUTH, "ask for values")
_LOCKS = (
    ("-lock", TRUTH, "lock the state"),
    ("-lock-timeout", "text", "wait so long for the lock"),
)
_VARS = (
    ("-var", "text", "set a variable: name=value"),
    ("-var-file", "file", "set variables from a file"),
)
_STATE = (("-state", "file", "the state file"),)
_STATES = (*_STATE, ("-backup", "file", "where the old state is kept"))
_REMOTE = ("-ignore-remote-version", "", "despite another version there")
_TESTS = ("-test-directory", "dir", "where tests are")
_PARALLEL = ("-parallelism", "text", "so many steps at once")
_WARN = ("-compact-warnings", "", "warnings in short")
_TARGETS = (
    ("-target", "text", "only this resource and what it needs"),
    ("-replace", "text", "make this resource anew"),
)
_PLAN = (
    *_VARS, *_TARGETS, *_LOCKS, _INPUT, _COLOR, _PARALLEL, _WARN, *_STATE,
    ("-destroy", "", "plan to remove everything"),
    ("-refresh-only", "", "only look what changed outside"),
    ("-refresh", TRUTH, "look what changed outside first"),
    ("-json", "", "as JSON"),
)  # fmt: skip
_APPLY = (
    *_PLAN,
    ("-auto-approve", "", "do not ask"),
    ("-backup", "file", "where the old state is kept"),
    ("-state-out", "file", "where the new state goes"),
)
_TAINT = (*_LOCKS, _REMOTE, *_STATES, ("-allow-missing", "", "also if it is not there"))

OWN = {
    "plan": (
        *_PLAN,
        ("-out", "file", "save the plan here"),
        ("-detailed-exitcode", "", "2 if something would change"),
        ("-generate-config-out", "file", "write code for imports here"),
    ),
    "plan-diff": _PLAN,
    "apply": _APPLY,
    "deploy": _APPLY,
    "destroy": _APPLY,
    "refresh": (*_VARS, *_TARGETS[:1], *_LOCKS, _INPUT, _COLOR, _PARALLEL, _WARN, *_STATES, _JSON),
    "init": (
        *_LOCKS, _INPUT, _COLOR, _JSON, _REMOTE, _TESTS, *_VARS,
        ("-backend", TRUTH, "prepare the backend"),
        ("-backend-config", "file", "a file, or key=value"),
        ("-force-copy", "", "copy the state without asking"),
        ("-from-module", "text", "begin with a copy of this module"),
        ("-get", TRUTH, "fetch modules"),
        ("-plugin-dir", "dir", "where providers are"),
        ("-reconfigure", "", "forget the old backend"),
        ("-migrate-state", "", "take the state along"),
        ("-upgrade", "", "newer modules and providers"),
        ("-lockfile", "readonly", "what may become of the lock file"),
    ),
    "output": (_COLOR, _JSON, *_STATE, ("-raw", "", "as plain text")),
    "show": (_COLOR, _JSON),
    "validate": (_COLOR, _JSON, _TESTS, ("-no-tests", "", "leave tests out")),
    "fmt": (
        _COLOR,
        ("-list", TRUTH, "name the files"),
        ("-write", TRUTH, "write the files"),
        ("-diff", "", "show differences"),
        ("-check", "", "only say whether something is to do"),
        ("-recursive", "", "directories below, too"),
    ),
    "import": (*_VARS, *_LOCKS, _INPUT, _COLOR, _REMOTE, *_STATES, ("-config", "dir", "the code")),
    "console": (*_VARS, *_STATE, ("-plan", "", "with what a plan would make")),
    "graph": (
        ("-plan", "file", "of this plan"),
        ("-draw-cycles", "", "show cycles"),
        ("-type", "plan|plan-refresh-only|plan-destroy|apply", "which graph"),
    ),
    "get": (_COLOR, _TESTS, ("-update", "", "newer modules")),
    "modules": (_JSON,),
    "providers": (_TESTS,),
    "force-unlock": (("-force", "", "do not ask"),),
    "test": (
        *_VARS, _COLOR, _JSON, _TESTS,
        ("-filter", "file", "only this file"),
        ("-verbose", "", "show plans and states"),
        ("-cloud-run", "text", "run there"),
        ("-junit-xml", "file", "report as JUnit XML"),
    ),
    "taint": _TAINT,
    "untaint": _TAINT,
    "version": (_JSON,),
    "state list": (*_STATE, ("-id", "text", "with this id")),
    "state mv": (*_LOCKS, _REMOTE, *_STATES, ("-dry-run", "", "only say what would be done"),
                 ("-state-out", "file", "where the new state goes")),
    "state rm": (*_LOCKS, _REMOTE, *_STATES, ("-dry-run", "", "only say what would be done")),
    "state show": _STATE,
    "state push": (*_LOCKS, _REMOTE, ("-force", "", "even if it is older")),
    "state replace-provider": (*_LOCKS, _REMOTE, *_STATES, ("-auto-approve", "", "do not ask")),
    "providers lock": (
        ("-platform", "text", "for this platform"),
        ("-fs-mirror", "dir", "from this directory"),
        ("-net-mirror", "text", "from this address"),
        ("-enable-plugin-cache", "", "use the cache"),
    ),
    "providers mirror": (("-platform", "text", "for this platform"), ("-lock-file", TRUTH, "look into the lock file")),
    "providers schema": (_JSON,),
    "workspace select": (("-or-create", "", "make it if it is not there"),),
    "workspace new": (*_LOCKS, *_STATE),
    "workspace delete": (*_LOCKS, ("-force", "", "even if it has a state")),
    "metadata functions": (_JSON,),
}  # fmt: skip
