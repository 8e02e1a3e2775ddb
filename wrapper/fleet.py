"""One terraform command for several components, in the order in which they need each other."""

from __future__ import annotations

import time

from wrapper import run, ui
from wrapper.errors import Interrupted, Problems, UsageError, WrapError
from wrapper.stacks.dependencies import Node
from wrapper.stacks.several import Several, Wanted
from wrapper.terraform import graph
from wrapper.terraform.invocation import Bulk, Invocation
from wrapper.terraform.outcome import Ended, exit_code, summary
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.auth import Setting
    from wrapper.config import Config, Options
    from wrapper.process import Signals
    from wrapper.stacks import Component
    from wrapper.stacks.baseline import Against
    from wrapper.stacks.others import Reader
    from wrapper.terraform.running import Crew
    from wrapper.terraform.steps import Steps
    from wrapper.world import World

# Seconds for which a sign-in is not looked at again; sessions are good for 15 minutes at least.
_FRESH = 300.0


class _Fleet:
    """One command line's way through the components; what is shared by all of them."""

    def __init__(
        self, config: Config, wanted: Setting | None, invocation: Invocation, world: World
    ) -> None:
        self.config = config
        self.wanted = wanted
        self.invocation = invocation
        self.world = world
        self.bulk = invocation.bulk or Bulk()
        self.several = Several(
            config, world, templates=invocation.use_templates, reader=self._reader()
        )
        self.shell = run.section_env(config.data.get("env") or {}).apply(config.environ)
        self.faults: dict[Node, WrapError] = {}
        self.ended: dict[Node, Ended] = {}
        self._signed: dict[str, tuple[float, run.Ready]] = {}
        self._initialised: set[str] = set()

    def with_init(self, steps: Steps) -> Steps:
        """Return the steps; a directory that init ran in is initialised for each of its components.

        As with Atmos. One that was ready before stays so.
        """
        from wrapper.terraform import running

        if steps.data_dir not in self._initialised and not running.needs_init(steps):
            return steps
        self._initialised.add(steps.data_dir)
        return steps._replace(always_init=True)

    def _reader(self) -> Reader | None:
        if self.invocation.dry_run:
            return None
        return run.reader(self.config, self.wanted, self.world)

    def needs(self) -> dict[Node, frozenset[Node]]:
        """Return the chosen components with what each has to wait for.

        Raises: StackError, UsageError.
        """
        bulk, several = self.bulk, self.several
        wanted = Wanted(
            self.invocation.stack or "", bulk.components, bulk.query, bulk.tags, bulk.labels
        )
        chosen = several.chosen(wanted)
        if bulk.affected is not None:
            chosen = self._affected(chosen, bulk.affected)
        start = set(chosen)
        if bulk.dependencies != 0:
            chosen |= graph.widened(start, self._needs_of, bulk.dependencies)
        if bulk.dependents != 0:
            after = several.needed_by()
            chosen |= graph.widened(start, lambda node: after[node], bulk.dependents)
        found = graph.restricted({node: self._needs_of(node) for node in chosen}, chosen)
        return graph.turned(found) if self.invocation.subcommand == "destroy" else found

    def _affected(self, chosen: set[Node], against: Against) -> set[Node]:
        """Return those that differ from something else; say with what they were compared."""
        from wrapper.stacks import affected
        from wrapper.stacks.sides import Asked

        invocation, world = self.invocation, self.world
        asked = Asked(
            lambda side: run.reader(side, self.wanted, world),
            stack=invocation.stack or "",
            nodes=frozenset(chosen),
            templates=invocation.use_templates,
            functions=invocation.use_functions,
            skip=frozenset(invocation.skip_functions),
        )
        found = affected.compared(self.config, world, against, asked)
        nodes = {item.node for item in found.items if not item.deletion}
        for item in found.items:
            if item.deletion:
                ui.note(world, f"not run, as it is gone: {item.node}; {found.shown} had it")
        word = "component is" if len(nodes) == 1 else "components are"
        ui.note(world, f"{len(nodes) or 'no'} {word} affected, compared with {found.shown}")
        return chosen & nodes

    def _needs_of(self, node: Node) -> tuple[Node, ...]:
        try:
            return self.several.needs(node)
        except WrapError as error:
            self.faults[node] = error
            return ()

    def look(self, nodes: list[Node]) -> dict[Node, str]:
        """Return each component's directory; sign in to what they run as, each identity once.

        What cannot be run is put among the faults. Raises: the fault, if nothing may go on with it.
        """
        import os

        from wrapper.terraform import files, steps

        places: dict[Node, str] = {}
        for node in nodes:
            if node not in self.faults:
                try:
                    component = self.several.component(node)
                    steps.refuse(component, self._of(node))
                    directory = files.directory(component, self.config)
                    places[node] = os.path.realpath(directory)
                    if not self.invocation.dry_run:
                        run.warn_of(component, self.world)
                except WrapError as error:
                    self.faults[node] = error
        self._stop_at_faults()
        if self.invocation.dry_run:
            return places
        for node in places:
            try:
                self.ready(node)
            except Interrupted:
                raise
            except WrapError as error:
                self.faults[node] = error
                self._stop_at_faults()
        return places

    def _stop_at_faults(self) -> None:
        if self.faults and not self.bulk.keeps_going:
            found = list(self.faults.values())
            raise found[0] if len(found) == 1 else Problems(found)

    def _of(self, node: Node) -> Invocation:
        return self.invocation._replace(component=node.component, stack=node.stack)

    def ready(self, node: Node) -> run.Ready:
        """Return the identity of a component, signed in: once for all with the same `auth`.

        Not for ever: a long fleet outlives what programs were given for the first of them.
        """
        import json

        component = self.several.component(node)
        key = json.dumps(component.section.get("auth"), sort_keys=True, default=str)
        then, known = self._signed.get(key, (0.0, None))
        if known is None or self.world.now() - then > _FRESH:
            known = run.sign_in(self.config, component, self.wanted, self.world, environ=self.shell)
            self._signed[key] = (self.world.now(), known)
            if self.wanted is not None and known.choice.name and self.wanted.value == _asked():
                # The user was asked, once: the answer holds for all.
                self.wanted = self.wanted._replace(value=known.choice.name)
        return known

    def steps(self, node: Node) -> tuple[Component, Steps]:
        """Return the steps of a component's run; what it reads of others is read just now."""
        ready = self.ready(node)
        component = self.several.again(node, self._reader())
        return run.steps_as(ready, self.config, component, self._of(node), self.shell, self.world)

    def told(self, error: WrapError) -> int:
        """Print an error; return its exit code."""
        ui.write(self.world, ui.render(error, self.world.cwd))
        return error.exit_code


def terraform(
    world: World, options: Options, wanted: Setting | None, invocation: Invocation
) -> int:
    """Run a terraform command for the components that `invocation.bulk` means; return the exit code.

    That is the highest of those that failed; else 2 when a `plan -detailed-exitcode` found changes.
    Raises: UsageError, ConfigError, StackError, AuthError before anything has run.
    Source: reference/atmos-stacks.md 4.4.
    """
    from wrapper import config

    loaded = config.load(world, options)
    fleet = _Fleet(loaded, wanted, invocation, world)
    _refuse_unattended(fleet)
    needs = fleet.needs()
    if not needs:
        ui.note(world, "✓ No components matched")
        return 0
    line = graph.order(needs)
    places = fleet.look(line)
    if invocation.dry_run:
        for node in line:
            what = f"Would {invocation.command} `{node.component}` in `{node.stack}` (dry run)"
            world.stdout.write(what + "\n")
        return max((fleet.told(error) for error in fleet.faults.values()), default=0)
    try:
        stopped = _sail(fleet, graph.Queue(needs, places))
    finally:
        ui.write(world, summary([fleet.ended[n] for n in line if n in fleet.ended], invocation))
    return exit_code(list(fleet.ended.values()), invocation.subcommand, stopped)


def _refuse_unattended(fleet: _Fleet) -> None:
    """Refuse what would ask where nobody sees the question. Raises: UsageError."""
    bulk, invocation = fleet.bulk, fleet.invocation
    if (bulk.max_concurrency == 1 and not bulk.grouped) or invocation.dry_run:
        return
    how = f"--max-concurrency {bulk.max_concurrency}" if not bulk.grouped else "--log-order grouped"
    if fleet.wanted is not None and fleet.wanted.value == _asked():
        raise UsageError(
            f"{how} leaves nobody to ask for an identity", hint="name it: --identity NAME"
        )
    if invocation.subcommand in ("apply", "destroy") and not _approves(fleet):
        raise UsageError(
            f"{how} leaves nobody to approve: {invocation.subcommand} needs -auto-approve",
            hint="read the plans first, then add -auto-approve",
        )


def _asked() -> str:
    from wrapper.auth import SELECT

    return SELECT


def _approves(fleet: _Fleet) -> bool:
    from wrapper.terraform import files

    sub = fleet.invocation.subcommand
    given = list(fleet.invocation.arguments)
    for variable in ("TF_CLI_ARGS", f"TF_CLI_ARGS_{sub}"):
        given += fleet.shell.get(variable, "").split()
    setting = sub == "apply" and files.setting(fleet.config, "apply_auto_approve") is True
    yes = ("-auto-approve", "--auto-approve", "-auto-approve=true", "--auto-approve=true")
    return setting or any(argument in yes for argument in given)


def _sail(fleet: _Fleet, queue: graph.Queue) -> int:
    """Run all; return the signal that stopped it, or 0."""
    from wrapper.process import Signals

    signals = Signals()
    bulk = fleet.bulk
    if bulk.max_concurrency == 1 and not bulk.grouped:
        _one_by_one(fleet, queue, signals)
    else:
        _together(fleet, queue, signals)
    for node, cause in queue.lost.items():
        fleet.ended[node] = Ended(node, None, why=f"needs {cause}")
    for node in queue.stop():
        fleet.ended[node] = Ended(node, None, why="stopped before")
    return signals.received


def _note(fleet: _Fleet, queue: graph.Queue, ended: Ended) -> bool:
    """Take down how a run ended; say whether others may start."""
    fleet.ended[ended.node] = ended
    if not ended.failed(fleet.invocation.subcommand):
        queue.finish(ended.node)
        return True
    queue.fail(ended.node)
    return fleet.bulk.keeps_going


def _prepared(fleet: _Fleet, node: Node) -> tuple[Component, Steps] | Ended:
    """Return what to run, or how it ended before it began."""
    ui.note(fleet.world, f"{fleet.invocation.command}: {node}")
    try:
        if node in fleet.faults:
            raise fleet.faults[node]
        return fleet.steps(node)
    except Interrupted:
        raise
    except WrapError as error:
        return Ended(node, fleet.told(error), why=error.message)


def _carry_out(fleet: _Fleet, node: Node, component: Component, steps: Steps, crew: Crew) -> Ended:
    from wrapper.terraform import running

    began = time.monotonic()
    why = ""
    try:
        code = running.carry_out(fleet.with_init(steps), component, fleet.world, crew)
    except WrapError as error:
        code, why = fleet.told(error), error.message
    return Ended(node, code, time.monotonic() - began, why)


def _one_by_one(fleet: _Fleet, queue: graph.Queue, signals: Signals) -> None:
    from wrapper.terraform.running import Crew

    going = True
    while going and not signals.received and (node := queue.take()) is not None:
        found = _prepared(fleet, node)
        ended = (
            found if isinstance(found, Ended) else _carry_out(fleet, node, *found, Crew(signals))
        )
        going = _note(fleet, queue, ended)


def _together(fleet: _Fleet, queue: graph.Queue, signals: Signals) -> None:
    """Start what may run, as many as allowed; the main thread prepares, threads wait for Terraform."""
    import queue as mailbox
    import threading

    from wrapper.terraform.output import Output
    from wrapper.terraform.running import Crew

    done: mailbox.SimpleQueue[Ended | BaseException] = mailbox.SimpleQueue()
    lock = threading.Lock()

    def work(node: Node, component: Component, steps: Steps) -> None:
        try:
            with Output(str(node), lock, grouped=fleet.bulk.grouped) as output:
                ended = _carry_out(fleet, node, component, steps, Crew(signals, output.streams))
            done.put(ended)
        except BaseException as fault:  # noqa: BLE001  told by the main thread
            done.put(fault)

    going, running = True, 0
    with signals:
        while True:
            while going and not signals.received and running < fleet.bulk.max_concurrency:
                node = queue.take()
                if node is None:
                    break
                found = _prepared(fleet, node)
                if isinstance(found, Ended):
                    going = _note(fleet, queue, found)
                    continue
                threading.Thread(target=work, args=(node, *found)).start()
                running += 1
            if not running:
                return
            ended = done.get()
            running -= 1
            if isinstance(ended, BaseException):
                raise ended
            going = _note(fleet, queue, ended) and going
