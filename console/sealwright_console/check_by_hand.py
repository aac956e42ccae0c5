"""The commands by which each link of a check is repeated without Sealwright: in bash, with what every system has.

- They are run as they are printed, one after the other, in one shell; each ends with 0 only if its link holds.
- Every word from outside is quoted. The file's own name may be anything.
- A signature counts by the full fingerprint in what gpgv says, never by an exit code.
"""

from __future__ import annotations

import base64
import itertools
from collections.abc import Iterator, Sequence

from sealwright_appendlog.note import VerifierKey
from sealwright_appendlog.proof import parse_proof
from sealwright_console.repeat_shell import UntoldError, quoted
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.keyring_files import fingerprints_in
from sealwright_keyring.policy import Policy
from sealwright_stages.check.way import Answer, Way
from sealwright_stages.seal.evidence import published_path
from sealwright_stages.sign.release_signatures import SIGNED

_SPKI = "MCowBQYDK2VwAyEA"  # RFC 8410: what stands before the 32 bytes of an Ed25519 key, in base64


def commands(way: Way, answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Each link's name in words with its commands; nothing if a name can't be said in a shell."""
    if not answer.yes or way.audit.report is None or way.trust.own is None:
        return
    product, digest = answer.products[0], answer.hashed.sha256
    try:
        file, folder = quoted(str(answer.hashed.path.absolute())), quoted(str(way.evidence.absolute()))
    except UntoldError:
        return
    yield "a folder for what is needed on the way", [f"cd -- {folder}", "T=$(mktemp -d)"]
    yield (
        "the file, and its line in SHA256SUMS",
        [
            f"sha256sum < {file} | grep -x '{digest}  -'",
            f"grep -Fx {quoted(f'{digest}  {published_path(product)}')} SHA256SUMS",
        ],
    )
    yield "who signed: compare the full fingerprints with yours", list(_signatures(way, way.trust.own))
    yield (
        "the log's files, and that the log is whole (read verify.py first; it is short)",
        [
            "(cd log && sha256sum --quiet -c SHA256SUMS)",
            "python3 -I verify.py log",
        ],
    )
    line = f"sed -n '{product.n + 1}{{p;q}}' log/index.jsonl"
    yield (
        "its record in the log",
        [f'{line} | grep -F \'"e":"product.collected"\' | grep -F \'"sha256":"{digest}"\''],
    )
    yield "the inclusion proof, from that record to the sealed root", list(_inclusion(line, answer.proof))
    yield "the log's own signature on the sealed checkpoint", list(_checkpoint(way.audit.report.vkey))
    told = [f'grep -F \'"item":"{product.component}/\' log/index.jsonl | grep -F \'"e":"item.verdict"\'']
    if any(item.waiver for item in way.state.items.values()):
        told.append('grep -F \'"e":"item.waived"\' log/index.jsonl')
    yield "its inputs, and what was waived", told
    yield (
        "the gates; that every rule was kept, only `sealwright audit` says",
        [
            'grep -F \'"e":"gate.decided"\' log/index.jsonl',
            'rm -rf "$T"',
        ],
    )


def _signatures(way: Way, own: Policy) -> Iterator[str]:
    wanted = {signer.fingerprint for signer in way.signers}
    files = [name for name in sorted(own.files) if name.startswith("keys/") and wanted & _held(own, name)]
    paths = " ".join(quoted(f"policy/{name}") for name in files)
    gpg = 'gpg --homedir "$T" --no-autostart --batch --quiet'
    yield f"{gpg} --import {paths}"
    yield f'{gpg} --export {" ".join(sorted(wanted))} > "$T/keys.gpg"'
    for place, signers in way.by.items():
        below = "" if place == way.evidence else f"{place.absolute()}/"
        for name in SIGNED if signers else ():
            signed = (
                name if name == SIGNED[0] else f"{below}{name}"
            )  # all who agree signed the same products' sums
            pair = f"{quoted(f'{below}{name}.asc')} {quoted(signed)}"
            yield f'gpgv --status-fd 1 --keyring "$T/keys.gpg" {pair} > "$T/said"'
            for signer in signers:
                yield f"grep -E '^\\[GNUPG:\\] VALIDSIG .*\\b{signer.fingerprint}$' \"$T/said\""


def _held(own: Policy, name: str) -> set[str]:
    try:
        return set(fingerprints_in(own.files[name]))
    except KeyringError:
        return set()  # a key of another kind


def _inclusion(line: str, proof: str) -> Iterator[str]:
    """Hash upwards, as RFC 9162 (2.1.3.2) says it: `L` and `R` say on which side the other hash stands."""
    parsed = parse_proof(proof.encode())
    size, root = int(parsed.note.split("\n")[1]), parsed.note.split("\n")[2]
    sha = "openssl dgst -sha256 -binary | base64 -w 0"
    yield f"h=$({{ printf '\\0'; {line} | tr -d '\\n'; }} | {sha})"
    sides = zip(_sides(parsed.index, size), parsed.path, strict=False)
    steps = [f"{side}:{base64.b64encode(each).decode()}" for side, each in sides]
    if steps:
        yield (
            f"for s in {' '.join(steps)}; do o=${{s#?:}}; case $s in L:*) a=$o b=$h;; *) a=$h b=$o;; esac; "
            f'h=$({{ printf \'\\1\'; base64 -d <<< "$a"; base64 -d <<< "$b"; }} | {sha}); done'
        )
    yield f'test "$h" = {quoted(root)} && grep -Fx {quoted(root)} log/checkpoint.sealed'


def _sides(index: int, size: int) -> Iterator[str]:
    """On which side each hash of an inclusion path stands, from the leaf up."""
    last = size - 1
    while last:
        if index & 1:
            yield "L"
        elif index != last:
            yield "R"
        index, last = index >> 1, last >> 1


def _checkpoint(vkey: str) -> Iterator[str]:
    key = base64.b64encode(VerifierKey.parse(vkey).public).decode()
    pem = f"'-----BEGIN PUBLIC KEY-----' {quoted(_SPKI + key)} '-----END PUBLIC KEY-----'"
    yield f"printf '%s\\n' {pem} > \"$T/log.pem\""
    yield "sed '/^$/,$d' log/checkpoint.sealed > \"$T/body\""
    yield "sed '1,/^$/d' log/checkpoint.sealed | head -n 1 | cut -d ' ' -f 3 | base64 -d | tail -c 64 > \"$T/sig\""
    yield 'openssl pkeyutl -verify -rawin -pubin -inkey "$T/log.pem" -sigfile "$T/sig" -in "$T/body"'


def lines(parts: Sequence[tuple[str, list[str]]]) -> Iterator[str]:
    """The commands as text for bash, each link under a comment."""
    if not parts:
        return
    yield "# to repeat it without Sealwright, in bash; each of these ends with 0 if its link holds"
    yield from itertools.chain.from_iterable((f"# {title}", *each) for title, each in parts)
