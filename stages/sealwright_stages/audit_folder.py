"""What may lie in an evidence folder: the files that a release has, each a plain file, and nothing else.

- Before anything is opened, everything in the folder is a plain file or a folder: no link, pipe or device.
- Every file is one that the manifest and the log name; what is in no list is named as a stranger.
- The pages for people and `verify.py` are the ones that this version writes from that log and manifest. What
  another version wrote can't be compared, and is told.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.tiles import WIDTH, tile_path
from sealwright_keyring.policy import load_policy
from sealwright_stages import VERSION, audit_attestation
from sealwright_stages.files import read_small
from sealwright_stages.findings import Finding, advice, bad, good, unchecked
from sealwright_stages.manifest import Manifest
from sealwright_stages.seal.evidence import published_path, verifier
from sealwright_stages.seal.pages import but_for_signatures, evidence_page, how_to_verify
from sealwright_stages.seal.proofs import proof_name
from sealwright_stages.sign.sbom import SBOM
from sealwright_stages.state import State

_MAX_SIGNATURES = 4 << 20  # bytes of those in a page, more than in another
_MOST = 20  # findings of one kind
_MAX_ENTRIES = 2_000_000
_LOG = (layout.INDEX, layout.SEALED, layout.CHECKPOINT, layout.VKEY, layout.SUMS, f"{layout.SUMS}.asc")
_TOP = ("SHA256SUMS", "SHA256SUMS.asc", "HOW-TO-VERIFY.txt", "verify.py", "index.html", SBOM)


def irregular(evidence: Path) -> list[Finding]:
    """Whatever is neither a plain file nor a folder; the folder itself may be reached through a link."""
    found: list[Finding] = []
    try:
        for count, (name, mode) in enumerate(_walk(evidence)):
            if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
                found.append(bad("folder", f"{name} is a {_kind(mode)}, and no plain file", "folder-plain"))
            if len(found) == _MOST or count == _MAX_ENTRIES:
                return found or [
                    bad("folder", f"it has more than {_MAX_ENTRIES} files: no release has", "folder-plain")
                ]
    except OSError as error:
        return [bad("folder", f"{error.filename}: {error.strerror}", "folder-plain")]
    return found


def strangers(evidence: Path, allowed: Collection[str]) -> list[Finding]:
    """Each file that is in no list, and each folder that holds none of a list."""
    folders = {parent.as_posix() for name in allowed for parent in Path(name).parents}
    found = [
        bad("folder", f"{name} is in no list of this release", "folder-listed")
        for name, mode in _walk(evidence)
        if name not in (folders if stat.S_ISDIR(mode) else allowed)
    ]
    return found[:_MOST] or [
        good("folder", f"it holds the {len(allowed)} files of a release, and no others", "folder-listed")
    ]


def listed(
    manifest: Manifest, policy: Collection[str], state: State, segments: Collection[str], size: int
) -> set[str]:
    """The path of every file that this release may have; `policy` names those of the policy and its signature.

    `size` is the number of the log's records.
    """
    names = {*_TOP, "policy/release.toml"}
    names |= {f"policy/{name}" for name in policy}
    names |= {f"provenance.{signer}.dsse.json" for signer in manifest.signers}
    names |= {f"log/{name}" for name in (*_LOG, *segments, *_tiles(size))}
    names |= audit_attestation.listed(manifest)
    for product in state.products.values():
        names |= {published_path(product), f"log/proofs/{proof_name(product)}"}
    return names


def pages(evidence: Path, manifest: Manifest, state: State) -> list[Finding]:
    """Whether verify.py and the pages are what this version makes.

    One that was made before the signatures that lie there now is told, and no fault: no more than a signature is added.
    """
    findings = []
    try:
        made = _made(evidence, manifest, state)
    except OSError as error:  # a signature of a terabyte, a folder in its place: no page is made of such
        return [bad("index.html", f"{error.filename}: {error.strerror}: no page can be made of it", "pages")]
    for name, data in made.items():
        try:
            held = read_small(evidence / name, len(data) + _MAX_SIGNATURES)
        except FileNotFoundError:
            findings.append(bad(name, "it is missing", "pages"))
            continue
        except OSError:
            held = b""
        if held == data:
            continue
        if state.tool != VERSION:
            told = (
                f"Sealwright {state.tool} made it, and this is {VERSION}: not compared, so don't run or follow it"
            )
            findings.append(unchecked(name, told))
        elif name == "index.html" and but_for_signatures(held) == but_for_signatures(data):
            findings.append(advice(name, "it was written before the signatures that lie here now"))
        else:
            findings.append(bad(name, f"it is not what Sealwright {VERSION} writes for this release", "pages"))
    return findings or [
        good("pages", "verify.py and the pages are what Sealwright writes for this release", "pages")
    ]


def _made(evidence: Path, manifest: Manifest, state: State) -> dict[str, bytes]:
    """The files for people as this version makes them; without a policy that can be read there is no page."""
    return {
        "verify.py": verifier().read_bytes(),
        "HOW-TO-VERIFY.txt": how_to_verify(manifest).encode(),
        "index.html": evidence_page(evidence, manifest, load_policy(evidence / "policy"), state),
    }


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    """Path below the folder and mode of all that lies in it, by lstat; links are not followed."""
    waiting = [""]
    while waiting:
        parent = waiting.pop()
        with os.scandir(folder / parent) as entries:
            for entry in entries:
                name, mode = parent + entry.name, entry.stat(follow_symlinks=False).st_mode
                yield name, mode
                if stat.S_ISDIR(mode):
                    waiting.append(f"{name}/")


def _kind(mode: int) -> str:
    kinds = {stat.S_IFLNK: "symbolic link", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket"}
    return kinds.get(stat.S_IFMT(mode), "device")


def _tiles(size: int) -> Iterator[str]:
    """The tiles of a tree of `size` leaves, and its bundles of entries."""
    for level in ("entries", *range(8)):
        held = size if level == "entries" else size >> (8 * int(level))
        yield from (tile_path(level, number) for number in range(held // WIDTH))
        if held % WIDTH:
            yield tile_path(level, held // WIDTH, held % WIDTH)
