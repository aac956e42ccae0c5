"""The few documents that may be signed, parsed strictly before anything else happens.

- `sha256sums`: lines `<64 hex>  <path>`, sorted by path, each once, of plain names below `products/`; at least one.
- `log-sha256sums`: the same form; it names index.jsonl, checkpoint.sealed, log.vkey, segments below `data/`, and
  nothing else: what a signature over it would vouch for, if it lay in the place of the other list.
- `dsse-payload`: the provenance, see `statement`.
- The provenance's subjects are exactly the products that SHA256SUMS names, with the same digests.
- A release's name is the one that its provenance names: nothing else of what is signed bears one.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sealwright_keyring.signer.refusals import DocumentError
from sealwright_keyring.signer.statement import Statement, read_statement
from sealwright_keyring.text import printable

PAYLOAD_TYPE = "application/vnd.in-toto+json"
KINDS = ("sha256sums", "log-sha256sums", "dsse-payload")
_LINE = re.compile(r"([0-9a-f]{64})  ((?:[A-Za-z0-9][A-Za-z0-9._+~@:#-]*/)*[A-Za-z0-9][A-Za-z0-9._+~@:#-]*)\Z")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*\Z")
_PRODUCTS, _SEGMENTS = "products/", "data/"
_LOG_FILES = frozenset({"index.jsonl", "checkpoint.sealed", "log.vkey"})
_MAX = 32 << 20


@dataclass(frozen=True)
class Document:
    """A document: its name, kind, bytes, and the SHA-256 of each file that it names, by path."""

    name: str
    kind: str
    data: bytes
    files: Mapping[str, str]

    @property
    def sha256(self) -> str:
        """SHA-256 of its bytes in hex."""
        return hashlib.sha256(self.data).hexdigest()

    @property
    def to_sign(self) -> bytes:
        """The bytes that the signature is over (for DSSE, its pre-authentication encoding)."""
        if self.kind != "dsse-payload":
            return self.data
        return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(self.data), self.data)


@dataclass(frozen=True)
class Release:
    """The three documents of one release, which agree."""

    products: Document
    log: Document
    provenance: Document
    statement: Statement

    @property
    def documents(self) -> tuple[Document, ...]:
        """All three."""
        return self.products, self.log, self.provenance

    @property
    def name(self) -> str:
        """The release's name and version, as the provenance says them."""
        return self.statement.release

    @property
    def digest(self) -> str:
        """One SHA-256 over all: of the lines `<sha256>  <name>`, sorted by name."""
        return digest(self.documents)


def read_release(shown: Sequence[tuple[str, str, bytes]]) -> Release:
    """Read name, kind and bytes of what is proposed: one document of each kind, of one release.

    Raises:
        DocumentError: one is not of its kind's form, or they do not belong together.
    """
    if len(shown) != 3 or {kind for _, kind, _ in shown} != set(KINDS) or len({each[0] for each in shown}) != 3:
        raise DocumentError(
            "a release is signed whole: products, log and provenance, one of each, each by its name"
        )
    found: dict[str, Document] = {}
    statement: Statement | None = None
    for name, kind, data in shown:
        if not _NAME.match(name) or len(name) > 200:
            raise DocumentError("a document has no plain name")
        if len(data) > _MAX:
            raise DocumentError(f"{name} is too large")
        if kind == "dsse-payload":
            statement = read_statement(name, data)
            found[kind] = Document(name, kind, data, statement.products)
        else:
            found[kind] = Document(name, kind, data, _of_kind(kind, name, read_sums(name, data)))
    assert statement is not None  # noqa: S101 - there is one of each kind
    products, log, provenance = (found[kind] for kind in KINDS)
    release = Release(products, log, provenance, statement)
    if release.products.files != statement.products:
        raise DocumentError("the provenance speaks of other products than SHA256SUMS")
    return release


def digest(documents: Sequence[Document]) -> str:
    """One SHA-256 over all: of the lines `<sha256>  <name>`, sorted by name."""
    ordered = sorted(documents, key=lambda document: document.name)
    return hashlib.sha256("".join(f"{each.sha256}  {each.name}\n" for each in ordered).encode()).hexdigest()


def read_sums(name: str, data: bytes) -> dict[str, str]:
    """The SHA-256 of each file that `name` lists, by path.

    Raises:
        DocumentError: a line is not of the form, not sorted, or stands twice; there is none.
    """
    try:
        text = data.decode("ascii")
    except UnicodeDecodeError:
        raise DocumentError(f"{name} is not ASCII") from None
    if not text.endswith("\n"):
        raise DocumentError(f"{name} is empty, or cut off")
    files: dict[str, str] = {}
    for number, line in enumerate(text[:-1].split("\n"), 1):
        match = _LINE.match(line)
        if match is None:
            raise DocumentError(f"{name}, line {number}, is not of the form of sha256sum with a plain path")
        if files and match.group(2) <= next(reversed(files)):
            raise DocumentError(f"{name}, line {number}, is not sorted, or stands twice")
        files[match.group(2)] = match.group(1)
    return files


def _of_kind(kind: str, name: str, files: dict[str, str]) -> dict[str, str]:
    """`files`, if a document of this kind may name them."""
    if kind == "log-sha256sums":
        if missing := sorted(_LOG_FILES - set(files)):
            raise DocumentError(f"{name} does not name {missing[0]}: not a sealed log")
        if odd := next((path for path in files if path not in _LOG_FILES and not path.startswith(_SEGMENTS)), ""):
            raise DocumentError(f"{name} names {printable(odd, 200)}, which is no file of a sealed log")
    elif odd := next((path for path in files if not path.startswith(_PRODUCTS)), ""):
        raise DocumentError(f"{name} names {printable(odd, 200)}, which is no product below {_PRODUCTS}")
    return files
