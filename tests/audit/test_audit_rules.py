"""Each rule of audit, audit_folder, audit_signatures and replay, against evidence that fits itself in all else."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audit.forge import LOG_KEY, STREAM, Change, Eof, Forger, Step, begun, passed
from sealwright_appendlog.note import VerifierKey
from sealwright_stages import events as ev
from sealwright_stages.audit import Audit, Reviewer, audit
from sealwright_stages.events import Stage
from sealwright_stages.log.entries import Entry
from sealwright_stages.replay import Replay
from sealwright_stages.sign.provenance import envelope, opened, pae
from support.small_release import Key, stop_agent, write_keyring


def bad(result: Audit) -> list[str]:
    return [f"{finding.what}: {finding.detail}" for finding in result.findings if finding.ok == "bad"]


def mine(forger: Forger, *names: str, threshold: int | None = None) -> Reviewer:
    return Reviewer(forger.folder / "keyring", names, threshold)


def test_lawful_evidence_is_a_plain_yes_for_whoever_names_the_signers(forger: Forger) -> None:
    evidence = forger.evidence()
    result = audit(evidence, mine(forger, "manager-a"))
    assert (bad(result), result.provided) == ([], "")


def test_evidence_is_read_once_and_nothing_is_judged_after_twenty_broken_rules(forger: Forger) -> None:
    declared, _ = forger.declared()
    reads: list[str] = []

    def read(stream: str) -> bytes:
        reads.append(stream)
        return b"{}"

    replay = Replay(read, declared)
    red = ev.ItemVerdict(
        "xen/git/v1", "failed", "x", "x", "x", "", "", hashlib.sha256(b"{}").hexdigest(), "evidence/1-1"
    )
    known = [ev.ItemDeclared(s.id, s.component, s.stage, s.kind, s.title) for s in declared.items.values()]
    for n, told in enumerate(
        [begun(declared, forger.tool), *known, *[red] * 500, ev.ItemReset("xen/git/v1", "x")]
    ):
        body = json.loads(json.dumps(ev.to_body(told)))
        replay.take(Entry(n, "2026-01-01T00:00:00.000000Z", "ev", "engine", "uid:0", b"", body))
    assert reads == ["evidence/1-1"] and len(replay.findings) == 20
    assert replay.state.items["xen/git/v1"].status == "pending"  # folded all the same


# The folder


def link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def stranger(path: Path) -> None:
    path.write_text("run me\n")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [link, os.mkfifo, stranger, folder])
@pytest.mark.parametrize("where", ["new", "log/new", "policy/new", "products/xen/new", "policy/keys/new.txt"])
def test_the_folder_holds_exactly_the_files_of_a_release(
    forger: Forger, where: str, make: Callable[[Path], None]
) -> None:
    evidence = forger.evidence()
    make(evidence / where)
    (told,) = bad(audit(evidence, mine(forger)))
    assert where in told


@pytest.mark.parametrize("name", ["policy/release.toml", "SHA256SUMS", "log/index.jsonl", "log/checkpoint.sealed"])
def test_nothing_is_opened_while_something_is_no_plain_file(forger: Forger, name: str) -> None:
    evidence = forger.evidence()
    (evidence / name).unlink()
    os.mkfifo(evidence / name)
    assert bad(audit(evidence)) == [f"folder: {name} is a pipe, and no plain file"]


def test_a_folder_that_is_a_link_is_refused(forger: Forger) -> None:
    evidence = forger.evidence()
    (evidence / "log").rename(forger.folder / "elsewhere")
    (evidence / "log").symlink_to(forger.folder / "elsewhere")
    assert bad(audit(evidence)) == ["folder: log is a symbolic link, and no plain file"]


def test_evidence_that_is_not_there_is_said(forger: Forger) -> None:
    assert "No such file" in bad(audit(forger.folder / "nowhere"))[0]


@pytest.mark.parametrize("name", ["verify.py", "HOW-TO-VERIFY.txt", "index.html"])
def test_the_pages_are_the_ones_that_this_version_writes(forger: Forger, name: str) -> None:
    evidence = forger.evidence()
    (evidence / name).write_bytes((evidence / name).read_bytes() + b"\n")
    assert [line.split(":")[0] for line in bad(audit(evidence, mine(forger)))] == [name]
    (evidence / name).unlink()
    assert bad(audit(evidence, mine(forger))) == [f"{name}: it is missing"]


def test_the_pages_of_another_version_are_told(forger: Forger) -> None:
    forger.tool = "9.9"
    evidence = forger.evidence()
    (evidence / "verify.py").write_text("print('whole')\n")
    result = audit(evidence, mine(forger, "manager-a"))
    assert bad(result) == []
    told = next(
        finding for finding in result.findings if finding.ok == "unchecked" and "made it" in finding.detail
    )
    assert told.what == "verify.py" and "9.9" in told.detail


# Who signed


def test_without_a_keyring_a_yes_says_whose_keys_it_goes_by(forger: Forger) -> None:
    result = audit(forger.evidence())
    assert bad(result) == []
    assert result.provided == "as far as the folder's own keys go"


def test_where_the_reviewer_names_nobody_the_releases_own_word_is_told(forger: Forger) -> None:
    result = audit(forger.evidence(), mine(forger))
    assert bad(result) == []
    assert result.provided == "if 1 of manager-a is who must sign it"
    assert any(f.ok == "unchecked" and "1 of manager-a must sign" in f.detail for f in result.findings)


def test_a_forger_does_not_choose_who_must_sign(forger: Forger, keys: tuple[Key, Key]) -> None:
    forger.signers = keys[1:]
    forger.head = forger.head.replace("manager-a", "release-key-a")
    evidence = forger.evidence()
    (evidence / "provenance.manager-a.dsse.json").rename(evidence / "provenance.release-key-a.dsse.json")
    assert audit(evidence).passed
    assert audit(evidence, mine(forger)).provided == "if 1 of release-key-a is who must sign it"
    told = bad(audit(evidence, mine(forger, "manager-a")))
    assert any("signed by nobody" in line for line in told), told


def test_whoever_is_limited_to_components_is_no_release_signer(forger: Forger, keys: tuple[Key, Key]) -> None:
    evidence = forger.evidence()
    signers = forger.folder / "keyring" / "signers.toml"
    signers.write_text(signers.read_text().replace("\n\n", '\ncomponents = ["xen"]\n\n', 1))
    assert any("signed by nobody" in line for line in bad(audit(evidence, mine(forger))))
    assert any("components only" in line for line in bad(audit(evidence, mine(forger, "manager-a"))))


def test_all_whom_the_reviewer_names_must_have_signed(forger: Forger) -> None:
    evidence = forger.evidence()
    both = "manager-a", "release-key-a"
    assert any("2 needed" in line for line in bad(audit(evidence, mine(forger, *both))))
    assert audit(evidence, mine(forger, *both, threshold=1)).passed
    assert any("no person called eve" in line for line in bad(audit(evidence, mine(forger, "eve"))))


def test_a_provenance_says_exactly_what_the_log_says(forger: Forger) -> None:
    evidence = forger.evidence()
    path = evidence / "provenance.manager-a.dsse.json"
    payload, signature = opened(path.read_bytes())
    other = payload.replace(b"xen.tar", b"lvm.tar")
    path.write_bytes(envelope(other, forger.signed(pae(other))))
    assert any("something else than the log" in line for line in bad(audit(evidence, mine(forger))))
    path.write_bytes(envelope(payload, forger.signed(payload)))
    assert any(line.startswith("provenance") for line in bad(audit(evidence, mine(forger))))
    path.unlink()
    assert any(line.startswith("provenance") for line in bad(audit(evidence, mine(forger))))
    path.write_bytes(envelope(payload, signature))
    assert audit(evidence, mine(forger)).passed


def test_a_yes_stays_a_yes_when_the_signers_time_has_run_out(forger: Forger) -> None:
    signers = forger.folder / "keyring" / "signers.toml"
    limited = signers.read_text().replace("\n\n", "\nnot_after = 2020-12-31\n\n", 1)
    signers.write_text(limited)
    assert any("signed by nobody" in line for line in bad(audit(forger.evidence(), mine(forger, "manager-a"))))
    signers.write_text(limited.replace("2020", "2999"))
    assert audit(forger.evidence(), mine(forger, "manager-a")).passed


# The rules of the log


def without(*kinds: type[ev.Event], **fields: object) -> Change:
    def change(steps: list[Step]) -> list[Step]:
        return [
            s for s in steps if not (isinstance(s, kinds) and all(getattr(s, k) == v for k, v in fields.items()))
        ]

    return change


def with_other(kind: type[Step], **fields: object) -> Change:
    def change(steps: list[Step]) -> list[Step]:
        return [replace(s, **fields) if isinstance(s, kind) else s for s in steps]

    return change


def never_verified(steps: list[Step]) -> list[Step]:
    """Nothing of verify is declared or judged."""
    return [s for s in steps if getattr(s, "item", "") != "xen/git/v1"]


def promoted_too_early(steps: list[Step]) -> list[Step]:
    """An item of verify is declared, and judged green, once its component is promoted."""
    late = [s for s in steps if getattr(s, "item", "") == "xen/git/v1"]
    rest = [s for s in steps if s not in late]
    at = next(n for n, s in enumerate(rest) if isinstance(s, ev.SourcesPromoted)) + 1
    return [*rest[:at], *late, *rest[at:]]


def undeclared_item(steps: list[Step]) -> list[Step]:
    at = next(n for n, s in enumerate(steps) if isinstance(s, ev.ItemDeclared))
    return [*steps[:at], ev.ItemDeclared("xen/moon", "xen", Stage.VERIFY, "moon", "a moon"), *steps[at:]]


def built_again(steps: list[Step]) -> list[Step]:
    """A second build, which was killed, after the products of the first."""
    again = ev.BuildStarted(
        "xen", "xen/build", "build/xen/1-2", "commands", "host", "", passed("").subject_sha256, 0
    )
    at = next(n for n, s in enumerate(steps) if isinstance(s, ev.ProductCollected)) + 1
    end = [Eof("build/xen/1-2", clean=False, exit=None), ev.BuildEnded("xen", 0, 1, "")]
    return [*steps[:at], again, *end, *steps[at:]]


EVIL = hashlib.sha256(b"{}").hexdigest()
BROKEN: list[tuple[str, Change, str]] = [
    ("nothing verified", never_verified, "nothing of it was verified"),
    ("an item left out", never_verified, "never declared"),
    ("an item after the promotion", promoted_too_early, "promoted before xen/git/v1 was even declared"),
    ("an item too many", undeclared_item, "not an item that the manifest declares"),
    ("another title", with_other(ev.ItemDeclared, title="all is well"), "not an item that the manifest declares"),
    ("no verdict", without(ev.ItemVerdict, item="xen/git/v1"), "promoted although not all of it was green"),
    ("a build of no item", with_other(ev.BuildStarted, item="xen/git/v1"), "no build of xen"),
    ("an unclean stream", with_other(Eof, clean=False, exit=None), "no product of a build that ended well"),
    ("another exit on the stream", with_other(Eof, exit=1), "no product of a build that ended well"),
    ("a stream without an end", without(Eof), "no product of a build that ended well"),
    ("a last build that was killed", built_again, "the last build of xen"),
    ("inline evidence", with_other(ev.ItemVerdict, evidence="{}", evidence_sha256="0" * 64), "not what it names"),
    ("evidence unnamed", with_other(ev.ItemVerdict, evidence="{}"), "not what it names"),
    (
        "no such stream",
        with_other(ev.ItemVerdict, evidence_stream="evidence/1", evidence_sha256=EVIL),
        "evidence/1",
    ),
    (
        "an odd stream",
        with_other(ev.ItemVerdict, evidence_stream="../\0", evidence_sha256=EVIL),
        "not what it names",
    ),
    ("facts", with_other(ev.SourcesPromoted, facts="{}", facts_sha256="0" * 64), "not what it names"),
    ("another stream of the build", with_other(ev.BuildStarted, stream=f"{STREAM}0"), "no product of a build"),
]


@pytest.mark.parametrize(("change", "says"), [case[1:] for case in BROKEN], ids=[case[0] for case in BROKEN])
def test_a_log_that_breaks_a_rule_is_refused(forger: Forger, change: Change, says: str) -> None:
    told = bad(audit(forger.evidence(change), mine(forger)))
    assert any(line.startswith("rules") and says in line for line in told), told


def test_what_others_write_beside_a_release_is_told_and_breaks_no_rule(forger: Forger) -> None:
    result = audit(forger.evidence(lambda steps: [*steps[:6], Eof("raw/serial"), *steps[6:]]), mine(forger))
    assert bad(result) == []
    assert any("raw streams, of others than the console" in finding.detail for finding in result.findings)


AUTHORITIES = {
    "the one": ("example.org/log", True, "kept by example.org/log"),
    "another key": ("example.org/log", False, "not one that example.org/log kept"),
    "a longer name": ("example.org/log/forged", True, "not one that"),
    "a name that begins alike": ("example.org/lo", True, "not one that"),
}


@pytest.mark.parametrize("case", AUTHORITIES)
def test_a_log_is_one_that_the_named_authority_kept(forger: Forger, case: str) -> None:
    name, same, says = AUTHORITIES[case]
    public = LOG_KEY.public_key().public_bytes_raw() if same else bytes(32)
    forger.head += f'[log]\ntransport = ["ssh"]\nkey = "{VerifierKey(name, public)}"\n'
    told = audit(forger.evidence(), mine(forger))
    assert [f.ok for f in told.findings if f.what == "log" and says in f.detail] == [
        "good" if case == "the one" else "bad"
    ]
    assert told.passed == (case == "the one")


def test_a_product_has_a_plain_name(forger: Forger) -> None:
    for name in ("..", "a/b.tar", "a\0b.tar"):
        told = bad(audit(forger.evidence(with_other(ev.ProductCollected, name=name)), mine(forger)))
        assert any("plain file name" in line for line in told), told


# What hostile evidence must not do


NEST = b"a = " + b"[" * 100_000


@pytest.mark.parametrize("name", ["policy/signers.toml", "policy/release.toml"])
@pytest.mark.parametrize(
    "data", [NEST, b"a = " + b"9" * 10_000, b"\0", b"x" * (20 << 20)], ids=["nest", "num", "nul", "big"]
)
def test_whatever_a_file_holds_is_a_finding(forger: Forger, name: str, data: bytes) -> None:
    evidence = forger.evidence()
    (evidence / name).write_bytes(data)
    told = bad(audit(evidence, mine(forger)))
    assert told and all(not line.startswith("evidence") for line in told), told


@pytest.mark.parametrize("name", ["SHA256SUMS.asc", "SHA256SUMS", "log/checkpoint.sealed", "verify.py"])
def test_a_file_without_end_is_a_finding(forger: Forger, name: str) -> None:
    evidence = forger.evidence()
    os.truncate(evidence / name, 1 << 40)
    assert bad(audit(evidence, mine(forger)))


def test_a_yes_stays_a_yes_when_the_signers_key_has_expired(forger: Forger, tmp_path: Path) -> None:
    home = tmp_path / "old"
    home.mkdir(mode=0o700)
    gpg = ["gpg", "--homedir", str(home), "--batch", "--faked-system-time", "20230101T000000!"]
    words = ["--passphrase", "", "--quick-gen-key", "manager-a", "ed25519", "sign", "2y"]
    subprocess.run([*gpg, *words], check=True, capture_output=True)
    listing = subprocess.run(
        [*gpg, "--with-colons", "--list-keys"], check=True, capture_output=True, text=True
    ).stdout
    fingerprint = next(line for line in listing.splitlines() if line.startswith("fpr")).split(":")[9]
    old = Key("manager-a", fingerprint, home)
    shutil.rmtree(forger.folder / "keyring")
    write_keyring(forger.folder / "keyring", [old])
    forger.signers = (old,)
    in_time = forger.evidence(at="20240601T000000!")
    assert bad(audit(in_time, mine(forger, "manager-a"))) == []
    stop_agent(home)
