"""One terraform command line, taken apart."""

from __future__ import annotations

from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.stacks.baseline import Against


class Bulk(NamedTuple):
    """What the user typed about several components at once.

    `dependencies` and `dependents` say how many steps the choice is widened: 0 not, None all.
    `affected` narrows it to what differs from something else.
    """

    components: tuple[str, ...] = ()
    query: str = ""
    tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    dependencies: int | None = 0
    dependents: int | None = 0
    max_concurrency: int = 1
    keeps_going: bool = False
    grouped: bool = False
    affected: Against | None = None


class Answer(NamedTuple):
    """What becomes of a command's answer that is not just shown.

    `kind` is `output`, `planfile` or `plan-diff`. `form` is the format and `file` where it goes, None
    for stdout or the usual place; `name` is the one output that is asked for. `original` and `new`
    are plan files; None for a plan to be made.
    """

    kind: str
    form: str = ""
    file: str | None = None
    name: str | None = None
    uppercase: bool = False
    flatten: bool = False
    original: str = ""
    new: str | None = None


class Invocation(NamedTuple):
    """What the user typed behind `terraform`.

    `words` holds the sub-sub-command (`list` of `state list`), `arguments` what is Terraform's, in
    the order typed. Flags of ours are the other fields; None means not given.
    """

    program: str
    subcommand: str
    words: tuple[str, ...] = ()
    component: str | None = None
    stack: str | None = None
    arguments: tuple[str, ...] = ()
    dry_run: bool = False
    skip_init: bool = False
    force_init: bool = False
    from_plan: bool = False
    planfile: str | None = None
    verify_plan: bool = False
    upload_status: bool = False
    accept_state_change: bool = False
    use_templates: bool = True
    use_functions: bool = True
    skip_functions: tuple[str, ...] = ()
    file: str | None = None
    with_secrets: bool = False
    force: bool = False
    skip_lock_file: bool = False
    clean: bool = False
    file_template: str | None = None
    format: str | None = None
    stacks: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    skip_hooks: str = ""
    everywhere: bool = False
    expired: bool = False
    ttl: str | None = None
    bulk: Bulk | None = None
    answer: Answer | None = None

    @property
    def command(self) -> str:
        """Return the sub-command as people write it: `state list`."""
        return " ".join((self.subcommand, *self.words))

    @property
    def event(self) -> str:
        """Return the sub-command as the events of hooks name it; deploy counts as apply."""
        if self.answer is not None and self.answer.kind != "output":
            return {"planfile": "generate.planfile", "plan-diff": "plan.diff"}[self.answer.kind]
        return "apply" if self.subcommand == "deploy" else self.subcommand
