"""Other people's programs verify a signed release, unmodified, by the commands of the how-to; each refuses changed bytes.

`make outside` prints the table. The how-to's blocks are run as they stand there, in a folder like anybody's.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from audit.forge import Forger, told
from audit.rich import rich
from sealwright_keyring.ed25519_keys import Ed25519Key
from sealwright_stages.audit import Reviewer, audit
from sealwright_stages.ports import ED25519
from sealwright_stages.sign.client import SignerProcess
from sealwright_stages.sign.dsse import envelope, raw_by
from sealwright_stages.sign.provenance import sealed_log, statement
from support.small_release import make_key, stop_agent, write_keyring

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
HERE = Path(__file__).resolve().parent
TEXT = (HERE.parents[1] / "docs" / "how-to" / "verify-with-other-programs.md").read_text()
BLOCKS = dict(re.findall(r"^```sh ([a-z0-9-]+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL))
RAW = Ed25519PrivateKey.from_private_bytes(bytes(range(1, 33)))
SUMS, LOG_SUMS, DSSE = "SHA256SUMS", "log/SHA256SUMS", "provenance.manager-a.dsse.json"
SIGNED_KINDS = {SUMS: "sha256sums", LOG_SUMS: "log-sha256sums"}
ARMOR = r"\n\n(\S+)\n"  # the first line of an armor's body


@dataclass(frozen=True)
class Outsider:
    """A program: by which words it tells its version, what it verifies, and what is changed (file, where in it)."""

    program: str
    told: Sequence[str]
    what: str
    harms: Sequence[tuple[str, str]]


SIGNATURES = [
    (SUMS, r"^([0-9a-f]{64})"),
    (SUMS, r"products/(\S+)"),
    (LOG_SUMS, r"([0-9a-f]{64})  checkpoint"),
    (f"{SUMS}.asc", ARMOR),
    (f"{LOG_SUMS}.asc", ARMOR),
]
ENVELOPE = [(DSSE, r'"payload": "(\S+)"'), (DSSE, r'"payloadType": "(\S+)"')]
OUTSIDERS = {
    "gpg": Outsider("gpg", ("gpg", "--version"), "both SHA256SUMS.asc", SIGNATURES),
    "gpgv": Outsider("gpgv", ("gpgv", "--version"), "both SHA256SUMS.asc", SIGNATURES),
    "sqv": Outsider("sqv", ("sqv", "--version"), "both SHA256SUMS.asc", SIGNATURES),
    "sha256sum": Outsider(
        "sha256sum",
        ("sha256sum", "--version"),
        "products, and the log's files",
        [
            (SUMS, r"^([0-9a-f]{64})"),
            ("products/xen/xen.tar", r"(xen)"),
            ("log/index.jsonl", r'"reason":"(\w+)"'),
            ("log/log.vkey", r"\+(\w+)"),
        ],
    ),
    "openssl-note": Outsider(
        "openssl",
        ("openssl", "version"),
        "the sealed checkpoint's Ed25519 signature",
        [
            ("log/checkpoint.sealed", r"\n(\d+)\n"),
            ("log/checkpoint.sealed", r"\n(\S{44})\n"),
            ("log/checkpoint.sealed", r" (\S{90,})\n"),
            ("log/log.vkey", r"\+\w+\+(\S+)"),
        ],
    ),
    "openssl-provenance": Outsider(
        "openssl",
        ("openssl", "version"),
        "Ed25519 signature of the provenance",
        [*ENVELOPE, (DSSE, r'"sig": "(\S+)"'), ("policy/keys/raw.pem", r"\n(\S{50,})\n")],
    ),
    "securesystemslib": Outsider(
        "securesystemslib",
        (),
        "OpenPGP and Ed25519 signature of the provenance, both wanted",
        [
            *ENVELOPE,
            (DSSE, r'"sig": "(\S+)"'),
            (DSSE, r'"keyid": "(\w{64})"'),
            (DSSE, r'"keyid": "(\w{40})"'),
            (DSSE, r'"other_headers": "(\w+)"'),
            (DSSE, r'other_headers.*\n.*"sig": "(\S+)"'),
        ],
    ),
    "sigstore": Outsider(
        "@sigstore/verify",
        (),
        "Ed25519 signature of the provenance",
        [*ENVELOPE, (DSSE, r'"sig": "(\S+)"'), ("policy/keys/raw.pem", r"\n(\S{50,})\n")],
    ),
}


@dataclass
class Release:
    """A signed release, and what its reader knows: the certificate's name; where node finds its modules."""

    evidence: Path
    fingerprint: str
    modules: str

    def run(self, name: str, evidence: Path) -> subprocess.CompletedProcess[str]:
        """What the how-to's block says of this evidence."""
        home = Path(tempfile.mkdtemp(prefix="sw-out-"))
        path = f"{Path(sys.executable).parent}:/usr/bin:/bin" if name == "securesystemslib" else "/usr/bin:/bin"
        known = {
            "PERSON": "manager-a",
            "CERTIFICATE": f"policy/keys/{self.fingerprint}.asc",
            "RAW": "policy/keys/raw.pem",
            "GNUPGHOME": str(home),
        }
        try:
            return subprocess.run(
                ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", BLOCKS[name]],
                cwd=evidence,
                env={"PATH": path, "LC_ALL": "C.UTF-8", "HOME": str(home), "NODE_PATH": self.modules, **known},
                capture_output=True,
                text=True,
                check=False,
                timeout=120,
            )
        finally:
            stop_agent(home)
            shutil.rmtree(home)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Sigstore's verifier as the lock beside this file pins it; empty, with a reason in the skip, where it can't be had."""
    if shutil.which("npm") is None or shutil.which("node") is None:
        return ""
    place = tmp_path_factory.mktemp("node")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "sigstore" / name, place)
    words = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False, timeout=300)
    assert "EINTEGRITY" not in done.stderr, done.stderr
    return str(place / "node_modules") if done.returncode == 0 else ""


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory, modules: str) -> Iterator[Release]:
    """The rich release, signed by the signer program as for anybody, with both of the manager's keys."""
    folder = tmp_path_factory.mktemp("outside")
    made = make_key(folder / "manager", "manager-a"), make_key(folder / "author", "release-key-a")
    write_keyring(folder / "keyring", made)
    key, signers = Ed25519Key(RAW.public_key().public_bytes_raw()), folder / "keyring" / "signers.toml"
    (folder / "keyring" / "keys" / "raw.pem").write_bytes(key.pem)
    head = "[person.manager-a]\n"
    signers.write_text(signers.read_text().replace(head, f'{head}ed25519 = ["raw.pem"]\n'))
    forger = Forger(folder, made[:1])
    evidence = forger.unsigned(rich(forger))
    sign(evidence, forger, made[0].home, key)
    found = audit(evidence, Reviewer(folder / "keyring", ("manager-a",)))
    assert found.passed, [finding for finding in found.findings if finding.ok == "bad"]
    yield Release(evidence, made[0].fingerprint, modules)
    for each in made:
        stop_agent(each.home)


def sign(evidence: Path, forger: Forger, home: Path, key: Ed25519Key) -> None:
    """Have the signer sign it, and write what it gives as the engine does."""
    secret, policy = forger.folder / "raw.key", forger.folder / "signing" / "policy.toml"
    pem = RAW.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    policy.parent.mkdir(mode=0o700)
    limits = "max_products = 10\nallow_warnings = true\nmax_waivers = 9\n"
    for path, data in (
        (secret, pem),
        (policy, f'[release]\nname = "example"\nversion = "1.0"\n{limits}'.encode()),
    ):
        path.write_bytes(data)
        path.chmod(0o600)
    words = {"--home": home, "--record": forger.folder / "record.jsonl", "--policy": policy, "--ed25519": secret}
    argv = [str(Path(sys.executable).with_name("sealwright-signer")), "serve"]
    signer = SignerProcess([*argv, *(str(word) for pair in words.items() for word in pair)])
    says = statement(told(evidence / "log"), forger.declared()[0].manifest, sealed_log(evidence / "log"))
    documents = {name: (kind, (evidence / name).read_bytes()) for name, kind in SIGNED_KINDS.items()}
    documents["provenance"] = "dsse-payload", says
    try:
        given = signer.sign(signer.propose("example-1.0", documents, evidence / "log"), "", "")
    finally:
        signer.close()
    for name in SIGNED_KINDS:
        (evidence / f"{name}.asc").write_bytes(given[name])
    raw = raw_by([key], given[ED25519], says)
    (evidence / DSSE).write_bytes(envelope(says, given["provenance"], raw))


@pytest.fixture(scope="module")
def table(request: pytest.FixtureRequest) -> Iterator[dict[str, tuple[str, ...]]]:
    """Rows by the names of blocks; printed at the end."""
    rows: dict[str, tuple[str, ...]] = {}
    yield rows
    plugins = request.config.pluginmanager
    reporter, capture = (plugins.get_plugin(name) for name in ("terminalreporter", "capturemanager"))
    if reporter is not None and capture is not None and rows:
        head = "tool", "version", "verifies", "accepts", "refuses one changed byte"
        lines = ["", *(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows.values()))]
        with capture.global_and_fixture_disabled():
            reporter.write_line("\n".join(lines))


def missing(name: str, release: Release) -> str:
    """Why a program can't be asked; empty if it can."""
    if name == "sigstore":
        return "" if release.modules else "node, npm or a registry with @sigstore/verify is missing"
    tool = OUTSIDERS[name].told
    return "" if not tool or shutil.which(tool[0]) else f"{tool[0]} is not installed"


def version_of(name: str, release: Release) -> str:
    """As the program tells it."""
    if name == "securesystemslib":
        return version("securesystemslib")
    words = list(OUTSIDERS[name].told) or ["node", "-p", "require('@sigstore/verify/package.json').version"]
    where = {"PATH": "/usr/bin:/bin", "NODE_PATH": release.modules}
    said = subprocess.run(words, capture_output=True, text=True, check=True, env=where).stdout
    found = re.search(r"\d+\.[\d.]+\w*", said)
    assert found is not None, said
    return found[0]


def flipped(path: Path, where: str) -> None:
    """Change one byte in the middle of what `where` finds, into another of its kind."""
    data = path.read_bytes()
    found = re.search(where.encode(), data, re.MULTILINE)
    assert found is not None, f"{path}: {where}"
    at = (found.start(1) + found.end(1)) // 2
    other = b"1" if data[at : at + 1] != b"1" else b"2"
    path.write_bytes(data[:at] + other + data[at + 1 :])


def test_every_program_of_the_how_to_is_tried() -> None:
    assert list(BLOCKS) == list(OUTSIDERS)


@pytest.mark.parametrize("name", OUTSIDERS)
def test_an_outsider_accepts_the_release_and_refuses_one_changed_byte(
    release: Release, table: dict[str, tuple[str, ...]], tmp_path: Path, name: str
) -> None:
    outsider = OUTSIDERS[name]
    if reason := missing(name, release):
        table[name] = outsider.program, "", outsider.what, f"not tried: {reason}", ""
        pytest.skip(reason)
    done = release.run(name, release.evidence)
    assert done.returncode == 0, done.stderr
    for number, (file, where) in enumerate(outsider.harms):
        copy = Path(shutil.copytree(release.evidence, tmp_path / str(number)))
        flipped(copy / file, where)
        changed = release.run(name, copy)
        assert changed.returncode != 0, f"{name} accepts {file} with a byte changed in {where}"
    count = len(outsider.harms)
    table[name] = outsider.program, version_of(name, release), outsider.what, "yes", f"{count} of {count}"
