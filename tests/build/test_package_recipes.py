"""The recipes that make packages, with the real rpmbuild and dpkg-buildpackage in the real sandbox."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from build.packaging import SPEC, deb_tree, made, package_job, rpm_sources, tar_of, with_spec
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.manifest_build import VARIATIONS
from sealwright_stages.ports import Need

needs_rpm = pytest.mark.skipif(shutil.which("rpmbuild") is None, reason="rpmbuild is not installed")
pytestmark = pytest.mark.sandbox
DATED = 1793620800  # 2 November 2026, noon, as the Debian changelog says
DAY = DATED - 43200  # as the RPM's says, which names no hour


def said_of(package: Path, form: str) -> str:
    words = ["rpm", "-qp", "--nosignature", "--queryformat", form, str(package)]
    return subprocess.run(words, check=True, capture_output=True, text=True).stdout


@needs_rpm
def test_an_rpm_is_built_from_its_spec_and_verified_files_and_twice_the_same(
    builder: SandboxBuilder, tmp_path: Path
) -> None:
    what = package_job("rpm", rpm_sources(tmp_path / "sources"))
    one = made(builder, what, tmp_path / "one")
    assert one.result.exit == 0, one.said
    assert {name.split("-1.0-1.")[0] for name in one.products} == {"tiny", "tiny-doc"}
    assert "tiny-1.0-1.src.rpm" in one.products
    for path in (tmp_path / "sources").rglob("*"):
        os.utime(path, (1, 1))
    varied = builder.vary(what, [each for each in VARIATIONS if each != "path"], tmp_path)
    assert {"hostname", "locale", "timezone", "uid"} <= set(varied.changed)
    two = made(builder, replace(what, around=varied.around), tmp_path / "two")
    assert two.products == one.products, two.said
    elsewhere = replace(what, around=builder.vary(what, ["path"], tmp_path).around)
    assert made(builder, elsewhere, tmp_path / "three").products != one.products, "gcc -g writes down where it is"
    for name in one.products:
        facts = said_of(one.folder / name, "%{BUILDTIME} %{BUILDHOST} [%{FILEMTIMES} ]").split()
        assert facts[:2] == [str(DAY), "build"]
        assert all(int(time) <= DAY for time in facts[2:])


@needs_rpm
def test_an_rpm_without_a_changelog_bears_the_date_of_its_sources(builder: SandboxBuilder, tmp_path: Path) -> None:
    sources = rpm_sources(tmp_path / "sources")
    (sources / "source" / "tiny.spec").write_text(SPEC.partition("%changelog")[0])
    one = made(builder, package_job("rpm", sources, 86400), tmp_path / "one")
    assert one.result.exit == 0, one.said
    assert said_of(one.folder / "tiny-1.0-1.src.rpm", "%{BUILDTIME}") == "86400"


@needs_rpm
def test_an_rpm_whose_changelog_names_today_is_not_dated_in_the_future(
    builder: SandboxBuilder, tmp_path: Path
) -> None:
    today = datetime.now(UTC)
    sources = rpm_sources(tmp_path / "sources")
    (sources / "source" / "tiny.spec").write_text(SPEC.replace("Mon Nov 02 2026", today.strftime("%a %b %d %Y")))
    one = made(builder, package_job("rpm", sources), tmp_path / "one")
    assert one.result.exit == 0, one.said
    built = int(said_of(one.folder / "tiny-1.0-1.src.rpm", "%{BUILDTIME}"))
    assert built == today.replace(hour=0, minute=0, second=0, microsecond=0).timestamp()


@needs_rpm
def test_a_source_that_the_spec_names_and_nobody_verified_is_named(
    builder: SandboxBuilder, tmp_path: Path
) -> None:
    sources = rpm_sources(tmp_path / "sources")
    (sources / "files" / "tiny-1.0.tar.gz").unlink()
    (sources / "source" / "more.patch").unlink()
    one = made(builder, package_job("rpm", sources), tmp_path / "one")
    assert one.result.exit == 64
    assert one.result.last_line.startswith("the spec names what is not among the verified sources:")
    assert set(one.result.last_line.split()[-2:]) == {"tiny-1.0.tar.gz", "more.patch"}


@needs_rpm
@pytest.mark.parametrize(
    ("change", "spec", "because"),
    [
        (lambda s: (s / "source" / "tiny.spec").unlink(), "", "there is no spec file"),
        (lambda s: None, "other.spec", "there is no spec file other.spec"),
        (lambda s: shutil.copy(s / "source" / "tiny.spec", s / "files" / "x.spec"), "", "more than one spec file"),
        (lambda s: (s / "source" / "extra.txt").write_text("other\n"), "", "two different files"),
        (
            lambda s: (s / "source" / "tiny.spec").write_text(
                SPEC.replace("Nov 02 2026", "Nov 05 2096").replace("Mon", "Mon")
            ),
            "",
            "in the future",
        ),
    ],
    ids=["none", "misnamed", "two", "ambiguous-source", "future"],
)
def test_an_rpm_that_is_not_clear_is_refused(
    builder: SandboxBuilder, tmp_path: Path, change: object, spec: str, because: str
) -> None:
    sources = rpm_sources(tmp_path / "sources")
    change(sources)  # type: ignore[operator]
    one = made(builder, with_spec(package_job("rpm", sources), spec), tmp_path / "one")
    assert one.result.exit == 64, one.said
    assert because in one.result.last_line


@needs_rpm
def test_a_spec_is_found_by_the_path_that_names_it(builder: SandboxBuilder, tmp_path: Path) -> None:
    sources = rpm_sources(tmp_path / "sources")
    (sources / "source" / "rpm").mkdir()
    for name in ("tiny.spec", "more.patch"):
        (sources / "source" / name).rename(sources / "source" / "rpm" / name)
    (sources / "source" / "decoy.spec").write_text("%{error:no}")
    one = made(builder, with_spec(package_job("rpm", sources), "rpm/tiny.spec"), tmp_path / "one")
    assert one.result.exit == 0, one.said


@needs_rpm
def test_a_spec_may_read_its_sources_and_its_tree(builder: SandboxBuilder, tmp_path: Path) -> None:
    sources = rpm_sources(tmp_path / "sources")
    (sources / "source" / "version").write_text("1.0\n")
    (sources / "files" / "summary.inc").write_text("Summary: included\n")
    text = SPEC.replace("Version: 1.0", "Version: %(cat version)")
    text = text.replace("Summary: A tiny package\n", "Source9: summary.inc\n%include %{SOURCE9}\n", 1)
    (sources / "source" / "tiny.spec").write_text(text)
    one = made(builder, package_job("rpm", sources), tmp_path / "one")
    assert one.result.exit == 0, one.said
    assert said_of(one.folder / "tiny-1.0-1.src.rpm", "%{SUMMARY}") == "included"


@pytest.mark.parametrize("form", ["3.0 (native)", "3.0 (quilt)", "1.0"])
def test_a_deb_is_built_from_a_git_tree_of_any_source_format(
    builder: SandboxBuilder, tmp_path: Path, form: str
) -> None:
    what = package_job("deb", deb_tree(tmp_path / "sources", form, 'stat -c "control of %Y" debian/control'))
    around = replace(builder.vary(what, VARIATIONS, tmp_path).around, order="newest")
    assert around.place != "/build" and around.uid == 0
    one, two = made(builder, what, tmp_path / "one"), made(builder, replace(what, around=around), tmp_path / "two")
    assert one.result.exit == 0, one.said
    assert list(one.products) == ["tiny_1.0-1_all.deb"]
    assert {path.suffix for path in (tmp_path / "one/out/products").iterdir()} == {
        ".deb",
        ".buildinfo",
        ".changes",
    }
    assert one.products == two.products, two.said
    assert f"control of {DATED}" in one.said
    words = ["dpkg-deb", "--fsys-tarfile", str(one.folder / "tiny_1.0-1_all.deb")]
    held = subprocess.run(words, check=True, capture_output=True).stdout
    assert (b"patched" in held) == ("quilt" in form)


@pytest.mark.parametrize(("top", "suffix"), [("upstream-1.0/", ""), ("", ".gz")])  # "" signed uncompressed
def test_a_git_tree_with_debian_alone_is_laid_over_the_verified_orig_tarball(
    builder: SandboxBuilder, tmp_path: Path, suffix: str, top: str
) -> None:
    sources = deb_tree(tmp_path / "sources", upstream=False, probe="cat more/of/it.txt; test ! -e more/old.txt")
    (sources / "files").mkdir()
    inside = {
        "words.txt": "words\n",
        "debian/rules": "false\n",
        "debian/other": "not ours\n",
        "more/old.txt": "old\n",
    }
    tar_of(sources / "files" / f"tiny_1.0.orig.tar{suffix}", inside, top)
    tar_of(sources / "files" / f"tiny_1.0.orig-more.tar{suffix}", {"of/it.txt": "a part\n"}, "other/")
    one = made(builder, package_job("deb", sources), tmp_path / "one")
    assert one.result.exit == 0, one.said
    assert list(one.products) == ["tiny_1.0-1_all.deb"]
    assert "a part" in one.said


@pytest.mark.skipif(shutil.which("fakeroot") is None, reason="fakeroot is not installed")
def test_a_deb_can_hold_files_of_another_owner_than_root(builder: SandboxBuilder, tmp_path: Path) -> None:
    probe = "mkdir -p debian/tiny/var/shared && chown 0:50 debian/tiny/var/shared"
    sources = deb_tree(tmp_path / "sources", "3.0 (native)", probe)
    for name, old, new in (
        ("control", "Rules-Requires-Root: no", "Rules-Requires-Root: binary-targets"),
        ("rules", "--root-owner-group ", ""),
    ):
        path = sources / "source" / "debian" / name
        path.write_text(path.read_text().replace(old, new))
    one = made(builder, package_job("deb", sources), tmp_path / "one")
    assert one.result.exit == 0, one.said
    words = ["dpkg-deb", "--contents", str(one.folder / "tiny_1.0-1_all.deb")]
    listed = subprocess.run(words, check=True, capture_output=True, text=True).stdout
    owners = {line.split()[5]: line.split()[1] for line in listed.splitlines()}
    assert owners["./var/shared/"] == "root/50"  # the group has no name in a root without /etc/group of its own
    assert owners["./usr/share/tiny/words.txt"] == "root/root"


def test_a_deb_without_a_dsc_or_debian_is_refused(builder: SandboxBuilder, tmp_path: Path) -> None:
    sources = tmp_path / "sources"
    (sources / "source").mkdir(parents=True)
    one = made(builder, package_job("deb", sources), tmp_path / "one")
    assert one.result.exit == 64
    assert "or a git tree with debian/" in one.result.last_line


PROBE = 'echo "[$$(umask) $$(hostname) $$LC_ALL $$TZ $$HOME $$SOURCE_DATE_EPOCH $$(pwd) $$(id -u) $$NEEDS]"'


@needs_rpm
@pytest.mark.parametrize(
    ("recipe", "where", "epoch"),
    [
        ("commands", "/build/tiny", 86400),
        ("deb", "/build/reproducible-path/tiny-1.0", DATED),
        ("rpm", "/build/rpmbuild/BUILD/tiny-1.0", DAY),
    ],
)
def test_every_recipe_sets_umask_hostname_locale_zone_home_date_path_and_uid(
    builder: SandboxBuilder, tmp_path: Path, recipe: str, where: str, epoch: int
) -> None:
    sources, probe = tmp_path / "sources", PROBE.replace("$$", "$")
    if recipe == "rpm":
        spec = rpm_sources(sources) / "source" / "tiny.spec"
        spec.write_text(SPEC.replace("gcc -g", f"{probe}\ngcc -g"))
    else:
        deb_tree(sources, probe=PROBE)
    (tmp_path / "lib").mkdir()
    what = package_job(recipe, sources)
    job = type(what)(
        **{**what.__dict__, "commands": (probe, "touch $OUT/x"), "needs": (Need("lib", tmp_path / "lib"),)}
    )
    before = os.umask(0o077)
    try:
        one = made(builder, job, tmp_path / "one")
    finally:
        os.umask(before)
    assert one.result.exit == 0, one.said
    assert f"[0022 build C.UTF-8 UTC /nonexistent {epoch} {where} 0 /needs]" in one.said
