"""Stock packages on the whole way: a .deb of a local archive and an .rpm of a local repository, into a build."""

from __future__ import annotations

import shutil

import pytest

from support.small_release import stop_agent
from verify import rpms
from verify.miniature import Miniature
from verify.workbench import Keys
from walk.walking import Walk, events

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
PACKAGES = """
[[component]]
name = "packages"
[[component.deb]]
package = "debian:bookworm/hi"
version = "1.0-1"
[[component.rpm]]
url = "upstream/hi-1.0-1.noarch.rpm"
signers = ["packager"]
[component.build]
recipe = "commands"
commands = ["sha256sum $FILES/hi_1.0-1_all.deb $FILES/hi-1.0-1.noarch.rpm > $OUT/packages.out"]
products = ["packages.out"]

[environment]
mirror = "{mirror}"
archive_keyring = "archive.gpg"
"""


def test_packages_are_fetched_judged_built_from_and_audited(walk: Walk) -> None:
    keys = Keys(walk.folder / "packager-home")
    mirror = Miniature(walk.folder / "mirror", keys)
    mirror.publish()
    (walk.folder / "archive.gpg").write_bytes(keys.certificate("archive"))
    unsigned = rpms.build(walk.folder / "rpmbuild")
    shutil.rmtree(walk.folder / "rpmbuild")
    signed = rpms.sign(unsigned, keys, keys.fingerprint("packager"), walk.folder)
    keyring = walk.folder / "keyring"
    (keyring / "keys" / f"{keys.fingerprint('packager')}.asc").write_bytes(keys.certificate("packager"))
    with (keyring / "signers.toml").open("a") as file:
        file.write(f'\n[person.packager]\nopenpgp = ["{keys.fingerprint("packager")}"]\n')
    stop_agent(keys.home)
    walk.text += PACKAGES.format(mirror=mirror.folder.as_uri())
    walk.manifest.write_text(walk.text)

    rpm = walk.folder / "upstream" / "hi-1.0-1.noarch.rpm"
    rpm.write_bytes(unsigned)
    walk.run().refused(1, "the gate before build is closed", "hi-1.0-1.noarch.rpm: it is not signed")
    assert not (walk.work / "sources" / "packages").exists()

    rpm.write_bytes(signed)
    walk.resumes()
    told = {e["item"]: e for e in events(walk.work) if e["e"] == "item.verdict" and e["code"] == "ok"}
    assert {"packages/deb/hi", "packages/rpm/hi-1.0-1.noarch.rpm"} <= set(told)
    product = (walk.evidence / "products" / "packages" / "packages.out").read_text()
    assert told["packages/rpm/hi-1.0-1.noarch.rpm"]["subject_sha256"] in product
    assert told["packages/deb/hi"]["subject_sha256"] in product
