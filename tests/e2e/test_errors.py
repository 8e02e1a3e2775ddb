"""What a user reads when something is wrong: the whole of stderr, and the exit code."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest

from tests.conftest import Cli, Result
from tests.e2e import repository
from tests.e2e.ends import ended
from tests.fakes import aws, demo_repository

PLAN = ("terraform", "plan", "app", "-s", "dev")
ATMOS = repository.ATMOS
AUTH = (
    ATMOS
    + """\
auth:
  realm: test
  identities:
    alice:
      kind: aws/user
      credentials: {access_key_id: !env KEY_ID, secret_access_key: !env SECRET}
    dev-admin:
      kind: aws/assume-role
      default: true
      via: {identity: alice}
      principal: {assume_role: "arn:aws:iam::111111111111:role/admin"}
"""
)
PRINCIPAL = '      principal: {assume_role: "arn:aws:iam::111111111111:role/admin"}\n'
OTHER = """\
    other:
      kind: aws/assume-role
      via: {identity: dev-admin}
      principal: {assume_role: "arn:aws:iam::111111111111:role/other"}
"""
DEV = repository.STACK.format(stage="dev")
KEYS = {"KEY_ID": "none", "SECRET": "none", "AWS_MAX_ATTEMPTS": "1"}
YAML_HINT = "hint: the cause can be lines above: an open quote or bracket, a tab, a wrong indent\n"
NOT_FOUND = "error: could not find the stack 'dev' (asked for its component 'app')\n"


class Case(NamedTuple):
    """Files laid over the repository, the command line, and what comes of it; REPO is the repository."""

    argv: tuple[str, ...]
    exit: int
    stderr: str
    files: Mapping[str, str] = {}
    env: Mapping[str, str] = {}


CASES = {
    "unknown stack": Case(
        ("terraform", "plan", "app", "-s", "dve"),
        78,
        "error: could not find the stack 'dve' (asked for its component 'app')\n"
        'hint: did you mean "dev"?\n',
    ),
    "unknown component": Case(
        ("terraform", "plan", "ap", "-s", "dev"),
        78,
        "error: invalid component: could not find the component `ap` in the stack `dev`\n"
        'hint: did you mean "app"?\n',
    ),
    "unknown identity": Case(
        (*PLAN, "-i", "dev-admn"),
        78,
        'error: identity "dev-admn" is not defined\n  at --identity\n'
        'hint: did you mean "dev-admin"?\n',
        {"atmos.yaml": AUTH},
    ),
    "unknown identity of a variable": Case(
        PLAN,
        78,
        'error: identity "nobody" is not defined\n  at ATMOS_IDENTITY\n'
        "hint: `atmos-wrap auth list` shows the identities\n",
        {"atmos.yaml": AUTH},
        {"ATMOS_IDENTITY": "nobody"},
    ),
    "unknown identity of a chain": Case(
        PLAN,
        78,
        'error: identity "dev-admin" goes via the identity "alcie", which is not defined\n'
        '  at atmos.yaml:19:13\nhint: did you mean "alice"?\n',
        {"atmos.yaml": AUTH.replace("{identity: alice}", "{identity: alcie}")},
    ),
    "unknown kind": Case(
        PLAN,
        78,
        'error: identity "alice": kind "aws/usr" is not known\n  at atmos.yaml:14:7\n'
        'hint: did you mean "aws/user" or "aws/emulator"?\n',
        {"atmos.yaml": AUTH.replace("aws/user", "aws/usr")},
    ),
    "cycle": Case(
        PLAN,
        78,
        'error: circular chain: "dev-admin" → "other" → "dev-admin"\n'
        "  at atmos.yaml:19:13\n  at atmos.yaml:23:13\n"
        "hint: one of them must go via a provider, or be a user\n",
        {"atmos.yaml": AUTH.replace("{identity: alice}", "{identity: other}") + OTHER},
    ),
    "both via": Case(
        PLAN,
        78,
        'error: identity "dev-admin": via.provider and via.identity are both set\n'
        "  at stacks/deploy/dev.yaml:8:13\n  at atmos.yaml:19:13\n"
        "hint: set one of them to null: `provider: null` or `identity: null`\n",
        {
            "atmos.yaml": AUTH + "  providers:\n    p: {kind: mock}\n",
            "stacks/deploy/dev.yaml": DEV
            + "auth:\n  identities:\n    dev-admin:\n      via: {provider: p}\n",
        },
    ),
    "no via": Case(
        PLAN,
        78,
        'error: identity "dev-admin": has no via\n  at atmos.yaml:16:5\n'
        "hint: add `via: {identity: …}` or `via: {provider: …}`\n",
        {"atmos.yaml": AUTH.replace("      via: {identity: alice}\n", "")},
    ),
    "empty via": Case(
        PLAN,
        78,
        'error: identity "dev-admin": via needs a provider or an identity\n'
        "  at atmos.yaml:19:7\n"
        "hint: write `via: {identity: …}` or `via: {provider: …}`\n",
        {"atmos.yaml": AUTH.replace("{identity: alice}", "{}")},
    ),
    "missing principal": Case(
        PLAN,
        78,
        'error: identity "dev-admin": principal.assume_role is required\n  at atmos.yaml:16:5\n'
        "hint: add `principal: {assume_role: …}`\n",
        {"atmos.yaml": AUTH.replace(PRINCIPAL, "")},
    ),
    "two defaults": Case(
        PLAN,
        78,
        "error: several identities are marked as default: alice, dev-admin\n"
        "  at atmos.yaml:15:7\n  at atmos.yaml:19:7\n"
        "hint: use --identity NAME, or set `default: false` for all but one\n",
        {"atmos.yaml": AUTH.replace("kind: aws/user", "kind: aws/user\n      default: true")},
    ),
    "no default": Case(
        PLAN,
        78,
        "error: no default identity is configured\n"
        "hint: use --identity NAME or ATMOS_IDENTITY, or mark one with `default: true`\n"
        "hint: identities: alice, dev-admin\n"
        "hint: `--identity=false` runs as the shell is\n",
        {"atmos.yaml": AUTH.replace("      default: true\n", "")},
    ),
    "no terminal to choose at": Case(
        (*PLAN, "--identity"),
        77,
        "error: choosing an identity requires a TTY\nhint: name one: --identity alice\n",
        {"atmos.yaml": AUTH},
    ),
    "bad YAML in atmos.yaml": Case(
        PLAN,
        78,
        "error: bad YAML: while parsing a flow node, did not find expected node content\n"
        f"  at atmos.yaml:11:1\n{YAML_HINT}",
        {"atmos.yaml": ATMOS + "auth: {\n"},
    ),
    "bad YAML in the manifest": Case(
        PLAN,
        78,
        "warning: REPO/stacks/deploy/dev.yaml:2:1: bad YAML: while scanning for the next token, found "
        f"character that cannot start any token\n{NOT_FOUND}"
        "  at stacks/deploy/dev.yaml:2:1\n"
        "hint: its manifest is broken: bad YAML: while scanning for the next token, found character "
        f"that cannot start any token\n{YAML_HINT}",
        {"stacks/deploy/dev.yaml": "vars:\n\tstage: dev\n"},
    ),
    "a manifest that is not UTF-8": Case(
        PLAN,
        78,
        f"warning: REPO/stacks/deploy/dev.yaml:2:10: bad YAML: invalid leading UTF-8 octet\n{NOT_FOUND}"
        "  at stacks/deploy/dev.yaml:2:10\n"
        "hint: its manifest is broken: bad YAML: invalid leading UTF-8 octet\n",
        {"stacks/deploy/dev.yaml": "vars:\n  stage: \udcff\n"},
    ),
    "import not found": Case(
        PLAN,
        78,
        "warning: REPO/stacks/deploy/dev.yaml:3:5: stack import not found: import 'catalog/ap' in file "
        f"'deploy/dev.yaml': failed to find import\n{NOT_FOUND}"
        "  at stacks/deploy/dev.yaml:3:5\n"
        "hint: its manifest is broken: stack import not found: import 'catalog/ap' in file "
        "'deploy/dev.yaml': failed to find import\n"
        'hint: did you mean "catalog/app"?\n',
        {"stacks/deploy/dev.yaml": DEV.replace("/app\n", "/app\n  - catalog/ap\n")},
    ),
    "wrong type in a manifest": Case(
        PLAN,
        78,
        "warning: REPO/stacks/deploy/dev.yaml:3:1: invalid vars section in file 'deploy/dev'\n"
        f"{NOT_FOUND}  at stacks/deploy/dev.yaml:3:1\n"
        "hint: its manifest is broken: invalid vars section in file 'deploy/dev'\n"
        "hint: it must be a map\n",
        {"stacks/deploy/dev.yaml": "import:\n  - catalog/app\nvars: [1]\n"},
    ),
    "wrong type in atmos.yaml": Case(
        PLAN,
        78,
        "error: `stacks.included_paths` must be a list of texts\n  at atmos.yaml:8:3\n",
        {"atmos.yaml": ATMOS.replace('["deploy/**/*"]', "{a: 1}")},
    ),
    "no atmos.yaml": Case(
        ("-C", "/", *PLAN),
        78,
        "error: directory for Atmos stacks does not exist: /stacks\n"
        "hint: no atmos.yaml was found here or above: change to the repository, or use --chdir\n",
    ),
    "no module": Case(
        PLAN,
        78,
        'error: the component "app" points to the Terraform component "gone", but there is no '
        "directory REPO/components/terraform/gone\n  at stacks/catalog/app.yaml:8:18\n"
        "hint: check metadata.component, and components.terraform.base_path in atmos.yaml\n",
        {
            "stacks/catalog/app.yaml": repository.CATALOG.replace(
                "      vars:", "      metadata: {component: gone}\n      vars:"
            )
        },
    ),
    "terraform missing": Case(
        PLAN,
        127,
        'error: the program "terraform" is not there\n'
        "hint: install it, or set components.terraform.command\n",
    ),
    "another terraform missing": Case(
        PLAN,
        78,
        'error: the program "tfm" that `command` names is not there\n  at atmos.yaml:4:5\n'
        "hint: install it, or put its directory into PATH\n",
        {"atmos.yaml": ATMOS.replace("  terraform:\n", "  terraform:\n    command: tfm\n")},
    ),
    "keys not set": Case(
        PLAN,
        77,
        'error: identity "alice" has no session left, and KEY_ID and SECRET are not set\n'
        "  at atmos.yaml:13:5\n"
        "hint: set them and sign in again: atmos-wrap auth login -i alice\n"
        "hint: it is a link of the chain alice → dev-admin\n",
        {"atmos.yaml": AUTH},
    ),
    "keys that are none": Case(
        PLAN,
        77,
        'error: identity "alice": its keys hold characters that no AWS key has\n'
        "  at atmos.yaml:13:5\n"
        "hint: look for quotes, blanks or an editor's marks where they are set\n"
        "hint: it is a link of the chain alice → dev-admin\n",
        {"atmos.yaml": AUTH},
        {"KEY_ID": "AKIA\udcff", "SECRET": "none"},
    ),
    "MFA without a terminal": Case(
        PLAN,
        77,
        'error: identity "alice" needs an MFA code of arn:aws:iam::111111111111:mfa/alice, and there is '
        "no terminal\n  at atmos.yaml:13:5\n"
        "hint: sign in at a terminal first: atmos-wrap auth login -i alice\n"
        "hint: or give it: --mfa-code, or ATMOS_WRAP_MFA_COMMAND with a command that prints it\n"
        "hint: it is a link of the chain alice → dev-admin\n",
        {
            "atmos.yaml": AUTH.replace(
                "!env SECRET", '!env SECRET, mfa_arn: "arn:aws:iam::111111111111:mfa/alice"'
            )
        },
        KEYS,
    ),
    "unknown flag": Case(
        (*PLAN, "--auto-approve"),
        64,
        "error: unknown flag --auto-approve for terraform plan\n"
        "hint: write Terraform's own options with one dash (-auto-approve), or behind `--`\n",
    ),
    "unknown command": Case(
        ("terraforn",),
        64,
        'error: unknown command "terraforn"\nhint: did you mean "terraform"?\n',
    ),
    "no stack": Case(
        ("terraform", "plan", "app"),
        64,
        "error: stack is required\nhint: name it with --stack (-s), or set ATMOS_STACK\n",
    ),
    "arguments that are not UTF-8": Case(
        ("terraform", "plan", "a\udcff", "-s", "dev"),
        78,
        "error: invalid component: could not find the component `a\\udcff` in the stack `dev`\n"
        "hint: check the names, the context variables of the manifests, and their imports\n",
    ),
    "a profile of the environment that is not UTF-8": Case(
        PLAN,
        64,
        'error: profile "\\udcff" does not exist\n'
        "hint: looked in REPO/.atmos/profiles, HOME/.config/atmos/profiles, REPO/profiles\n",
        {},
        {"ATMOS_PROFILE": "\udcff"},
    ),
    "control characters": Case(
        ("terraform", "plan", "\x1b[31m", "-s", "dev"),
        78,
        "error: invalid component: could not find the component `\\x1b[31m` in the stack `dev`\n"
        "hint: check the names, the context variables of the manifests, and their imports\n",
    ),
}


def _write(cli: Cli, files: Mapping[str, str]) -> None:
    repository.write(cli.cwd)
    for name, text in files.items():
        (cli.cwd / name).write_bytes(os.fsencode(text))


def _told(cli: Cli, text: str) -> str:
    return text.replace(str(cli.cwd), "REPO").replace(cli.environment["HOME"], "HOME")


@pytest.mark.parametrize("name", CASES)
def test_an_error_says_what_where_and_what_to_do(cli: Cli, name: str) -> None:
    case = CASES[name]
    _write(cli, case.files)
    done = cli(*case.argv, env=case.env)
    assert (done.exit, done.stdout, _told(cli, done.stderr)) == (case.exit, "", case.stderr)


# The administrator may read everything; without these two rights he is a user like others.
UNPRIVILEGED = """
import ctypes, os, sys
if os.geteuid() == 0:
    for right in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert ctypes.CDLL(None).prctl(24, right, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execv(sys.argv[1], sys.argv[1:])
"""


def _unprivileged(cli: Cli, *argv: str, env: Mapping[str, str] | None = None) -> Result:
    done = subprocess.run(
        [sys.executable, "-c", UNPRIVILEGED, cli.program, *argv],
        cwd=cli.cwd,
        env=cli.child_environment(env),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, _told(cli, done.stderr))


@pytest.mark.parametrize(
    ("unreadable", "stderr"),
    [
        (
            "atmos.yaml",
            "error: cannot read the file: Permission denied\n  at REPO/atmos.yaml\nhint: check its permissions\n",
        ),
        (
            "stacks/deploy/dev.yaml",
            (
                "warning: REPO/stacks/deploy/dev.yaml:1:1: cannot read the manifest: Permission denied\n"
                f"{NOT_FOUND}  at stacks/deploy/dev.yaml:1:1\n"
                "hint: its manifest is broken: cannot read the manifest: Permission denied\n"
                "hint: check its permissions\n"
            ),
        ),
    ],
)
def test_a_file_that_may_not_be_read(cli: Cli, unreadable: str, stderr: str) -> None:
    _write(cli, {})
    (cli.cwd / unreadable).chmod(0)
    assert _unprivileged(cli, *PLAN) == (78, "", stderr)


def test_a_home_that_may_not_be_written(cli: Cli, terraform: str) -> None:
    _write(cli, {})
    home = Path(cli.environment["HOME"])
    home.chmod(0o500)
    listed = _unprivileged(cli, "list", "stacks")
    planned = _unprivileged(cli, *PLAN)
    home.chmod(0o700)
    assert listed == (0, "dev\nprod\n", "")
    assert planned == (
        69,
        "",
        (
            "error: cannot make the directory HOME/.local/state/atmos-wrap/places: Permission denied\n"
            "hint: check the disk and the permissions, or point XDG_STATE_HOME and XDG_CACHE_HOME "
            "elsewhere\n"
        ),
    )


def _shell(cli: Cli, script: str) -> Result:
    """Run a shell script in which `$W` is the program."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=cli.cwd,
        env=cli.environment | {"W": cli.program},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return Result(done.returncode, done.stdout, _told(cli, done.stderr))


GONE = "error: the working directory does not exist any more\n"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("$W list stacks | head -1", (0, "dev\n", "")),
        ("$W describe stacks | true; exit ${PIPESTATUS[0]}", (141, "", "")),
        ("$W list stacks >&-", (0, "", "")),
        ("$W terraform plan ap -s dev 2>&-", (78, "", "")),
        ("$W list stacks <&- >&- 2>&-", (0, "", "")),
        (
            "$W list stacks > /dev/full",
            (69, "", "error: cannot write the output: No space left on device\n"),
        ),
        ("mkdir x; cd x; rmdir ../x; $W terraform plan app -s dev", (78, "", GONE)),
        ("mkdir x; cd x; rmdir ../x; $W auth list", (78, "", GONE)),
        ("mkdir x; cd x; rmdir ../x; $W -C .. list stacks", (0, "dev\nprod\n", "")),
        ("mkdir x; cd x; rmdir ../x; $W version > /dev/null", (0, "", "")),
    ],
)
def test_streams_and_directories_that_are_gone(
    cli: Cli, script: str, expected: tuple[int, str, str]
) -> None:
    _write(cli, {})
    assert _shell(cli, script) == expected


def test_output_into_a_closed_stream_ends_in_no_file(cli: Cli, terraform: str) -> None:
    _write(cli, {})
    assert _shell(cli, "$W terraform plan app -s dev <&- >&- 2>&-") == (0, "", "")
    found = [*cli.cwd.rglob("*"), *Path(cli.environment["HOME"]).rglob("*")]
    texts = [path.read_bytes() for path in found if path.is_file()]
    assert not [text for text in texts if b"Terraform will perform" in text]


def test_sts_that_refuses(cli: Cli, fake_aws: aws.Fake) -> None:
    demo = demo_repository.prepare(fake_aws, cli.cwd)
    cli.environment |= fake_aws.environment() | {
        "DEMO_ACCESS_KEY_ID": demo.user.access_key_id,
        "DEMO_SECRET_ACCESS_KEY": demo.user.secret_access_key,
        "AWS_MAX_ATTEMPTS": "1",
    }
    fake_aws.script("sts:AssumeRole", error=(403, "AccessDenied"), message="not you")
    done = cli("exec", "-c", "app", "-s", "prod", "--", "true")
    assert (done.exit, done.stdout) == (77, "")
    assert done.stderr == (
        'error: identity "hub": STS refused to assume arn:aws:iam::111111111111:role/hub: AccessDenied: '
        "not you\n  at atmos.yaml:22:5\n"
        "hint: the trust policy of arn:aws:iam::111111111111:role/hub must allow the identity it goes via, "
        "with the external id that it asks for\n"
        "hint: and the policies of that identity must allow sts:AssumeRole on the role\n"
        "hint: it is a link of the chain alice → hub → prod-deploy\n"
    )


def test_sts_that_does_not_answer(cli: Cli) -> None:
    _write(cli, {"atmos.yaml": AUTH})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        done = cli(*PLAN, env=KEYS | {"AWS_ENDPOINT_URL": endpoint})
    assert done == (
        77,
        "",
        (
            f'error: identity "alice": GetSessionToken: no answer from {endpoint}: it cannot be reached\n'
            "  at atmos.yaml:13:5\n"
            "hint: check the network, proxy and CA settings (HTTPS_PROXY, AWS_CA_BUNDLE, AWS_ENDPOINT_URL)\n"
            "hint: it is a link of the chain alice → dev-admin\n"
        ),
    )


@pytest.mark.parametrize(
    ("manifest", "prompt"),
    [
        (AUTH.replace("      default: true\n", ""), "Select an identity"),
        (
            AUTH.replace("!env SECRET", '!env SECRET, mfa_arn: "arn:aws:iam::111111111111:mfa/a"'),
            "MFA code of arn:aws:iam::111111111111:mfa/a: ",
        ),
    ],
    ids=["identity", "MFA"],
)
def test_ctrl_c_at_a_prompt_ends_the_run(cli: Cli, manifest: str, prompt: str) -> None:
    _write(cli, {"atmos.yaml": manifest})
    run = pexpect.spawn(
        cli.program,
        list(PLAN),
        cwd=str(cli.cwd),
        env=cli.child_environment(KEYS),
        timeout=60,
        encoding="utf-8",
    )
    run.expect_exact(prompt)
    run.sendintr()
    ended(run)
    assert (run.exitstatus, "Traceback" in run.before) == (130, False)
