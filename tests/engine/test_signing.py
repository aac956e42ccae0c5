"""The sign stage of the engine: a no, and a signer that can't be believed, leave nothing signed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from sealwright_stages.errors import Exit, SigningError
from sealwright_stages.events import Stage
from sealwright_stages.ports import Proposal
from sealwright_stages.sign.signing import Confirm, SigningRequest, Typed
from support.bench import Bench


@dataclass
class ScriptedSigner:
    """Implements `ports.Signer`; signs with bytes that are no signature."""

    leaves_out: str = ""
    refuses: bool = False
    shown: dict[str, bytes] = field(default_factory=dict)
    signed: int = 0
    closed: bool = False

    def propose(
        self, release: str, documents: Mapping[str, tuple[str, bytes]], context: Mapping[str, object]
    ) -> Proposal:
        self.shown = {name: data for name, (_, data) in documents.items()}
        if self.refuses:
            raise SigningError("the signer", "it does not know this release", "look at its policy")
        return Proposal("1", "ab" * 32, (f"release {release}",), "person", ("0" * 40,))

    def sign(self, proposal: Proposal, typed_digest: str, typed_release: str) -> Mapping[str, bytes]:
        self.signed += 1
        return {name: b"no signature" for name in self.shown if name != self.leaves_out}

    def close(self) -> None:
        self.closed = True


def bench_with(folder: Path, signer: ScriptedSigner, answer: Typed | None) -> tuple[Bench, list[SigningRequest]]:
    asked: list[SigningRequest] = []

    def ask(request: SigningRequest) -> Typed | None:
        asked.append(request)
        return answer

    bench = Bench(folder, "xen")
    (folder / "keyring" / "signers.toml").write_text('[person.manager-a]\nopenpgp = ["' + "A" * 40 + '"]\n')
    bench.confirm = Confirm(lambda: signer, ask)
    return bench, asked


def nothing_is_signed(bench: Bench) -> bool:
    return not [path for path in bench.work.evidence.rglob("*") if path.suffix in (".asc", ".json")]


def test_a_no_signs_nothing(folder: Path) -> None:
    signer = ScriptedSigner()
    bench, asked = bench_with(folder, signer, None)
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING
    assert len(asked) == 1 and asked[0].release == "example-1.0" and asked[0].products == 1
    assert signer.signed == 0 and signer.closed
    assert nothing_is_signed(bench)
    assert bench.state().sealed


def test_what_is_shown_to_the_signer_is_what_lies_in_the_evidence(folder: Path) -> None:
    signer = ScriptedSigner()
    bench, _ = bench_with(folder, signer, None)
    bench.run(Stage.SIGN)
    for name in ("SHA256SUMS", "log/SHA256SUMS"):
        assert signer.shown[name] == (bench.work.evidence / name).read_bytes()
    digest = next(iter(bench.state().products.values())).sha256
    assert digest.encode() in signer.shown["provenance"]


@pytest.mark.parametrize(
    "signer",
    [ScriptedSigner(), ScriptedSigner(leaves_out="log/SHA256SUMS"), ScriptedSigner(refuses=True)],
    ids=["no-signature", "one-missing", "refused"],
)
def test_a_signer_that_can_not_be_believed_leaves_nothing_signed(folder: Path, signer: ScriptedSigner) -> None:
    bench, _ = bench_with(folder, signer, Typed("abababab", "example-1.0"))
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING, ended
    assert ended.next_step
    assert signer.closed
    assert nothing_is_signed(bench)


def test_the_signer_is_not_asked_before_the_gate_before_sign_is_open(folder: Path) -> None:
    signer = ScriptedSigner()
    bench, asked = bench_with(folder, signer, None)
    bench.builder.exits["xen"] = [1]
    assert bench.run(Stage.SIGN).exit is Exit.CLOSED
    assert asked == [] and signer.shown == {}


def test_a_run_until_the_seal_asks_no_signer(folder: Path) -> None:
    signer = ScriptedSigner()
    bench, asked = bench_with(folder, signer, None)
    assert bench.run(Stage.SEAL).exit is Exit.DONE
    assert asked == []
