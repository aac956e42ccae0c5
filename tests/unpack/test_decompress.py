"""Decompressing what nobody vouches for: real tools, real bombs, and what stands after the end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sealwright_stages.errors import MachineError
from sealwright_stages.ports import Workshop
from sealwright_stages.unpack import decompress as module
from sealwright_stages.unpack import limits
from sealwright_stages.unpack.decompress import decompress
from sealwright_stages.unpack.names import archive_kind, decompressor, uncompressed_name, unpacked_name
from sealwright_stages.verify.codes import RefusedError
from verify.workbench import sha256, workshop

TOOLS = {"gz": "gzip", "bz2": "bzip2", "xz": "xz", "zst": "zstd"}
DATA = b"some text, more than once\n" * 1000


def packed(suffix: str, data: bytes = DATA, *words: str) -> bytes:
    argv = [TOOLS[suffix], *words, "--stdout"]
    return subprocess.run(argv, input=data, stdout=subprocess.PIPE, check=True, timeout=60).stdout


def arrived(place: Workshop, name: str, data: bytes) -> Path:
    path = place.quarantine / name
    path.write_bytes(data)
    return path


def refused(place: Workshop, path: Path) -> str:
    with pytest.raises(RefusedError) as error:
        decompress(place, path)
    assert not (place.quarantine / module.FOLDER).exists()
    assert error.value.reason.isprintable() and error.value.next_step
    return error.value.code


@pytest.mark.sandbox
@pytest.mark.parametrize("suffix", TOOLS)
def test_both_digests_are_told_of_a_file_that_is_decompressed_in_the_sandbox(boxed: Workshop, suffix: str) -> None:
    path = arrived(boxed, f"x.tar.{suffix}", packed(suffix))
    path.chmod(0o600)
    found = decompress(boxed, path)
    assert (found.path.name, found.path.read_bytes(), found.sha256) == ("x.tar", DATA, sha256(DATA))
    assert found.evidence["compressed_sha256"] == sha256(path.read_bytes())
    assert found.evidence["uncompressed_sha256"] == sha256(DATA)
    assert str(found.evidence["tool"]).startswith(f"{TOOLS[suffix]} ")


@pytest.mark.sandbox
def test_a_decompressor_sees_no_network_and_nothing_but_its_file(boxed: Workshop, tmp_path: Path) -> None:
    (tmp_path / "other").write_bytes(b"secret")
    tmp_path.chmod(0o755)
    path = arrived(boxed, "x", b"x")
    folder = boxed.quarantine / "out"
    folder.mkdir()
    script = f"import os,socket; print([n for _, n in socket.if_nameindex()], os.path.exists({str(tmp_path / 'other')!r}))\nopen({str(path)!r}, 'w')"
    argv = ["python3", "-I", "-c", script]
    done = boxed.sandbox.run(argv, writable=folder, readable=[path], timeout=20, network=False)
    assert done.stdout == b"['lo'] False\n"
    assert b"Read-only file system" in done.stderr
    assert path.read_bytes() == b"x"


@pytest.mark.sandbox
def test_a_bomb_in_the_sandbox_is_ended_at_the_limit(boxed: Workshop) -> None:
    path = arrived(boxed, "x.tar.gz", packed("gz", bytes(limits.FLOOR + 1)))
    assert path.stat().st_size * limits.RATIO < limits.FLOOR
    assert refused(boxed, path) == "archive-bomb"


@pytest.mark.parametrize("suffix", ["bz2", "xz", "zst"])
def test_more_bytes_than_the_limit_are_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    monkeypatch.setattr(limits, "FLOOR", 100_000)
    monkeypatch.setattr(limits, "RATIO", 10)
    place = workshop(tmp_path)
    assert refused(place, arrived(place, f"x.{suffix}", packed(suffix, bytes(3_000_000)))) == "archive-bomb"
    assert decompress(place, arrived(place, f"y.{suffix}", packed(suffix, bytes(100_000)))).size == 100_000


def test_more_memory_than_the_limit_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._ARGUMENTS, "xz", (*module._ARGUMENTS["xz"], "--memlimit-decompress=1MiB"))  # type: ignore[index]
    place = workshop(tmp_path)
    assert refused(place, arrived(place, "x.xz", packed("xz", DATA, "-9"))) == "archive-bomb"


def test_a_tool_that_does_not_end_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(module._ARGUMENTS, "gzip", ("sleep", "1000"))  # type: ignore[index]
    monkeypatch.setattr(limits, "seconds", lambda size: 1)
    place = workshop(tmp_path)
    assert refused(place, arrived(place, "x.gz", packed("gz"))) == "archive-bomb"


@pytest.mark.parametrize("suffix", TOOLS)
@pytest.mark.parametrize("harm", ["cut", "garbage after", "flipped", "other format", "empty", "html"])
def test_what_is_not_whole_or_goes_on_after_its_end_is_refused(tmp_path: Path, suffix: str, harm: str) -> None:
    good = packed(suffix)
    middle = len(good) // 2
    data = {
        "cut": good[:-5],
        "garbage after": good + b"hidden from some",
        "flipped": good[:middle] + bytes([good[middle] ^ 0xFF]) + good[middle + 1 :],
        "other format": packed("gz" if suffix != "gz" else "xz"),
        "empty": b"",
        "html": b"<html>404</html>",
    }[harm]
    place = workshop(tmp_path)
    assert refused(place, arrived(place, f"x.{suffix}", data)) == "decompress-failed"


@pytest.mark.parametrize("suffix", TOOLS)
def test_every_member_counts_so_that_no_second_one_hides_bytes(tmp_path: Path, suffix: str) -> None:
    place = workshop(tmp_path)
    path = arrived(place, f"x.{suffix}", packed(suffix) + packed(suffix, b"hidden\n"))
    assert decompress(place, path).path.read_bytes() == DATA + b"hidden\n"


def test_a_tool_that_says_anything_is_not_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = ("sh", "-c", "cat; echo something is odd >&2")
    monkeypatch.setitem(module._ARGUMENTS, "gzip", script)  # type: ignore[index]
    place = workshop(tmp_path)
    assert refused(place, arrived(place, "x.gz", packed("gz"))) == "decompress-failed"


def test_a_missing_tool_is_the_machines_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "decompressor", lambda name: "no-such-tool")
    monkeypatch.setitem(module._PACKAGES, "no-such-tool", "nowhere")
    place = workshop(tmp_path)
    with pytest.raises(MachineError, match="no-such-tool"):
        decompress(place, arrived(place, "x.gz", packed("gz")))


@pytest.mark.parametrize(
    ("name", "tool", "plain", "kind", "folder"),
    [
        ("x-1.tar.xz", "xz", "x-1.tar", "tar", "x-1"),
        ("x-1.tgz", "gzip", "x-1.tar", "tar", "x-1"),
        ("x-1.tar.zst", "zstd", "x-1.tar", "tar", "x-1"),
        ("x-1.tbz2", "bzip2", "x-1.tar", "tar", "x-1"),
        ("x.tar", "", "x.tar", "tar", "x"),
        ("x.zip", "", "x.zip", "zip", "x"),
        ("x.zip.gz", "gzip", "x.zip", "", None),
        ("x.patch.gz", "gzip", "x.patch", "", None),
        ("x.pdf", "", "x.pdf", "", None),
        (".xz", "", ".xz", "", None),
        (".tar.xz", "xz", ".tar", "", None),
    ],
)
def test_the_name_says_what_is_inside(name: str, tool: str, plain: str, kind: str, folder: str | None) -> None:
    assert (decompressor(name), uncompressed_name(name), archive_kind(name)) == (tool, plain, kind)
    if folder is not None:
        assert unpacked_name(name) == folder
    else:
        with pytest.raises(ValueError, match="no archive"):
            unpacked_name(name)
