"""`terraform backend create|describe|list|update|delete`: the storage of a component's state.

Source: reference/atmos-stacks.md 5.1; docs/how-to/make-the-state-bucket.md.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper import run, ui
from wrapper.cli import output
from wrapper.cli.terraform_storage import agreed, component_of, form_of
from wrapper.errors import StackError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.terraform.invocation import Invocation
    from wrapper.terraform.provision import Backend


def main(session: Session, invocation: Invocation) -> int:
    """Carry out one of the commands; return the exit code. Raises: UsageError, StackError."""
    word = invocation.words[0]
    if word == "list":
        return _list(session, invocation)
    if word == "describe":
        return _describe(session, invocation)
    backend, environ = _signed_in(session, invocation)
    if word == "create":
        return _create(session, backend, environ)
    if word == "update":
        return _update(session, backend, environ)
    return _delete(session, invocation, backend, environ)


def _list(session: Session, invocation: Invocation) -> int:
    """List the storage of the components of a stack, or of all; no cloud is asked."""
    from wrapper.stacks import overview

    chosen = overview.Chosen(invocation.stack, kinds=("terraform",))
    found = overview.values(session.config(), session.world, chosen)
    rows = []
    for (stack, name), section in sorted(found.items()):
        backend = section.get("backend") or {}
        asked = ((section.get("provision") or {}).get("backend") or {}).get("enabled") is True
        row = {} if invocation.stack else {"Stack": stack}
        row |= {"Component": name, "Type": str(section.get("backend_type") or "local")}
        keys = ("bucket", "container_name", "path", "address")
        place = next((backend[key] for key in keys if backend.get(key)), "")
        rows.append({**row, "Storage": str(place), "Provision": "true" if asked else "false"})
    output.table(session, rows, invocation.format or "", header=True)
    return 0


def _describe(session: Session, invocation: Invocation) -> int:
    """Show what a component says of its backend, as in a manifest; functions are not run."""
    _, component = component_of(session, invocation)
    section = component.section
    kind = section.get("backend_type") or "local"
    told: dict[str, Any] = {"backend_type": kind, "backend": {kind: section.get("backend") or {}}}
    if asked := (section.get("provision") or {}).get("backend"):
        told["provision"] = {"backend": asked}
    form = form_of(invocation, "yaml", ("yaml", "json"))
    output.emit(session, {"components": {"terraform": {component.name: told}}}, form)
    return 0


def _signed_in(session: Session, invocation: Invocation) -> tuple[Backend, Mapping[str, str]]:
    """Return the backend and the environment of the component's identity."""
    from wrapper.terraform import provision

    config, component = component_of(session, invocation)
    world, wanted = session.world, session.globals.identity
    if not provision.of(component).is_wanted:
        raise StackError(
            f'the backend of "{component.name}" is not to be provisioned from here',
            at=component.where("provision", "backend") or component.where("backend"),
            hint="set provision.backend.enabled: true",
        )
    shell = run.section_env(config.data.get("env") or {}).apply(config.environ)
    ready = run.sign_in(config, component, wanted, world, environ=shell)
    component, environ = run.as_identity(ready, config, component, world, shell, invocation)
    backend = provision.of(component)
    if invocation.words[0] != "create" and backend.kind != "s3":
        raise StackError(
            f"`backend {invocation.words[0]}` is not built for {backend.kind}",
            at=component.where("backend_type"),
            hint="use the cloud's own program",
        )
    provision.check(backend, environ)
    if ready.choice.name:
        ui.note(world, f"identity: {ready.choice.name} ({ready.choice.why})")
    return backend, environ


def _create(session: Session, backend: Backend, environ: Mapping[str, str]) -> int:
    from wrapper.terraform import provision

    if not provision.make(backend, environ, session.world, strict=True):
        ui.note(session.world, f"{backend.name} is there already: nothing is changed")
    return 0


def _update(session: Session, backend: Backend, environ: Mapping[str, str]) -> int:
    from wrapper.stacks import cloud

    done = cloud.ask({"what": "s3 update", "backend": backend.settings}, environ)
    if done is None:
        raise _gone(backend)
    ui.note(session.world, f"{backend.name}: {', '.join(done) or 'nothing had to be changed'}")
    return 0


def _delete(
    session: Session, invocation: Invocation, backend: Backend, environ: Mapping[str, str]
) -> int:
    """Delete the bucket with all states in it, if it was made here; asks first."""
    from wrapper.stacks import cloud

    found = cloud.ask({"what": "s3 look", "backend": backend.settings}, environ)
    if found is None:
        raise _gone(backend)
    if not found["ours"]:
        raise StackError(
            f"the bucket {backend.name} was not made by `provision.backend`: it is not deleted",
            at=backend.at,
            hint="it has no tag ManagedBy=Atmos; delete it in another way, if that is what you want",
        )
    states = "".join(f"  {ui.line(state)}\n" for state in found["states"])
    count = len(found["states"])
    listing = (
        f"  the bucket {backend.name}: {found['objects']} versions of objects, "
        f"states among them: {count}\n{states}"
    )
    if not agreed(session.world, invocation, listing, "backend delete deletes states"):
        return 0 if invocation.dry_run else 1
    cloud.ask({"what": "s3 delete", "backend": backend.settings}, environ)
    ui.note(session.world, f"the bucket {backend.name} was deleted, with {count} states")
    return 0


def _gone(backend: Backend) -> StackError:
    return StackError(
        f"there is no bucket {backend.name}",
        at=backend.at,
        hint="`terraform backend create` makes it",
    )
