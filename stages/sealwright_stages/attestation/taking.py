"""Ask a TPM for a quote over the sealed checkpoint, with tpm2-tools, and believe nothing that they say before it is judged.

- Each tool is run by argument list, with a limit of time and output; what it leaves is read as small plain files.
- Nothing stays loaded between two steps: a TPM has room for three keys.
- The key is the persistent one that the manifest names, or one made for this quote alone. One that could sign what no
  TPM made (it is not restricted), or that can leave the TPM, is refused.
- What was taken is judged as an audit judges it, before it is evidence.
- Whatever is missing, late or refused is an error with the next step; there is no release without what was asked for.
- The certificate of the endorsement key is read from the TPM's own memory only: no maker's server is asked.

Source: the manual pages of tpm2-tools 5; TCG EK Credential Profile 2.5, 2.2.1.4 (where certificates lie).
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sealwright_stages.attestation import judge
from sealwright_stages.attestation.structures import RSASSA, SCHEMES, StructureError, TpmKey, parse_public
from sealwright_stages.attestation.words import EMULATED, FOLDER, WORDS
from sealwright_stages.errors import InterruptedRunError, MachineError
from sealwright_stages.files import read_small, write_whole
from sealwright_stages.manifest_attestation import AttestationSpec
from sealwright_stages.process import Completed, run

SECONDS = 120.0
"""For each tool: an old TPM makes an RSA key in most of a minute."""
_CERTIFICATES = ("0x01c00002", "0x01c0000a")  # RSA 2048, ECC P-256
_OUTPUT = 1 << 20
_WORD = r"TPM2_PT_{}:\s+raw: 0x([0-9A-Fa-f]{{1,8}})\s"
_VENDOR = tuple(f"VENDOR_STRING_{number}" for number in (1, 2, 3, 4))
_NEXT = "look at the TPM (`tpm2_getcap properties-fixed`), then run again: what was done stays"


@dataclass(frozen=True)
class Tpm:
    """A TPM as the manifest names it, a folder of our own to work in, and what stops the run. `seconds` for each tool."""

    spec: AttestationSpec
    folder: Path
    cancel: threading.Event | None = None
    seconds: float = SECONDS

    def tool(self, *words: str) -> Completed:
        """Run one tool, which must succeed, and unload what it loaded.

        Raises:
            MachineError: it is missing, refuses, or takes too long.
        """
        done = self.attempt(*words)
        if done.returncode != 0:
            raise _failed(f"{words[0]} failed: {done.complaint()}")
        self.attempt("tpm2_flushcontext", "-t")
        return done

    def attempt(self, *words: str) -> Completed:
        """Run one tool, which may refuse."""
        env = {"TPM2TOOLS_TCTI": self.spec.tpm}
        try:
            return run(
                words,
                timeout=self.seconds,
                env=env,
                cwd=self.folder,
                cancel=self.cancel,
                max_output=_OUTPUT,
            )
        except InterruptedRunError:
            raise
        except MachineError as error:
            raise _failed(f"{error.what}: {error.because}") from error

    def left(self, name: str, limit: int = judge.LIMIT) -> bytes:
        """What a tool left in the folder.

        Raises:
            MachineError: it is missing, no plain file, or too large.
        """
        try:
            return read_small(self.folder / name, limit)
        except OSError as error:
            raise _failed(f"{name}, which a tool was to leave: {error.strerror or error}") from error


def _failed(because: str) -> MachineError:
    return MachineError("there is no attestation, which the manifest asks for", because, _NEXT)


def words_of(tpm: Tpm) -> tuple[str, str]:
    """Manufacturer and vendor as the TPM tells them: it answers, at least.

    Raises:
        MachineError: it does not.
    """
    said = tpm.tool("tpm2_getcap", "properties-fixed").stdout
    return _text(said, ["MANUFACTURER"]), _text(said, _VENDOR)


def probe(spec: AttestationSpec, cancel: threading.Event | None = None, seconds: float = SECONDS) -> str:
    """Whether the TPM answers, and which one it says it is.

    Raises:
        MachineError: tools or TPM are missing, or it does not answer in time.
    """
    with tempfile.TemporaryDirectory(prefix="sealwright-tpm-") as folder:
        words = " ".join(words_of(Tpm(spec, Path(folder), cancel, seconds))).strip()
    return f"it answers: {words or 'it has no name'}"


def attest(spec: AttestationSpec, evidence: Path, cancel: threading.Event | None = None) -> str:
    """Take a quote over `log/checkpoint.sealed` below `evidence`, and write `attestation/` there; says what it is worth.

    Raises:
        MachineError: it can't be had, or is not good.
    """
    checkpoint = read_small(evidence / "log" / "checkpoint.sealed", 1 << 20)
    with tempfile.TemporaryDirectory(prefix="sealwright-tpm-") as folder:
        tpm = Tpm(spec, Path(folder), cancel)
        files = _taken(tpm, hashlib.sha256(checkpoint).hexdigest())
        certificate = _certificate(tpm)
    try:
        attested = judge.judge(files, spec, checkpoint)
    except StructureError as error:
        raise _failed(f"what the TPM gave is no good quote: {error}") from error
    target = evidence / FOLDER
    target.mkdir()
    for name, data in {**files, **({judge.CERTIFICATE: certificate} if certificate else {})}.items():
        write_whole(target / name, data)
    whose = EMULATED if attested.emulated else "of worth to those who know its key"
    return f"{whose}; quoted with {attested.fingerprint}"


def _taken(tpm: Tpm, digest: str) -> dict[str, bytes]:
    """The quote's files."""
    maker, vendor = words_of(tpm)
    context = tpm.spec.key or _made(tpm)
    key = _public(tpm, context)
    scheme = ["--scheme", SCHEMES[key.scheme or RSASSA]]
    selection = f"sha256:{','.join(map(str, tpm.spec.pcrs))}"
    out = ["-m", "quote.msg", "-s", "quote.sig", "-o", "quote.pcrs", "-F", "values", "-g", "sha256"]
    tpm.tool("tpm2_quote", "-c", context, "-l", selection, "-q", digest, *out, *scheme)
    values = tpm.left("quote.pcrs")
    if len(values) != 32 * len(tpm.spec.pcrs):
        raise _failed("the TPM does not give each of the PCRs of the bank sha256")
    return {
        judge.MESSAGE: tpm.left("quote.msg"),
        judge.SIGNATURE: tpm.left("quote.sig"),
        judge.KEY: judge.write_key(key.public),
        judge.PCRS: judge.write_pcrs(tpm.spec.pcrs, values),
        WORDS: judge.write_words(tpm.spec, maker, vendor),
    }


def _made(tpm: Tpm) -> str:
    """A key for this quote alone, below the endorsement key; it is gone when its context is."""
    tpm.tool("tpm2_createek", "-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub")
    kind = ["-G", "rsa", "-g", "sha256", "-s", "rsassa"]
    tpm.tool("tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", *kind, "-u", "made.pub")
    return "ak.ctx"


def _public(tpm: Tpm, context: str) -> TpmKey:
    tpm.tool("tpm2_readpublic", "-c", context, "-f", "tss", "-o", "ak.tss")
    try:
        key = parse_public(tpm.left("ak.tss"))
    except StructureError as error:
        raise _failed(f"the attestation key: {error}") from error
    if key.lacks:
        raise _failed(f"the attestation key is none: it is not {', '.join(key.lacks)}")
    if not key.scheme:
        raise _failed("the attestation key has no scheme of its own")
    return key


def _certificate(tpm: Tpm) -> bytes:
    """The first certificate of an endorsement key that the TPM holds; empty if it gives none."""
    for index in _CERTIFICATES:
        if tpm.attempt("tpm2_nvread", index, "-C", "o", "-o", "ek.der").returncode == 0:
            with contextlib.suppress(MachineError):
                return tpm.left("ek.der")
        (tpm.folder / "ek.der").unlink(missing_ok=True)
    return b""


def _text(said: bytes, names: Sequence[str]) -> str:
    """The characters that a property's numbers stand for; what is not printable is a question mark."""
    text = ""
    for name in names:
        found = re.search(_WORD.format(name).encode(), said)
        value = int(found[1], 16) if found else 0
        text += value.to_bytes(4, "big").rstrip(b"\0").decode("latin-1")
    return re.sub(r"[^ -~]", "?", text).strip()
