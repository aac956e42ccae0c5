"""Evidence that is damaged anyhow, in any of its files: a no with a reason, in bounded time, and never a traceback."""

from __future__ import annotations

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from audit.forge import Forger
from audit.rich import rich
from sealwright_console.cli import main

Harm = Callable[[Path, random.Random], None]


def flipped(path: Path, chance: random.Random) -> None:
    data = bytearray(path.read_bytes())
    data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def deleted(path: Path, chance: random.Random) -> None:
    path.unlink()


def cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def grown(path: Path, chance: random.Random) -> None:
    with path.open("ab") as stream:
        stream.write(chance.randbytes(chance.randrange(1, 5000)))


def noise(path: Path, chance: random.Random) -> None:
    path.write_bytes(chance.randbytes(path.stat().st_size))


def huge(path: Path, chance: random.Random) -> None:
    os.truncate(path, 1 << 40)


def linked(path: Path, chance: random.Random) -> None:
    target = chance.choice(["/etc/passwd", "/dev/zero", ".", "nowhere", path.name])
    path.unlink()
    path.symlink_to(target)


def hard_linked(path: Path, chance: random.Random) -> None:
    other = chance.choice([each for each in path.parent.iterdir() if each.is_file() and each != path] or [path])
    if other != path:
        path.unlink()
        os.link(other, path)
    else:
        path.unlink()


def piped(path: Path, chance: random.Random) -> None:
    path.unlink()
    os.mkfifo(path)


def folder(path: Path, chance: random.Random) -> None:
    path.unlink()
    path.mkdir()
    (path / "x").write_bytes(b"x")


def repeated(path: Path, chance: random.Random) -> None:
    data = path.read_bytes()
    at = chance.randrange(len(data))
    path.write_bytes(data[:at] + data[chance.randrange(at + 1) :])
    if path.read_bytes() == data:
        path.write_bytes(data * 2)


HARMS: list[Harm] = [flipped, deleted, cut, grown, noise, huge, linked, hard_linked, piped, folder, repeated]
MAY = {  # what may be gone, or written otherwise, and what an audit says of it
    "log/checkpoint": "log/checkpoint is missing",
    "log/tile/0/000.p": "tiles are missing",
    "log/tile/entries/000.p": "tiles are missing",
    "SHA256SUMS.asc": "",  # words around a signature may change, and the signature still be there
    "log/SHA256SUMS.asc": "",
    "policy/SHA256SUMS.asc": "",
    "policy/history/1/SHA256SUMS.asc": "",
}


@pytest.mark.timeout(1200)
@pytest.mark.parametrize("count", [20, pytest.param(500, marks=pytest.mark.slow)])
def test_damaged_evidence_is_a_no_with_a_reason(
    forger: Forger, count: int, capsys: pytest.CaptureFixture[str]
) -> None:
    rich(forger)
    whole = forger.evidence()
    files = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*") if path.is_file())
    ring = str(forger.folder / "keyring")
    chance, told, passed = random.Random(count), Counter[str](), []  # noqa: S311 - places to try
    for number in range(count):
        name, harm = (
            files[number % len(files)] if number < len(files) else chance.choice(files),
            chance.choice(HARMS),
        )
        hurt = forger.folder / "hurt"
        shutil.copytree(whole, hurt)
        harm(hurt / name, chance)
        code = main(["audit", str(hurt), "--keyring", ring, "--signers", "manager-a"])
        out, err = capsys.readouterr()
        assert err == "" and "Traceback" not in out
        assert "the audit itself failed" not in out, (harm.__name__, name, out)
        last = out.splitlines()[-1]
        if code == 0:
            assert last == "verdict: yes"
            passed.append((harm.__name__, name))
            known = name.rpartition("/")[0] if name.startswith("log/tile/") else name
            assert MAY[known] in out, (harm.__name__, name, out)
        else:
            assert code == 1 and last == "verdict: NO" and "✗ BAD" in out and "\nnext: " in out, out
            told[harm.__name__] += 1
        shutil.rmtree(hurt)
    print(
        f"\n{len(files)} files, {count} damages, a no with a reason: {told.total()} {dict(told)}; still whole: {passed}"
    )
    assert len(passed) < max(2, count / 20)


@pytest.mark.parametrize("name", ["log", "policy", "products", "log/data", "log/tile", "."])
@pytest.mark.parametrize("how", ["gone", "file"])
def test_a_folder_that_is_none_is_a_no(
    forger: Forger, name: str, how: str, capsys: pytest.CaptureFixture[str]
) -> None:
    evidence = forger.evidence()
    place = evidence / name
    shutil.rmtree(place)
    if how == "file":
        place.write_bytes(b"x")
    code = main(["audit", str(evidence)])
    out, err = capsys.readouterr()
    if name == ".":  # no evidence at all is no verdict
        assert code == 2 and out == "" and "there is no such folder" in err
        return
    tiles_only = name == "log/tile" and how == "gone"
    assert err == "" and "the audit itself failed" not in out, out
    assert code == (0 if tiles_only else 1) and (not tiles_only or "tiles are missing" in out), out
