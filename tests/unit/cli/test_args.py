"""Global flags and terraform command lines: what is ours, what is the program's."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper import world
from wrapper.auth import Setting
from wrapper.cli import args, terraform_args
from wrapper.errors import UsageError
from wrapper.terraform.invocation import Bulk


@pytest.mark.parametrize(
    ("argv", "identity", "rest"),
    [
        (["list", "stacks"], None, ["list", "stacks"]),
        (["describe", "-i", "dev", "config"], "dev", ["describe", "config"]),
        (["describe", "config", "--identity=dev"], "dev", ["describe", "config"]),
        (["describe", "config", "-i"], "__SELECT__", ["describe", "config"]),
        (["describe", "config", "-i", "--full"], "__SELECT__", ["describe", "config", "--full"]),
        (["describe", "config", "--identity="], "__SELECT__", ["describe", "config"]),
        (["auth", "env", "--identity="], None, ["auth", "env"]),
        (["auth", "--identity", "dev", "env"], "dev", ["auth", "env"]),
        (["auth", "env", "-i=dev", "-i", "off"], "off", ["auth", "env"]),
        (["auth", "env", "-idev"], None, ["auth", "env", "-idev"]),
    ],
)
def test_identity_flag_has_an_optional_value(
    argv: list[str], identity: str | None, rest: list[str]
) -> None:
    found, left = args.split_globals(argv)
    wanted = None if identity is None else Setting(identity, "--identity")
    assert (found.identity, left) == (wanted, rest)


def test_atmos_identity_counts_without_a_flag() -> None:
    found, _ = args.split_globals(["auth", "env"], {"ATMOS_IDENTITY": "off"})
    assert found.identity == Setting("off", "ATMOS_IDENTITY")


def test_lists_add_up_and_scalars_are_replaced() -> None:
    found, left = args.split_globals(
        "--profile a,b list -s one stacks --profile=c --stack two --logs-level Debug".split()
    )
    assert left == ["list", "stacks"]
    assert found == args.Globals(
        profiles=("a", "b", "c"),
        stack="two",
        logs_level="Debug",
        overrides={"logs.level": "Debug"},
    )


def test_nothing_behind_two_dashes_is_taken() -> None:
    found, left = args.split_globals(["exec", "-i", "x", "--", "env", "-s", "dev"])
    assert (found.stack, left) == (None, ["exec", "--", "env", "-s", "dev"])


def test_another_programs_arguments_are_left_alone() -> None:
    argv = ["aws", "-i", "dev", "s3", "ls", "--profile", "mine", "-s", "-i", "x"]
    found, left = args.split_globals(argv)
    assert left == ["aws", "s3", "ls", "--profile", "mine", "-s", "-i", "x"]
    assert found.profiles is None


def test_a_flag_without_its_value_is_an_error() -> None:
    with pytest.raises(UsageError, match="flag needs an argument: --stack"):
        args.split_globals(["list", "stacks", "--stack"])


def test_a_boolean_that_is_none_is_an_error() -> None:
    with pytest.raises(UsageError, match='invalid argument "perhaps" for the flag --no-color'):
        args.split_globals(["list", "stacks", "--no-color=perhaps"])


def test_the_command_is_found_behind_global_flags() -> None:
    argv = ["--profile", "terraform", "-i", "x", "--no-color", "terraform", "plan"]
    assert args.command_at(argv) == 5


def split(*argv: str, **environ: str) -> terraform_args.Line:
    return terraform_args.split(["terraform", *argv], environ)


@pytest.mark.parametrize(
    ("argv", "subcommand", "words", "component", "arguments"),
    [
        ("plan c -s dev", "plan", (), "c", ()),
        ("plan -s dev c", "plan", (), "c", ()),
        ("plan -destroy c -s dev", "plan", (), "c", ("-destroy",)),
        ("plan -target x.y c -s dev", "plan", (), "c", ("-target", "x.y")),
        ("plan -out -s c -s dev", "plan", (), "c", ("-out", "-s")),
        ("plan c -s dev extra -state=x", "plan", (), "c", ("extra", "-state=x")),
        ("state list c -s dev", "state", ("list",), "c", ()),
        ("state mv c a.b c.d -s dev --x", "state", ("mv",), "c", ("a.b", "c.d", "--x")),
        ("workspace c -s dev", "workspace", (), "c", ()),
        ("workspace list c -s dev", "workspace", ("list",), "c", ()),
        ("providers lock c -s dev -platform=a", "providers", ("lock",), "c", ("-platform=a",)),
        ("output c -s dev -raw name", "output", (), "c", ("-raw", "name")),
        ("plan c -s dev -- -s other --all", "plan", (), "c", ("-s", "other", "--all")),
    ],
)
def test_terraform_lines_are_taken_apart(
    argv: str, subcommand: str, words: tuple[str, ...], component: str, arguments: tuple[str, ...]
) -> None:
    found = split(*argv.split()).invocation
    assert (found.subcommand, found.words, found.component, found.stack, found.arguments) == (
        subcommand,
        words,
        component,
        "dev",
        arguments,
    )


def test_an_unknown_option_with_two_dashes_is_refused() -> None:
    with pytest.raises(UsageError) as caught:
        split("apply", "c", "-s", "dev", "--auto-approve")
    assert caught.value.message == "unknown flag --auto-approve for terraform apply"
    assert "(-auto-approve)" in caught.value.hints[-1]


def test_flags_become_settings_of_the_configuration() -> None:
    found = split("plan", "c", "-s", "dev", "--init-run-reconfigure=false", "--skip-planfile")
    assert found.given.overrides == {
        "components.terraform.init_run_reconfigure": False,
        "components.terraform.plan.skip_planfile": True,
    }


def test_variables_stand_in_for_flags() -> None:
    found = split("plan", "c", ATMOS_STACK="dev", ATMOS_DRY_RUN="true", ATMOS_SKIP_INIT="1")
    assert (found.invocation.stack, found.invocation.dry_run, found.invocation.skip_init) == (
        "dev",
        True,
        True,
    )


BULK = "multi-component (bulk operations) flags `--affected`, `--all`, `--query`, `--components`"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("plan c --all", f"the component argument can't be used with the {BULK}"),
        ("plan --affected --all", "the `--affected` flag can't be used with the other multi-"),
        ("apply --all --from-plan", f"(`--from-plan`, `--planfile`) can't be used with the {BULK}"),
        (
            "apply --all --planfile x",
            f"(`--from-plan`, `--planfile`) can't be used with the {BULK}",
        ),
        ("plan --all --base main", "--base says what --affected compares with"),
        ("plan c -s dev --ref main", "--ref says what --affected compares with"),
        ("import --all", "terraform import is for one component: --all does not go with it"),
        ("state list --tags a", "terraform state list is for one component: --tags does not"),
        ("plan c -s dev --include-dependents", "--include-dependents widens a choice of several"),
        ("plan --all --max-concurrency 0", 'invalid argument "0" for the flag --max-concurrency'),
        ("plan --all --failure-mode x", 'invalid argument "x" for the flag --failure-mode'),
        ("plan --labels a", 'the label "a" has no value'),
        ("clean --all", "terraform clean is for one component: --all does not go with it"),
        ("import -s dev", "component is required"),
        ("plan", "component is required"),
    ],
)
def test_bulk_flags_that_do_not_go_together_are_refused(argv: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        terraform_args.require(split(*argv.split()))
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        ("plan --affected --repo-path x --sha 1234567", "if the '--repo-path' flag is specified"),
        ("plan --affected --repo-path x --clone-target-ref", "--repo-path names a clone"),
        ("plan --affected --ssh-key x", "--ssh-key is for fetching"),
    ],
)
def test_what_is_compared_with_must_be_one_thing(argv: str, message: str) -> None:
    with pytest.raises(UsageError) as caught:
        split(*argv.split())
    assert message in caught.value.message


@pytest.mark.parametrize(
    ("argv", "bulk"),
    [
        ("plan --all", Bulk()),
        ("plan -s dev", Bulk()),
        ("plan --components a,b --tags=x", Bulk(components=("a", "b"), tags=("x",))),
        ("plan --labels a=1,b=2", Bulk(labels=(("a", "1"), ("b", "2")))),
        ("plan -s dev --include-dependencies", Bulk(dependencies=None)),
        ("plan --all --include-dependents=2", Bulk(dependents=2)),
        (
            "plan --all --max-concurrency 4 --failure-mode keep-going",
            Bulk((), "", (), (), 0, 0, 4, True),
        ),
        ("plan --all=false c -s dev", None),
        ("plan c -s dev", None),
        ("generate varfiles --components a", None),
    ],
)
def test_several_components_are_chosen(argv: str, bulk: Bulk | None) -> None:
    assert split(*argv.split()).invocation.bulk == bulk


def test_the_variable_for_the_stack_does_not_choose_all_of_it() -> None:
    with pytest.raises(UsageError, match="component is required"):
        terraform_args.require(split("apply", "-auto-approve", ATMOS_STACK="dev"))


def test_variables_for_a_choice_count_only_without_a_component() -> None:
    chosen = {"ATMOS_COMPONENTS": "a,b"}
    assert split("plan", "c", "-s", "dev", **chosen).invocation.bulk is None
    assert split("plan", "-s", "dev", **chosen).invocation.bulk == Bulk(components=("a", "b"))


def test_a_mistyped_subcommand_is_answered_with_the_near_one() -> None:
    with pytest.raises(UsageError) as caught:
        terraform_args.require(split("paln", "c", "-s", "dev"))
    assert caught.value.hints == ('did you mean "plan"?',)


# What a user may write for Terraform before `--`: options with one dash that are none of ours.
_text = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=12)
_word = _text.filter(lambda t: bool(t) and not t.startswith("-"))
_boolean = st.sampled_from(["-destroy", "-json", "-no-color", "-auto-approve", "-refresh-only"])
_joined = st.builds(lambda name, value: f"{name}={value}", st.sampled_from(["-var", "-x"]), _text)
_valued = st.tuples(st.sampled_from(sorted(terraform_args.VALUED)), _text)
_terraform = st.one_of(_boolean.map(lambda f: (f,)), _joined.map(lambda f: (f,)), _valued)
_own = st.sampled_from(
    [("-s", "prod"), ("--stack=prod",), ("-i", "me"), ("--dry-run",), ("--identity=me",)]
)


@given(
    before=st.lists(st.one_of(_terraform, _own)),
    after=st.lists(st.one_of(_terraform, _own, _word.map(lambda w: (w,)))),
    tail=st.none() | st.lists(st.text(max_size=8)),
)
def test_everything_of_terraforms_arrives_in_order_and_unchanged(
    before: list[tuple[str, ...]], after: list[tuple[str, ...]], tail: list[str] | None
) -> None:
    own = {("-s", "prod"), ("--stack=prod",), ("-i", "me"), ("--dry-run",), ("--identity=me",)}
    argv = ["plan", *(a for part in before for a in part), "comp"]
    argv += [a for part in after for a in part]
    expected = [a for part in (*before, *after) if part not in own for a in part]
    if tail is not None:
        argv += ["--", *tail]
        expected += tail
    found = split(*argv).invocation
    assert (found.subcommand, found.component, list(found.arguments)) == ("plan", "comp", expected)


@given(st.lists(st.text(max_size=10)))
def test_no_argument_list_is_a_fault(argv: list[str]) -> None:
    with contextlib.suppress(UsageError):
        args.split_globals(argv)
    with contextlib.suppress(UsageError):
        assert terraform_args.split(["terraform", *argv], {}).given.overrides == {}


def test_a_directory_that_no_path_can_name_is_refused() -> None:
    given, _ = args.split_globals(["-C", "\0", "list", "stacks"])
    with pytest.raises(UsageError, match="cannot change to the directory"):
        args.enter(given, world.real())
