"""Stock packages in the manifest: named in full, or refused at file and line."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.test_manifest import SHA, read, refused
from sealwright_stages.declared import declared
from sealwright_stages.errors import ManifestError
from sealwright_stages.manifest_packages import DebSpec, RpmSpec
from support.release_folder import HEAD

COMPONENT = '\n[[component]]\nname = "xen"\n'
DEB = '[[component.deb]]\npackage = "debian:bookworm/libc6"\n'
RPM = '[[component.rpm]]\nurl = "https://example.org/hi-1.0-1.noarch.rpm"\nsigners = ["release-key-a"]\n'
DSC = 'dsc = "debian:bookworm/catdoc"\nuploaders = "debian-maintainers"\n'


def test_packages_are_read_as_they_are_named_and_declare_their_items(tmp_path: Path) -> None:
    full = DEB + 'version = "1:2.36-9+deb12u9"\narchitecture = "arm64"\n'
    plain = DEB.replace("libc6", "libc-bin")
    manifest = read(tmp_path, HEAD + COMPONENT + full + plain + RPM + f'sha256 = "{SHA}"\n')
    (component,) = manifest.components
    assert component.debs == (
        DebSpec("bookworm", "libc6", "1:2.36-9+deb12u9", "arm64"),
        DebSpec("bookworm", "libc-bin", None, None),
    )
    url = "https://example.org/hi-1.0-1.noarch.rpm"
    assert component.rpms == (RpmSpec(url, "hi-1.0-1.noarch.rpm", SHA, ("release-key-a",), 1),)
    assert set(declared(manifest)) == {
        "xen/fetch-deb/libc6:arm64",
        "xen/deb/libc6:arm64",
        "xen/fetch-deb/libc-bin",
        "xen/deb/libc-bin",
        "xen/fetch/hi-1.0-1.noarch.rpm",
        "xen/rpm/hi-1.0-1.noarch.rpm",
        "xen/file/hi-1.0-1.noarch.rpm",
    }


def test_a_package_beside_a_main_source_is_fine(tmp_path: Path) -> None:
    manifest = read(tmp_path, HEAD + COMPONENT + DSC + 'uploader_rights = "dm.txt"\n' + DEB)
    dsc = manifest.components[0].dsc
    assert dsc is not None and dsc.rights == tmp_path / "dm.txt"
    assert {"xen/archive/catdoc", "xen/uploader/catdoc", "xen/deb/libc6"} <= set(declared(manifest))


WRONG_DEBS = [
    ('"debian:bookworm/libc6"', '"bookworm/libc6"', "package =", "is not debian:SUITE/PACKAGE"),
    ('"debian:bookworm/libc6"', '"debian:../libc6"', "package =", "is not debian:SUITE/PACKAGE"),
    ('"debian:bookworm/libc6"', '"debian:bookworm/libc6:arm64"', "package =", "is not debian:SUITE/PACKAGE"),
    (DEB, DEB + 'version = ""\n', 'version = ""', "no whole Debian version"),
    (DEB, DEB + 'version = ">= 2"\n', ">= 2", "no whole Debian version"),
    (DEB, DEB + 'architecture = "../amd64"\n', "architecture", "none of Debian"),
    (DEB, DEB + 'sha256 = "x"\n', "sha256", "unknown key"),
    (DEB, '[[component.deb]]\nversion = "1"\n', "[[component.deb]]", "no 'package'"),
]


@pytest.mark.parametrize(("old", "new", "line", "because"), WRONG_DEBS)
def test_a_debian_package_is_named_in_full(tmp_path: Path, old: str, new: str, line: str, because: str) -> None:
    refused(tmp_path, (HEAD + COMPONENT + DEB).replace(old, new), line, because)


WRONG_RPMS = [
    ('signers = ["release-key-a"]\n', "", "[[component.rpm]]", "an rpm without signers"),
    ("release-key-a", "stranger", "stranger", "signer 'stranger' is no person"),
    ("noarch.rpm", "noarch.zip", "url", "no plain name of an .rpm"),
    ("noarch.rpm", "noarch.rpm?x=1", "url", "no plain name of an .rpm"),
    ("https:", "ftp:", "url", "no address that we fetch from"),
    (RPM, RPM + 'sha256 = "abc"\n', "sha256", "64 lower-case hex"),
    (RPM, RPM + "threshold = 0\n", "threshold", "threshold = 0 of 1"),
    (RPM, RPM.replace('"]', '", "manager-a"]') + "threshold = 2\n", "threshold", "carries one signature"),
    (RPM, RPM + 'signature = "x"\n', "signature", "unknown key"),
]


@pytest.mark.parametrize(("old", "new", "line", "because"), WRONG_RPMS)
def test_an_rpm_package_says_whose_signature_counts(
    tmp_path: Path, old: str, new: str, line: str, because: str
) -> None:
    refused(tmp_path, (HEAD + COMPONENT + RPM).replace(old, new), line, because)


TWICE = [
    DEB + DEB,
    DEB + DEB + 'architecture = "arm64"\n',
    DEB + 'architecture = "all"\n' + DEB + 'architecture = "arm64"\n',
    DEB + DEB.replace("bookworm", "trixie"),
    DEB + f'[[component.file]]\nurl = "https://example.org/libc6_1_all.deb"\nsha256 = "{SHA}"\n',
    RPM + RPM,
    RPM + f'[[component.file]]\nurl = "https://example.org/hi-1.0-1.noarch.rpm"\nsha256 = "{SHA}"\n',
]


@pytest.mark.parametrize("packages", TWICE)
def test_two_files_of_one_name_are_refused(tmp_path: Path, packages: str) -> None:
    with pytest.raises(ManifestError, match="two files"):
        read(tmp_path, HEAD + COMPONENT + packages)


def test_two_architectures_of_a_package_are_two_files(tmp_path: Path) -> None:
    both = DEB + 'architecture = "arm64"\n' + DEB + 'architecture = "amd64"\n'
    assert len(read(tmp_path, HEAD + COMPONENT + both).components[0].debs) == 2


def test_rights_of_uploaders_without_a_debian_source_are_refused(tmp_path: Path) -> None:
    refused(tmp_path, HEAD + COMPONENT + 'uploader_rights = "dm.txt"\n' + RPM, "uploader_rights", "without dsc")
