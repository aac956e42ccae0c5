"""An archive whose uncompressed bytes are signed, from the manifest to evidence that stands up to an audit."""

from __future__ import annotations

import lzma
import shutil

import pytest

from support.small_release import make_key, sign_file, stop_agent, write_keyring
from unpack.crafting import honest_tar
from walk.walking import Walk, events, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox"), pytest.mark.slow]
COMPONENT = """
[[component]]
name = "parts"
[[component.file]]
url = "upstream/parts-1.0.tar.xz"
signature = "upstream/parts-1.0.tar.asc"
signers = ["packer"]
signed = "uncompressed"
unpack = true
[component.build]
recipe = "commands"
commands = ["cat $UNPACKED/parts-1.0/a/b.txt $FILES/parts-1.0.tar > $OUT/parts.out"]
products = ["*.out"]
"""


def test_an_unpacked_archive_goes_into_a_build_and_its_release_stands_up_to_an_audit(walk: Walk) -> None:
    upstream, parts = walk.folder / "upstream", honest_tar({"a/b.txt": b"unpacked\n"})
    (upstream / "parts-1.0.tar").write_bytes(parts)
    (upstream / "parts-1.0.tar.xz").write_bytes(lzma.compress(parts))
    packer = make_key(walk.folder / "packer-home", "packer")
    sign_file(upstream / "parts-1.0.tar", packer)
    stop_agent(packer.home)
    write_keyring(walk.folder / "more", [packer])
    for certificate in (walk.folder / "more" / "keys").iterdir():
        shutil.copy(certificate, walk.folder / "keyring" / "keys")
    with (walk.folder / "keyring" / "signers.toml").open("a") as signers:
        signers.write("\n" + (walk.folder / "more" / "signers.toml").read_text())
    walk.text += COMPONENT
    walk.manifest.write_text(walk.text)
    walk.run().well()
    assert files(walk.work / "sources" / "parts") == ["files/parts-1.0.tar", "unpacked/parts-1.0/a/b.txt"]
    assert (walk.evidence / "products" / "parts" / "parts.out").read_bytes() == b"unpacked\n" + parts
    passed = {event["item"] for event in events(walk.work) if event.get("verdict") == "passed"}
    assert {"parts/file-signature/parts-1.0.tar.xz", "parts/unpack/parts-1.0.tar.xz"} <= passed
    walk.is_done()
