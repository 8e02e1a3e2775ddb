"""Which identity a command uses, and why.

Source: design 8, reference/atmos-auth.md 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from wrapper import ui
from wrapper.auth.lookup import match
from wrapper.auth.model import OFF_WORDS, SELECT, Auth, Choice, Setting
from wrapper.errors import ConfigError, Interrupted, Location, NeedsLogin, near
from wrapper.world import World

# The shell pin of `use`; set only by our hook.
PIN = "ATMOS_WRAP_IDENTITY"


def is_off(setting: Setting | None) -> bool:
    """Say whether a setting switches identities off."""
    return setting is not None and setting.value.lower() in OFF_WORDS


def wish(given: Setting | None, world: World) -> Setting | None:
    """Return the first of flag, `ATMOS_IDENTITY` and shell pin that says anything."""
    if given is not None and given.value:
        return given
    for name in ("ATMOS_IDENTITY", PIN):
        if world.environ.get(name):
            return Setting(world.environ[name], name)
    return None


def select(auth: Auth, given: Setting | None, world: World) -> Choice:
    """Return the identity to use.

    Order: flag, `ATMOS_IDENTITY`, shell pin, default, a question on a terminal. Nothing configured
    means none; a provider is something. Raises: ConfigError for an unknown or undecidable one, NeedsLogin when a choice was
    asked for and nobody can be asked, Interrupted.
    """
    wanted = wish(given, world)
    if wanted is not None and is_off(wanted):
        return Choice(None, f"switched off by {wanted.source}", off=True)
    if wanted is not None and wanted.value == SELECT:
        return _ask(list(auth.identities), f"chosen for {wanted.source}", world)
    if wanted is not None:
        return Choice(named(auth, wanted), f"named by {wanted.source}")
    if len(auth.defaults) == 1:
        default = auth.defaults[0]
        at = f", {ui.place(default.at, world.cwd)}" if default.at else ""
        return Choice(default.name, f"the default{at}")
    if len(auth.defaults) > 1:
        return _several(auth, world)
    if not auth.identities and not auth.providers:
        return Choice(None, "no identity is configured")
    if not auth.identities:
        raise _only_providers(auth)
    if world.can_ask:
        return _ask(list(auth.identities), "chosen at the prompt", world)
    raise ConfigError(
        "no default identity is configured",
        hint=[
            *in_profiles(auth),
            "use --identity NAME or ATMOS_IDENTITY, or mark one with `default: true`",
            f"identities: {', '.join(sorted(auth.identities))}",
            "`--identity=false` runs as the shell is",
        ],
    )


def _only_providers(auth: Auth) -> ConfigError:
    """Return why nobody is chosen where only providers are configured.

    Source: Atmos, hook before terraform: without an identity, a provider alone is refused.
    """
    from wrapper.auth import provisioned

    portals = sorted(provisioned.portals(auth.section))
    if portals:
        first = f"sign in to the portal first: auth login --provider {' or '.join(portals)}"
    else:
        first = "there are only providers: add one to `auth.identities`"
    hint = [*in_profiles(auth), first, "`--identity=false` runs as the shell is"]
    return ConfigError("no default identity is configured", hint=hint)


def in_profiles(auth: Auth) -> list[str]:
    """Return advice that names the profiles with `auth`, where none is active.

    Source: reference/atmos-auth.md 2.9.
    """
    found = auth.elsewhere("") if auth.elsewhere else ()
    if not found:
        return []
    names = ", ".join(f'"{name}"' for name in found)
    return [f"`auth` is configured in the profile {names}: --profile {found[0]}"]


def insist(choice: Choice, auth: Auth) -> Choice:
    """Return the choice, for commands that are about an identity: none at all is an error there.

    Raises: ConfigError.
    """
    if choice.name is None and not choice.off:
        raise ConfigError(
            "no default identity is configured",
            hint=in_profiles(auth)
            or "no `auth.identities` in atmos.yaml or the active profiles; see `--profile`",
        )
    return choice


def named(auth: Auth, wanted: Setting) -> str:
    """Return the identity that a name or alias means. Raises: ConfigError."""
    name = match(wanted.value, auth.identities)
    if name is not None:
        return name
    aliases: dict[str, list[str]] = {}
    for entry in auth.identities.values():
        alias = entry.raw.get("alias")
        if isinstance(alias, str) and alias:
            aliases.setdefault(alias, []).append(entry.name)
    for alias in (wanted.value, match(wanted.value, aliases) or ""):
        if len(aliases.get(alias, ())) == 1:
            return aliases[alias][0]
        if alias in aliases:
            places = [p for p in (auth.identities[n].at for n in aliases[alias]) if p]
            both = " and ".join(f'"{n}"' for n in aliases[alias])
            raise ConfigError(f'the alias "{wanted.value}" names {both}', at=places)
    if not auth.identities:
        raise ConfigError(
            f'identity "{wanted.value}" is not defined: there is no identity at all',
            at=wanted.source,
            hint=_elsewhere(auth, wanted.value)
            or "no `auth.identities` in atmos.yaml or the active profiles",
        )
    hint = _elsewhere(auth, wanted.value) or near(wanted.value, [*auth.identities, *aliases])
    raise ConfigError(
        f'identity "{wanted.value}" is not defined',
        at=wanted.source,
        hint=hint or "`atmos-wrap auth list` shows the identities",
    )


def _elsewhere(auth: Auth, name: str) -> list[str]:
    """Return advice that names the profiles which define an identity. Source: reference 2.6."""
    found = auth.elsewhere(name) if auth.elsewhere else ()
    defined = ", ".join(f'"{profile}"' for profile in found)
    return [f"it is defined in the profile {defined}: --profile {found[0]}"] if found else []


def _several(auth: Auth, world: World) -> Choice:
    names = [default.name for default in auth.defaults]
    if world.can_ask:
        return _ask(names, "chosen among several defaults", world)
    places: list[Location | str] = [d.at for d in auth.defaults if d.at is not None]
    raise ConfigError(
        f"several identities are marked as default: {', '.join(names)}",
        at=places,
        hint="use --identity NAME, or set `default: false` for all but one",
    )


def _ask(names: Sequence[str], why: str, world: World) -> Choice:
    if not names:
        raise ConfigError("there is no identity to choose from")
    if not world.can_ask:
        raise NeedsLogin(
            "choosing an identity requires a TTY",
            hint=f"name one: --identity {sorted(names)[0]}",
        )
    return Choice(ask(sorted(names), "Select an identity:"), why)


def ask(names: Sequence[str], question: str) -> str:
    """Let a person choose one name on the terminal. Raises: Interrupted."""
    import questionary

    answer = questionary.select(question, choices=list(names)).ask()
    if answer is None:
        raise Interrupted("nothing was chosen")
    return str(answer)
