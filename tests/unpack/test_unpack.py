"""Unpacking: every hostile archive is refused with the member's name, every honest one comes out as it is."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import struct
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.ports import Workshop
from sealwright_stages.unpack import inside, limits
from sealwright_stages.unpack import unpack as module
from sealwright_stages.unpack.members import judge
from sealwright_stages.unpack.unpack import Unpacked, unpack
from sealwright_stages.verify.codes import RefusedError
from unpack.crafting import HONEST, honest_tar, link, member, tar, zipped
from verify.workbench import workshop

FILE, FOLDER, LINK = 0o100644, 0o040755, 0o120777


def unpacked(place: Workshop, data: bytes, kind: str = "tar") -> Unpacked:
    path = place.quarantine / f"x-1.{kind}"
    path.write_bytes(data)
    return unpack(place, path, kind, "x-1", len(data))


def refusal(place: Workshop, data: bytes, kind: str = "tar") -> RefusedError:
    with pytest.raises(RefusedError) as refused:
        unpacked(place, data, kind)
    assert [path.name for path in place.quarantine.iterdir()] == [f"x-1.{kind}"], "nothing of it is left"
    assert refused.value.reason.isprintable() and refused.value.next_step
    return refused.value


def held(folder: Path) -> dict[str, bytes | str | None]:
    """What lies below a folder: bytes of files, targets of links, None for folders that are empty."""
    found: dict[str, bytes | str | None] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name] = None
    return found


HOSTILE_TARS: dict[str, tuple[Callable[[], bytes], str]] = {
    "dot dot": (lambda: tar([member("a/../../../x", b"x")]), "plain component"),
    "only dot dot": (lambda: tar([member("..", b"", tarfile.DIRTYPE)]), "plain component"),
    "absolute": (lambda: tar([member("/etc/x", b"x")]), "absolute"),
    "double slash": (lambda: tar([member("a//b", b"x")]), "plain component"),
    "nothing as name": (lambda: tar([member("./", b"x")]), "plain component"),
    "dot inside": (lambda: tar([member("a/./b", b"x")]), "plain component"),
    "link out": (lambda: tar([link("a/l", "../../etc/passwd")]), "outside"),
    "absolute link": (lambda: tar([link("l", "/etc/passwd")]), "outside"),
    "link out through another": (lambda: tar([link("a/b/l", "../.."), link("m", "a/b/l/..")]), "outside"),
    "links in a circle": (lambda: tar([link("a", "b"), link("b", "a")]), "circle"),
    "link target with an escape": (lambda: tar([link("l", "a\x1b[2J")]), "invisible"),
    "through a link": (lambda: tar([link("a", "."), member("a/x", b"x")]), "no folder"),
    "a link in a folder's place": (lambda: tar([member("a/x", b"x"), link("a", "b")]), "twice"),
    "below a file": (lambda: tar([member("a", b"x"), member("a/b", b"x")]), "no folder"),
    "hard link out": (lambda: tar([link("l", "/etc/passwd", tarfile.LNKTYPE)]), "absolute"),
    "hard link up": (lambda: tar([link("l", "../x", tarfile.LNKTYPE)]), "plain component"),
    "hard link forwards": (lambda: tar([link("l", "a", tarfile.LNKTYPE), member("a", b"x")]), "before it"),
    "hard link to a link": (lambda: tar([link("a", "b"), link("l", "a", tarfile.LNKTYPE)]), "before it"),
    "device": (lambda: tar([member("d", b"", tarfile.CHRTYPE, devmajor=1, devminor=3)]), "a device"),
    "block device": (lambda: tar([member("d", b"", tarfile.BLKTYPE)]), "a device"),
    "pipe": (lambda: tar([member("p", b"", tarfile.FIFOTYPE)]), "a pipe"),
    "unknown kind": (lambda: tar([member("p", b"", b"Z")]), "unknown kind"),
    "setuid": (lambda: tar([member("x", b"x", mode=0o4755)]), "set-uid"),
    "setgid": (lambda: tar([member("x", b"x", mode=0o2755)]), "set-uid"),
    "duplicate": (lambda: tar([member("x", b"good"), member("x", b"evil")]), "twice"),
    "duplicate in disguise": (lambda: tar([member("x", b"good"), member("./x", b"evil")]), "twice"),
    "duplicate folder": (
        lambda: tar([member("x", b"", tarfile.DIRTYPE), member("x", b"", tarfile.DIRTYPE)]),
        "twice",
    ),
    "escape in a name": (lambda: tar([member("a\x1b[2Jb", b"x")]), "invisible"),
    "line end in a name": (lambda: tar([member("a\nb", b"x")]), "invisible"),
    "bidi in a name": (lambda: tar([member("a\u202egnp.sh", b"x")]), "invisible"),
    "name that is no UTF-8": (lambda: tar([member("a\udcff", b"x")], tarfile.GNU_FORMAT), "not UTF-8"),
    ".git in disguise": (lambda: tar([member("a/.GIT/config", b"x")]), "disguise"),
    ".gitmodules as a link": (lambda: tar([link(".gitmodules", "x")]), "symbolic link"),
    "sparse by a pax header": (
        lambda: tar([member("s", b"1\n0\n1\n", pax_headers={"GNU.sparse.major": "1", "GNU.sparse.minor": "0"})]),
        "",
    ),
    "too deep": (lambda: tar([member("a/" * limits.DEPTH + "x", b"x")]), "too deep"),
    "too long": (lambda: tar([member("/".join(["a" * 200] * 12), b"x")]), "too long"),
    "empty": (lambda: tar([]), "holds nothing"),
    "only the top": (lambda: tar([member("./", b"", tarfile.DIRTYPE)]), "holds nothing"),
    "cut in a file": (lambda: tar([member("x", b"x" * 5000)])[:2000], "can't be read"),
    "cut before the end": (lambda: tar([member("x", b"x" * 512)])[:1024], "no end"),
    "bytes after the end": (lambda: honest_tar() + b"more", "stands at its end"),
    "a second archive after the end": (lambda: honest_tar() + tar([member("y", b"y")]), "stands at its end"),
    "a spoiled header in the middle": (
        lambda: tar([member("x", b"x")])[:1024] + b"!" * 512 + bytes(1024),
        "stands at its end",
    ),
    "a header for all": (lambda: _global(b"20 path=evil/thing2\n"), "all members at once"),
    "no tar": (lambda: b"<html>404</html>" * 100, "can't be read"),
    "nothing": (lambda: b"", "can't be read"),
    "negative size": (lambda: _resized(struct.pack(">B3sq", 0xFF, b"\xff" * 3, -1024)), "within|invalid offset"),
    "huge size": (lambda: _resized(struct.pack(">B3sq", 0x80, b"\0" * 3, 1 << 60)), "within"),
}


def _global(records: bytes) -> bytes:
    made = tarfile.TarInfo("pax_global_header")
    made.type, made.size = tarfile.XGLTYPE, len(records)
    head = made.tobuf(tarfile.USTAR_FORMAT)
    return head + records.ljust(512, b"\0") + honest_tar()


def _resized(size: bytes) -> bytes:
    head = bytearray(tar([member("x", b"x")])[:512])
    head[124:136] = size
    head[148:156] = b" " * 8
    head[148:156] = b"%06o\0 " % sum(head)
    return bytes(head) + bytes(4096)


@pytest.mark.parametrize("kind", HOSTILE_TARS)
def test_a_hostile_tar_is_refused_and_nothing_of_it_is_left(tmp_path: Path, kind: str) -> None:
    make, why = HOSTILE_TARS[kind]
    found = refusal(workshop(tmp_path), make())
    assert found.code == "archive-refused"
    assert any(each in found.reason for each in why.split("|")), found.reason  # Python's own words changed once


def _twice() -> bytes:
    with pytest.warns(UserWarning, match="Duplicate"):
        return zipped([("x", b"good", FILE), ("x", b"evil", FILE)])


def _renamed(old: bytes, new: bytes) -> bytes:
    return zipped([(old.decode(), b"x", FILE)]).replace(old, new)


def _flagged(bit: int) -> bytes:
    data = bytearray(zipped([("x", b"x", FILE)]))
    for mark, offset in ((b"PK\1\2", 8), (b"PK\3\4", 6)):
        data[data.index(mark) + offset] |= bit
    return bytes(data)


def _lzma() -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x", b"x")
    return raw.getvalue()


def _overlapping() -> bytes:
    """Two members of which the second names the first one's bytes."""
    data = zipped([("x", b"x", FILE), ("y", b"x", FILE)])
    second = data.rindex(b"PK\1\2")
    return data[: second + 42] + bytes(4) + data[second + 46 :]


def _hidden() -> bytes:
    """Bytes between the last member and the directory, which says where it is."""
    data = zipped([("x", b"x", FILE)])
    end = data.rindex(b"PK\5\6")
    (directory,) = struct.unpack_from("<I", data, end + 16)
    tail = data[directory : end + 16] + struct.pack("<I", directory + 6) + data[end + 20 :]
    return data[:directory] + b"hidden" + tail


def _spoiled() -> bytes:
    data = bytearray(zipped([("x", os.urandom(1000), FILE)]))
    data[500] ^= 0xFF
    return bytes(data)


HOSTILE_ZIPS: dict[str, tuple[Callable[[], bytes], str]] = {
    "dot dot": (lambda: zipped([("a/../../x", b"x", FILE)]), "plain component"),
    "absolute": (lambda: zipped([("/etc/x", b"x", FILE)]), "absolute"),
    "link out": (lambda: zipped([("l", b"../x", LINK)]), "outside"),
    "through a link": (lambda: zipped([("a", b".", LINK), ("a/x", b"x", FILE)]), "no folder"),
    "device": (lambda: zipped([("d", b"", 0o020644)]), "device"),
    "pipe": (lambda: zipped([("d", b"", 0o010644)]), "pipe"),
    "setuid": (lambda: zipped([("x", b"x", 0o104755)]), "set-uid"),
    "duplicate": (_twice, "twice"),
    "escape in a name": (lambda: zipped([("a\x1b[2J", b"x", FILE)]), "invisible"),
    "name that can be read in two ways": (lambda: _renamed(b"aaaa", b"\xe4\xe4\xe4\xe4"), "several ways"),
    "NUL in a name": (lambda: _renamed(b"aaaa", b"a\0.c"), "several ways"),
    "file and folder at once": (lambda: zipped([("a/", b"", FILE)]), "at once"),
    "encrypted": (lambda: _flagged(1), "an encrypted file"),
    "unusual compression": (_lzma, "unusual compression"),
    "bytes before": (lambda: b"#!/bin/sh\n" + zipped([("x", b"x", FILE)]), "overlap"),
    "bytes after": (lambda: zipped([("x", b"x", FILE)]) + b"x", "follows its end"),
    "bytes before the directory": (_hidden, "overlap"),
    "overlapping": (_overlapping, "overlap"),
    "cut": (lambda: zipped([("x", b"x", FILE)])[:-10], "can't be read"),
    "spoiled member": (_spoiled, "CRC"),
    "empty": (lambda: zipped([]), "holds nothing"),
    "no zip": (lambda: b"<html>", "can't be read"),
}


@pytest.mark.parametrize("kind", HOSTILE_ZIPS)
def test_a_hostile_zip_is_refused_and_nothing_of_it_is_left(tmp_path: Path, kind: str) -> None:
    make, why = HOSTILE_ZIPS[kind]
    found = refusal(workshop(tmp_path), make(), "zip")
    assert found.code == "archive-refused"
    assert why in found.reason, found.reason


def test_a_sparse_file_of_gnu_tar_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "sparse").open("wb") as stream:
        stream.truncate(1 << 20)
        stream.seek(1 << 19)
        stream.write(b"x")
    argv = ["tar", "--sparse", "-cf", "-", "-C", str(tmp_path), "sparse"]
    data = subprocess.run(argv, stdout=subprocess.PIPE, check=True).stdout
    assert "sparse" in refusal(workshop(tmp_path), data).reason


def test_a_member_is_named_whole_where_a_part_of_its_name_is_refused(tmp_path: Path) -> None:
    found = refusal(workshop(tmp_path), tar([member("a/../../x", b"x")]))
    assert found.reason == "x-1.tar: a/../../x: ..: the name is no plain component of a path"


def test_the_name_of_the_member_is_shown_escaped(tmp_path: Path) -> None:
    found = refusal(workshop(tmp_path), tar([member("a\x1b]0;evil\x07", b"x")]))
    assert r"x-1.tar: a\x1b]0;evil\x07: the name holds a control" in found.reason


FORMS = {"pax": tarfile.PAX_FORMAT, "gnu": tarfile.GNU_FORMAT, "ustar": tarfile.USTAR_FORMAT}
LONG = "/".join(["thing-1.0", "b" * 90, "c" * 95, "name.txt"])


@pytest.mark.parametrize("form", FORMS)
def test_an_honest_tar_comes_out_as_it_is(tmp_path: Path, form: str) -> None:
    files = dict(HONEST) if form == "ustar" else {**HONEST, LONG: b"long\n", "thing-1.0/grüße.txt": b"utf-8\n"}
    members = [member("./", b"", tarfile.DIRTYPE), member("thing-1.0/", b"", tarfile.DIRTYPE, mode=0o2775)]
    members += [member(f"./{name}", data, mtime=-1 if form == "gnu" else 0) for name, data in files.items()]
    members += [member("thing-1.0/run", b"#!/bin/sh\n", mode=0o777), member("thing-1.0/empty", b"")]
    members += [member("thing-1.0/nothing", b"", tarfile.DIRTYPE), link("thing-1.0/l", "src/a.c")]
    members += [link("thing-1.0/up", "../thing-1.0/README"), link("thing-1.0/dangling", "not/there")]
    members += [link("thing-1.0/hard", "thing-1.0/README", tarfile.LNKTYPE)]
    found = unpacked(workshop(tmp_path), tar(members, FORMS[form]))
    assert held(found.path) == {
        **files,
        "thing-1.0/run": b"#!/bin/sh\n",
        "thing-1.0/empty": b"",
        "thing-1.0/nothing": None,
        "thing-1.0/l": "src/a.c",
        "thing-1.0/up": "../thing-1.0/README",
        "thing-1.0/dangling": "not/there",
        "thing-1.0/hard": HONEST["thing-1.0/README"],
    }
    modes = {path.name: path.lstat().st_mode & 0o7777 for path in found.path.rglob("*") if not path.is_symlink()}
    assert (modes["run"], modes["README"], modes["thing-1.0"], modes["nothing"]) == (0o755, 0o644, 0o755, 0o755)
    assert all(path.lstat().st_nlink == 1 for path in found.path.rglob("*") if path.is_file())


def test_an_honest_zip_comes_out_as_it_is(tmp_path: Path) -> None:
    members = [
        ("thing/", b"", FOLDER),
        ("thing/a", b"a" * 1000, FILE),
        ("thing/run", b"x", 0o100755),
        ("l", b"thing/a", LINK),
    ]
    found = unpacked(workshop(tmp_path), zipped(members), "zip")
    assert held(found.path) == {"thing/a": b"a" * 1000, "thing/run": b"x", "l": "thing/a"}
    assert (found.path / "thing/run").stat().st_mode & 0o777 == 0o755


def test_a_zip_that_was_written_as_a_stream_comes_out(tmp_path: Path) -> None:
    class Unseekable(io.RawIOBase):
        def __init__(self) -> None:
            self.data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: bytes) -> int:  # type: ignore[override]
            self.data += bytes(data)
            return len(data)

    raw = Unseekable()
    with zipfile.ZipFile(raw, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[type-var]
        archive.writestr("a", b"a" * 100)
        archive.writestr("b", b"b" * 100)
    assert held(unpacked(workshop(tmp_path), raw.data, "zip").path) == {"a": b"a" * 100, "b": b"b" * 100}


def test_an_archive_of_git_with_its_global_header_comes_out(tmp_path: Path) -> None:
    data = _global(b"52 comment=0123456789012345678901234567890123456789\n")
    assert held(unpacked(workshop(tmp_path), data).path) == dict(HONEST)


@pytest.mark.sandbox
@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_is_unpacked_in_the_sandbox(boxed: Workshop, kind: str) -> None:
    files = [(name, data, FILE) for name, data in HONEST.items()]
    found = unpacked(boxed, honest_tar() if kind == "tar" else zipped(files), kind)
    assert held(found.path) == dict(HONEST)
    assert {path.lstat().st_uid for path in found.path.rglob("*")} == {os.geteuid()}
    assert refusal(boxed_again(boxed), tar([member("../x", b"x")])).code == "archive-refused"


def test_an_archive_that_speaks_of_a_full_disk_is_red_and_not_the_machines_fault(boxed: Workshop) -> None:
    said = zipped([("No space left on device", b"x", FILE)])
    found = refusal(boxed, said.replace(b"No space", b"no space", 1), "zip")
    assert found.code == "archive-refused" and "No space left on device" in found.reason


def boxed_again(boxed: Workshop) -> Workshop:
    quarantine = boxed.quarantine.with_name("again")
    quarantine.mkdir()
    return Workshop(quarantine, boxed.cache, boxed.cancel, boxed.progress, boxed.sandbox)


def test_limits_of_members_and_bytes_are_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMBERS", 3)
    four = honest_tar({f"f{number}": b"x" for number in range(4)})
    assert refusal(workshop(tmp_path / "four"), four).code == "archive-bomb"
    monkeypatch.setattr(limits, "FLOOR", 20_000)
    monkeypatch.setattr(limits, "RATIO", 2)
    assert refusal(workshop(tmp_path / "a"), zipped([("x", bytes(20_001), FILE)]), "zip").code == "archive-bomb"
    many = [member("x", bytes(15_000)), link("y", "x", tarfile.LNKTYPE), link("z", "x", tarfile.LNKTYPE)]
    assert refusal(workshop(tmp_path / "b"), tar(many)).code == "archive-bomb"


def test_folders_that_no_member_names_are_limited_with_the_members(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MEMBERS", 60)
    line = {"target": "", "kind": "file", "mode": 0o644, "size": 0, "at": 0}
    names = [base64.b64encode(f"{number}/{'x/' * 40}f".encode()).decode() for number in range(2)]
    listing = [json.dumps({**line, "name": name}).encode() for name in names]
    judge([*listing[:1], b'{"members": 1}'], 1 << 20)
    with pytest.raises(RefusedError, match="files and folders") as caught:
        judge([*listing, b'{"members": 2}'], 1 << 20)
    assert caught.value.code == "archive-bomb"


def test_a_reader_that_does_not_end_is_a_bomb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "seconds", lambda size: 1)
    monkeypatch.setattr(module, "_program", lambda *words: ("sleep", "1000"))
    assert refusal(workshop(tmp_path), honest_tar()).code == "archive-bomb"


@pytest.mark.parametrize(
    "lie", ["other bytes", "one more", "one less", "a mode", "a link", "a folder's mode", "a hard link"]
)
def test_what_lies_there_must_be_what_the_listing_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lie: str
) -> None:
    """A reader that was taken over writes something else than it listed."""
    text = inside.__file__
    deeds = {
        "other bytes": "p.write_bytes(p.read_bytes() + b'x')",
        "one more": "(p.parent / 'more').write_bytes(b'')",
        "one less": "p.unlink()",
        "a mode": "p.chmod(0o755)",
        "a link": "p.unlink(); p.symlink_to('/etc/passwd')",
        "a folder's mode": "p.parent.chmod(0o777)",
        "a hard link": "os.link(p, p.parent / 'more')",
    }
    evil = tmp_path / "inside.py"
    tail = (
        f"\n        p = Path(sys.argv[5], 'thing-1.0/README')\n        if sys.argv[1] == 'extract': {deeds[lie]}\n"
    )
    source = Path(text).read_text().replace("(*sys.argv[2:])\n", f"(*sys.argv[2:]){tail}")
    assert deeds[lie] in source
    evil.write_text(source)
    monkeypatch.setattr(module, "_PROGRAM", evil)
    found = refusal(workshop(tmp_path), honest_tar())
    assert found.code == "archive-refused"


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"[]\n",
        b'{"members": 1}\n',
        b'{"name": "eA=="}\n{"members": 1}\n',
        b'{"name": "!", "target": "", "kind": "file", "mode": 1, "size": 1, "at": 0}\n{"members": 1}\n',
        b'{"name": "eA==", "target": "", "kind": "file", "mode": 1, "size": true, "at": 0}\n{"members": 1}\n',
        b'{"name": "eA==", "target": "", "kind": "file", "mode": 1, "size": 1, "at": 0}\n',
        b'{"name": "eA==", "target": "", "kind": "file", "mode": 1, "size": 1, "at": 0}\n{"members": 2}\n',
        b'{"name": "eA==", "target": "", "kind": "file", "mode": 1, "size": -1, "at": 0}\n{"members": 1}\n',
    ],
)
def test_a_listing_that_makes_no_sense_is_refused(listing: bytes) -> None:
    with pytest.raises(RefusedError):
        judge(listing.splitlines(keepends=True), 1000)


@given(st.lists(st.binary(max_size=200), max_size=5))
def test_whatever_the_sandbox_lists_is_a_plan_or_a_refusal(lines: list[bytes]) -> None:
    with contextlib.suppress(RefusedError):
        judge(lines, 1000)


SAMPLES = {
    "pax": honest_tar({**HONEST, "thing-1.0/" + "x" * 150: b"y"}),
    "gnu": tar(
        [*(member(name, data) for name, data in HONEST.items()), member("l/" + "x" * 150, b"y"), link("a", "l")],
        tarfile.GNU_FORMAT,
    ),
    "zip": zipped([(name, data, FILE) for name, data in HONEST.items()]),
}


@pytest.mark.parametrize("sample", SAMPLES)
def test_flipped_bytes_never_write_outside_and_never_hang(
    tmp_path_factory: pytest.TempPathFactory, sample: str
) -> None:
    base = tmp_path_factory.mktemp("flips")
    outside = base / "outside"
    outside.mkdir()
    kind = "zip" if sample == "zip" else "tar"
    good = SAMPLES[sample]

    @given(st.lists(st.tuples(st.integers(0, len(good) - 1), st.integers(1, 255)), min_size=1, max_size=8))
    @settings(max_examples=150)
    def flipped(flips: list[tuple[int, int]]) -> None:
        data = bytearray(good)
        for at, change in flips:
            data[at] ^= change
        folder = base / "work" / "tree"
        subprocess.run(["rm", "-rf", str(folder.parent)], check=True)
        folder.mkdir(parents=True)
        archive, listing = folder.parent / "archive", folder.parent / "listing"
        archive.write_bytes(data)
        with contextlib.suppress(*inside.UNREADABLE, RefusedError):
            inside.scan(kind, str(archive), str(listing), "1000")
            plan = judge(listing.read_bytes().splitlines(keepends=True), 1 << 20)
            (folder.parent / "plan").write_text(plan.lines())
            inside.extract(kind, str(archive), str(folder.parent / "plan"), str(folder))
        assert sorted(path.name for path in base.iterdir()) == ["outside", "work"]
        assert {path.name for path in folder.parent.iterdir()} <= {"archive", "listing", "plan", "tree"}
        assert list(outside.iterdir()) == []

    flipped()
