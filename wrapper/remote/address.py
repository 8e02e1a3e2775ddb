"""Addresses of things on the net, in the forms that Atmos takes, and which of them are fetched."""

from __future__ import annotations

import re

from wrapper.errors import ConfigError, Location
from wrapper.typed import NamedTuple

# Hosts that are repositories of git whatever the rest of the address looks like.
HOSTS = ("github.com", "gitlab.com", "bitbucket.org")
_FORCED = re.compile(r"([A-Za-z0-9]+)::(.*)\Z", re.DOTALL)
_SCP = re.compile(r"(?:([\w.-]+)@)?([\w-]+(?:\.[\w-]+)+):(?!//)([\w~./-].*)\Z", re.DOTALL)
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./+@-]*\Z")
_HOST = re.compile(
    r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?\Z|\[[0-9A-Fa-f:.]+\](:[0-9]{1,5})?\Z"
)
_LOGIN = re.compile(r"(?<=//)[^/@\s]*@")
_ARCHIVES = {
    ".tar.gz": "tar", ".tgz": "tar", ".tar.bz2": "tar", ".tbz2": "tar", ".tar.xz": "tar",
    ".txz": "tar", ".tar": "tar", ".zip": "zip",
}  # fmt: skip
_NAMES = {
    "tar.gz": "tar",
    "tgz": "tar",
    "tar.bz2": "tar",
    "tar.xz": "tar",
    "tar": "tar",
    "zip": "zip",
}


class Login(str):
    """User and password that stood in an address; never shown."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "'***'"


class Address(NamedTuple):
    """Where something is fetched from.

    `kind` is git or file. `source` is what consent is for: without user, password, query and
    version. `url` is what is asked for; `subdir` what is wanted of it, `ref` which version.
    `checksum` is `sha256:…` or '', `archive` tar, zip or ''.
    """

    kind: str
    source: str
    url: str
    subdir: str = ""
    ref: str = ""
    checksum: str = ""
    archive: str = ""
    login: Login = Login()

    @property
    def shown(self) -> str:
        """Return the address as people read it, without what must not be seen."""
        version = f" ({self.ref})" if self.ref else ""
        return f"{self.source}{f'//{self.subdir}' if self.subdir else ''}{version}"


def hidden(text: str) -> str:
    """Return an address without user, password and query, for messages."""
    bare, _, query = text.partition("?")
    version = [part for part in query.split("&") if part.startswith("ref=")]
    return _LOGIN.sub("", bare) + ("?" + version[0] if version else "")


def parse(text: str, at: Location | str | None = None) -> Address:
    """Return an address taken apart.

    Raises: ConfigError for what is not fetched: other schemes, what is not encrypted, options.
    Source: reference/atmos-stacks.md 3.4; go-getter's forms of addresses.
    """
    if not text.isprintable() or any(char.isspace() for char in text) or "\\" in text:
        raise _refused(text, "holds characters that no address has", at)
    forced, rest = "", text
    found = _FORCED.match(text)
    if found:
        forced, rest = found.group(1).lower(), found.group(2)
    if forced not in ("", "git", "https", "http"):
        raise _refused(
            text,
            f"{forced}:: is not fetched",
            at,
            "vendor it into the repository, or use git::https://",
        )
    bare, _, query = rest.partition("?")
    options = _options(query, text, at)
    scp = _SCP.match(bare)
    if scp and "://" not in bare:
        path, subdir = _cut(scp.group(3))
        bare = f"ssh://{scp.group(1) or 'git'}@{scp.group(2)}/{path.lstrip('/')}"
        bare += f"//{subdir}" if subdir else ""
    if "://" not in bare:
        bare, forced = _short(bare, forced, text, at), "git"
    scheme, _, after = bare.partition("://")
    scheme = scheme.lower()
    path, subdir = _cut(after)
    subdir = _inside(subdir, text, at)
    if scheme == "file" and forced == "git":
        return _git(f"file://{path}", f"file://{path}", subdir, options, "", text, at)
    if scheme not in ("https", "ssh"):
        what = "is not encrypted: use https" if scheme in ("http", "git") else "is not fetched"
        raise _refused(text, f"{scheme}:// {what}", at)
    authority, slash, path = path.partition("/")
    login, _, host = authority.rpartition("@")
    if not _HOST.match(host) or not slash or not path.strip("/"):
        raise _refused(text, "names no host and path", at)
    host = host.lower()
    if scheme == "ssh":
        user = login.partition(":")[0]
        if user and not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", user):
            raise _refused(text, "names no user of ssh", at)
        url = f"ssh://{user + '@' if user else ''}{host}/{path}"
        return _git(f"ssh://{host}/{path}", url, subdir, options, "", text, at)
    url = f"https://{host}/{path}"
    name = host.partition(":")[0]
    known = any(name == one or name.endswith(f".{one}") for one in HOSTS)
    if forced == "git" or (not forced and (known or ".git" in f"/{path}" or "/_git/" in path)):
        return _git(url, url, subdir, options, login, text, at)
    return _file(url, subdir, options, login, text, at)


def _git(
    source: str,
    url: str,
    subdir: str,
    options: dict[str, str],
    login: str,
    text: str,
    at: Location | str | None,
) -> Address:
    ref = options.pop("ref", "")
    options.pop("depth", None)
    if ref and (not _REF.match(ref) or ".." in ref):
        raise _refused(text, "names no branch, tag or commit of git", at)
    if options:
        raise _refused(text, f"the option `{sorted(options)[0]}` is not followed for git", at)
    source = source.rstrip("/").removesuffix(".git")
    if any(url.startswith(f"https://{host}/") for host in HOSTS) and not url.endswith(".git"):
        url = url.rstrip("/") + ".git"
    return Address("git", source, url, subdir, ref, login=Login(login))


def _file(
    url: str,
    subdir: str,
    options: dict[str, str],
    login: str,
    text: str,
    at: Location | str | None,
) -> Address:
    checksum = options.pop("checksum", "")
    if checksum and not re.fullmatch(r"sha256:[0-9a-fA-F]{64}|sha512:[0-9a-fA-F]{128}", checksum):
        raise _refused(text, "the checksum must be sha256:… or sha512:…", at)
    named = options.pop("archive", "")
    archive = next((kind for end, kind in _ARCHIVES.items() if url.lower().endswith(end)), "")
    if named:
        archive = "" if named == "false" else _NAMES.get(named, "?")
    if archive == "?":
        raise _refused(text, f"archives of the kind {named} are not unpacked", at)
    if subdir and not archive:
        raise _refused(text, "`//` needs a repository or an archive", at, "write git::https://…")
    query = "&".join(f"{key}={value}" if value else key for key, value in options.items())
    wanted = f"{url}?{query}" if query else url
    login_ = Login(login)
    return Address("file", url, wanted, subdir, "", checksum.lower(), archive, login_)


def _options(query: str, text: str, at: Location | str | None) -> dict[str, str]:
    """Return the options behind `?`, values as written except `ref`."""
    from urllib.parse import unquote

    found: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        key, _, value = part.partition("=")
        found[key] = unquote(value) if key in ("ref", "checksum", "archive") else value
    if "sshkey" in found:
        raise _refused(text, "keys do not belong into addresses", at, "let ssh-agent hold the key")
    return found


def _short(bare: str, forced: str, text: str, at: Location | str | None) -> str:
    """Return the full address for `github.com/org/repo//path` and the like."""
    if forced == "git" and bare.startswith("/"):
        return f"file://{bare}"
    path, subdir = _cut(bare)
    host, _, rest = path.partition("/")
    parts = [part for part in rest.split("/") if part]
    if host.lower() not in HOSTS and not (forced == "git" and "." in host):
        raise _refused(
            text, "does not say how it is fetched", at, f"write git::https://{hidden(bare)}"
        )
    if len(parts) < 2:
        raise _refused(
            text, "names no repository", at, f"write {host}/ORGANISATION/REPOSITORY//PATH"
        )
    if host.lower() == "github.com" and not subdir:
        parts, subdir = parts[:2], "/".join(parts[2:])
    return f"https://{host}/{'/'.join(parts)}" + (f"//{subdir}" if subdir else "")


def _cut(path: str) -> tuple[str, str]:
    """Return what stands before and behind `//`. A path of the disk may begin with slashes."""
    lead = len(path) - len(path.lstrip("/"))
    head, _, tail = path[lead:].partition("//")
    return "/" * min(lead, 1) + head, tail.strip("/")


def _inside(subdir: str, text: str, at: Location | str | None) -> str:
    parts = [part for part in subdir.split("/") if part not in ("", ".")]
    if ".." in parts or ".git" in parts:
        raise _refused(text, "leads out of the repository", at)
    return "/".join(parts)


def _refused(
    text: str, why: str, at: Location | str | None, hint: str | None = None
) -> ConfigError:
    return ConfigError(f"the remote address '{hidden(text)}' {why}", at=at, hint=hint)
