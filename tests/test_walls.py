"""The walls between the packages: what each module brings into a process of its own.

- No module of stages, keyring or appendlog brings in textual or rich; of the console, batch and cli bring in no
  textual.
- What reads no repository loads no libgit2, and nobody asks the installed metadata: each start would pay for it.
- The arrows point down: stages and keyring import no console, keyring and appendlog import nothing of ours.
"""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
UI = ("textual", "rich")
LOOK = (
    "import importlib, json, sys\n"
    "names, banned = json.loads(sys.argv[1])\n"
    "[importlib.import_module(name) for name in names]\n"
    "print(json.dumps([each for each in banned if each in sys.modules]))\n"
)


def modules(package: Path) -> list[str]:
    """Every module of a package, by its dotted name."""
    found = []
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        found.append(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    return found


def brought_in(names: Sequence[str], banned: Sequence[str]) -> list[str]:
    """Those of `banned` that importing all of `names` into one new interpreter brings in."""
    argv = [sys.executable, "-c", LOOK, json.dumps([list(names), list(banned)])]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return [str(name) for name in json.loads(done.stdout)]


SCRIPTS = {"sealwright_appendlog.verify"}  # run as files, never imported
PROBES = "sealwright_stages.selftest.probes"  # sent as text into the sandbox, where nothing of ours is
STAGES = [name for name in modules(ROOT / "stages" / "sealwright_stages") if name not in SCRIPTS]
APPENDLOG = [name for name in modules(ROOT / "stages" / "sealwright_appendlog") if name not in SCRIPTS]
SIGNER = [name for name in modules(ROOT / "keyring" / "sealwright_keyring") if ".signer" in name]
KEYRING = [name for name in modules(ROOT / "keyring" / "sealwright_keyring") if name not in SIGNER]
CONSOLE = ("sealwright_console.batch", "sealwright_console.cli")

WALLS = [
    ("stages", STAGES, (*UI, "sealwright_console")),
    ("appendlog", APPENDLOG, (*UI, "sealwright_console", "sealwright_stages", "sealwright_keyring")),
    ("keyring", KEYRING, (*UI, "sealwright_console", "sealwright_stages", "sealwright_appendlog")),
    ("signer", SIGNER, (*UI, "sealwright_console", "sealwright_stages")),
    ("batch-and-cli", CONSOLE, ("textual",)),
    ("batch-on-a-terminal", ("sealwright_console.batch_block", "sealwright_console.junit"), ("textual",)),
    ("batch-in-a-pipe", CONSOLE, UI),
    ("help", ("sealwright_console.cli",), ("dataclasses", "sealwright_stages.events", "sealwright_keyring")),
    (
        "what-is-read-first",
        ("sealwright_stages.ahead", "sealwright_stages.reading"),
        ("sealwright_stages.events", "sealwright_stages.ports", "sealwright_keyring.gpg", "psutil"),
    ),
    (
        "what-is-refused-first",
        ("sealwright_stages.release", "sealwright_console.batch", "sealwright_console.batch_face"),
        (
            *("sealwright_stages.assembly", "sealwright_stages.engine", "sealwright_stages.audit"),
            *("sealwright_stages.memory", "sealwright_stages.ports", "sealwright_keyring.home"),
        ),
    ),
    (
        "log-authority",
        ("sealwright_appendlog.cli", "sealwright_appendlog.serving"),
        ("sealwright_appendlog.audit", "sealwright_appendlog.witness", "sealwright_appendlog.host", "subprocess"),
    ),
]


@pytest.mark.parametrize(("names", "banned"), [wall[1:] for wall in WALLS], ids=[wall[0] for wall in WALLS])
def test_each_module_brings_in_only_what_its_side_of_the_wall_may(
    names: Sequence[str], banned: Sequence[str]
) -> None:
    assert names
    assert brought_in(names, banned) == []


def test_a_program_that_reads_no_repository_starts_without_what_reads_one() -> None:
    quick = ["sealwright_console.cli", "sealwright_stages.audit", "sealwright_stages.publish.publish"]
    assert brought_in(quick, ("pygit2", "importlib.metadata")) == []


def test_the_look_behind_the_wall_can_see() -> None:
    assert brought_in(["rich.text"], UI) == ["rich"]


@pytest.mark.parametrize("name", sorted({*SCRIPTS, *(name for name in STAGES if name.startswith(PROBES))}))
def test_what_runs_alone_as_a_script_needs_the_standard_library_only(name: str) -> None:
    path = ROOT / "stages" / name.replace(".", "/")
    tree = ast.parse((path / "__init__.py" if path.is_dir() else path.with_suffix(".py")).read_bytes())
    brought = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    brought |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    neighbours = {each for each in brought if name.startswith(PROBES) and each.startswith(PROBES)}
    assert {each.split(".")[0] for each in brought - neighbours} <= set(sys.stdlib_module_names)


def test_the_log_authority_needs_the_standard_library_and_cryptography_only() -> None:
    code = (
        "import importlib, json, sys\n"
        "before = set(sys.modules)\n"
        "[importlib.import_module(name) for name in json.loads(sys.argv[1])]\n"
        "tops = {name.split('.')[0] for name in set(sys.modules) - before}\n"
        "print(json.dumps(sorted(tops - set(sys.stdlib_module_names))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, json.dumps(APPENDLOG)], capture_output=True, check=True, timeout=60
    )
    allowed = {
        "cryptography",
        "sealwright_appendlog",
        "_cffi_backend",
        "_openssl",
    }  # the last two are cryptography's
    assert set(json.loads(done.stdout)) <= allowed
