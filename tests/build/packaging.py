"""Small sources of real packages: an RPM's spec with its files, a git tree with debian/; and how they are built."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass, replace
from pathlib import Path

from build.workbench import HOST, WIDE, Remembered
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.files import sha256_file
from sealwright_stages.ports import BuildJob, BuildResult

SPEC = """Name: tiny
Version: 1.0
Release: 1
Summary: A tiny package
License: MIT
Source0: https://example.org/%{name}-%{version}.tar.gz
Source1: extra.txt
Patch0: more.patch
BuildRequires: gcc
%description
Tiny.
%package doc
Summary: What there is to read
BuildArch: noarch
%description doc
To read.
%prep
%autosetup -p1
%build
gcc -g -O2 -o tiny tiny.c
%install
install -D tiny %{buildroot}/usr/bin/tiny
install -D -m 644 %{SOURCE1} %{buildroot}/usr/share/tiny/extra.txt
date > %{buildroot}/usr/share/tiny/made || :
hostname >> %{buildroot}/usr/share/tiny/made
echo "$SOURCE_DATE_EPOCH" > %{buildroot}/usr/share/tiny/made
%files
/usr/bin/tiny
%files doc
/usr/share/tiny
%changelog
* Mon Nov 02 2026 A Manager <manager@example.org> - 1.0-1
- first
"""
PATCH = """--- a/tiny.c
+++ b/tiny.c
@@ -1 +1,2 @@
+/* patched */
 int main(void) { return 0; }
"""
CHANGELOG = """tiny (1.0-1) unstable; urgency=low

  * First.

 -- A Manager <manager@example.org>  Mon, 02 Nov 2026 12:00:00 +0000
"""
CONTROL = """Source: tiny
Section: misc
Priority: optional
Maintainer: A Manager <manager@example.org>
# the compiler is essential for building
Build-Depends: dpkg-dev (>= 1.20),
# and this too
 tar
Rules-Requires-Root: no
Standards-Version: 4.6.2

Package: tiny
Architecture: all
Description: tiny
 Tiny.
"""
RULES = """#!/usr/bin/make -f
build build-arch build-indep:
clean:
binary-arch:
binary binary-indep:
\t{probe}
\tmkdir -p debian/tiny/DEBIAN debian/tiny/usr/share/tiny
\tcat words.txt > debian/tiny/usr/share/tiny/words.txt
\tdpkg-gencontrol -Pdebian/tiny
\tdpkg-deb --root-owner-group --build debian/tiny ..
"""
QUILT = """--- a/words.txt
+++ b/words.txt
@@ -1 +1,2 @@
 words
+patched
"""


def tar_of(path: Path, files: dict[str, str], top: str) -> Path:
    """A tar, compressed if its name ends in .gz, with `top` before each name."""
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(f"{top}{name}")
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return path


def rpm_sources(sources: Path) -> Path:
    """A git tree with the spec, a patch beside it, and files."""
    for part in ("source", "files"):
        (sources / part).mkdir(parents=True)
    (sources / "source" / "tiny.spec").write_text(SPEC)
    (sources / "source" / "more.patch").write_text(PATCH)
    (sources / "files" / "extra.txt").write_text("extra\n")
    tar_of(sources / "files" / "tiny-1.0.tar.gz", {"tiny.c": "int main(void) { return 0; }\n"}, "tiny-1.0/")
    return sources


def deb_tree(sources: Path, form: str = "3.0 (quilt)", probe: str = "true", *, upstream: bool = True) -> Path:
    """A git tree with debian/, and with the upstream part or without."""
    debian = sources / "source" / "debian"
    (debian / "source").mkdir(parents=True)
    for name, text in {"changelog": CHANGELOG, "control": CONTROL, "source/format": f"{form}\n"}.items():
        (debian / name).write_text(text)
    (debian / "rules").write_text(RULES.format(probe=probe))
    (debian / "rules").chmod(0o755)
    if "quilt" in form:
        (debian / "patches").mkdir()
        (debian / "patches" / "series").write_text("more.patch\n")
        (debian / "patches" / "more.patch").write_text(QUILT)
    if upstream:
        (sources / "source" / "words.txt").write_text("words\n")
    return sources


def package_job(recipe: str, sources: Path, epoch: int = 86400) -> BuildJob:
    """A build of these sources by a recipe for packages, on the host's /usr."""
    return BuildJob("tiny", recipe, (), HOST, sources, epoch, WIDE, ())


@dataclass
class Made:
    """How a build went, what it said, and its products' SHA-256 by name."""

    result: BuildResult
    stream: Remembered
    products: dict[str, str]
    folder: Path

    @property
    def said(self) -> str:
        """All that it said."""
        return (self.stream.data["D"] + self.stream.data["E"]).decode()


def made(builder: SandboxBuilder, job: BuildJob, place: Path) -> Made:
    """Build below `place`, and collect if it went well."""
    out = place / "out"
    out.mkdir(parents=True)
    stream = Remembered()
    result = builder.run(job, out, stream, lambda sample: None, lambda: "")
    folder = place / "products"
    if result.exit == 0:
        builder.collect(job, out, folder)
    products = {path.name: sha256_file(path) for path in folder.iterdir()} if result.exit == 0 else {}
    return Made(result, stream, products, folder)


def with_spec(job: BuildJob, spec: str) -> BuildJob:
    """The same, with a named spec file."""
    return replace(job, spec=spec)


def small_root(folder: Path, mark: str) -> Path:
    """A tar of a root with a shell and little more, copied from this machine; /etc/mark says `mark`."""
    tree = folder / "tree"
    for name in ("sh", "mkdir", "cp", "find", "touch", "cat", "ls"):
        program = Path(shutil.which(name) or name).resolve()
        said = subprocess.run(["ldd", program], capture_output=True, text=True, check=True).stdout
        for source in {str(program), *re.findall(r"(/\S+) \(", said)}:
            place = f"bin/{name}" if source == str(program) else source.lstrip("/")
            (tree / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, tree / place)
    (tree / "etc").mkdir()
    (tree / "etc" / "mark").write_text(mark)
    path = folder / "root.tar"
    subprocess.run(["tar", "--create", "--file", path, "--directory", tree, "."], check=True)
    return path
