"""`atmos-wrap terraform|tofu …`: from the argument list to Terraform, without a CLI framework."""

from __future__ import annotations

import os
from collections.abc import Sequence

from wrapper.cli import args, terraform_answers, terraform_args
from wrapper.cli.args import Globals
from wrapper.cli.terraform_args import Line
from wrapper.errors import UsageError
from wrapper.terraform.invocation import Invocation
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.world import World

# Sub-commands of Terraform that need no component.
_BARE = ("version", "login", "logout", "metadata")
# Of these, a word behind them can be a host.
_OF_HOSTS = ("login", "logout")

HELP = """\
Usage: atmos-wrap terraform SUBCOMMAND COMPONENT -s STACK [OPTIONS] [TERRAFORM OPTIONS] [-- …]
       atmos-wrap terraform SUBCOMMAND --all [-s STACK] …

Run Terraform (or, as `tofu`, OpenTofu) on a component of a stack: write its varfile and backend
file, sign in as its identity, initialise and select the workspace if needed, then become Terraform.

Sub-commands
  plan, apply, destroy, refresh, import, output, show, state …, taint, untaint, console, graph,
  test, validate, providers …, workspace …, force-unlock, fmt, get, init, version, and so on: Terraform's
  deploy                 apply without asking
  shell                  a shell in the component's directory, ready for terraform commands
  generate varfile       write only the varfile (-f FILE: there; --with-secrets: sensitive ones too)
  generate backend       write only backend.tf.json
  generate varfiles      all of them (--file-template FILE, --stacks, --components); also backends
                         (--format: json, yaml, hcl; backends: hcl, json, backend-config)
  generate planfile      plan, and write the plan as JSON beside the module (--format yaml; -f FILE)
  generate files         the files of the section `generate` (--clean: delete them; --all)
  generate required-providers   only terraform_override.tf.json
  output COMPONENT [NAME] --format F
                         outputs as json, yaml, hcl, env, dotenv, bash, csv, tsv, table or github
                         (-o, --output-file FILE; -u, --uppercase, --flatten: names)
  plan-diff --orig FILE [--new FILE]
                         what two plans, or a plan and a new one, differ in: exit code 2
  workspace              without a word: initialise and select the component's workspace
  backend create|list|describe|update|delete
                         the storage of the state, with `provision.backend`
  source pull|list|describe|delete
                         a module that comes from elsewhere
  workdir list|show|describe|clean
                         working directories
  clean                  delete what runs left behind, local states too (without a component:
                         everywhere; --force: without asking; --skip-lock-file: not that one)

Several components, in the order in which they need each other, instead of COMPONENT
      --all                    all of them; with -s STACK: of that stack (which -s alone says too)
      --components A,B, --tags A,B, --labels K=V,K=V, --query CONDITION
                               those with the name, with one of the tags, with all the labels, or
                               for which the condition holds: '.vars.team == "net"'
      --affected               those that differ from the default branch of `origin`; or from
        --base X               branch X of origin, or commit X; `X...`: the commit where HEAD left X
        --ref REF, --sha NAME  a reference, a commit
        --clone-target-ref     that commit as it is on origin now: fetched, beside the clone
          --ssh-key FILE, --ssh-key-password TEXT        with this key
        --repo-path DIR        this other clone as it is
      --include-dependencies[=N], --include-dependents[=N]
                               also what they need, what needs them (at most N steps away)
      --max-concurrency N      that many at once (default 1), never two in one directory
                               (or --max-parallel)
      --failure-mode MODE      `fail-fast` (default): start no more after a failure; `keep-going`:
                               leave out only what needs it
      --log-order ORDER        `stream` (default): as it comes; `grouped`: one after the other

Options
  -s, --stack NAME             the stack (or ATMOS_STACK)
  -i, --identity [NAME]        run as this identity; without a name: choose; `false`: as the shell is
      --skip-hooks[=A,B]       run no hooks, or not these
      --dry-run                show the steps, do nothing
      --skip-init, --init      never, or always, run `init` first (default: when something changed)
      --from-plan              apply the plan that `plan` saved
      --planfile FILE          apply this plan
      --verify-plan            with one of these: stop if a plan made now is another one
      --skip-planfile          plan without saving the plan
      --accept-state-change    go on although the state would be in another place than last time
      --init-pass-vars, --init-run-reconfigure[=false], --auto-generate-backend-file[=false],
      --append-user-agent TEXT, --process-templates=false, --process-functions=false, --skip NAME
      --profile NAME, --base-path DIR, --config FILE, --config-path DIR, -C, --chdir DIR
      --logs-level LEVEL, --no-color, --interactive=false

Everything else is Terraform's and reaches it unchanged and in order: its options have one dash
(-target=x, -var 'a=b c', -auto-approve); what stands behind `--` is never looked at.
`atmos-wrap terraform SUBCOMMAND -help` shows Terraform's own help.
"""


def main(argv: Sequence[str], world: World) -> int:
    """Run one terraform command line; on success this process has often become Terraform.

    Raises: UsageError, ConfigError, StackError, AuthError, StoreError, ToolMissing.
    """
    line = terraform_args.split(argv, world.environ)
    invocation = line.invocation
    if line.wants_help or (not invocation.subcommand and not invocation.arguments):
        world.stdout.write(HELP)
        return 0
    world = args.enter(line.given, world)
    host = _host(line)
    if line.asks_terraform or _is_immediate(invocation) or host:
        return _immediately(line.given, invocation, world, host)
    if invocation.subcommand == "clean" and invocation.component is None and not line.multi:
        return _clean_all(line.given, invocation, world)
    if _is_of_all(line):
        return _generate_all(line.given, invocation, world)
    invocation = terraform_args.require(line)
    invocation = terraform_answers.read(
        invocation, line.options, world.environ, terraform_args.VALUED
    )
    if invocation.subcommand in terraform_args.STORAGE:
        from wrapper.cli import terraform_storage

        return terraform_storage.main(line.given, invocation, world)
    if invocation.bulk is not None:
        from wrapper import fleet

        return fleet.terraform(world, line.given.options, line.given.identity, invocation)
    from wrapper import run

    return run.terraform(world, line.given.options, line.given.identity, invocation)


def _is_of_all(line: Line) -> bool:
    """Say whether files of all components are asked for."""
    words, component = line.invocation.words, line.invocation.component
    if words == ("files",) and component is None:
        return line.multi == "--all" or bool(line.invocation.stacks or line.invocation.components)
    return words[:1] != () and words[0] in terraform_args.GENERATE_ALL


def _is_immediate(invocation: Invocation) -> bool:
    """Say whether Terraform is asked for something that has no component; its version has none."""
    sub = invocation.subcommand
    return not sub or sub == "version" or (sub in _BARE and invocation.component is None)


def _host(line: Line) -> str:
    """Return the host that `login` and `logout` are about, '' for a component: that has a stack."""
    word = line.invocation.component or ""
    if line.invocation.subcommand not in _OF_HOSTS or "stack" in line.options:
        return ""
    # ATMOS_STACK alone leaves it open; names of hosts have a dot or a port.
    return word if not line.invocation.stack or "." in word or ":" in word else ""


def _immediately(given: Globals, invocation: Invocation, world: World, host: str) -> int:
    from wrapper import config, process
    from wrapper.terraform.environment import environment
    from wrapper.terraform.steps import program

    loaded = config.load(world, given.options)
    words = [w for w in (invocation.subcommand, *invocation.words, host) if w]
    argv = (program(None, loaded, invocation), *words, *invocation.arguments)
    if invocation.dry_run:
        world.stdout.write(" ".join(argv) + "\n")
        return 0
    world.stdout.flush()
    env = environment(loaded.environ, loaded, world.cwd)
    cache = env.get("TF_PLUGIN_CACHE_DIR", "")
    if cache != loaded.environ.get("TF_PLUGIN_CACHE_DIR") and not os.path.isdir(cache):
        # Made by the first `init`; Terraform refuses one that is not there.
        env = {key: value for key, value in env.items() if not key.startswith("TF_PLUGIN_CACHE_")}
    return process.replace(argv, cwd=world.cwd, environ=env)


def _clean_all(given: Globals, invocation: Invocation, world: World) -> int:
    from wrapper import config
    from wrapper.terraform import commands

    if invocation.stack:
        raise UsageError("component is required", hint="or leave the stack out to clean everything")
    return commands.clean(None, config.load(world, given.options), invocation, world)


def _generate_all(given: Globals, invocation: Invocation, world: World) -> int:
    from wrapper import config
    from wrapper.terraform import commands

    return commands.generate_all(config.load(world, given.options), invocation, world)
