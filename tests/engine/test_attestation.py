"""A run asks a TPM for its word where the manifest wants that, and ends red where it can't be had."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from sealwright_stages.attestation.judge import judge
from sealwright_stages.attestation.taking import Tpm, probe, words_of
from sealwright_stages.audit_attestation import read
from sealwright_stages.errors import Exit, MachineError
from sealwright_stages.events import Stage
from sealwright_stages.finish import Act
from sealwright_stages.manifest_attestation import AttestationSpec
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.release_folder import HEAD, component
from support.software_tpm import needs_tpm, software_tpm, tpm_tool, two_ports

NOBODY = "swtpm:host=127.0.0.1,port=1"
HANDLE = "0x81010002"


def bench(folder: Path, tpm: str, more: str = "") -> Bench:
    """A release whose manifest asks this TPM."""
    return Bench(folder, manifest=f'{HEAD}[attestation]\ntpm = "{tpm}"\npcrs = [0, 7]\n{more}{component("xen")}')


def attested(made: Bench) -> str:
    """What the evidence's quote says, judged anew; the TPM's words."""
    evidence = made.work.evidence
    assert made.manifest.attestation is not None
    sealed = (evidence / "log" / "checkpoint.sealed").read_bytes()
    found = judge(read(evidence), made.manifest.attestation, sealed)
    assert found.emulated and found.pcrs == (0, 7)
    return found.words


@contextmanager
def silent() -> Iterator[str]:
    """A TPM that takes a connection and never answers."""
    port = two_ports()
    with socket.create_server(("127.0.0.1", port)), socket.create_server(("127.0.0.1", port + 1)):
        yield f"swtpm:host=127.0.0.1,port={port}"


def test_who_asks_for_no_attestation_has_none_and_no_step_of_it(folder: Path) -> None:
    made = Bench(folder, "xen")
    assert made.run().exit is Exit.DONE
    assert made.finish.step(Act.ATTESTATION) is None
    assert not (made.work.evidence / "attestation").exists()


@pytest.mark.parametrize("tpm", [NOBODY, "device:/dev/there-is-no-such-tpm"])
def test_a_tpm_that_is_away_ends_the_run_before_the_seal(folder: Path, tpm: str) -> None:
    made = bench(folder, tpm)
    ended = made.run()
    assert ended.exit is Exit.ENVIRONMENT, ended
    assert "no attestation, which the manifest asks for" in ended.what and "run again" in ended.next_step
    assert "tpm2_getcap" in ended.because
    step = made.finish.step(Act.ATTESTATION)
    assert step is not None and step.status is Status.FAILED and step.next_step
    assert not made.state().sealed and not made.work.evidence.exists()


def test_a_tool_that_is_missing_says_so(tmp_path: Path) -> None:
    tpm = Tpm(AttestationSpec(NOBODY, (0,)), tmp_path)
    with pytest.raises(MachineError, match=r"no attestation.*tpm2_no_such_tool can't be started"):
        tpm.tool("tpm2_no_such_tool")


@needs_tpm
def test_a_tpm_that_does_not_answer_in_time_is_one_that_is_away() -> None:
    began = time.monotonic()
    with silent() as way, pytest.raises(MachineError, match="took too long"):
        probe(AttestationSpec(way, (0,)), seconds=0.3)
    assert time.monotonic() - began < 5


def test_what_a_tool_left_is_a_small_plain_file_or_nothing(tmp_path: Path) -> None:
    tpm = Tpm(AttestationSpec(NOBODY, (0,)), tmp_path)
    (tmp_path / "link").symlink_to("/etc/passwd")
    with (tmp_path / "large").open("wb") as stream:
        stream.truncate(1 << 30)
    for name in ("link", "large", "nothing"):
        with pytest.raises(MachineError, match=name):
            tpm.left(name)


KINDS = [pytest.param(kind, marks=pytest.mark.slow) for kind in ("made for the quote", "rsapss")]


@needs_tpm
@pytest.mark.parametrize("kind", [*KINDS, "ecdsa"])
def test_the_seal_is_quoted_with_the_key_that_the_manifest_names(folder: Path, kind: str) -> None:
    with software_tpm(folder / "tpm") as way:
        more = ""
        if kind != "made for the quote":
            persist(way, folder, "ecc" if kind == "ecdsa" else "rsa", kind)
            more = f'key = "{HANDLE}"\n'
        made = bench(folder, way, more)
        ended = made.run()
        assert ended.exit is Exit.DONE, ended
        assert ended.what.endswith("attestation by a TPM: emulated: assures nothing")
        assert attested(made) == "IBM SW   TPM"
        step = made.finish.step(Act.ATTESTATION)
        assert step is not None and step.said.startswith("emulated: assures nothing")
        assert tpm_tool(way, folder, "tpm2_getcap", "handles-transient") == ""


def persist(way: str, folder: Path, algorithm: str, scheme: str) -> None:
    """Make an attestation key that stays."""
    tpm_tool(way, folder, "tpm2_createek", "-c", "ek.ctx", "-G", "rsa", "-u", "ek.pub")
    kind = ["-G", algorithm, "-g", "sha256", "-s", scheme]
    tpm_tool(way, folder, "tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", *kind, "-u", "ak.tss")
    tpm_tool(way, folder, "tpm2_evictcontrol", "-C", "o", "-c", "ak.ctx", HANDLE)


@needs_tpm
@pytest.mark.slow
def test_a_key_that_could_sign_what_no_tpm_made_is_refused(folder: Path) -> None:
    with software_tpm(folder / "tpm") as way:
        tpm_tool(way, folder, "tpm2_createprimary", "-C", "o", "-c", "top.ctx")
        attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|sign"
        kind = ["-G", "rsa2048:rsassa:null", "-g", "sha256", "-a", attributes]
        tpm_tool(way, folder, "tpm2_create", "-C", "top.ctx", *kind, "-u", "u", "-r", "r")
        tpm_tool(way, folder, "tpm2_load", "-C", "top.ctx", "-u", "u", "-r", "r", "-c", "u.ctx")
        tpm_tool(way, folder, "tpm2_evictcontrol", "-C", "o", "-c", "u.ctx", HANDLE)
        made = bench(folder, way, f'key = "{HANDLE}"\n')
        ended = made.run()
        assert ended.exit is Exit.ENVIRONMENT and "not restricted" in ended.because, ended
        assert not made.work.evidence.exists()


@needs_tpm
@pytest.mark.slow
def test_a_tpm_that_goes_between_seal_and_quote_leaves_no_evidence_and_the_run_goes_on(folder: Path) -> None:
    with ExitStack() as stack:
        way = stack.enter_context(software_tpm(folder / "tpm"))
        made = bench(folder, way)
        made.listener = when_sealed(stack.close)
        ended = made.run()
        assert ended.exit is Exit.ENVIRONMENT and "run again" in ended.next_step, ended
    assert made.state().sealed
    assert not made.work.evidence.exists() and not made.work.evidence.with_name("evidence.new").exists()
    with software_tpm(folder / "tpm", int(way.rpartition("=")[2])):
        made.listener = lambda record: None
        assert made.run(Stage.SEAL).exit is Exit.DONE
        assert attested(made)


def when_sealed(do: Callable[[], None]) -> Callable[[object], None]:
    def listen(record: object) -> None:
        if getattr(record, "kind", "") == "seal":
            do()

    return listen


@needs_tpm
@pytest.mark.slow
def test_the_certificate_that_the_tpm_holds_lies_beside_the_quote(folder: Path) -> None:
    with software_tpm(folder / "tpm") as way:
        (folder / "certificate").write_bytes(b"0" * 700)
        rights = "ownerread|ownerwrite|authread|authwrite|no_da"
        tpm_tool(way, folder, "tpm2_nvdefine", "0x01c00002", "-C", "o", "-s", "700", "-a", rights)
        tpm_tool(way, folder, "tpm2_nvwrite", "0x01c00002", "-C", "o", "-i", "certificate")
        made = bench(folder, way)
        assert made.run().exit is Exit.DONE
        there = made.work.evidence / "attestation" / "ek-certificate.der"
        assert there.read_bytes() == b"0" * 700


@needs_tpm
@pytest.mark.slow
def test_a_tpm_says_who_it_is(tmp_path: Path) -> None:
    with software_tpm(tmp_path / "tpm") as way:
        spec = AttestationSpec(way, (0,), "", True)
        assert words_of(Tpm(spec, tmp_path)) == ("IBM", "SW   TPM")
        assert probe(spec) == "it answers: IBM SW   TPM"
