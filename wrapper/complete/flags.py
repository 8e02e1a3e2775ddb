"""The flags that every command knows, and those of commands that run another program.

A flag is (long, short, takes, kind, text): `takes` as in `wrapper.cli.args`, `kind` what its value
is: a kind of name, `file`, `dir`, words joined by `|`, with `*` behind it for a list by commas.
"""

from __future__ import annotations

LEVELS = "Trace|Debug|Info|Warning|Error|Off"
TRUTH = "true|false"
# May be typed more than once.
MANY = frozenset(
    (
        "--config", "--config-path", "--profile", "--skip", "-var", "-var-file", "-target", "-replace",
        "-exclude", "-backend-config", "-filter", "-platform", "-plugin-dir",
    )
)  # fmt: skip

GLOBAL = (
    ("--stack", "-s", "value", "stack", "the stack"),
    ("--identity", "-i", "optional", "identity", "run as this identity"),
    ("--profile", "", "value", "profile*", "settings to lay over atmos.yaml"),
    ("--chdir", "-C", "value", "dir", "run in this directory"),
    ("--base-path", "", "value", "dir", "root of the repository"),
    ("--config", "", "value", "file", "an atmos.yaml"),
    ("--config-path", "", "value", "dir", "directory of an atmos.yaml"),
    ("--logs-level", "", "value", LEVELS, "what is told of the work"),
    ("--logs-file", "", "value", "file", "where it is told"),
    ("--edition", "", "value", "", "defaults of this edition"),
    ("--settings-list-merge-strategy", "", "value", "replace|append|merge", "how lists are merged"),
    ("--redirect-stderr", "", "value", "file", "where error output goes"),
    ("--no-color", "", "bool", TRUTH, "no colours"),
    ("--force-color", "", "bool", TRUTH, "colours without a terminal, too"),
    ("--force-tty", "", "bool", TRUTH, "as on a terminal"),
    ("--interactive", "", "bool", TRUTH, "false: ask nothing"),
    ("--mask", "", "bool", TRUTH, "false: show secrets"),
    ("--pager", "", "attached", "", "show through a pager"),
    ("--help", "-h", "bool", "", "show help"),
)
COMPONENT = (("--component", "-c", "value", "component", "as this component of the stack does"),)
SETTINGS = (
    ("--terraform-command", "", "value", "program", "the program to run for terraform"),
    ("--terraform-dir", "", "value", "dir", "directory of the components"),
    ("--stacks-dir", "", "value", "dir", "directory of the manifests"),
)
PROGRAMS = {
    "exec": "run a program as an identity",
    "aws": "run aws as an identity",
    "gcloud": "run gcloud as an identity",
    "az": "run az as an identity",
    "kubectl": "run kubectl as an identity",
    "atmos": "run Atmos itself as an identity",
}
TERRAFORM = {
    "terraform": "run Terraform on a component",
    "tofu": "run OpenTofu on a component",
}
