"""Package URLs for what is known exactly: a Debian package, a repository, a file at an address.

A pure module. Source: https://github.com/package-url/purl-spec (the core and the types deb, github and generic).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote

_GITHUB = re.compile(r"(?:https|ssh)://(?:git@)?github\.com/([A-Za-z0-9._-]+)/([A-Za-z0-9._-]+?)(?:\.git)?/?\Z")


def debian(name: str, version: str, architecture: str) -> str:
    """A package of Debian's archive; `architecture` is `source` for a source package."""
    return _purl("deb", f"debian/{_part(name.lower())}", version, {"arch": architecture})


def repository(url: str, ref: str, commit: str) -> str:
    """A commit of a git repository; `ref` is the tag by which it was wanted, if it was by one.

    One on GitHub has a type of its own; any other is generic, with its address.
    """
    if match := _GITHUB.match(url):
        owner, name = (_part(each.lower()) for each in match.groups())
        return _purl("github", f"{owner}/{name}", ref or commit, {})
    name = url.rstrip("/").rpartition("/")[2].removesuffix(".git") or "repository"
    return _purl("generic", _part(name), ref or commit, {"vcs_url": f"git+{url}@{commit}"})


def file(url: str, sha256: str) -> str:
    """A file that an address gave, by its digest."""
    name = url.rstrip("/").rpartition("/")[2] or "file"
    return _purl("generic", _part(name), "", {"checksum": f"sha256:{sha256}", "download_url": url})


def _purl(kind: str, path: str, version: str, qualifiers: Mapping[str, str]) -> str:
    told = f"@{_part(version)}" if version else ""
    asked = "&".join(f"{key}={_part(value, '/')}" for key, value in sorted(qualifiers.items()))
    return f"pkg:{kind}/{path}{told}{'?' if asked else ''}{asked}"


def _part(text: str, safe: str = "") -> str:
    """Percent-encoded, but for a colon and what is `safe`."""
    return quote(text, safe=safe).replace("%3A", ":")
