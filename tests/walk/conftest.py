"""The inputs of the walks: keys, repository and files are made once a session, and copied for each test."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sealwright_stages.errors import MachineError
from sealwright_stages.sandbox.readiness import require_sandbox
from support.loaded import Loaded
from support.small_release import (
    make_key,
    make_repository,
    sign_file,
    stop_agent,
    write_keyring,
    write_signing_policy,
)
from walk.held import HELD, Held
from walk.known_fields import unknown_fields
from walk.walking import Running, Walk, adopt_orphans, try_sandbox

MANIFEST = """[release]
name = "small"
version = "1.0"
keyring = "keyring"
signers = ["manager"]

[signer]
{signer}

[[component]]
name = "greeting"
git = "upstream/greeting.git"
tag = "v1.0"
signers = ["author"]
[[component.file]]
url = "{url}"
sha256 = "{sha256}"
signature = "upstream/words-1.0.txt.asc"
signers = ["author"]
[component.build]
recipe = "commands"
commands = [{wait}"cat $FILES/words-1.0.txt greeting.txt > $OUT/greeting.out"]
products = ["*.out"]
limits = {{ wall = "5m", memory = "1G", disk = "1G", processes = 64 }}
"""
EMBEDDED = 'home = "signer-home"\npolicy = "signer-policy/policy.toml"'


@pytest.fixture(scope="session", autouse=True)
def loaded() -> Iterator[None]:
    """The program is loaded once a worker: see `support.loaded`."""
    adopt_orphans()
    with Loaded() as Running.loaded:
        yield
    Running.loaded = None


@pytest.fixture(scope="session", autouse=True)
def tried(loaded: None, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The sandbox is tried once, for all workers: their temporary folders lie in one."""
    base = tmp_path_factory.getbasetemp()
    Walk.tried = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "tried"
    try_sandbox(Walk.tried)


@pytest.fixture(scope="session")
def inputs() -> Iterator[Path]:
    """Keyring, signer's home and policy, upstream's repository and file."""
    base = Path(tempfile.mkdtemp(prefix="sealwright-walk-"))
    folder = base / "inputs"
    upstream = folder / "upstream"
    upstream.mkdir(parents=True)
    author, manager = make_key(folder / "author-home", "author"), make_key(folder / "signer-home", "manager")
    write_keyring(folder / "keyring", [author, manager])
    write_signing_policy(folder / "signer-policy" / "policy.toml", "small", "1.0")
    make_repository(upstream / "greeting.git", author, "v1.0", {"greeting.txt": "A greeting, signed.\n"})
    (upstream / "words-1.0.txt").write_text("hello\n" * 100)
    sign_file(upstream / "words-1.0.txt", author)
    stop_agent(author.home)
    shutil.rmtree(author.home)
    yield folder
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def sandbox() -> None:
    """Skips where no sandbox can be made, unless one is required."""
    try:
        require_sandbox()
    except MachineError as error:
        if os.environ.get("SEALWRIGHT_REQUIRE_SANDBOX") == "1":
            raise
        pytest.skip(f"no sandbox here: {error.because}; {error.next_step}")


@pytest.fixture
def folder(inputs: Path) -> Iterator[Path]:
    """A copy of the inputs, gone after the test."""
    copy = _copied(inputs)
    yield copy
    shutil.rmtree(copy.parent)


@pytest.fixture
def walk(folder: Path) -> Iterator[Walk]:
    """The small release, which goes from its manifest to signed evidence by itself."""
    made = Walk(folder, manifest_text(folder))
    yield made
    made.kill_survivors()
    assert unknown_fields(made.work) == set(), "say in compare/told.py whether it is compared"


@pytest.fixture(scope="session")
def finished(sandbox: None, inputs: Path) -> Walk:
    """A release that was walked to its end; its folder is only read."""
    made = Walk(_copied(inputs), manifest_text(inputs))
    made.run().well()
    return made


@pytest.fixture
def held(folder: Path) -> Iterator[Held]:
    """The same release, but its fetch, its build and its signer each wait for a word of the test."""
    with Held.around(folder) as made:
        made.begin(manifest_text(folder, url=made.url, wait=f'"{HELD}", ', signer=made.signer))
        yield made
        made.kill_survivors()


def _copied(inputs: Path) -> Path:
    base = Path(tempfile.mkdtemp(dir=inputs.parent))
    return shutil.copytree(inputs, base / "release", symlinks=True, ignore=shutil.ignore_patterns("S.*"))


def manifest_text(
    folder: Path, url: str = "upstream/words-1.0.txt", wait: str = "", signer: str = EMBEDDED
) -> str:
    """The manifest of the small release in a folder."""
    digest = hashlib.sha256((folder / "upstream" / "words-1.0.txt").read_bytes()).hexdigest()
    return MANIFEST.format(url=url, sha256=digest, wait=wait, signer=signer)
