"""`make demo`: the main job, start to end, with real terraform and an AWS on loopback."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.fakes import aws, demo_repository

BIN = Path(sys.executable).parent
WHO = """
import boto3
print(boto3.client("sts").get_caller_identity()["Arn"])
"""


class Step(NamedTuple):
    """One command of the demo, as it was run."""

    command: str
    seconds: float
    exit: int
    output: str


class Stopped(BaseException):
    """A signal asked the demo to stop; it is raised only where nothing would be left behind."""


class Hold:
    """Keep signals back while a program is being started or ended."""

    depth = 0
    pending = 0

    def __enter__(self) -> None:
        Hold.depth += 1

    def __exit__(self, *_: object) -> None:
        Hold.depth -= 1
        if Hold.pending and not Hold.depth:
            raise Stopped(Hold.pending)

    @staticmethod
    def handle(number: int, _frame: object) -> None:
        """Answer a signal: stop now, or after what must not be cut."""
        if Hold.depth:
            Hold.pending = number
            return
        raise Stopped(number)


class DemoError(Exception):
    """The demo did not show what it is there to show."""


def main(place: Path) -> int:
    """Run the demo in a directory, which is emptied first; return 0 if all went as told."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, Hold.handle)
    shutil.rmtree(place, ignore_errors=True)
    home = place / "home"
    home.mkdir(parents=True)
    began = time.monotonic()
    try:
        with aws.running() as fake:
            show(fake, place / "repo", home)
    except DemoError as error:
        print(f"\nerror: {error}", file=sys.stderr)
        return 1
    except Stopped as stopped:
        print("\nstopped; nothing is left running", file=sys.stderr)
        return 128 + int(stopped.args[0])
    finally:
        shutil.rmtree(home, ignore_errors=True)
    title(f"Done in {time.monotonic() - began:.0f} s; nothing is left running")
    print(f"""
The repository stays in {os.path.relpath(place)}/repo (its AWS is gone). To look at it:

  export PATH="{BIN}:$PATH" DEMO_ACCESS_KEY_ID=none DEMO_SECRET_ACCESS_KEY=none
  cd {os.path.relpath(place)}/repo
  atmos-wrap list stacks
  atmos-wrap describe component app -s prod
  atmos-wrap auth list
  atmos-wrap terraform plan app -s prod --dry-run

In your own Atmos repository, whose identities are IAM users and roles:

  atmos-wrap auth validate
  atmos-wrap terraform plan COMPONENT -s STACK
""")
    return 0


def show(fake: aws.Fake, repo: Path, home: Path) -> None:
    """Run the steps. Raises: DemoError."""
    demo = demo_repository.prepare(fake, repo)
    environment = child_environment(fake, demo, home)
    steps: list[Step] = []

    def run(*args: str, expect: int | None = 0) -> Step:
        step = command(["atmos-wrap", *args], environment, demo.repo)
        if expect is None and step.exit == 0:
            raise DemoError(f"`{step.command}` should have failed")
        if expect is not None and step.exit != expect:
            raise DemoError(f"`{step.command}` ended with {step.exit}, not {expect}")
        steps.append(step)
        return step

    title("A repository with three stacks; one user, two roles on the way to each account")
    run("list", "stacks")
    run("auth", "list")

    title("Apply in dev and prod: each stack as the identity that its manifest names")
    for stack in ("dev", "prod"):
        run("terraform", "apply", "app", "-s", stack, "-auto-approve")

    title("Plan: nothing left to do in dev (exit 0), something in staging (exit 2)")
    run("terraform", "plan", "app", "-s", "dev", "-detailed-exitcode")
    run("terraform", "plan", "app", "-s", "staging", "-detailed-exitcode", expect=2)

    title("Who is it? The caller identity that AWS sees, per stack")
    for stack in demo_repository.STACKS:
        step = run("exec", "-c", "app", "-s", stack, "--", str(BIN / "python"), "-c", WHO)
        if step.output.strip() != demo.runs_as[stack]:
            raise DemoError(f"stack {stack} ran as {step.output.strip()}")

    title("A wrong name stops before anything runs")
    before = len(fake.calls())
    run("terraform", "plan", "app", "-s", "prod", "-i", "prod-deplyo", expect=None)
    if len(fake.calls()) != before:
        raise DemoError("a run with a wrong identity name reached AWS")

    title("Who did what, as AWS recorded it")
    report_signers(fake, demo)
    title("The state in S3")
    for key, text in fake.objects(demo_repository.HUB, demo_repository.BUCKET).items():
        print(f"  s3://{demo_repository.BUCKET}/{key}  {len(text)} bytes")
    title("How long it took")
    for step in steps:
        print(f"  {step.seconds:6.2f} s  {step.command}")


def report_signers(fake: aws.Fake, demo: demo_repository.Demo) -> None:
    """Print who signed which requests. Raises: DemoError if a state was written by someone else."""
    asked: dict[str, dict[str, int]] = {}
    for call in fake.calls():
        what = f"{call.service}:{call.action} {call.params.get('RoleArn', '')}".rstrip()
        if call.service == "s3" and call.params["Key"]:
            what = f"s3:{call.action} {call.params['Key']}"
        if call.service == "s3" and call.action == "PutObject" and call.error is None:
            stack = call.params["Key"].split("/")[1]
            if call.signer != demo.runs_as[stack]:
                raise DemoError(f"the state of {stack} was written by {call.signer}")
        counted = asked.setdefault(str(call.signer), {})
        counted[what] = counted.get(what, 0) + 1
    for signer, counted in asked.items():
        print(f"  {signer}")
        for what, times in counted.items():
            print(f"    {times:3} x {what}")


def child_environment(fake: aws.Fake, demo: demo_repository.Demo, home: Path) -> dict[str, str]:
    """Return the whole environment of the programs that the demo runs."""
    terraform = shutil.which("terraform")
    if terraform is None:
        raise DemoError("terraform is not in PATH")
    kept = {name: os.environ[name] for name in ("TERM", "LANG", "NO_COLOR") if name in os.environ}
    if not sys.stdout.isatty() or "NO_COLOR" in os.environ:
        kept["TF_CLI_ARGS"] = "-no-color"
    return {
        **kept,
        **fake.environment(),
        "HOME": str(home),
        "PATH": os.pathsep.join([str(BIN), str(Path(terraform).parent), os.defpath]),
        "CHECKPOINT_DISABLE": "1",
        "DEMO_ACCESS_KEY_ID": demo.user.access_key_id,
        "DEMO_SECRET_ACCESS_KEY": demo.user.secret_access_key,
    }


def command(argv: Sequence[str], environment: dict[str, str], cwd: Path) -> Step:
    """Run one command, show it and what it prints, and take the time.

    After Ctrl-C the command gets half a minute to end by itself.
    """
    shown = " ".join("'…'" if "\n" in word else word.removeprefix(f"{BIN}/") for word in argv)
    print(f"\n$ {shown}", flush=True)
    began = time.monotonic()
    lines: list[str] = []
    process: subprocess.Popen[str] | None = None
    try:
        with Hold():
            process = subprocess.Popen(
                [str(BIN / argv[0]), *argv[1:]],
                env=environment,
                cwd=cwd,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        assert process.stdout is not None
        for line in process.stdout:
            print(f"  {line}", end="", flush=True)
            lines.append(line)
        code = process.wait(timeout=300)
    except BaseException:
        if process is not None:
            _end(process)
        raise
    seconds = time.monotonic() - began
    if code:
        print(f"  [exit {code}]")
    return Step(shown, seconds, code, "".join(lines))


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n=== {text}", flush=True)


def _end(process: subprocess.Popen[str]) -> None:
    with Hold():
        for ask, seconds in ((None, 0.5), (process.terminate, 30), (process.kill, 10)):
            if ask is not None:
                ask()
            try:
                process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                continue
            return


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else aws.CLONE / "build" / "demo")))
