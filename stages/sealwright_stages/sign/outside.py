"""Signed means verified: gpg, gpgv, sqv and sha256sum are asked about what lies on the disk, as a stranger would.

- Each runs in a new home with just the release signers' keys and a small environment of its own; it is gone afterwards.
- All signatures of a file are read in one go. A tool agrees if it names exactly the keys that we counted, each good.
- sqv is asked if it is installed; a lack of gpg, gpgv or sha256sum is red.
- A no, a crash, a timeout, a word that is not known, silence: each is red, with which tool said what.
- Exit codes alone count nothing; what a tool says is read strictly, and a bad exit code is red besides.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_keyring.certificates import certificates
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.packets import detached_signatures
from sealwright_keyring.policy import Policy
from sealwright_keyring.text import printable
from sealwright_keyring.tool import SAFE_PATH, Run, Tool
from sealwright_stages import process
from sealwright_stages.errors import MachineError, SigningError
from sealwright_stages.files import read_small
from sealwright_stages.sandbox.identity import verifier_uid
from sealwright_stages.sign.dsse import opened, pae
from sealwright_stages.sign.release_signatures import SIGNED, signatures_by, signed_pairs

GPG, GPGV, SQV, SHA256SUM = "gpg", "gpgv", "sqv", "sha256sum"
_SECONDS = 60.0
_SLOWEST = 20 << 20  # bytes a second that sha256sum reads, at least
_MAX = 64 << 20
_PREFIX = "[GNUPG:] "
_GOOD = frozenset(
    {"GOODSIG", "EXPKEYSIG"}
)  # a key's expiry is judged by when it signed, and that is ours to judge
_BESIDE = frozenset(
    {"NEWSIG", "KEY_CONSIDERED", "SIG_ID", "VALIDSIG", "KEYEXPIRED", "VERIFICATION_COMPLIANCE_MODE"}
    | {f"TRUST_{word}" for word in ("UNDEFINED", "NEVER", "MARGINAL", "FULLY", "ULTIMATE")}
)
_NEXT = "trust neither of them yet: find out which is right, then sign again"


@dataclass(frozen=True)
class Said:
    """An answer of a tool: about which file, in words."""

    tool: str
    file: str
    said: str


@dataclass(frozen=True)
class _Signed:
    """A file, its signatures in one block, and the keys (key, primary key) that made the good ones, one for each."""

    file: str
    signature: bytes
    data: bytes
    keys: tuple[tuple[str, str], ...]


def asked_outside(
    evidence: Path, policy: Policy, names: Sequence[str], *, products: bool = True
) -> tuple[Said, ...]:
    """Ask every tool about every signed file; `products` tells whether they lie there, to be hashed.

    Raises:
        SigningError: one says something else than we, or nothing that can be understood; or one is missing.
    """
    for program in (GPG, GPGV, SHA256SUM):
        if shutil.which(program, path=SAFE_PATH) is None:
            raise _red(program, "the evidence", "it is missing", f"install {program}, then sign again")
    said: list[Said] = []
    chosen = {fpr for person in policy.release_signers(names) for fpr in person.openpgp}
    ring = b"".join(
        each.raw for file in policy.certificates for each in certificates(file) if each.fingerprint in chosen
    )
    for signed in _signed(evidence, policy, names):
        _whole(signed)
        said += _asked(signed, ring)
    for name in SIGNED if products else SIGNED[1:]:
        said.append(_hashed(evidence / name, name))
    return tuple(said)


def _signed(evidence: Path, policy: Policy, names: Sequence[str]) -> Iterator[_Signed]:
    for name, (signature, data) in zip(SIGNED, signed_pairs(evidence), strict=True):
        yield _Signed(name, signature, data, _keys(signature, data, policy, names))
    for path in sorted(evidence.glob("provenance.*.dsse.json")):
        try:
            payload, signature = opened(read_small(path, _MAX))
        except (OSError, ValueError) as error:
            raise SigningError(path.name, str(error), "run `sealwright audit` on its folder") from error
        if keys := _keys(signature, pae(payload), policy, names):  # one of nobody who counts is no part of a yes
            yield _Signed(path.name, signature, pae(payload), keys)


def _keys(signature: bytes, data: bytes, policy: Policy, names: Sequence[str]) -> tuple[tuple[str, str], ...]:
    found = signatures_by(signature, data, policy, names)
    return tuple(sorted((str(good.evidence["key"]), good.fingerprint) for _, good in found))


def _whole(signed: _Signed) -> None:
    """Refuse a file of which not every signature counts: others would stumble over it."""
    count = len(detached_signatures(signed.signature))
    if not signed.keys or count != len(signed.keys):
        told = f"{len(signed.keys)} of its {count} signatures are good ones of the release's signers"
        raise SigningError(f"the signatures over {signed.file}", told, "run `sealwright audit` on its folder")


def _asked(signed: _Signed, ring: bytes) -> Iterator[Said]:
    uid = verifier_uid()
    files = {"signature": signed.signature, "data": signed.data, "ring.gpg": ring}
    with Tool(GPG, uid=uid).private(files) as home:
        pair = [str(home / "signature"), str(home / "data")]
        quiet = [
            "--homedir",
            str(home),
            "--no-options",
            "--batch",
            "--no-tty",
            "--no-autostart",
            "--trust-model",
            "always",
        ]
        imported = _run(Tool(GPG, _SECONDS, uid), signed.file, home, [*quiet, "--import", str(home / "ring.gpg")])
        if imported.returncode != 0:
            raise _red(GPG, signed.file, f"it does not take the keys: {_words(imported)}")
        status = ["--status-fd", "1"]
        run = _run(Tool(GPG, _SECONDS, uid), signed.file, home, [*quiet, *status, "--verify", "--", *pair])
        yield _gnupg(GPG, signed, run)
        ring_of = ["--homedir", str(home), "--keyring", str(home / "ring.gpg")]
        yield _gnupg(
            GPGV, signed, _run(Tool(GPGV, _SECONDS, uid), signed.file, home, [*status, *ring_of, "--", *pair])
        )
        if shutil.which(SQV, path=SAFE_PATH) is None:
            yield Said(SQV, signed.file, "not installed, not asked")
            return
        words = ["--keyring", str(home / "ring.gpg"), "--signatures", str(len(signed.keys)), *pair]
        yield _sequoia(signed, _run(Tool(SQV, _SECONDS, uid), signed.file, home, words))


def _run(tool: Tool, file: str, home: Path, words: Sequence[str]) -> Run:
    try:
        return tool.hold(words, environment={"HOME": str(home), "GNUPGHOME": str(home)})
    except KeyringError as error:
        raise _red(tool.program, file, error.because) from error


def _gnupg(tool: str, signed: _Signed, run: Run) -> Said:
    """Read what gpg or gpgv said of all the signatures of a file (doc/DETAILS of GnuPG)."""
    lines = run.stdout.decode("utf-8", "backslashreplace").splitlines()
    words = [line.removeprefix(_PREFIX).split(" ") for line in lines if line.startswith(_PREFIX)]
    if len(words) != len(lines) or not words:
        raise _red(tool, signed.file, f"what can't be understood: {_words(run)}")
    if odd := [each[0] for each in words if each[0] not in _GOOD | _BESIDE]:
        raise _red(tool, signed.file, f"{odd[0]}: {_words(run)}")
    outcomes = [each[0] for each in words if each[0] in _GOOD]
    valid = tuple(sorted((each[1], each[-1]) for each in words if each[0] == "VALIDSIG" and len(each) == 11))
    count = sum(each[0] == "NEWSIG" for each in words)
    if valid != signed.keys or not len(outcomes) == len(valid) == count:
        raise _red(
            tool, signed.file, f"good signatures by {_named(key for key, _ in valid)}, not by {_ours(signed)}"
        )
    if (run.returncode != 0 and "EXPKEYSIG" not in outcomes) or run.returncode < 0:
        raise _red(tool, signed.file, f"it ended with {run.returncode}: {_words(run)}")
    return _agrees(tool, signed)


def _sequoia(signed: _Signed, run: Run) -> Said:
    """sqv names the certificate of each good signature, a line each."""
    named = run.stdout.decode("utf-8", "backslashreplace").split("\n")[:-1]
    left = list(signed.keys)
    for line in named:
        match = next((pair for pair in left if line in pair), None)
        if match is None:
            raise _red(SQV, signed.file, f"a good signature by {printable(line, 60)}, not by {_ours(signed)}")
        left.remove(match)
    if run.returncode != 0 or left:
        raise _red(SQV, signed.file, f"it ended with {run.returncode}: {_words(run)}")
    return _agrees(SQV, signed)


def _hashed(sums: Path, name: str) -> Said:
    folder = sums.parent
    try:
        lines = read_small(sums, _MAX).decode("ascii").splitlines()
        paths = [line.partition("  ")[2] for line in lines]
        seconds = _SECONDS + sum((folder / path).stat().st_size for path in paths) / _SLOWEST
        run = process.run([SHA256SUM, "--check", "--strict", "--", sums.name], cwd=folder, timeout=seconds)
    except (OSError, ValueError) as error:
        raise _red(SHA256SUM, name, str(error)) from error
    except MachineError as error:
        raise _red(SHA256SUM, name, error.because) from error
    told = run.stdout.decode("utf-8", "backslashreplace").splitlines()
    if run.returncode != 0 or not paths or told != [f"{path}: OK" for path in paths]:
        raise _red(SHA256SUM, name, f"it ended with {run.returncode}: {run.complaint()}")
    return Said(SHA256SUM, name, f"{len(paths)} files are as it says")


def _agrees(tool: str, signed: _Signed) -> Said:
    return Said(tool, signed.file, f"{len(signed.keys)} good, by {_ours(signed)}")


def _ours(signed: _Signed) -> str:
    return _named(key for key, _ in signed.keys)


def _named(keys: Iterable[str]) -> str:
    return ", ".join(f"{printable(key, 60)[:16]}…" for key in keys) or "nobody"


def _words(run: Run) -> str:
    said = (run.stderr.strip() or run.stdout.strip()).splitlines()
    return printable(b" / ".join(said)[-300:], 300) or "it said nothing"


def _red(tool: str, file: str, because: str, next_step: str = _NEXT) -> SigningError:
    return SigningError(f"{tool} does not agree that {file} is signed", f"{tool} said: {because}", next_step)


def told(answers: Sequence[Said]) -> str:
    """The answers in a line: which tools agree, and which were not asked."""
    tools = list(dict.fromkeys(each.tool for each in answers))
    silent = {each.tool for each in answers if each.said == "not installed, not asked"}
    agree = ", ".join(tool for tool in tools if tool not in silent)
    return f"{agree} agree" + (f"; {', '.join(sorted(silent))} is not installed" if silent else "")
