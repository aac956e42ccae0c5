"""`sealwright new`: a commented manifest and keyring to start from."""

from __future__ import annotations

from pathlib import Path

from sealwright_stages.errors import ManifestError
from sealwright_stages.files import write_whole

_MANIFEST = """# A release, as Sealwright walks it. Every key is explained in docs/reference/manifest.md.
[release]
name = "example"
version = "1.0"
keyring = "keyring"               # the folder with signers.toml and keys/
signers = ["manager-1"]           # who may sign the release: persons of signers.toml
threshold = 1                     # how many of them must

# [policy]                        # demand that the keyring itself be signed: docs/how-to/sign-the-keyring.md
# signers = ["manager-1"]

# [egress]
# known_hosts = "known_hosts"     # the keys of ssh servers; wanted if anything comes over ssh://

[signer]
home = "signer-home"              # the GnuPG home of the embedded signer; or transport = ["ssh", "key-machine"]

# [memory]                        # from the second release on: what moved or went back since then is red
# evidence = ["../example-0.9.release/evidence"]
# fresh_days = 180                # and what is older is a warning

[[component]]
name = "hello"
git = "https://example.org/hello.git"
tag = "v1.0"                      # a signed tag
signers = ["manager-1"]           # whose signature counts for this component
# trust_root = "<40 hex digits>"  # recommended: a commit that the tag must descend from, such as the one of the last
                                  # release that you accepted; docs/how-to/choose-a-trust-root.md

[[component.file]]                # a third-party file that its build wants
url = "https://example.org/data-1.0.tar.gz"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"

# [[component.deb]]              # a stock package, by its archive's signed index
# package = "debian:bookworm/hello"
# [[component.rpm]]              # a stock package, by its own signature
# url = "https://example.org/hello-2.10-1.x86_64.rpm"
# signers = ["manager-1"]

[component.build]
environment = "host"              # or "debian:bookworm", or "tar:<sha256>" with an [[environment.tar]]
recipe = "commands"               # or "deb" or "rpm", without commands; docs/how-to/build-packages.md
commands = ["make", "make install DESTDIR=$OUT"]
products = ["*.tar.gz"]
limits = { wall = "1h", memory = "4G", disk = "10G", processes = 256 }
"""

_SIGNERS = """# Whom you trust, by full fingerprint only. Add the first person, and each other, with
#     sealwright keyring add FILE PERSON FINGERPRINT --keyring keyring
# which writes a table here, and the certificate to keys/:
# [person.manager-1]
# openpgp = ["<40 hex digits>"]
# ssh = ["<file in keys/>.pub"]         # and/or keys of other kinds, each in a file of its own
# minisign = ["<file in keys/>.pub"]
# ed25519 = ["<file in keys/>.pem"]     # signs the provenance a second time, and counts for nothing
"""


def write_template(folder: Path) -> None:
    """Write the template into a new or empty folder.

    Raises:
        ManifestError: something is there already.
        MachineError: it can't be written.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ManifestError(str(folder), "it is not empty", "name a new folder")
    (folder / "keyring" / "keys").mkdir(parents=True)
    write_whole(folder / "release.toml", _MANIFEST.encode())
    write_whole(folder / "keyring" / "signers.toml", _SIGNERS.encode())
