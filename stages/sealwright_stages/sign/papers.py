"""What is signed of an evidence folder, and how signatures come to lie there: of `run` and of `sealwright sign` alike.

- Only what lies in the folder counts; no work folder is needed.
- The signer's answer is believed once each signature verifies, and one person made all three.
- A signature is added to those that lie there. A good one of another person never goes; what is none never stays.
- A person counts who signed both sums. The provenance is written first, the log's sums last: whatever is cut short,
  that person does not count yet, and signs again.
- What was added goes again, and what was there before is put back, if anything is amiss afterwards.
- Who signs is alone in the folder. What a killed signer left half-written there goes first.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sealwright_keyring.openpgp import Good
from sealwright_keyring.policy import Policy
from sealwright_stages.errors import MachineError, SealwrightError, SigningError
from sealwright_stages.files import read_small, sync_folder, write_whole
from sealwright_stages.finish import Check
from sealwright_stages.ports import ED25519
from sealwright_stages.sign.dsse import envelope, opened, pae, raw_by
from sealwright_stages.sign.release_signatures import (
    SIGNED,
    SKEW,
    ahead_of_seal,
    kept,
    merged,
    signatures_by,
    signed_pairs,
)

_MAX = 64 << 20


_LEFT = re.compile(r"\.(SHA256SUMS\.asc|provenance\..+\.dsse\.json|index\.html)\.[0-9]+\.new")
"""What a killed writer of a signature, or of the page, leaves beside it: see `files.write_whole`."""


def sweep(folder: Path) -> None:
    """Remove what a killed signer left half-written, which no audit would let pass. Only for who is `alone`."""
    for place in (folder, folder / "log"):
        with contextlib.suppress(OSError):  # what can't be removed is told by the audit
            for path in place.iterdir():
                if _LEFT.fullmatch(path.name) and not path.is_symlink() and path.is_file():
                    path.unlink()


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Nobody else signs the same folder meanwhile, by `run` or `sealwright sign`: a lock that ends with its process.

    Raises:
        SigningError: somebody does.
        MachineError: the folder can't be opened or locked.
    """
    try:
        held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise _unlocked(folder, error) from error
    try:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SigningError(str(folder), "somebody else signs it just now", "wait, then sign again") from None
        except OSError as error:  # a file system without locks
            raise _unlocked(folder, error) from error
        yield
    finally:
        os.close(held)


def _unlocked(folder: Path, error: OSError) -> MachineError:
    why = error.strerror or str(error)
    return MachineError(f"{folder} can't be locked", why, "look at the folder, or sign a copy on a local disk")


@dataclass(frozen=True)
class Answer:
    """A signer's answer that was verified: whose it is, and what the files of the folder are to hold then."""

    person: str
    files: Mapping[str, bytes]


@dataclass(frozen=True)
class Papers:
    """An evidence folder that is to be signed: the statement of its provenance; whose signatures count, out of `names`;
    when the log says that it was sealed."""

    folder: Path
    statement: bytes
    policy: Policy
    names: tuple[str, ...]
    sealed: str

    def documents(self) -> dict[str, tuple[str, bytes]]:
        """What a signer is shown: kind and bytes by name.

        Raises:
            SigningError: a file can't be read.
        """
        sums, log = (_read(self.folder / name) for name in SIGNED)
        return {
            SIGNED[0]: ("sha256sums", sums),
            SIGNED[1]: ("log-sha256sums", log),
            "provenance": ("dsse-payload", self.statement),
        }

    def signed_by(self, policy: Policy | None = None, names: Sequence[str] | None = None) -> frozenset[str]:
        """The persons who have signed both sums; by another policy if one is given."""
        policy, names = policy or self.policy, self.names if names is None else names
        if not all((self.folder / f"{name}.asc").exists() for name in SIGNED):
            return frozenset()
        found = (signatures_by(signature, data, policy, names) for signature, data in signed_pairs(self.folder))
        return frozenset.intersection(*(frozenset(person for person, _ in each) for each in found))

    def counted(self) -> tuple[frozenset[str], tuple[Check, ...]]:
        """The persons who have signed both sums, and each good signature as it was found.

        Raises:
            SigningError: a file is missing, or a signature is from before the seal.
        """
        persons: list[frozenset[str]] = []
        checks: list[Check] = []
        for name, (signature, data) in zip(SIGNED, signed_pairs(self.folder), strict=True):
            found = signatures_by(signature, data, self.policy, self.names)
            self._in_time(name, found)
            persons.append(frozenset(person for person, _ in found))
            checks += [_check(name, person, good) for person, good in found]
        return frozenset.intersection(*persons), tuple(checks)

    def answer(self, signatures: Mapping[str, bytes]) -> Answer:
        """Judge what a signer gave over `documents`.

        Raises:
            SigningError: it does not verify, or no person signed it all.
        """
        documents = self.documents()
        if set(signatures) - {ED25519} != set(documents):
            raise SigningError(
                "the signer's answer", "it did not sign all that it was shown", "look at its record"
            )
        by: list[frozenset[str]] = []
        shown = {name: data for name, (_, data) in documents.items()} | {"provenance": pae(self.statement)}
        for name, data in shown.items():
            found = signatures_by(signatures[name], data, self.policy, self.names)
            if not found:
                because = "it does not verify as one by any of the release's signers"
                raise SigningError(
                    f"the signature over {name}", because, "look at the signer's key and its record"
                )
            self._in_time(name, found)
            by.append(frozenset(person for person, _ in found))
        if not (all_three := frozenset.intersection(*by)):
            because = "no person has signed all that was shown"
            raise SigningError("the signer's answer", because, "look at the signer's keys and its record")
        person = min(all_three)
        files = {f"provenance.{person}.dsse.json": self._enveloped(person, signatures)}
        for name in SIGNED:
            new = [
                kept(each, shown[name], self.policy, self.names) for each in (self._there(name), signatures[name])
            ]
            files[f"{name}.asc"] = kept(merged(new), shown[name], self.policy, self.names)
        return Answer(person, files)

    @contextlib.contextmanager
    def written(self, files: Mapping[str, bytes]) -> Iterator[None]:
        """Write the files, in their order. If what is done inside fails, what lay there before is put back.

        Raises:
            MachineError: the disk is full or the folder refuses.
        """
        before = {name: _read(path) if (path := self.folder / name).exists() else None for name in files}
        try:
            for name, data in files.items():
                write_whole(self.folder / name, data)
            yield
        except BaseException as error:
            if left := self._put_all_back(before):
                raise _not_put_back(error, left) from error
            raise

    def tidied(self) -> dict[str, bytes]:
        """The files of signatures that hold more than what counts, or in another form, as they should be."""
        files = {}
        for name, (signature, data) in zip(SIGNED, signed_pairs(self.folder), strict=True):
            block = kept(signature, data, self.policy, self.names)
            if block and block != signature:
                files[f"{name}.asc"] = block
        return files

    def _there(self, name: str) -> bytes:
        path = self.folder / f"{name}.asc"
        return _read(path) if path.exists() else b""

    def _put_all_back(self, before: Mapping[str, bytes | None]) -> str:
        """The log's sums first: without them nobody counts. What can't be put back is told, and the rest is all the same."""
        left = []
        for name in reversed(list(before)):
            try:
                if (_read(path) if (path := self.folder / name).exists() else None) != before[name]:
                    self._put_back(name, before[name])
            except (SealwrightError, OSError) as error:
                why = error.because if isinstance(error, SealwrightError) else error.strerror or str(error)
                left.append(f"{name} ({why})")
        return ", ".join(left)

    def _put_back(self, name: str, data: bytes | None) -> None:
        path = self.folder / name
        if data is not None:
            write_whole(path, data)
        else:
            path.unlink(missing_ok=True)
            sync_folder(path.parent)

    def _enveloped(self, person: str, signatures: Mapping[str, bytes]) -> bytes:
        """The provenance with its signature by `person`, and a raw one if the signer gave one, as it can be read again."""
        try:
            raw = None
            if (given := signatures.get(ED25519)) is not None:
                raw = raw_by(self.policy.persons[person].ed25519, given, self.statement)
            enveloped = envelope(self.statement, signatures["provenance"], raw)
            opened(enveloped)
        except ValueError as error:
            next_step = "look at the signer's keys and at signers.toml; nothing was signed"
            raise SigningError("the signature over provenance", str(error), next_step) from error
        return enveloped

    def _in_time(self, name: str, found: Sequence[tuple[str, Good]]) -> None:
        """Refuse what says that it was signed long before there was anything to sign: no audit would let it pass."""
        for person, good in found:
            if ahead_of_seal(good.created, self.sealed) > SKEW:
                at = _stamp(good.created)
                told = f"{person} signed it at {at}, more than a day before the log was sealed, {self.sealed}"
                raise SigningError(f"the signature over {name}", told, "set the clocks right, then sign again")


def _not_put_back(error: BaseException, left: str) -> BaseException:
    """The first error, which also says what of the signatures could not be put back as it was."""
    told = f"; and what lay there before could not be put back: {left}"
    look = "look at the folder with `sealwright audit` before anything else"
    if isinstance(error, SealwrightError):
        return type(error)(error.what, f"{error.because}{told}", f"{error.next_step}; {look}")
    return MachineError("the signatures", f"{type(error).__name__}: {error}{told}", look)


def _read(path: Path) -> bytes:
    try:
        return read_small(path, _MAX)
    except OSError as error:
        because = error.strerror or "it can't be read"
        raise SigningError(str(path), because, "run `sealwright audit` on its folder") from error


def _check(name: str, person: str, good: Good) -> Check:
    """What was found of a good signature, in the words of the evidence."""
    tool, second = (str(good.evidence.get(word, "")) for word in ("tool", "second_check"))
    return Check(name, person, good.fingerprint, _stamp(good.created), tool, second)


def _stamp(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
