"""The manifest's words for a file's inside, and the items that they declare."""

from __future__ import annotations

from pathlib import Path

import pytest

from sealwright_stages.declared import declared
from sealwright_stages.errors import ManifestError
from sealwright_stages.manifest import load
from support.release_folder import HEAD, write_release

SHA = "a" * 64
SIGNED = 'signature = "https://example.org/x.sign"\nsigners = ["manager-a"]\n'


def file(name: str, more: str) -> str:
    return f'[[component.file]]\nurl = "https://example.org/{name}"\n{more}\n'


def text(*files: str) -> str:
    return HEAD + '\n[[component]]\nname = "thing"\n' + "".join(files)


def test_what_is_signed_and_unpacked_is_declared_as_items(tmp_path: Path) -> None:
    more = SIGNED + f'sha256 = "{SHA}"\nsigned = "uncompressed"\nunpack = true'
    manifest = load(write_release(tmp_path, text(file("x-1.tar.xz", more))))
    (found,) = manifest.components[0].files
    assert (found.signed_uncompressed, found.unpack) == (True, True)
    items = declared(manifest)
    assert [item for item in items if items[item].stage == "verify"] == [
        "thing/file/x-1.tar.xz",
        "thing/file-signature/x-1.tar.xz",
        "thing/unpack/x-1.tar.xz",
    ]
    assert items["thing/file-signature/x-1.tar.xz"].title == "signature of x-1.tar in x-1.tar.xz"


def test_left_out_they_mean_the_file_itself(tmp_path: Path) -> None:
    (found,) = load(write_release(tmp_path, text(file("x.tar.xz", SIGNED)))).components[0].files
    assert (found.signed_uncompressed, found.unpack) == (False, False)


REFUSED = [
    (file("x.tar.xz", SIGNED + 'signed = "tar"'), "signed = 'tar' is unknown"),
    (file("x.tar.xz", SIGNED + "signed = true"), "'signed' must be a text"),
    (file("x.tar.xz", f'sha256 = "{SHA}"\nsigned = "uncompressed"'), "signed without signature"),
    (file("x.pdf", SIGNED + 'signed = "uncompressed"'), "not compressed"),
    (file("x.zip", SIGNED + 'signed = "uncompressed"'), "not compressed"),
    (file("x.patch.xz", SIGNED + "unpack = true"), "no archive"),
    (file("x.tar.xz", SIGNED + 'unpack = "yes"'), "'unpack' must be true or false"),
    (
        file("x.tar", SIGNED) + file("x.tar.xz", SIGNED + 'signed = "uncompressed"'),
        "two files of one name",
    ),
    (
        file("x.tar.xz", SIGNED + "unpack = true") + file("x.zip", SIGNED + "unpack = true"),
        "two files of one name",
    ),
]


@pytest.mark.parametrize(("files", "because"), REFUSED)
def test_what_makes_no_sense_is_refused(tmp_path: Path, files: str, because: str) -> None:
    with pytest.raises(ManifestError) as refused:
        load(write_release(tmp_path, text(files)))
    assert because in refused.value.because
    assert refused.value.next_step
