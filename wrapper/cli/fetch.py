"""`fetch`: agree to what a repository imports from the net, and get it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from wrapper.errors import UsageError, WrapError

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.errors import Location
    from wrapper.remote.address import Address
    from wrapper.stacks.imports import Tree
    from wrapper.stacks.repository import Repository
    from wrapper.world import World

_MOST = 1000


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("fetch")(fetch)


def fetch(
    ctx: typer.Context,
    source: Annotated[list[str] | None, typer.Argument(help="sources to agree to")] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="agree to all that is found")] = False,
    update: Annotated[bool, typer.Option("--update", help="look at all again, at once")] = False,
    forget: Annotated[str, typer.Option("--forget", help="agree to this source no longer")] = "",
    show: Annotated[bool, typer.Option("--list", help="show what was agreed to")] = False,
) -> None:
    """Get what the repository imports from the net; asks about each new source.

    A SOURCE is a repository or file, or the beginning of its address by whole names.
    """
    from wrapper import ui
    from wrapper.remote import consent

    session: Session = ctx.obj
    world = session.world
    if show:
        known = [*consent.allowed(world), *consent.prefixes(world)]
        world.stdout.write("".join(f"{ui.escape(one)}\n" for one in sorted(set(known))))
        return
    if forget:
        if not consent.forget(_source(forget), world):
            raise UsageError(
                f"nobody agreed to {forget}", hint="`atmos-wrap fetch --list` shows what"
            )
        ui.note(world, f"forgotten: {_source(forget)}")
        return
    for one in source or ():
        consent.allow(_source(one), world)
    told: dict[str, WrapError] = {}
    count = _all(session, told, yes=yes, update=update)
    for error in told.values():
        ui.write(world, ui.render(error, world.cwd))
    if told:
        raise typer.Exit(max(error.exit_code for error in told.values()))
    ui.note(world, f"{count} remote source{'' if count == 1 else 's'}: all here")


def _source(text: str) -> str:
    """Return what consent is given to: an address without version, or the beginning of some."""
    from wrapper.remote import address

    if "://" in text and "::" not in text and "?" not in text and "@" not in text:
        return text.rstrip("/").removesuffix(".git")
    if "/" in text and "::" not in text and ":" not in text and "//" not in text:
        return f"https://{text.rstrip('/').removesuffix('.git')}"
    return address.parse(text).source


def _all(session: Session, told: dict[str, WrapError], *, yes: bool, update: bool) -> int:
    """Get everything; return how many sources there are. What fails is put into `told`."""
    from wrapper.remote import store

    if update:
        store.expire(session.world)
    known: set[str] = set()
    for _ in range(_MOST):
        missing = None
        for error in _lacking(session, known):
            if isinstance(error, store.NotFetched) and str(error) not in told:
                missing = error
                break
            told.setdefault(str(error), error)
        if missing is None:
            break
        if not _agreed(missing.address, missing.at, session.world, yes=yes):
            told[str(missing)] = missing
    return len(known)


def _agreed(address: Address, at: tuple[Location | str, ...], world: World, *, yes: bool) -> bool:
    """Ask about a source unless that was done; remember a yes."""
    from wrapper import ui
    from wrapper.remote import consent

    if not yes:
        if not world.can_ask:
            return False
        place = f" for {ui.place(at[0], world.cwd)}" if at else ""
        world.stderr.write(f"Fetch {ui.escape(address.source)}{place}? [y/N] ")
        world.stderr.flush()
        if world.stdin.readline().strip().lower() not in ("y", "yes"):
            return False
    consent.allow(address.source, world)
    return True


def _lacking(session: Session, known: set[str]) -> Iterator[WrapError]:
    """Yield what stands in the way of each part of the repository; note what is here in `known`."""
    from wrapper.remote import store
    from wrapper.stacks import catalog, opened

    try:
        config = session.config()
        repository = opened(config, session.world, quiet=True)
    except WrapError as error:
        yield error
        return
    known.update(filter(None, map(store.root_of, config.files)))
    for path in catalog.discover(repository.settings)[0]:
        try:
            tree = repository.loader.tree(path)
            known.update(filter(None, map(store.root_of, tree.paths)))
        except WrapError as error:
            yield error
            continue
        yield from _of_components(repository, tree, known)


def _of_components(repository: Repository, tree: Tree, known: set[str]) -> Iterator[WrapError]:
    """Yield what stands in the way of the components' own sources."""
    from wrapper.remote import store
    from wrapper.stacks import sections
    from wrapper.stacks.sources import place
    from wrapper.terraform import source

    for name in sections.components_of(tree, "terraform", repository.settings):
        try:
            section = sections.resolve(tree, "terraform", name, repository.settings).section
            at = place(tree.path, ("components", "terraform", name, "source"))
            spec = source.of_section(section, at)
            if spec is not None and not spec.is_local and "{{" not in spec.uri + spec.version:
                known.add(store.tree(spec.address(), repository.world, at=at).root)
        except WrapError as error:
            yield error
