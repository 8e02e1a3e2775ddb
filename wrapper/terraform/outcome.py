"""How the runs of several components ended, as people and as their shell are told."""

from __future__ import annotations

from wrapper import ui
from wrapper.stacks.dependencies import Node
from wrapper.terraform.invocation import Invocation
from wrapper.typed import NamedTuple

# `plan -detailed-exitcode`: there is something to change. No other sub-command ends like this.
_CHANGES = 2


class Ended(NamedTuple):
    """How one component's run ended. `code` is the exit code, None when it was not started."""

    node: Node
    code: int | None
    seconds: float = 0.0
    why: str = ""

    def failed(self, subcommand: str) -> bool:
        """Say whether what needs this component must not run."""
        return self.code is None or self.code not in (0, _CHANGES if subcommand == "plan" else 0)


def exit_code(ended: list[Ended], subcommand: str, stopped: int = 0) -> int:
    """Return the exit code of all together; `stopped` is the signal that ended it, or 0."""
    failed = [one.code for one in ended if one.code is not None and one.failed(subcommand)]
    if stopped:
        failed.append(128 + stopped)
    return max(failed or [one.code for one in ended if one.code is not None], default=0)


def summary(ended: list[Ended], invocation: Invocation) -> str:
    """Return a line for each component: how it ended, how long it took."""
    if not ended:
        return ""
    sub = invocation.subcommand
    lines = [(one.node.component, one.node.stack, _words(one, sub)) for one in ended]
    widths = [max(len(line[i]) for line in lines) for i in (0, 1)]
    told = [f"  {c:<{widths[0]}}  {s:<{widths[1]}}  {words}" for c, s, words in lines]
    failed = sum(one.code is not None and one.failed(sub) for one in ended)
    missed = sum(one.code is None for one in ended)
    counts = [f"{len(ended) - failed - missed} of {len(ended)} done"]
    counts += [f"{failed} failed"] if failed else []
    counts += [f"{missed} not run"] if missed else []
    return "".join(
        f"{ui.escape(t)}\n" for t in [f"{invocation.command}: {', '.join(counts)}", *told]
    )


def _words(one: Ended, subcommand: str) -> str:
    if one.code is None:
        return f"not run: {one.why}"
    time_taken = f" ({one.seconds:.1f} s)" if one.seconds else ""
    if one.failed(subcommand):
        return f"failed, exit code {one.code}{time_taken}"
    return ("changes" if one.code == _CHANGES else "done") + time_taken
