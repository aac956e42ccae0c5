"""The sign stage of the engine: a no, and a signer that can't be believed, leave nothing signed."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_keyring.packets import detached_signatures
from sealwright_keyring.policy import Policy, load_policy
from sealwright_stages.errors import Exit, SigningError
from sealwright_stages.events import Stage
from sealwright_stages.finish import Act, digest_over
from sealwright_stages.plan import Plan
from sealwright_stages.ports import ED25519, Proposal
from sealwright_stages.sign import outside, signing
from sealwright_stages.sign.dsse import pae, read
from sealwright_stages.sign.release_signatures import merged
from sealwright_stages.sign.signing import Confirm, SigningRequest, Typed
from sealwright_stages.verdict import Status
from support.bench import Bench
from support.release_folder import HEAD, component
from support.stories import POLICY
from verify.workbench import Keys


@dataclass
class ScriptedSigner:
    """Implements `ports.Signer`; signs with bytes that are no signature."""

    leaves_out: str = ""
    refuses: bool = False
    misread: bool = False
    shown: dict[str, bytes] = field(default_factory=dict)
    signed: int = 0
    closed: bool = False

    def propose(self, release: str, documents: Mapping[str, tuple[str, bytes]], log: Path) -> Proposal:
        self.shown = {name: data for name, (_, data) in documents.items()}
        if self.refuses:
            raise SigningError("the signer", "it does not know this release", "look at its policy")
        lines = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, data in sorted(self.shown.items())
        )
        digest = "ab" * 32 if self.misread else hashlib.sha256(lines.encode()).hexdigest()
        return Proposal("1", digest, (f"release {release}",), "person", ("0" * 40,))

    def sign(self, proposal: Proposal, typed_digest: str, typed_release: str) -> Mapping[str, bytes]:
        self.signed += 1
        return {name: b"no signature" for name in self.shown if name != self.leaves_out}

    def close(self) -> None:
        self.closed = True


@dataclass
class KeyedSigner(ScriptedSigner):
    """Signs what it was shown with a real key."""

    keys: Keys | None = None
    name: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    options: Sequence[str] = ()

    def sign(self, proposal: Proposal, typed_digest: str, typed_release: str) -> Mapping[str, bytes]:
        assert self.keys is not None
        self.signed += 1
        to_sign = {name: pae(data) if name == "provenance" else data for name, data in self.shown.items()}
        by = {name: self.others.get(name, self.name) for name in to_sign}
        return {name: self.keys.sign(by[name], data, *self.options) for name, data in to_sign.items()}


NAMES = ("manager-a", "manager-b")


class KeyedBench(Bench):
    """A bench under a policy of real keys."""

    policy: Policy

    def plan(self) -> Plan:
        return replace(super().plan(), policy=replace(self.policy, sha256=POLICY))


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keys]:
    made = Keys(tmp_path_factory.mktemp("k") / "home")
    for name in NAMES:
        made.fingerprint(name, options=("--faked-system-time", "20100101T000000"))
    yield made
    subprocess.run(["gpgconf", "--homedir", str(made.home), "--kill", "all"], check=False)


def keyed_bench(folder: Path, signer: KeyedSigner, threshold: int = 1, builders: int = 1) -> KeyedBench:
    """A bench whose release `NAMES` may sign."""
    assert signer.keys is not None
    keys = signer.keys
    signers = f'signers = ["manager-a", "manager-b"]\nthreshold = {threshold}\nbuilders = {builders}\n'
    text = HEAD.replace('signers = ["manager-a"]\n', signers) + component("xen")
    bench = KeyedBench(folder, manifest=text)
    persons = "".join(f'[person.{name}]\nopenpgp = ["{keys.fingerprint(name)}"]\n' for name in NAMES)
    (folder / "keyring" / "signers.toml").write_text(persons)
    (folder / "keyring" / "keys" / "all.asc").write_bytes(keys.certificate(*NAMES))
    bench.policy = load_policy(folder / "keyring")
    bench.confirm = Confirm(lambda: signer, lambda request: Typed("abababab", "example-1.0"))
    return bench


def test_what_one_of_several_builders_signed_is_not_final_and_has_an_exit_code_of_its_own(
    folder: Path, keys: Keys
) -> None:
    bench = keyed_bench(folder, KeyedSigner(keys=keys, name="manager-a"), 1, builders=2)
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.NOT_FINAL and int(ended.exit) == 6
    assert ended.what == "signed, not final: 1 of 2 builders" and "sealwright join" in ended.next_step
    assert bench.finish.persons == {"manager-a"} and not bench.finish.final
    assert not nothing_is_signed(bench)


@pytest.mark.parametrize(("threshold", "exit_code"), [(1, Exit.DONE), (2, Exit.SIGNING)])
def test_fewer_persons_than_the_release_demands_is_no_success(
    folder: Path, keys: Keys, threshold: int, exit_code: Exit
) -> None:
    signer = KeyedSigner(keys=keys, name="manager-a")
    bench = keyed_bench(folder, signer, threshold)
    ended = bench.run(Stage.SIGN)
    assert ended.exit is exit_code, ended
    told = ended.sentence + ended.because
    assert f"signed by manager-a: 1 of {threshold} needed" in told
    finish = bench.finish
    assert [(check.file, check.person) for check in finish.checks] == [
        ("SHA256SUMS", "manager-a"),
        ("log/SHA256SUMS", "manager-a"),
    ]
    assert {check.fingerprint for check in finish.checks} == {keys.fingerprint("manager-a")}
    assert all(check.tool.startswith("gpg") and check.second == "agrees" for check in finish.checks)
    assert finish.persons == {"manager-a"} and finish.final is (threshold == 1)
    assert [signer.person for signer in finish.signers] == list(NAMES) and finish.threshold == threshold
    assert not nothing_is_signed(bench)
    if threshold == 2:
        assert "not final yet" in ended.sentence and "were kept" in ended.because
        assert "have manager-b sign too" in ended.next_step


def test_a_signature_from_before_the_seal_is_not_written_since_no_audit_takes_it(folder: Path, keys: Keys) -> None:
    signer = KeyedSigner(keys=keys, name="manager-a", options=("--faked-system-time", "20100102T000000"))
    bench = keyed_bench(folder, signer)
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING and "2010-01-02T00:00:00Z, more than a day before" in ended.because
    assert nothing_is_signed(bench) and not bench.finish.final
    signer.options = ()
    assert bench.run(Stage.SIGN).exit is Exit.DONE


def test_what_no_person_signed_as_a_whole_is_not_written(folder: Path, keys: Keys) -> None:
    signer = KeyedSigner(keys=keys, name="manager-a", others={"log/SHA256SUMS": "manager-b"})
    bench = keyed_bench(folder, signer)
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING and "no person has signed all" in ended.because
    assert nothing_is_signed(bench)
    signer.others = {}
    assert bench.run(Stage.SIGN).exit is Exit.DONE, "and nothing of it stands in the way"


RAW = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))


@dataclass
class TwiceSigner(KeyedSigner):
    """Signs the provenance with a raw key too."""

    raw: Ed25519PrivateKey = RAW

    def sign(self, proposal: Proposal, typed_digest: str, typed_release: str) -> Mapping[str, bytes]:
        made = super().sign(proposal, typed_digest, typed_release)
        return {**made, ED25519: self.raw.sign(pae(self.shown["provenance"]))}


@pytest.mark.parametrize("known", [True, False])
def test_a_raw_signature_is_written_if_it_is_by_the_signers_own_key(folder: Path, keys: Keys, known: bool) -> None:
    signer = TwiceSigner(keys=keys, name="manager-a", raw=RAW if known else Ed25519PrivateKey.generate())
    bench = keyed_bench(folder, signer)
    key = Ed25519Key(RAW.public_key().public_bytes_raw())
    person = replace(bench.policy.persons["manager-a"], ed25519=(key,))
    bench.policy = replace(bench.policy, persons={**bench.policy.persons, "manager-a": person})
    ended = bench.run(Stage.SIGN)
    if not known:
        assert ended.exit is Exit.SIGNING and "signers.toml" in ended.because and nothing_is_signed(bench)
        return
    assert ended.exit is Exit.DONE
    payload, _, raw = read((bench.work.evidence / "provenance.manager-a.dsse.json").read_bytes())
    assert raw is not None and raw.keyid == key.keyid and key.made(raw.signature, pae(payload))


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
    found = [path for path in bench.work.evidence.rglob("*") if path.name.endswith((".asc", ".dsse.json"))]
    return not [path for path in found if path.parent.name != "keys"]


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
    [
        ScriptedSigner(),
        ScriptedSigner(leaves_out="log/SHA256SUMS"),
        ScriptedSigner(refuses=True),
        ScriptedSigner(misread=True),
    ],
    ids=["no-signature", "one-missing", "refused", "another-digest"],
)
def test_a_signer_that_can_not_be_believed_leaves_nothing_signed(folder: Path, signer: ScriptedSigner) -> None:
    bench, _ = bench_with(folder, signer, Typed("abababab", "example-1.0"))
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING, ended
    assert ended.next_step
    assert signer.closed
    assert nothing_is_signed(bench)
    last = bench.finish.steps[-1]
    assert last.status is Status.FAILED and last.said == ended.sentence and last.next_step == ended.next_step
    assert not bench.finish.persons and not bench.finish.final


def test_a_signer_whose_digest_is_of_something_else_is_not_asked_to_sign(folder: Path) -> None:
    signer = ScriptedSigner(misread=True)
    bench, asked = bench_with(folder, signer, Typed("abababab", "example-1.0"))
    assert bench.run(Stage.SIGN).exit is Exit.SIGNING
    assert asked == [] and signer.signed == 0


def test_each_step_of_seal_and_sign_is_told_as_it_is_done(folder: Path) -> None:
    signer = ScriptedSigner()
    bench, asked = bench_with(folder, signer, None)
    bench.run(Stage.SIGN)
    steps = bench.finish.steps
    wanted = [Act.POLICY, Act.PRODUCTS, Act.SEAL, Act.ROOT, Act.EVIDENCE, Act.POLICY, Act.SIGNER, Act.ANSWER]
    assert [step.act for step in steps] == wanted
    assert [step.status for step in steps] == [Status.PASSED] * 7 + [Status.FAILED]
    assert steps[-1].said.endswith("the release manager said no") and steps[-1].next_step == "run again to sign"
    assert all(step.began and step.ended for step in steps)
    checkpoint = (bench.work.evidence / "log" / "checkpoint.sealed").read_text().splitlines()
    assert bench.finish.records == int(checkpoint[1]) == len(bench.kept.entries)
    assert base64.b64decode(checkpoint[2]).hex() == bench.finish.root
    (request,) = asked
    files = {thing.name: thing.sha256 for thing in request.things}
    for name in ("SHA256SUMS", "log/SHA256SUMS"):
        assert files[name] == hashlib.sha256((bench.work.evidence / name).read_bytes()).hexdigest()
    assert request.proposal.digest == digest_over(request.things)


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


def test_nothing_is_signed_in_a_folder_that_is_another_by_now(folder: Path) -> None:
    signer = ScriptedSigner()
    bench, _ = bench_with(folder, signer, None)

    def ask(request: SigningRequest) -> Typed:
        bench.gone = True
        return Typed("abababab", "example-1.0")

    bench.confirm = Confirm(lambda: signer, ask)
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.ENVIRONMENT and "moved or deleted" in ended.because
    assert signer.signed == 0 and nothing_is_signed(bench)


def signs_too(bench: KeyedBench, keys: Keys, name: str) -> None:
    """Another person signs the evidence as it lies there."""
    for sums in ("SHA256SUMS", "log/SHA256SUMS"):
        path = bench.work.evidence / f"{sums}.asc"
        data = (bench.work.evidence / sums).read_bytes()
        path.write_bytes(merged([path.read_bytes(), keys.sign(name, data)]))


@pytest.fixture
def unaudited(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bench's log is no real one: what an audit says of signed evidence is tried by the walks."""
    monkeypatch.setattr(signing, "_still_whole", lambda *_: None)


@pytest.mark.usefixtures("unaudited")
def test_a_run_adds_its_persons_signature_to_those_of_others_and_asks_nobody_twice(
    folder: Path, keys: Keys
) -> None:
    signer = KeyedSigner(keys=keys, name="manager-a")
    bench = keyed_bench(folder, signer, threshold=2)
    real = signer.propose
    signer.propose = lambda *words: replace(real(*words), keys=(keys.fingerprint(signer.name),))  # type: ignore[method-assign]
    assert bench.run(Stage.SIGN).exit is Exit.SIGNING and signer.signed == 1
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING and "not final yet" in ended.sentence and signer.signed == 1
    assert "manager-a has signed already" in bench.finish.step(Act.ANSWER).said  # type: ignore[union-attr]
    signer.name = "manager-b"
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.DONE and "manager-a, manager-b: 2 of 2 needed, final" in ended.sentence, ended
    assert signer.signed == 2 and "gpg, gpgv" in bench.finish.step(Act.VERIFY).said  # type: ignore[union-attr]
    signer.closed = False
    assert bench.run(Stage.SIGN).exit is Exit.DONE and not signer.closed, "no signer is opened for what is final"


@pytest.mark.usefixtures("unaudited")
def test_signatures_that_others_brought_make_it_final_and_a_stranger_s_beside_them_is_left_out(
    folder: Path, keys: Keys
) -> None:
    bench = keyed_bench(folder, KeyedSigner(keys=keys, name="manager-a"), threshold=2)
    bench.run(Stage.SIGN)
    keys.fingerprint("stranger")
    for name in ("manager-b", "stranger"):
        signs_too(bench, keys, name)
    assert bench.run(Stage.SIGN).exit is Exit.DONE
    assert len(detached_signatures((bench.work.evidence / "SHA256SUMS.asc").read_bytes())) == 2


def test_a_run_whose_signature_another_tool_does_not_see_leaves_none(
    folder: Path, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = keyed_bench(folder, KeyedSigner(keys=keys, name="manager-a"))
    monkeypatch.setattr(outside, "GPGV", "true")
    ended = bench.run(Stage.SIGN)
    assert ended.exit is Exit.SIGNING and "gpgv" not in ended.sentence and "true said" in ended.because
    assert nothing_is_signed(bench) and not bench.finish.final
    assert bench.finish.step(Act.VERIFY).status is Status.FAILED  # type: ignore[union-attr]
    monkeypatch.undo()
    assert bench.run(Stage.SIGN).exit is Exit.DONE
