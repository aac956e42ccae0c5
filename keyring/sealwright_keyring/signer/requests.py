"""A request as it came: one JSON object a line, with the fields of its operation and no others."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from typing import Any, BinaryIO

from sealwright_keyring.signer.refusals import DocumentError
from sealwright_keyring.text import printable

MAX_LINE = 64 << 20
_AS_TOLD = "send it as docs/reference/signer-protocol.md says"
_KEYS = {
    "hello": {"op"},
    "seen": {"op", "origin"},
    "propose": {"op", "release", "documents", "log"},
    "sign": {"op", "proposal", "typed_digest", "typed_release"},
}
_OPTIONAL = {"typed_digest", "typed_release"}


def lines(stream: BinaryIO) -> Iterator[bytes]:
    """Each line; one that is too long is given cut, and its rest is thrown away."""
    while line := stream.readline(MAX_LINE):
        whole = line.endswith(b"\n")
        while not whole and (rest := stream.readline(MAX_LINE)):
            whole = rest.endswith(b"\n")  # the rest of an oversized line is no request
        yield line


def read(line: bytes) -> dict[str, Any]:
    """The request that a line is.

    Raises:
        DocumentError: it is none.
    """
    if not line.endswith(b"\n"):
        raise DocumentError("the request is too long, or cut off", _AS_TOLD)
    try:
        request = json.loads(line, object_pairs_hook=_once, parse_constant=_no_number)
    except RecursionError:
        raise DocumentError("the request is nested too deeply", _AS_TOLD) from None
    except DocumentError:
        raise
    except ValueError as error:
        raise DocumentError(printable(str(error), 300), _AS_TOLD) from None
    if not isinstance(request, dict):
        raise DocumentError("a request is a JSON object", _AS_TOLD)
    operation = request.get("op")
    if not isinstance(operation, str) or operation not in _KEYS:
        raise DocumentError("there is no such operation", _AS_TOLD)
    if unknown := set(request) - _KEYS[operation]:
        raise DocumentError(f"the request has an unknown key {printable(repr(min(unknown)), 100)}", _AS_TOLD)
    if missing := _KEYS[operation] - _OPTIONAL - set(request):
        raise DocumentError(f"the request has no {min(missing)}", _AS_TOLD)
    return request


def documents(value: Any) -> list[tuple[str, str, bytes]]:
    """Name, kind and bytes of each document of a proposal.

    Raises:
        DocumentError: it is no list of such.
    """
    if not isinstance(value, list):
        raise DocumentError("a list is wanted", _AS_TOLD)
    return [_document(each) for each in value]


def text(value: Any, what: str) -> str:
    """A text of a request. Raises DocumentError."""
    if not isinstance(value, str):
        raise DocumentError(f"{what} is no text", _AS_TOLD)
    return value


def _document(each: Any) -> tuple[str, str, bytes]:
    if not isinstance(each, dict) or set(each) != {"name", "kind", "base64"}:
        raise DocumentError("a document has a name, a kind and base64", _AS_TOLD)
    name, kind, data = (text(each[key], f"a document's {key}") for key in ("name", "kind", "base64"))
    try:
        return name, kind, base64.b64decode(data.encode("ascii"), validate=True)
    except ValueError:
        raise DocumentError("a document's base64 is broken", _AS_TOLD) from None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise DocumentError("a JSON object names a key twice", _AS_TOLD)
    return found


def _no_number(name: str) -> Any:
    raise DocumentError(f"{name} is no JSON", _AS_TOLD)
