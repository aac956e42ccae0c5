"""Objects of a fetched bare repository, each hashed again as it is read.

- The repository is not opened: its config, its refs machinery, its replace refs and its hooks mean nothing
  here. A ref is the content of one plain file; objects come from its objects folder alone.
- An objects folder that points elsewhere (alternates) is refused, and so is a history that was cut off or
  mended by hand (shallow, grafts).
- What is read has the type and the name that were asked for, and is at most as large as the limit.
"""

from __future__ import annotations

import re
from pathlib import Path

from sealwright_stages.get_sources.quarantine import refuse_odd_files
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.git_objects import object_id

_KINDS = {"commit": 1, "tree": 2, "blob": 3, "tag": 4}
_NAMES = {number: name for name, number in _KINDS.items()}
_ID = re.compile(r"[0-9a-f]{40}\n?\Z")
_BLOB_LIMIT = 1 << 30
_CROOKED = {
    "objects/info/alternates": "the repository borrows objects from elsewhere",
    "objects/info/http-alternates": "the repository borrows objects from elsewhere",
    "shallow": "the repository's history is cut off (shallow)",
    "info/grafts": "the repository's history was mended by hand (grafts)",
}
_NEXT = "fetch it again; if it stays so, the server's repository is damaged or hostile"


class ObjectStore:
    """Reads a bare repository at `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        refuse_odd_files(folder)
        for pointer, because in _CROOKED.items():
            if (folder / pointer).exists():
                raise RefusedError("repository-crooked", because, _NEXT)
        import pygit2  # noqa: PLC0415 - 40 ms to load, and no audit, no check and no publishing reads a repository

        self._unreadable = (pygit2.GitError, KeyError, ValueError, OSError)
        try:
            self._odb = pygit2.Odb(str(folder / "objects"))
        except self._unreadable as error:
            raise RefusedError("repository-crooked", f"it can't be read: {error}", _NEXT) from error

    def ref(self, name: str) -> str:
        """The object that `refs/...` points to, as 40 hex digits.

        Raises:
            RefusedError: there is no such ref, or it is no plain pointer.
        """
        path = self.folder / name
        try:
            text = path.read_text("ascii")
        except (OSError, UnicodeDecodeError) as error:
            raise RefusedError("ref-missing", f"the repository has no {name}", "look at the ref") from error
        if not _ID.match(text):
            raise RefusedError("repository-crooked", f"{name} is no plain pointer to an object", _NEXT)
        return text.strip()

    def kind(self, name: str) -> str:
        """The type of an object: commit, tree, blob or tag."""
        return self._header(name)[0]

    def read(self, name: str, kind: str, limit: int = _BLOB_LIMIT) -> bytes:
        """The content of object `name`, which must be of `kind`.

        Raises:
            RefusedError: it is missing, of another kind, too large, or not what its name says.
        """
        found, size = self._header(name)
        if found != kind:
            raise RefusedError("object-malformed", f"{name} is a {found}, not a {kind}", _NEXT)
        if size > limit:
            raise RefusedError("object-too-large", f"{name} is larger than {limit} bytes", _NEXT)
        try:
            _, raw = self._odb.read(name)
        except self._unreadable as error:
            raise RefusedError("repository-crooked", f"{name} can't be read", _NEXT) from error
        if object_id(kind, raw) != name:
            raise RefusedError("object-hash-mismatch", f"the {kind} {name} does not hash to its name", _NEXT)
        return bytes(raw)

    def _header(self, name: str) -> tuple[str, int]:
        try:
            number, size = self._odb.read_header(name)
        except self._unreadable as error:
            raise RefusedError("repository-crooked", f"the object {name} is not there", _NEXT) from error
        kind = _NAMES.get(int(number))
        if kind is None:
            raise RefusedError("object-malformed", f"{name} is of an unknown type", _NEXT)
        return kind, int(size)
