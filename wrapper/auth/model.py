"""The values of the `auth` section: who there is, how to get there, what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wrapper.errors import ConfigError, Location, WrapError
from wrapper.merge import Layer
from wrapper.typed import Any, NamedTuple

# Stands for "let me choose" where a name is expected (`--identity` without a value).
SELECT = "__SELECT__"
OFF_WORDS = frozenset(("false", "off", "no", "0"))


class Setting(NamedTuple):
    """A wish and who made it, such as `Setting("dev", "--identity")`."""

    value: str
    source: str


class Choice(NamedTuple):
    """The identity to use and why; `name` None means: run as the shell is.

    `off` says that the user wants it so, not that nothing is configured.
    """

    name: str | None
    why: str
    off: bool = False


class Credential(NamedTuple):
    """What lets a program act as somebody.

    `cloud` is `aws`, `mock` or `` (nothing to hand over). `fields` holds secrets: it appears in no
    text. `expires` and `issued` are seconds since the epoch; `expires` None means never.
    `principal` is an ARN or the like, empty when unknown.
    """

    cloud: str
    fields: Mapping[str, str]
    expires: float | None = None
    principal: str = ""
    region: str = ""
    issued: float = 0.0

    def __repr__(self) -> str:
        return f"Credential({self.cloud}, fields={sorted(self.fields)}, expires={self.expires})"


class Entry(NamedTuple):
    """One provider or identity as configured. `raw` is its merged map; `role` names which it is."""

    role: str
    name: str
    kind: str
    raw: Mapping[str, Any]
    at: Location | None = None

    @property
    def title(self) -> str:
        """Return how errors call it: `identity "dev"`."""
        return f'{self.role} "{self.name}"'


class Link(NamedTuple):
    """One step of a chain; `key` names its session, None when it is never stored."""

    entry: Entry
    spec: Any
    key: str | None = None

    @property
    def name(self) -> str:
        """Return the provider's or identity's name."""
        return self.entry.name

    @property
    def kind(self) -> str:
        """Return the kind."""
        return self.entry.kind


class Problem(NamedTuple):
    """Something wrong in the section.

    `subject` is the entry's title, empty for the section itself. `weight` says whom it stops:
    FATAL every command, USED those that use the subject, CHECKED only `auth validate`.
    """

    subject: str
    error: WrapError
    weight: int = 1


FATAL, USED, CHECKED = 2, 1, 0


class Default(NamedTuple):
    """An identity marked `default: true` that no later section overrules."""

    name: str
    at: Location | str | None


def problem(
    subject: str,
    message: str,
    at: Location | Sequence[Location] | None,
    weight: int = USED,
    hint: str | None = None,
) -> Problem:
    """Return a fault of the section; `subject` is the title of an entry, or nothing."""
    return Problem(subject, ConfigError(message, at=at, hint=hint), weight)


class Auth(NamedTuple):
    """The `auth` section, read and checked."""

    section: Mapping[str, Any]
    layers: Sequence[Layer]
    realm: str
    realm_source: str
    providers: Mapping[str, Entry]
    identities: Mapping[str, Entry]
    defaults: tuple[Default, ...] = ()
    problems: tuple[Problem, ...] = ()
    warnings: tuple[WrapError, ...] = ()
    # Variables that hold secrets for the wrapper's eyes only.
    withheld: frozenset[str] = frozenset()
    delivery: str = "pointers"
    required: str = "warn"
    # The profiles that define an identity of a name; `''` for any identity.
    elsewhere: Callable[[str], Sequence[str]] | None = None


# Keys of an entry that do not change what is signed.
NOT_SIGNED = frozenset(
    (
        "default",
        "required",
        "alias",
        "tags",
        "env",
        "console",
        "provider",
        "download_browser_driver",
    )
)
