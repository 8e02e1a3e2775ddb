"""Runs whose answer we write: outputs in a format, a plan as a document, what two plans differ in."""

from __future__ import annotations

import os

from wrapper import files as storage
from wrapper import process, ui
from wrapper.errors import UsageError
from wrapper.terraform import running
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.process import Streams
    from wrapper.stacks import Component
    from wrapper.terraform.invocation import Answer
    from wrapper.terraform.steps import Steps
    from wrapper.world import World

_STDERR = 2


class _Run(NamedTuple):
    """What all programs of one command line share; a signal goes to whichever of them runs."""

    component: Component
    world: World
    signals: process.Signals

    def carry_out(self, steps: Steps, streams: Streams) -> int:
        """Run the steps; return the exit code, also when a signal came where no program took it."""
        crew = running.Crew(self.signals, streams)
        code = running.carry_out(steps, self.component, self.world, crew)
        return code or (128 + self.signals.received if self.signals.received else 0)

    def told(self, steps: Steps) -> tuple[int, bytes]:
        """Run the steps; return the exit code and what the command wrote, which no disk sees."""
        import threading

        reading, writing = os.pipe()
        kept: list[bytes] = []

        def read() -> None:
            with open(reading, "rb") as stream:
                kept.append(stream.read())

        reader = threading.Thread(target=read)
        reader.start()
        try:
            # Tried again it would tell everything twice.
            code = self.carry_out(steps._replace(retry=None), process.Streams(stdout=writing))
        finally:
            os.close(writing)
            reader.join()
        return code, b"".join(kept)


def show(answer: Answer) -> str:
    """Return what follows Terraform's command, for `--dry-run`."""
    if answer.kind == "plan-diff":
        return f"# compare {answer.original} with {answer.new or 'this plan'}"
    target = f" to {answer.file}" if answer.file else ""
    return f"# write {answer.kind} as {answer.form}{target}"


def carry_out(steps: Steps, component: Component, world: World) -> int:
    """Run the steps with the answer of the command taken; return the exit code.

    What Terraform says besides goes to stderr. Hooks that follow see what was written.
    Raises: StackError, StoreError, ToolMissing, UsageError, WrapError.
    """
    from wrapper.terraform.hooks import Outcome

    answer, command, hooks = steps.answer, steps.command, steps.hooks
    assert answer is not None
    assert command is not None
    bare = steps._replace(answer=None, hooks=None, after=())
    if hooks is not None and (stops := hooks.run("before", command, process.spawn, Outcome())):
        return stops
    with process.Signals() as signals:  # whatever comes, no plan is left behind
        run = _Run(component, world, signals)
        work = _output if answer.kind == "output" else _plan
        code = work(bare, answer, run)
    if hooks is not None and hooks.may_follow():
        found = code == 2 and answer.kind == "plan-diff"
        after = hooks.run("after", command, process.spawn, Outcome(0 if found else code))
        return code or after
    return code


def _output(steps: Steps, answer: Answer, run: _Run) -> int:
    from wrapper.terraform import formats

    world = run.world
    code, told = run.told(steps)
    if code:
        return code
    made = formats.render(
        formats.read(told),
        answer.form,
        answer.name,
        uppercase=answer.uppercase,
        flatten=answer.flatten,
    )
    if made.left_out:
        names = ", ".join(made.left_out)
        ui.warn(world, f"left out, as {answer.form} has no form for such names: {names}")
    data = made.text.encode("utf-8", "surrogateescape")
    if not answer.file:
        world.stdout.write(made.text)
    elif answer.form in formats.ADDED:
        storage.add_named(world.cwd, answer.file, data)
    else:
        there = os.path.exists(os.path.join(world.cwd, answer.file))
        storage.write_named(world.cwd, answer.file, data, None if there else 0o600)
    return 0


def _plan(steps: Steps, answer: Answer, run: _Run) -> int:
    """Make a plan unless two are given, and write it or compare it; return the exit code."""
    import tempfile

    original = new = ""
    if answer.kind == "plan-diff":
        original = _there(answer.original, steps.directory, run.world)
        new = _there(answer.new, steps.directory, run.world) if answer.new else ""
    code = 0
    with tempfile.TemporaryDirectory(prefix="atmos-wrap-") as place:
        if not new:
            new = os.path.join(place, "plan")
            code = run.carry_out(_planning(steps, new), process.Streams(stdout=_STDERR))
            if code and not (code == 2 and _tells_changes(steps)):
                return code
        failed, told = run.told(_showing(steps, new))
        if failed:
            return failed
        if answer.kind == "planfile":
            _write(told, answer, steps.directory)
            return code
        failed, before = run.told(_showing(steps, original))
        return failed or _compare(before, told, _secret(steps), run.world)


def _write(told: bytes, answer: Answer, directory: str) -> None:
    """Write a plan, which can hold secrets. Raises: StackError, StoreError."""
    import json

    from wrapper import goyaml
    from wrapper.errors import StackError
    from wrapper.terraform import gojson

    try:
        plan = json.loads(told)
    except ValueError as error:
        raise StackError("terraform show gave no JSON") from error
    data = gojson.document(plan) if answer.form == "json" else goyaml.dumps(plan).encode()
    storage.write_named(directory, answer.file or "", data, 0o600)


def _compare(before: bytes, after: bytes, secret: frozenset[str], world: World) -> int:
    from wrapper.terraform import plans

    found = plans.differences(plans.read(before), plans.read(after), secret)
    if not found:
        world.stdout.write("The planfiles are identical\n")
        return 0
    lines = "".join(f"{ui.escape(line)}\n" for line in found.rstrip("\n").split("\n"))
    world.stdout.write(f"Diff Output\n=========\n\n{lines}")
    world.stdout.flush()
    ui.note(world, "plan files have differences")
    return 2


def _secret(steps: Steps) -> frozenset[str]:
    """Return the variables that Terraform gets beside the varfile, as secrets do."""
    environ = steps.command.env if steps.command is not None else {}
    return frozenset(name[7:] for name in environ if name.startswith("TF_VAR_"))


def _there(name: str, directory: str, world: World) -> str:
    """Return a plan's path: seen from the component's directory, else from where the user is.

    Raises: UsageError when it is not there.
    """
    for place in (directory, world.cwd):
        path = os.path.join(place, name)
        if os.path.exists(path):
            return path
    raise UsageError(
        f"there is no plan file {os.path.join(directory, name)}",
        hint="`plan -out FILE` writes one; its path is seen from the component's directory",
    )


def _planning(steps: Steps, path: str) -> Steps:
    """Return the steps that make a plan in the file `path`."""
    assert steps.command is not None
    command = steps.command._replace(argv=(*steps.command.argv, f"-out={path}"))
    return steps._replace(command=command)


def _tells_changes(steps: Steps) -> bool:
    return steps.command is not None and "-detailed-exitcode" in steps.command.argv


def _showing(steps: Steps, path: str) -> Steps:
    """Return the steps that show a plan as JSON; the directory is as the plan left it."""
    assert steps.command is not None
    command = steps.command._replace(argv=(steps.command.argv[0], "show", "-json", path))
    return steps._replace(command=command, always_init=False)
