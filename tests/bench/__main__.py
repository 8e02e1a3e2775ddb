"""Measure whole processes of the installed program, and write two tables as Markdown: time and memory.

usage: python -m tests.bench [--sizes 10,100] [--runs N]. Each size is a generated repository of so
many manifests with 8 components each; all commands of a size take turns in one run, so that they
share the machine's noise. "cold" = the index was deleted before. Memory is the largest sum over all
processes of a command of what each has for itself and its share of what they have together (PSS).
"""

from __future__ import annotations

import argparse
import configparser
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.fakes import aws

BIN = Path(sys.executable).parent
COMPONENTS = 8

ATMOS = """\
base_path: .
components: {terraform: {base_path: components/terraform, auto_generate_backend_file: true}}
stacks: {base_path: stacks, included_paths: ["deploy/**/*"], name_pattern: "{stage}"}
auth:
  realm: bench
  identities:
    user:
      kind: aws/user
      credentials:
        access_key_id: !env BENCH_ACCESS_KEY_ID
        secret_access_key: !env BENCH_SECRET_ACCESS_KEY
        region: us-east-1
    deploy:
      kind: aws/assume-role
      default: true
      via: {identity: user}
      principal: {assume_role: "arn:aws:iam::111111111111:role/deploy"}
"""
MODULE = """\
variable "name" { type = string }
resource "terraform_data" "one" { input = var.name }
"""


class Row(NamedTuple):
    """One line of the table; times in seconds."""

    size: int
    command: str
    state: str  # "cold", "warm"
    times: tuple[float, ...]


class Bench(NamedTuple):
    """A generated repository and the environment to run in."""

    repo: Path
    environment: dict[str, str]
    size: int

    @property
    def module(self) -> Path:
        """Return the component's directory."""
        return self.repo / "components" / "terraform" / "app"

    def seconds(self, argv: list[str], cwd: Path | None = None) -> float:
        """Run a command and return its time. Raises: RuntimeError when it fails."""
        began = time.perf_counter()
        done = subprocess.run(
            argv,
            env=self.environment,
            cwd=cwd or self.repo,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=600,
        )
        taken = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(
                f"{shlex.join(argv)}: exit {done.returncode}\n{done.stderr.decode()}"
            )
        return taken

    def ours(self, *args: str) -> Callable[[], float]:
        """Return a measurement of `atmos-wrap ARGS`."""
        return lambda: self.seconds([str(BIN / "atmos-wrap"), *args])

    def forget_index(self) -> None:
        """Delete what is cached about manifests."""
        shutil.rmtree(Path(self.environment["XDG_CACHE_HOME"]), ignore_errors=True)


def main() -> int:
    """Measure, and print the table; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10,100,1000,10000")
    parser.add_argument("--runs", type=int, default=11)
    options = parser.parse_args()
    rows: list[Row] = []
    memory: list[tuple[int, str, int]] = []
    for size in (int(each) for each in options.sizes.split(",")):
        print(f"{size} manifests …", file=sys.stderr, flush=True)
        with prepared(size) as bench:
            rows += measure(bench, options.runs)
            memory += remember(bench)
    print(table(rows))
    print("\n| manifests | command | memory (MB) |\n|---|---|---|")
    for size, command, most in memory:
        print(f"| {size} | {command} | {most / 1e6:.0f} |")
    return 0


@contextmanager
def prepared(size: int) -> Iterator[Bench]:
    """Make a repository with so many manifests, a cloud to sign in to, and stop it afterwards."""
    terraform = shutil.which("terraform")
    if terraform is None:
        sys.exit("error: terraform is not in PATH")
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as scratch,
        aws.running(lifetime=3600) as fake,
    ):
        root = Path(scratch)
        user = fake.user("111111111111", "bench")
        role = fake.role("111111111111", "deploy", trusts=user.arn)
        fake.allow(user.arn, "sts:AssumeRole", role)
        environment = {
            **fake.environment(),
            "HOME": str(root / "home"),
            "XDG_CACHE_HOME": str(root / "cache"),
            "PATH": os.pathsep.join([str(BIN), str(Path(terraform).parent), os.defpath]),
            "CHECKPOINT_DISABLE": "1",
            "BENCH_ACCESS_KEY_ID": user.access_key_id,
            "BENCH_SECRET_ACCESS_KEY": user.secret_access_key,
        }
        Path(environment["HOME"]).mkdir()
        generate(root / "repo", size)
        yield Bench(root / "repo", environment, size)


def generate(repo: Path, size: int) -> None:
    """Write `size` manifests of 8 components; a tenth of the files is imported by the others."""
    catalogs = max(1, size // 10)
    files = {"atmos.yaml": ATMOS, "components/terraform/app/main.tf": MODULE}
    for number in range(catalogs):
        lines = ["components:", "  terraform:"]
        for component in range(COMPONENTS):
            name = "app" if component == 0 else f"part{component}"
            lines += [
                f"    {name}:",
                "      metadata: {component: app}",
                "      vars:",
                f"        name: {name}-{number}",
            ]
        files[f"stacks/catalog/c{number}.yaml"] = "\n".join(lines) + "\n"
    for number in range(size - catalogs):
        lines = [
            f"import: [catalog/c{number % catalogs}]",
            f"vars: {{stage: s{number}}}",
            "terraform: {backend_type: local, backend: {local: {workspace_dir: states}}}",
            "components:",
            "  terraform:",
        ]
        for component in range(COMPONENTS):
            name = "app" if component == 0 else f"part{component}"
            lines += [f"    {name}:", "      vars:", f"        name: {name}-in-s{number}"]
        files[f"stacks/deploy/s{number}.yaml"] = "\n".join(lines) + "\n"
    for name, text in files.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def measure(bench: Bench, runs: int) -> list[Row]:
    """Return the rows of one size."""
    plan = ("terraform", "plan", "app", "-s", "s0")
    bench.ours(*plan)()  # signs in, and `init`
    varfile = next(bench.module.glob("*.tfvars.json"))
    bare = ["terraform", "plan", "-var-file", varfile.name, "-out", "bare.planfile"]
    credentials = credential_process(bench)
    warm: dict[str, Callable[[], float]] = {
        "bare `python -c pass`": lambda: bench.seconds([sys.executable, "-E", "-c", "pass"]),
        "bare `terraform plan`": lambda: bench.seconds(bare, bench.module),
        "`atmos-wrap terraform plan`": bench.ours(*plan),
        "`auth env`": bench.ours("auth", "env", "-i", "deploy", "--format", "json"),
        "`credential-process`": lambda: bench.seconds(credentials),
        "`list stacks`": bench.ours("list", "stacks"),
        "`describe component`": bench.ours("describe", "component", "app", "-s", "s0"),
        "`prompt`": bench.ours("prompt"),
        "`__complete` (stacks)": bench.ours("__complete", "terraform", "plan", "app", "-s", ""),
        "`__complete` (components)": bench.ours("__complete", "terraform", "plan", ""),
    }
    times: dict[str, list[float]] = {name: [] for name in warm}
    for _ in range(runs):
        for name, once in warm.items():
            times[name].append(once())
    pairs = zip(times["`atmos-wrap terraform plan`"], times["bare `terraform plan`"], strict=True)
    times["overhead of `terraform plan`"] = [ours - theirs for ours, theirs in pairs]
    rows = [Row(bench.size, name, "warm", tuple(found)) for name, found in times.items()]
    for name in (
        "`atmos-wrap terraform plan`", "`list stacks`", "`describe component`",
        "`__complete` (stacks)",
    ):  # fmt: skip
        cold = []
        for _ in range(max(3, runs // 3)):
            bench.forget_index()
            cold.append(warm[name]())
        rows.append(Row(bench.size, name, "cold", tuple(cold)))
    return rows


def remember(bench: Bench) -> list[tuple[int, str, int]]:
    """Return the largest memory of some commands, in bytes; the first of them makes the index."""
    bench.forget_index()
    commands = {
        "`list stacks`, cold": ("list", "stacks"),
        "`list stacks`": ("list", "stacks"),
        "`list instances`": ("list", "instances"),
        "`describe component`": ("describe", "component", "app", "-s", "s0"),
        "`describe stacks`": ("describe", "stacks", "--format", "json"),
        "`terraform plan --dry-run`": ("terraform", "plan", "app", "-s", "s0", "--dry-run"),
    }
    return [
        (bench.size, name, peak(bench, [str(BIN / "atmos-wrap"), *argv]))
        for name, argv in commands.items()
    ]


def peak(bench: Bench, argv: list[str]) -> int:
    """Run a command in a process group of its own; return the most memory it had, in bytes."""
    most = 0
    with subprocess.Popen(
        argv,
        env=bench.environment,
        cwd=bench.repo,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
    ) as child:
        while child.poll() is None:
            most = max(most, _share(child.pid))
            time.sleep(0.01)
    if child.returncode:
        raise RuntimeError(f"{shlex.join(argv)}: exit {child.returncode}")
    return most


def _share(group: int) -> int:
    """Return the memory of all processes of a group, in bytes."""
    total = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if os.getpgid(int(entry.name)) == group:
                found = re.search(r"^Pss:\s+(\d+)", (entry / "smaps_rollup").read_text(), re.M)
                total += int(found[1]) * 1024 if found else 0
        except OSError:  # it has ended meanwhile
            continue
    return total


def credential_process(bench: Bench) -> list[str]:
    """Return the command that the private AWS file names for the identity."""
    done = subprocess.run(
        [str(BIN / "atmos-wrap"), "auth", "env", "-i", "deploy", "--format", "json"],
        env=bench.environment,
        cwd=bench.repo,
        capture_output=True,
        check=True,
        timeout=60,
    )
    variables = json.loads(done.stdout)
    config = configparser.RawConfigParser()
    config.read(variables["AWS_CONFIG_FILE"])
    section = f"profile {variables['AWS_PROFILE']}"
    return shlex.split(config[section]["credential_process"])


def table(rows: list[Row]) -> str:
    """Return the rows as Markdown; times in milliseconds."""
    lines = [
        "| manifests | command | state | min | median | max | runs |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        shown = [
            1000 * each for each in (min(row.times), statistics.median(row.times), max(row.times))
        ]
        numbers = " | ".join(f"{each:.0f}" for each in shown)
        lines.append(f"| {row.size} | {row.command} | {row.state} | {numbers} | {len(row.times)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
