"""The list over a policy: what sha256sum writes is taken, and nothing that is not exactly the policy."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from sealwright_keyring.errors import PolicyError
from sealwright_keyring.policy_sums import SIGNATURES, check_sums, read_sums, sums_text

FILES = {"signers.toml": b"[person.ada]\n", "keys/a.asc": b"a", "keys/b.pub": b"b"}


def ring(folder: Path) -> Path:
    (folder / "keys").mkdir()
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    return folder


def test_it_is_the_text_that_sha256sum_writes_and_checks(tmp_path: Path) -> None:
    place = ring(tmp_path)
    text = sums_text(place, FILES)
    written = subprocess.run(["sha256sum", *sorted(FILES)], cwd=place, capture_output=True, check=True).stdout
    assert text == written
    check_sums(place, text, FILES)
    check_sums(place, b"".join(reversed(text.splitlines(keepends=True))), FILES)
    (place / "SHA256SUMS").write_bytes(text)
    subprocess.run(["sha256sum", "--check", "--strict", "SHA256SUMS"], cwd=place, capture_output=True, check=True)


@pytest.mark.parametrize(
    ("change", "line", "because"),
    [
        (lambda t: b"", 1, "no line of a list"),
        (lambda t: t + b"\n", 4, "no line of a list"),
        (lambda t: t.replace(b"  ", b" *"), 1, "no line of a list"),
        (lambda t: b"\\" + t, 1, "no line of a list"),
        (lambda t: t.replace(b"\n", b"\r\n"), 1, "no line of a list"),
        (lambda t: t + t.splitlines(keepends=True)[0], 4, "twice"),
        (lambda t: t + b"0" * 64 + b"  release.toml\n", 4, "does not have"),
        (lambda t: t + b"0" * 64 + b"  keys/c.asc\n", 4, "does not have"),
        (
            lambda t: t[:1].translate(bytes.maketrans(b"0123456789abcdef", b"123456789abcdef0")) + t[1:],
            1,
            "not as it was",
        ),
        (lambda t: b"".join(t.splitlines(keepends=True)[1:]), 2, "does not name keys/a.asc"),
        (lambda t: b"".join(t.splitlines(keepends=True)[:2]), 2, "does not name signers.toml"),
    ],
)
def test_it_names_every_file_of_the_policy_once_and_nothing_else(
    tmp_path: Path, change: object, line: int, because: str
) -> None:
    with pytest.raises(PolicyError, match=because) as refused:
        check_sums(tmp_path, change(sums_text(tmp_path, FILES)), FILES)  # type: ignore[operator]
    assert (refused.value.file, refused.value.line) == (tmp_path / "SHA256SUMS", line)
    assert "keyring digest" in refused.value.next_step


@pytest.mark.parametrize("name", ["keys/a\nb.asc", "keys/a\\b.asc", "keys/a b.asc", "keys/\udcff.asc"])
def test_a_name_that_sha256sum_would_write_in_another_way_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(PolicyError, match="no plain file name"):
        sums_text(tmp_path, {name: b""})


def test_the_list_and_a_signature_must_lie_there_as_plain_files(tmp_path: Path) -> None:
    place = ring(tmp_path)
    with pytest.raises(PolicyError, match="No such file") as refused:
        read_sums(place)
    assert "keyring digest" in refused.value.next_step
    (place / "SHA256SUMS").write_bytes(b"x")
    with pytest.raises(PolicyError, match="no signature lies beside it"):
        read_sums(place)
    for name in SIGNATURES:
        (place / name).write_bytes(b"y")
    assert set(read_sums(place)) == {"SHA256SUMS", *SIGNATURES}
    (place / SIGNATURES[0]).unlink()
    (place / SIGNATURES[0]).symlink_to("nowhere")
    with pytest.raises(PolicyError):
        read_sums(place)
