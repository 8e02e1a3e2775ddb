"""Every command with what it takes; made by .ci/completion_words.py, not by hand.

A command is its words joined by blanks: what it does, the kinds of its arguments, its flags. A
flag is (long, short, takes, kind, text), see `wrapper.complete.flags`.
"""

from __future__ import annotations

# fmt: off
Flag = tuple[str, str, str, str, str]
COMMANDS: dict[str, tuple[str, tuple[str, ...], tuple[Flag, ...]]] = {
    "allow": ("Show what a directory gives to a shell, and allow exactly that", ("dir",), (
        ("--format", "-f", "value", "table|json", "format of the output"),
        ("--dry-run", "", "bool", "", "Show it, and allow nothing"),
    )),
    "auth": ("Sign in and out, and see who you are", (), (
    )),
    "auth console": ("Open the AWS console as an identity", (), (
        ("--destination", "", "value", "", "A service, such as s3, or an address"),
        ("--duration", "", "value", "", "How long the console stays open, 15m to 12h"),
        ("--issuer", "", "value", "", "Shown by the console"),
        ("--print-only", "", "bool", "", "Print the address to stdout"),
        ("--no-open", "", "bool", "", "Do not open a browser"),
    )),
    "auth env": ("Print the variables of an identity, for a shell or a file", (), (
        ("--format", "-f", "value", "bash|zsh|fish|dotenv|env|github|json", "format of the o…"),
        ("--output-file", "-o", "value", "file", "Append to"),
        ("--login", "", "bool", "", "Sign in first"),
    )),
    "auth list": ("List providers and identities: tree, table, json, yaml, graphviz, mermaid, markdown", (), (
        ("--format", "-f", "value", "tree|table|json|yaml|graphviz|mermaid|markdown", "format of…"),
        ("--providers", "", "value", "provider*", "Only these providers (a,b; empty: all)"),
        ("--identities", "", "value", "identity*", "Only these identities (a,b; empty: all)"),
        ("--tags", "", "value", "", "Only what has one of these tags (a,b)"),
    )),
    "auth login": ("Sign in to an identity, or to a provider", ("identity",), (
        ("--provider", "-p", "value", "provider", "A provider instead"),
        ("--tags", "", "value", "", "Only what has one of these tags (a,b)"),
        ("--webflow", "", "bool", "", "Sign in by browser"),
        ("--force", "", "bool", "", "Sign in even if signed in"),
        ("--device", "", "bool", "", "Sign in to SSO by a code, also where a browser is"),
        ("--mfa-code", "", "value", "", "The code of the MFA device"),
    )),
    "auth logout": ("Remove what is stored of an identity, a provider, or all", ("identity",), (
        ("--provider", "-p", "value", "provider", "A provider instead"),
        ("--tags", "", "value", "", "Only what has one of these tags (a,b)"),
        ("--all", "", "bool", "", "All of this configuration"),
        ("--all-realms", "", "bool", "", "The sessions of all configurations"),
        ("--dry-run", "", "bool", "", "Only show"),
        ("--keychain", "", "bool", "", "Also the keys in the keyring"),
        ("--force", "", "bool", "", "Do not ask"),
    )),
    "auth shell": ("Start a shell as an identity; what stands behind `--` is for the shell", (), (
        ("--shell", "", "value", "program", "The shell (default: SHELL, bash or sh)"),
    )),
    "auth user": ("The keys of IAM users in the keyring", (), (
    )),
    "auth user configure": ("Ask for an IAM user's keys, check them, and store them in the keyring", (), (
        ("--no-verify", "", "bool", "", "Store the keys without asking AWS about them"),
    )),
    "auth user delete": ("Remove an IAM user's keys from the keyring", (), (
    )),
    "auth user show": ("Show what the keyring holds of an IAM user; never a secret", (), (
    )),
    "auth validate": ("Check the `auth` section; every fault is shown, with its place", (), (
        ("--verbose", "-v", "bool", "", "Say more"),
    )),
    "auth whoami": ("Show who an identity is, from its session; signs in if there is none", (), (
        ("--output", "-o", "value", "json|table", "json or table"),
        ("--verify", "", "bool", "", "Ask the cloud who it is"),
    )),
    "completion": ('Print the file that completes command lines: eval "$(atmos-wrap completion zsh)"', ("bash|zsh|fish",), (
    )),
    "deactivate": ("Give this shell back what the hook changed, and switch the hook off", ("",), (
    )),
    "deny": ("Leave a directory alone from now on, without a word", ("dir",), (
    )),
    "describe": ("Show what the configuration means", (), (
    )),
    "describe affected": ("Show the components that differ from another commit, with the reasons", (), (
        ("--base", "", "value", "", "branch of origin, or commit, to compare with; X...: whe…"),
        ("--ref", "", "value", "", "the same, as a full reference: refs/heads/main"),
        ("--sha", "", "value", "", "the same, as the name of a commit"),
        ("--repo-path", "", "value", "dir", "compare with this other clone as it is"),
        ("--clone-target-ref", "", "bool", "", "fetch the commit from origin, beside the clo…"),
        ("--ssh-key", "", "value", "", "private key to fetch with"),
        ("--ssh-key-password", "", "value", "", "the password of that key"),
        ("--format", "-f", "value", "json|yaml", "format of the output"),
        ("--query", "-q", "value", "", "show one value, such as .vars.region"),
        ("--file", "", "value", "file", "write to this file instead of stdout"),
        ("--include-dependents", "", "bool", "", "also what depends on these"),
        ("--include-settings", "", "bool", "", "also their section settings"),
        ("--include-spacelift-admin-stacks", "", "bool", "", "also the stacks that manage th…"),
        ("--exclude-locked", "", "bool", "", "leave out what is locked"),
        ("--tags", "", "value", "", "only with one of these tags, by comma"),
        ("--labels", "", "value", "", "only with all of these k=v, by comma"),
        ("--process-templates", "", "value", "true|false", "false: leave templates as text"),
        ("--process-functions", "", "value", "true|false", "false: leave YAML functions as t…"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
        ("--upload", "", "bool", "", "refused: there is no server"),
        ("--verbose", "", "bool", "", "say what was compared, and which files differ"),
    )),
    "describe component": ("Show one component of one stack, resolved", ("component",), (
        ("--format", "-f", "value", "json|yaml", "format of the output"),
        ("--query", "-q", "value", "", "show one value, such as .vars.region"),
        ("--file", "", "value", "file", "write to this file instead of stdout"),
        ("--process-functions", "", "value", "true|false", "false: leave YAML functions as t…"),
        ("--process-templates", "", "value", "true|false", "false: leave templates as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
        ("--provenance", "", "bool", "", "show the file and line of each key, in YAML"),
        ("--error-mode", "", "value", "strict|warn|silent", "strict: an output that is not t…"),
    )),
    "describe config": ("Show the merged configuration. Values that `!env` read for credentials are masked", (), (
        ("--format", "-f", "value", "json|yaml", "format of the output"),
        ("--file", "", "value", "file", "write to this file instead of stdout"),
        ("--query", "-q", "value", "", "show one value, such as .stacks"),
    )),
    "describe dependents": ("Show the components that depend on one component of one stack, and those on them", ("component",), (
        ("--format", "-f", "value", "json|yaml", "format of the output"),
        ("--query", "-q", "value", "", "show one value, such as .[0].component"),
        ("--file", "", "value", "file", "write to this file, not to stdout"),
        ("--process-templates", "", "value", "true|false", "false: leave templates as text"),
    )),
    "describe schema": ("Show the JSON Schema of a kind of file, for editors", ("config|manifest",), (
        ("--file", "", "value", "file", "write to this file instead of stdout"),
    )),
    "describe stacks": ("Show every component of every stack, resolved", (), (
        ("--format", "-f", "value", "json|yaml", "format of the output"),
        ("--query", "-q", "value", "", "show one value, such as .vars.region"),
        ("--file", "", "value", "file", "write to this file instead of stdout"),
        ("--components", "", "value", "component*", "only these, by comma"),
        ("--component-types", "", "value", "terraform|helmfile|packer*", "only these types,…"),
        ("--sections", "", "value", "vars|env|settings|metadata|backend|backend_type|providers|auth*", "only these…"),
        ("--process-functions", "", "value", "true|false", "false: leave YAML functions as t…"),
        ("--process-templates", "", "value", "true|false", "false: leave templates as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
        ("--include-empty-stacks", "", "bool", "", "also manifests without components"),
        ("--error-mode", "", "value", "strict|warn|silent", "strict: an output that is not t…"),
    )),
    "fetch": ("Get what the repository imports from the net; asks about each new source", ("",), (
        ("--yes", "-y", "bool", "", "agree to all that is found"),
        ("--update", "", "bool", "", "look at all again, at once"),
        ("--forget", "", "value", "", "agree to this source no longer"),
        ("--list", "", "bool", "", "show what was agreed to"),
    )),
    "hook": ('Print the shell\'s hook: eval "$(atmos-wrap hook zsh)"', ("bash|zsh|fish",), (
        ("--check", "", "bool", "", "Say whether it is at work"),
    )),
    "list": ("List stacks, components, identities, profiles", (), (
    )),
    "list affected": ("List the components that differ from another commit", (), (
        ("--base", "", "value", "", "branch of origin, or commit, to compare with; X...: whe…"),
        ("--ref", "", "value", "", "the same, as a full reference: refs/heads/main"),
        ("--sha", "", "value", "", "the same, as the name of a commit"),
        ("--repo-path", "", "value", "dir", "compare with this other clone as it is"),
        ("--clone-target-ref", "", "bool", "", "fetch the commit from origin, beside the clo…"),
        ("--ssh-key", "", "value", "", "private key to fetch with"),
        ("--ssh-key-password", "", "value", "", "the password of that key"),
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--include-dependents", "", "bool", "", "also what depends on these"),
        ("--exclude-locked", "", "bool", "", "leave out what is locked"),
        ("--tags", "", "value", "", "only with one of these tags, by comma"),
        ("--labels", "", "value", "", "only with all of these k=v, by comma"),
        ("--process-templates", "", "value", "true|false", "false: leave templates as text"),
        ("--process-functions", "", "value", "true|false", "false: leave YAML functions as t…"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list components": ("List the components, with the number of stacks that have them", (), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--type", "-t", "value", "real|abstract|all", "real, abstract or all"),
        ("--enabled", "", "value", "true|false", "true or false: only such ones"),
        ("--locked", "", "value", "true|false", "true or false: only such ones"),
        ("--abstract", "", "bool", "", "show abstract ones too"),
        ("--tags", "", "value", "", "only with one of these tags, by comma"),
        ("--labels", "", "value", "", "only with all of these k=v, by comma"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--process-functions", "", "value", "true|false", "false: leave them as text"),
        ("--process-templates", "", "value", "true|false", "false: leave them as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list identities": ("List the identities", (), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
    )),
    "list instances": ("List each component of each stack", (), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv|tree|matrix", "format of the ou…"),
        ("--tags", "", "value", "", "only with one of these tags, by comma"),
        ("--labels", "", "value", "", "only with all of these k=v, by comma"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--provenance", "", "bool", "", "with --format tree: the files, the nearest first"),
        ("--output-file", "-o", "value", "file", "with --format matrix: add key=value here"),
        ("--process-functions", "", "value", "true|false", "false: leave them as text"),
        ("--process-templates", "", "value", "true|false", "false: leave them as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list metadata": ("List the metadata of a component, or of all, one column for each stack", ("component",), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--query", "-q", "value", "", "show a part, such as .vars.tags"),
        ("--max-columns", "", "value", "", "so many stacks at most; 0: all"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--process-functions", "", "value", "true|false", "false: leave them as text"),
        ("--process-templates", "", "value", "true|false", "false: leave them as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list profiles": ("List the profiles that can be selected; `*` marks the active ones", (), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
    )),
    "list settings": ("List the settings of a component, or of all, one column for each stack", ("component",), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--query", "-q", "value", "", "show a part, such as .vars.tags"),
        ("--max-columns", "", "value", "", "so many stacks at most; 0: all"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--process-functions", "", "value", "true|false", "false: leave them as text"),
        ("--process-templates", "", "value", "true|false", "false: leave them as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list stacks": ("List the stacks", (), (
        ("--component", "-c", "value", "component", "that have this one"),
        ("--format", "-f", "value", "table|json|yaml|csv|tsv|tree", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--provenance", "", "bool", "", "with --format tree: the files, the nearest first"),
    )),
    "list values": ("List all values of a component, one column for each stack", ("component",), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--query", "-q", "value", "", "show a part, such as .vars.tags"),
        ("--abstract", "", "bool", "", "abstract components too"),
        ("--max-columns", "", "value", "", "so many stacks at most; 0: all"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--process-functions", "", "value", "true|false", "false: leave them as text"),
        ("--process-templates", "", "value", "true|false", "false: leave them as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list vars": ("List the variables of a component, one column for each stack", ("component",), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--query", "-q", "value", "", "show a part, such as .vars.tags"),
        ("--abstract", "", "bool", "", "abstract components too"),
        ("--max-columns", "", "value", "", "so many stacks at most; 0: all"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
        ("--process-functions", "", "value", "true|false", "false: leave them as text"),
        ("--process-templates", "", "value", "true|false", "false: leave them as text"),
        ("--skip", "", "value", "function", "functions (without !) that stay text"),
    )),
    "list vendor": ("List what is vendored: by vendor manifests, and by `component.yaml` of components", (), (
        ("--tags", "", "value", "", "only with one of these tags, by comma"),
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
    )),
    "list workflows": ("List the workflows with their files; one that `workflow` cannot read is a warning", (), (
        ("--file", "", "value", "workflow-file", "only this file, below `workflows.base_path…"),
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
    )),
    "profile": ("Show profiles", (), (
    )),
    "profile list": ("List the profiles that can be selected; `*` marks the active ones", (), (
        ("--format", "-f", "value", "table|json|yaml|csv|tsv", "format of the output"),
        ("--columns", "", "value", "", "by comma: column, field: vars.region, or Name={{ .fi…"),
        ("--sort", "", "value", "", "by comma: column, or column:desc"),
        ("--filter", "", "value", "", 'only where this is true: \'.vars.stage == "dev"\''),
        ("--delimiter", "", "value", "", "between columns of csv and tsv"),
    )),
    "profile show": ("Show what one profile sets, and its files", ("profile",), (
        ("--format", "-f", "value", "text|json|yaml", "format of the output"),
    )),
    "prompt": ("Print the identity of this directory for a prompt; nothing where there is none", (), (
        ("--format", "", "value", "", "Text with {identity}, {mark}, {left}, and others"),
        ("--production", "", "value", "", "The text where the identity is production"),
    )),
    "reload": ("Look at this directory anew, and switch the hook on again", ("",), (
    )),
    "revoke": ("Forget what was said of a directory", ("dir",), (
    )),
    "status": ("Say which identity a shell has here, why, and until when", (), (
        ("--format", "-f", "value", "table|json", "format of the output"),
    )),
    "trust": ("What shells may take from which directory", (), (
    )),
    "trust list": ("List the directories that were allowed or denied", (), (
        ("--format", "-f", "value", "table|json", "format of the output"),
    )),
    "trust prune": ("Forget directories that are not there any more", (), (
    )),
    "use": ("Use a stack or an identity in this shell (`-`: the one before)", ("used",), (
    )),
    "validate": ("Check files", (), (
    )),
    "validate stacks": ("Check every manifest: syntax, imports, sections, inheritance, duplicates", (), (
    )),
    "version": ("Show the version of this program", (), (
        ("--format", "-f", "value", "text|json|yaml", "format of the output"),
    )),
    "why": ("Show which file and line a value comes from, and what it displaced", ("identity",), (
        ("--format", "-f", "value", "text|json|yaml", "format of the output"),
        ("--process-templates", "", "value", "true|false", "false: leave templates as text"),
    )),
    "workflow": ("Run the steps of a workflow, each as the identity it names, until one fails", ("workflow",), (
        ("--file", "-f", "value", "workflow-file", "its file, below `workflows.base_path`"),
        ("--dry-run", "", "bool", "", "show the steps only"),
        ("--from-step", "", "value", "", "begin with this step"),
    )),
}
