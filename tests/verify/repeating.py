"""A component that went through get-sources and verify, whose checks are repeated by hand."""

from __future__ import annotations

import itertools
import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from sealwright_console.repeat import Places, Repeat, repeat, wrapped
from sealwright_stages.ports import Source
from sealwright_stages.state import Item
from sealwright_stages.verdict import Failed, Green, Passed, Status, Verdict, Warned
from support.other_keys import OtherKeys
from verify.miniature import Miniature
from verify.workbench import Keys, workshop

ODD = "a b'$(touch hacked)\x1b[2J\u202e"
DATA = b"third party\n" * 100
STATUS = {Passed: Status.PASSED, Warned: Status.WARNED, Failed: Status.FAILED}


@dataclass
class Judged:
    """A component that went through get-sources and verify; its work folder has an odd name."""

    root: Path
    keys: Keys
    others: OtherKeys
    items: dict[str, Item]
    widths: Iterator[int] = field(default_factory=lambda: itertools.cycle((30, 59, 78, 10_000)))

    @property
    def places(self) -> Places:
        return Places(
            self.root / "sources", self.root / "products", self.root / "keys", None, self.root / "archive.gpg"
        )

    @property
    def folder(self) -> Path:
        return self.root / "sources" / "c"

    def judge(self, source: Source) -> None:
        place = workshop(self.root.parent)
        self.take(source.fetch_item, source.fetch(place))
        found = source.verify(place)
        for spec in source.verify_items:
            self.take(spec, found.verdicts[spec.id])
        green = {
            item: Green(item, verdict) for item, verdict in found.verdicts.items() if isinstance(verdict, Passed)
        }
        if len(green) == len(source.verify_items):
            self.folder.mkdir(parents=True)
            source.stage(place, green, self.folder)

    def take(self, spec: object, verdict: Verdict) -> None:
        item = Item(spec.id, spec.component, spec.stage, spec.kind, spec.title)  # type: ignore[attr-defined]
        evidence = json.dumps(verdict.evidence)
        status = STATUS[type(verdict)]
        self.items[item.id] = replace(
            item,
            status=status,
            evidence=evidence,
            reason=verdict.reason,
            subject_sha256=verdict.subject_sha256,
        )

    def evidence(self, item: str) -> Mapping[str, object]:
        return json.loads(self.items[item].evidence) if item in self.items else {}

    def repeat(self, item: str, **places: Path | None) -> Repeat | None:
        where = replace(self.places, **places)  # type: ignore[arg-type]
        return repeat(self.items[item], self.evidence(item), where, self.evidence)

    def run(self, item: str, **places: Path | None) -> int:
        found = self.repeat(item, **places)
        assert found is not None and found.good
        assert found.command.isascii() and found.command.replace("\n", "").isprintable()
        folded = wrapped(found.command, next(self.widths))  # as it may be copied from a terminal
        done = subprocess.run(["bash", "-c", folded], cwd=self.root, capture_output=True, timeout=60, check=False)
        print(found.command, done.stdout.decode(), done.stderr.decode())
        assert not (self.root / "hacked").exists()
        return done.returncode


@pytest.fixture
def judged(tmp_path: Path, keys: Keys, others: OtherKeys) -> Judged:
    root = tmp_path / ODD
    (root / "keys").mkdir(parents=True)
    for name in ("s1", "s2"):
        (root / "keys" / f"{name}.asc").write_bytes(keys.certificate(name))
        (root / "keys" / f"{name}-ssh.pub").write_bytes(others.ssh_file(name).with_suffix(".ssh.pub").read_bytes())
        (root / "keys" / f"{name}-m.pub").write_bytes(
            others.minisign_file(name).with_suffix(".minisign.pub").read_bytes()
        )
    return Judged(root, keys, others, {})


def spoil(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))


def upstream(judged: Judged, name: str, data: bytes) -> str:
    path = judged.root.parent / "up stream"
    path.mkdir(exist_ok=True)
    (path / name).write_bytes(data)
    return (path / name).as_uri()


def archive_of(judged: Judged, tmp_path: Path) -> Miniature:
    archive = Miniature(tmp_path / "archive", judged.keys)
    archive.publish()
    (judged.root / "archive.gpg").write_bytes(judged.keys.gpg("--export", judged.keys.fingerprint("archive")))
    return archive


def packed(judged: Judged, name: str) -> bytes:
    """An archive with a folder, a program, a link and an empty folder in it, packed as its name says."""
    tree = judged.root.parent / "tree"
    if not tree.exists():
        (tree / "x-1.0" / "empty").mkdir(parents=True)
        (tree / "x-1.0" / "run me").write_bytes(DATA)
        (tree / "x-1.0" / "run me").chmod(0o755)
        (tree / "x-1.0" / "link").symlink_to("run me")
    if name.endswith(".zip"):
        subprocess.run(["zip", "-qry", "../x.zip", "x-1.0"], cwd=tree, check=True)
        return (judged.root.parent / "x.zip").read_bytes()
    plain = subprocess.run(["tar", "-C", tree, "-cf", "-", "x-1.0"], capture_output=True, check=True).stdout
    if name.endswith(".tar"):
        return plain
    return subprocess.run(["xz", "-c"], input=plain, capture_output=True, check=True).stdout
