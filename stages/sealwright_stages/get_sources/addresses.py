"""Addresses of sources: which kinds are fetched, and what a program gets to see of them.

- An address is https, http, ssh (git only), file, or an absolute local path; nothing else is fetched.
- It holds no password, no blank, no control character, and does not begin with a dash.
- The name that a file gets in the quarantine is plain: letters, digits and . _ + ~ -, no leading dot or dash.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from sealwright_stages.errors import FetchError
from sealwright_stages.verify.codes import not_fetched, shown

_PLAIN_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+~-]{0,199}\Z")
_VISIBLE = re.compile(r"[!-~]+\Z")
_SCP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*@[A-Za-z0-9][A-Za-z0-9.-]*:(?!//)[!-~]+\Z")


@dataclass(frozen=True)
class Address:
    """An address that may be fetched: the URL for the program, and the local path that it must be able to read."""

    url: str
    scheme: str
    host: str
    local: Path | None

    @property
    def readable(self) -> tuple[Path, ...]:
        """What the fetch sandbox must show."""
        return (self.local,) if self.local else ()


def address(url: str, schemes: frozenset[str]) -> Address:
    """Judge an address; `schemes` are those that this kind of source may use besides file and local paths.

    Raises:
        FetchError: it is of another kind, or not plain.
    """
    if url.startswith("/"):
        return _local(Path(url))
    if "ssh" in schemes and _SCP.match(url):
        return Address(url, "ssh", url.split("@", 1)[1].split(":", 1)[0], None)
    parts = urlsplit(url)
    if parts.scheme == "file" and parts.netloc in ("", "localhost") and parts.path.startswith("/"):
        return _local(Path(unquote(parts.path)))
    if not _VISIBLE.match(url) or parts.scheme not in schemes or not parts.hostname:
        raise _refused(url, f"only {', '.join(sorted(schemes))}, file and absolute paths are fetched")
    if parts.password is not None or (parts.username and parts.scheme != "ssh"):
        raise _refused(url, "it holds a user name or a password, which would end up in the log")
    if parts.hostname.startswith("-") or (parts.username or "").startswith("-"):
        raise _refused(url, "a host or user name that begins with a dash is an option in disguise")
    return Address(url, parts.scheme, parts.hostname, None)


def plain_name(url: str) -> str:
    """The last part of an address's path, if it is a plain file name.

    Raises:
        FetchError: it is not.
    """
    name = unquote(urlsplit(url).path if not url.startswith("/") else url).rsplit("/", 1)[-1]
    if not _PLAIN_NAME.match(name):
        raise _refused(url, f"{shown(name) or 'nothing'} is no plain file name")
    return name


def is_plain_name(name: str) -> bool:
    """Whether a name from an index may become a file's name in the quarantine."""
    return bool(_PLAIN_NAME.match(name))


def _local(path: Path) -> Address:
    if "\n" in str(path) or ".." in path.parts:
        raise _refused(str(path), "a local path holds no line end and no ..")
    return Address("file://" + quote(str(path)), "file", "", path)


def _refused(url: str, because: str) -> FetchError:
    return not_fetched("fetch-refused", f"{shown(url)} is not fetched", because, "mend it in the manifest")
