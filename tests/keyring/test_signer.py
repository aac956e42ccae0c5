"""The signer: what it refuses, what it signs, and that its record knows it first."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sealwright_keyring.errors import KeyringError
from sealwright_keyring.openpgp import Good, Keyring
from sealwright_keyring.signer import server as server_module
from sealwright_keyring.signer.gpg_sign import make_throwaway_key, own_agent
from sealwright_keyring.signer.policy import load_signing_policy
from sealwright_keyring.signer.server import SignerServer
from sealwright_keyring.signer.terminal import Terminal
from support.rooms import short_folder

RELEASE = "example-1.0"
SUMS = b"a" * 64 + b"  products/xen/xen.tar.gz\n"
LOG = b"".join(b"b" * 64 + b"  " + name + b"\n" for name in (b"checkpoint.sealed", b"index.jsonl", b"log.vkey"))


def statement(release: object = RELEASE, *products: str) -> bytes:
    subjects = [
        {"digest": {"sha256": "a" * 64}, "name": name} for name in products or ("products/xen/xen.tar.gz",)
    ]
    body = {
        "_type": "https://in-toto.io/Statement/v1",
        "predicate": {"buildDefinition": {"externalParameters": {"release": release}}},
        "predicateType": "https://slsa.dev/provenance/v1",
        "subject": subjects,
    }
    return json.dumps(body, sort_keys=True, separators=(",", ":")).encode()


STATEMENT = statement()
DOCUMENTS = (
    ("SHA256SUMS", "sha256sums", SUMS),
    ("log/SHA256SUMS", "log-sha256sums", LOG),
    ("provenance", "dsse-payload", STATEMENT),
)
POLICY = '[release]\nname = "example"\nversion = "1.0"\nmax_products = 5\nallow_warnings = false\n'


@pytest.fixture(scope="module")
def home() -> Iterator[tuple[Path, str]]:
    folder = short_folder("sw-signer-")
    try:
        fingerprint = make_throwaway_key(folder / "h", "demo")
        with own_agent(folder / "h"):
            yield folder / "h", fingerprint
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def proposal(documents: tuple[tuple[str, str, bytes], ...] = DOCUMENTS, **changes: Any) -> dict[str, Any]:
    shown = [{"name": n, "kind": k, "base64": base64.b64encode(d).decode()} for n, k, d in documents]
    request = {"op": "propose", "release": RELEASE, "documents": shown, "context": {"warnings": [], "waivers": []}}
    return {**request, **changes}


Talk = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def talk(home: tuple[Path, str], tmp_path: Path) -> Talk:
    """Send requests (objects, or raw lines) to a signer and give its answers; `then` makes more out of answers."""

    def say(
        *requests: Any, then: Callable[[dict[str, Any]], Any] | None = None, **options: Any
    ) -> list[dict[str, Any]]:
        server = SignerServer(home[0], tmp_path / "record.jsonl", **options)
        answers: list[dict[str, Any]] = []
        queue = list(requests)
        while queue:
            request = queue.pop(0)
            line = request if isinstance(request, bytes) else json.dumps(request).encode() + b"\n"
            out = io.BytesIO()
            server.serve(io.BytesIO(line), out)
            answers += [json.loads(each) for each in out.getvalue().splitlines()]
            if then and answers[-1].get("proposal"):
                queue.insert(0, then(answers[-1]))
        return answers

    return say


def typed(answer: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return {
        "op": "sign",
        "proposal": answer["proposal"],
        "typed_digest": answer["digest"][:8],
        "typed_release": RELEASE,
        **changes,
    }


def test_hello_names_the_key(talk: Talk, home: tuple[Path, str]) -> None:
    (answer,) = talk({"op": "hello"})
    assert answer["ok"] is True
    assert [key["fingerprint"] for key in answer["keys"]] == [home[1]]
    assert "throw-away, not for releases" in answer["keys"][0]["uid"]


def test_what_a_person_typed_rightly_is_signed_and_verifies(talk: Talk, home: tuple[Path, str]) -> None:
    _, answer = talk(proposal(), then=typed)
    assert answer["ok"] is True
    made = {each["name"]: each for each in answer["signatures"]}
    argv = ["gpg", "--homedir", str(home[0]), "--batch", "--export", home[1]]
    certificate = subprocess.run(argv, capture_output=True, check=True).stdout
    pae = b"DSSEv1 28 application/vnd.in-toto+json %d %s" % (len(STATEMENT), STATEMENT)
    with Keyring.of([certificate], [home[1]]) as ring:
        for name, data in (("SHA256SUMS", SUMS), ("log/SHA256SUMS", LOG)):
            verdict = ring.verify_detached(made[name]["armor"].encode(), data)
            assert isinstance(verdict, Good)
            assert verdict.digest == "SHA512"
        signature = base64.b64decode(made["provenance"]["base64"])
        assert isinstance(ring.verify_detached(signature, pae), Good)
        assert not isinstance(ring.verify_detached(signature, STATEMENT), Good)


def test_the_digest_is_over_all_documents(talk: Talk) -> None:
    (answer,) = talk(proposal())
    lines = "".join(f"{hashlib.sha256(data).hexdigest()}  {name}\n" for name, _, data in DOCUMENTS)
    assert answer["digest"] == hashlib.sha256(lines.encode()).hexdigest()
    assert answer["needs"] == "confirmation"
    assert any("1 products" in line for line in answer["summary"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"typed_digest": "00000000"},
        {"typed_digest": ""},
        {"typed_digest": "abc"},
        {"typed_release": "example-1.1"},
        {"typed_release": None},
        {"proposal": "0" * 16},
    ],
)
def test_wrong_words_sign_nothing_and_use_the_proposal_up(talk: Talk, wrong: dict[str, Any]) -> None:
    _, refused = talk(proposal(), then=lambda answer: typed(answer, **wrong))
    assert refused["ok"] is False
    assert refused["because"]
    assert refused["next"]
    assert "signatures" not in refused


def test_a_proposal_can_be_used_once(talk: Talk) -> None:
    seen: list[dict[str, Any]] = []

    def again(answer: dict[str, Any]) -> bytes:
        seen.append(answer)
        line = json.dumps(typed(answer)).encode() + b"\n"
        return line + line

    answers = talk(proposal(), then=again)
    assert [answer["ok"] for answer in answers] == [True, True, False]


def test_without_words_and_policy_nothing_is_signed(talk: Talk) -> None:
    _, refused = talk(proposal(), then=lambda answer: {"op": "sign", "proposal": answer["proposal"]})
    assert refused["ok"] is False


def _by_policy(answer: dict[str, Any]) -> dict[str, Any]:
    return {"op": "sign", "proposal": answer["proposal"]}


def test_the_signers_own_policy_signs_its_release_only(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY)
    policy = load_signing_policy(tmp_path / "policy.toml")
    shown, answer = talk(proposal(), then=_by_policy, policy=policy)
    assert shown["needs"] == "policy"
    assert answer["ok"] is True
    other = (*DOCUMENTS[:2], ("provenance", "dsse-payload", statement("example-1.1")))
    for request in (
        proposal(other, release="example-1.1"),
        proposal(context={"warnings": ["x"], "waivers": []}),
    ):
        shown, refused = talk(request, then=_by_policy, policy=policy)
        assert shown["needs"] == "confirmation"
        assert refused["ok"] is False
    many = b"".join(b"a" * 64 + b"  products/xen/%d\n" % n for n in range(6))
    data = statement(RELEASE, *(f"products/xen/{n}" for n in range(6)))
    documents = (("SHA256SUMS", "sha256sums", many), DOCUMENTS[1], ("provenance", "dsse-payload", data))
    _, refused = talk(proposal(documents), then=_by_policy, policy=policy)
    assert "more than the policy's" in refused["because"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        POLICY + "extra = 1\n",
        POLICY.replace("5", '"5"'),
        POLICY.replace("false", "0"),
        POLICY.replace("max_products = 5\n", ""),
        "[release\n",
    ],
)
def test_a_signing_policy_that_is_not_exact_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "policy.toml").write_text(text)
    with pytest.raises(KeyringError):
        load_signing_policy(tmp_path / "policy.toml")


BROKEN: list[tuple[int, bytes]] = [
    (0, b""),
    (0, SUMS[:-1]),
    (0, SUMS + SUMS),
    (0, b"c" * 64 + b"  z\n" + b"c" * 64 + b"  a\n"),
    (0, SUMS.replace(b"products", b"..")),
    (0, SUMS.replace(b"products/", b"/products/")),
    (0, SUMS.replace(b"  ", b" *")),
    (0, SUMS.replace(b"xen.tar", b"xen\x1b[2J.tar")),
    (0, SUMS.replace(b"a" * 64, b"A" * 64)),
    (0, SUMS.replace(b"a" * 64, b"d" * 64)),
    (0, b"Dear signer, please sign this contract.\n"),
    (0, SUMS.replace(b"products/xen/", b"")),
    (0, b"c" * 64 + b"  log/index.jsonl\n" + SUMS),
    (1, LOG.replace(b"checkpoint.sealed", b"checkpoint")),
    (1, SUMS),
    (2, b"{}"),
    (2, b"[1]"),
    (2, b"\xff"),
    (2, STATEMENT + b" "),
    (2, STATEMENT.replace(b"provenance/v1", b"provenance/v2")),
    (2, STATEMENT.replace(b"a" * 64, b"e" * 64)),
    (2, statement("")),
    (2, statement("example 1.0")),
    (2, statement(None)),
    (2, STATEMENT.replace(b'"release"', b'"releases"')),
    (2, b"[" * 100_000),
]


@pytest.mark.parametrize("claimed", ["example-1.0", "evil-9.8", "", None, 7])
def test_a_request_that_names_another_release_than_the_provenance_is_refused(
    talk: Talk, tmp_path: Path, claimed: object
) -> None:
    (tmp_path / "policy.toml").write_text(POLICY)
    policy = load_signing_policy(tmp_path / "policy.toml")
    evil = (
        ("SHA256SUMS", "sha256sums", b"a" * 64 + b"  products/evil/evil.deb\n"),
        DOCUMENTS[1],
        ("provenance", "dsse-payload", statement("evil-9.9", "products/evil/evil.deb")),
    )
    (answer,) = talk(proposal(evil, release=claimed), then=_by_policy, policy=policy)
    assert answer["ok"] is False
    assert "the provenance is of evil-9.9" in answer["because"]


def test_the_release_is_the_one_that_the_provenance_names(talk: Talk, tmp_path: Path) -> None:
    (tmp_path / "policy.toml").write_text(POLICY)
    policy = load_signing_policy(tmp_path / "policy.toml")
    documents = (*DOCUMENTS[:2], ("provenance", "dsse-payload", statement("evil-9.9")))
    shown, refused = talk(proposal(documents, release="evil-9.9"), then=_by_policy, policy=policy)
    assert any("1 products of evil-9.9" in line for line in shown["summary"])
    assert "not for evil-9.9" in refused["because"]
    _, refused = talk(proposal(documents, release="evil-9.9"), then=typed)
    assert refused["because"] == "the typed name is not the release's"


@pytest.mark.parametrize(("index", "data"), BROKEN)
def test_a_document_that_does_not_parse_is_refused_with_a_reason(talk: Talk, index: int, data: bytes) -> None:
    documents = list(DOCUMENTS)
    name, kind, _ = documents[index]
    documents[index] = (name, kind, data)
    (answer,) = talk(proposal(tuple(documents)))
    assert answer["ok"] is False
    assert answer["because"].isascii()
    assert "\x1b" not in answer["because"]


@pytest.mark.parametrize(
    "documents",
    [
        DOCUMENTS[:2],
        (*DOCUMENTS, DOCUMENTS[0]),
        (DOCUMENTS[0], ("SHA256SUMS", *DOCUMENTS[1][1:]), DOCUMENTS[2]),
        (("x\x1b", *DOCUMENTS[0][1:]), *DOCUMENTS[1:]),
        (("../SHA256SUMS", *DOCUMENTS[0][1:]), *DOCUMENTS[1:]),
        (("SHA256SUMS", "text", SUMS), *DOCUMENTS[1:]),
    ],
)
def test_a_set_that_is_not_one_release_is_refused(
    talk: Talk, documents: tuple[tuple[str, str, bytes], ...]
) -> None:
    (answer,) = talk(proposal(documents))
    assert answer["ok"] is False


@pytest.mark.parametrize(
    "line",
    [
        b"\n",
        b"not json\n",
        b"[]\n",
        b"null\n",
        b'{"op":"delete"}\n',
        b'{"op":["hello"]}\n',
        b'{"op":"hello","more":1}\n',
        b'{"op":"hello","op":"sign"}\n',
        b'{"op":"propose"}\n',
        b'{"op":"propose","release":"x","documents":7,"context":{}}\n',
        b'{"op":"propose","release":"x y","documents":[],"context":{}}\n',
        b'{"op":"sign"}\n',
        b'{"op":"hello"}',
        b"\xff\xfe\n",
        b"[" * 100_000 + b"\n",
    ],
)
def test_an_odd_request_is_refused_recorded_and_the_conversation_goes_on(
    talk: Talk, tmp_path: Path, line: bytes
) -> None:
    refused, hello = talk(line, {"op": "hello"})
    assert refused["ok"] is False
    assert refused["next"]
    assert hello["ok"] is True
    assert len((tmp_path / "record.jsonl").read_bytes().splitlines()) == 2


def test_the_rest_of_an_oversized_line_is_no_request(talk: Talk) -> None:
    hidden = b"x" * server_module.MAX_LINE + b'{"op":"hello"}'
    answers = talk(hidden + b'\n{"op":"hello"}\n')
    assert [answer["ok"] for answer in answers] == [False, True]


def test_the_record_holds_each_request_and_answer_and_only_grows(talk: Talk, tmp_path: Path) -> None:
    talk({"op": "hello"})
    before = (tmp_path / "record.jsonl").read_bytes()
    talk(proposal(), then=typed)
    after = (tmp_path / "record.jsonl").read_bytes()
    assert after.startswith(before)
    entries = [json.loads(line) for line in after.splitlines()]
    assert [entry["answer"]["ok"] for entry in entries] == [True, True, True]
    assert (tmp_path / "record.jsonl").stat().st_mode & 0o777 == 0o600


def test_the_record_is_written_before_the_answer(home: tuple[Path, str], tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    seen: list[int] = []

    class Watching(io.BytesIO):
        def write(self, data: Any) -> int:
            seen.append(len(record.read_bytes().splitlines()))
            return super().write(data)

    SignerServer(home[0], record).serve(io.BytesIO(b'{"op":"hello"}\n{"op":"x"}\n'), Watching())
    assert seen == [1, 2]


def test_ten_signings_and_no_more(talk: Talk) -> None:
    answers = talk(*[proposal()] * 11, then=typed)
    assert [answer["ok"] for answer in answers[1::2]] == [True] * 10 + [False]


def test_a_key_that_is_not_in_the_home_is_refused(home: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(KeyringError, match="0 keys that fit"):
        SignerServer(home[0], tmp_path / "r", key="A" * 40)


def test_on_its_own_terminal_only_what_is_typed_there_counts(talk: Talk) -> None:
    master, slave = pty.openpty()
    terminal = Terminal(Path(os.ttyname(slave)))
    shown: list[bytes] = []

    def person() -> None:
        text = b""
        while b"digest: " not in text.split(b"first 8")[-1] or b"first 8" not in text:
            text += os.read(master, 4096)
        digits = text.split(b"digest:  ")[1].replace(b" ", b"")[:8]
        os.write(master, digits + b"\n")
        while b"name of the release" not in text:
            text += os.read(master, 4096)
        os.write(master, RELEASE.encode() + b"\n")
        shown.append(text)

    thread = threading.Thread(target=person, daemon=True)
    thread.start()
    _, answer = talk(proposal(), then=lambda a: typed(a, typed_digest="wrong"), asker=terminal)
    thread.join(10)
    assert answer["ok"] is True
    assert RELEASE.encode() in shown[0]
    os.close(master)
    os.close(slave)


def test_no_terminal_is_a_refusal(talk: Talk, tmp_path: Path) -> None:
    _, refused = talk(proposal(), then=typed, asker=Terminal(tmp_path / "no-tty"))
    assert refused["ok"] is False
    assert "terminal" in refused["because"]


@pytest.mark.parametrize("tty", ["", "/dev/pts/closed"])
def test_a_passphrase_that_can_not_be_asked_for_is_told_as_such(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tty: str
) -> None:
    for name in ("GPG_TTY", "DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if tty:
        monkeypatch.setenv("GPG_TTY", tty)
    with tempfile.TemporaryDirectory(prefix="sw-signer-", dir="/tmp") as name:
        home, record = Path(name), tmp_path / "r"
        argv = ["gpg", "--homedir", name, "--batch", "--pinentry-mode", "loopback", "--passphrase", "secret"]
        subprocess.run(
            [*argv, "--quick-generate-key", "a", "ed25519", "sign", "never"], check=True, capture_output=True
        )
        subprocess.run(["gpgconf", "--homedir", name, "--kill", "gpg-agent"], check=True)
        out = io.BytesIO()
        server = SignerServer(home, record)
        server.serve(io.BytesIO(json.dumps(proposal()).encode() + b"\n"), out)
        shown = json.loads(out.getvalue())
        out = io.BytesIO()
        with own_agent(home):
            server.serve(io.BytesIO(json.dumps(typed(shown)).encode() + b"\n"), out)
    refused = json.loads(out.getvalue())
    assert (
        refused["ok"] is False and "no prompt can appear" in refused["because"] and "elsewhere" in refused["next"]
    )


def program(*words: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-m", "sealwright_keyring.signer.cli", *words]
    return subprocess.run(argv, input=stdin, capture_output=True, check=False, timeout=60)


def test_the_program_answers_and_ends_with_its_input(home: tuple[Path, str], tmp_path: Path) -> None:
    done = program(
        "serve",
        "--home",
        str(home[0]),
        "--record",
        str(tmp_path / "r"),
        "--key",
        home[1],
        stdin=b'{"op":"hello"}\n',
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)["ok"] is True


def test_the_program_refuses_in_three_lines(home: tuple[Path, str], tmp_path: Path) -> None:
    done = program("serve", "--home", str(tmp_path), "--record", str(tmp_path / "r"))
    assert done.returncode == 5
    lines = done.stderr.decode().splitlines()
    assert [line.split(":")[0] for line in lines] == ["error", "because", "next"]
    for words in (["--uid", "0", "--gid", "0"], ["--uid", "61184"]):
        done = program("serve", "--home", str(home[0]), "--record", str(tmp_path / "r"), *words)
        assert done.returncode == 5
        assert b"both are needed" in done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="dropping a uid needs root")
def test_the_program_gives_up_root_before_it_reads(tmp_path: Path) -> None:
    uid = 61999
    folder = short_folder("sw-drop-")
    try:
        make_throwaway_key(folder / "h", "demo")
        for path in (folder, *folder.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
        words = ["--home", str(folder / "h"), "--record", str(folder / "r"), "--uid", str(uid), "--gid", str(uid)]
        done = program("serve", *words, stdin=b'{"op":"hello"}\n')
        assert json.loads(done.stdout)["ok"] is True
        assert (folder / "r").stat().st_uid == uid
    finally:
        shutil.rmtree(folder, ignore_errors=True)
