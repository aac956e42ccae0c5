"""Which gpg may be asked: by its release, or by what its distribution says that it mended."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from sealwright_keyring.gpg_fixes import FIXES, changelog_of, missing_fixes


def names(version: str, changelog: str = "") -> list[str]:
    return [fix.name for fix in missing_fixes(version, changelog)]


@pytest.mark.parametrize(
    ("version", "missing"),
    [
        ("2.2.35", ["CVE-2022-34903", "CVE-2025-30258", "CVE-2025-68973"]),
        ("2.2.36", ["CVE-2025-30258", "CVE-2025-68973"]),
        ("2.2.51", ["CVE-2025-30258"]),
        ("2.3.6", ["CVE-2022-34903", "CVE-2025-30258", "CVE-2025-68973"]),
        ("2.3.8", ["CVE-2025-30258", "CVE-2025-68973"]),
        ("2.4.7", ["CVE-2025-30258", "CVE-2025-68973"]),
        ("2.4.8", ["CVE-2025-68973"]),
        ("2.4.9", []),
        ("2.5.4", ["CVE-2025-30258", "CVE-2025-68973"]),
        ("2.5.14", []),
        ("2.6.0", []),
        ("1.4.23", ["CVE-2022-34903", "CVE-2025-30258", "CVE-2025-68973"]),
    ],
)
def test_a_fix_is_there_if_the_release_has_it(version: str, missing: list[str]) -> None:
    assert names(version) == missing


def test_a_fix_is_there_if_the_changelog_names_it() -> None:
    assert "CVE-2022-34903" not in names("2.2.27", "  * fix garbled status messages (CVE-2022-34903)\n")


def test_a_version_that_cannot_be_read_has_no_fix() -> None:
    assert missing_fixes("gpg, probably") == FIXES


def test_only_the_distributions_gpg_has_the_distributions_changelog(tmp_path: Path) -> None:
    path = tmp_path / "changelog.gz"
    path.write_bytes(gzip.compress(b"fixes CVE-2022-34903\n"))
    assert changelog_of("/usr/bin/gpg", path)
    assert not changelog_of("/usr/local/bin/gpg", path)


def test_a_changelog_that_cannot_be_read_mends_nothing(tmp_path: Path) -> None:
    path = tmp_path / "changelog.gz"
    path.write_bytes(gzip.compress(b"fixes CVE-2022-34903\n")[:-12])
    assert changelog_of("/usr/bin/gpg", path) == ""
    assert changelog_of("/usr/bin/gpg", tmp_path / "none") == ""
