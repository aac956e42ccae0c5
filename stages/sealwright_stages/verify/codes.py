"""Every code that a fetch or a check may give, with a sentence for each.

- A verdict's code comes from `CODES`; one that is not there can't be given.
- A code never changes its meaning: scripts and waivers name it. Those of `WAIVABLE` alone may be warnings.
- `docs/reference/verdict-codes.md` and `sealwright explain` say what stands here.
- Text from outside enters a reason only through `shown`, as printable characters.
"""

from __future__ import annotations

from collections.abc import Mapping

from sealwright_keyring.verdicts import CODES as KEYRING_CODES
from sealwright_stages.errors import FetchError
from sealwright_stages.verdict import Evidence, Failed, Passed, Warned

CODES: Mapping[str, str] = {
    **KEYRING_CODES,
    "ok": "All is as demanded.",
    # arriving
    "fetch-failed": "The source did not arrive.",
    "fetch-refused": "The address is not of a kind that is fetched.",
    "host-key-unknown": "The ssh server's key is none of those in known_hosts.",
    "fetch-too-large": "More bytes came than the limit, or than the signed index announced.",
    "fetch-too-slow": "The other side sent too little, or it took longer than the limit.",
    "redirect-other-host": "The server sent us on to another host, or from https back to http.",
    "ref-missing": "The repository does not have the ref that was asked for.",
    "quarantine-odd-file": "The quarantine holds something that is no plain file or folder.",
    "repository-crooked": "The fetched repository points outside itself, or can't be read.",
    # digests
    "digest-mismatch": "The bytes do not have the SHA-256 that was asked for.",
    "size-mismatch": "The file is not as long as the signed index says.",
    "changed-since-verified": "The bytes are not the ones that were judged.",
    # files from the inside
    "decompress-failed": "The file is not whole in the compression that its name says, or goes on after its end.",
    "archive-bomb": "More comes out of the file than the limits allow: bytes, members, memory or time.",
    "archive-refused": "The archive can't be read as one whole, or holds what could reach outside or hide.",
    # git objects
    "object-malformed": "A git object is not written as git writes it.",
    "object-hash-mismatch": "A git object does not have the name that it is asked for by.",
    "object-too-large": "A git object is larger than the limit.",
    "tag-lightweight": "The tag is no signed object, just a pointer.",
    "tag-timestamped": "A proof by OpenTimestamps follows the tag's signature, which does not cover it.",
    "tag-name-mismatch": "The signed tag bears another name than the one that was asked for.",
    "tag-not-a-commit": "The signed tag names something that is no commit.",
    "commit-signed-only": "A signed commit says who wrote it, not that it was to be released.",
    "commit-mismatch": "The commit is not the one that was asked for.",
    "tree-refused": "The tree holds a name, a mode or a link that could reach outside or hide.",
    "tree-submodule": "The tree holds a submodule that was not declared: no signature here covers its content.",
    "submodule-absent": "A declared submodule is not in the tree.",
    "submodule-mismatch": "The tree names another commit for its submodule than the one that was signed.",
    "history-elsewhere": "The commit is not shown to descend from the component's trust root.",
    # signatures, besides those of the keyring
    "signature-missing": "It is not signed, or its signature did not arrive.",
    "signature-ambiguous": "More than one signature block, or bytes around it: unclear what is signed.",
    "signature-kind-unsupported": "The signature is of a kind that is not checked here.",
    "threshold-not-met": "Fewer distinct persons signed than the policy demands.",
    "keyring-unusable": "The chosen keys can't be used as they are.",
    # Debian
    "archive-suite-mismatch": "The signed index is of another suite than the one that was asked for.",
    "archive-expired": "The signed index says that it is no longer valid.",
    "archive-in-future": "The signed index bears a date that is still to come.",
    "archive-index-malformed": "An index of the archive is not written as Debian writes it.",
    "archive-digest-missing": "The signed index names no SHA-256 for what is needed.",
    "archive-package-missing": "The archive's index does not have the package.",
    "dsc-malformed": "The .dsc is not written as Debian writes it.",
    "dsc-file-unlisted": "A file lies there that the .dsc does not name, or the other way round.",
    "dsc-mismatch": "The .dsc names another package, version or file than the archive's index does.",
    "archive-package-ambiguous": "The archive's index has more than one package that would do.",
    "uploader-rights-unproven": "Nothing shows that this Debian Maintainer may upload this package.",
    # RPM
    "rpm-malformed": "The package is not written as RPM (format 4) writes it.",
    "rpm-signature-legacy": "The package carries a signature of the old kind, over header and payload at once.",
    "rpm-digest-weak": "The package's header or payload has no digest of SHA-256 or better.",
    "rpm-mismatch": "The signed header is of another package than the one that was asked for.",
    "rpm-unsigned-extra": "The package carries file signatures that its own signature does not cover.",
    # the verified folder
    "sources-changed": "The verified sources are not as they were when they were promoted.",
    "need-changed": "The products that the build was to see are not as they were logged.",
    "sources-missing": "The verified sources, or their manifest, are not there.",
    "path-taken": "Two sources of the component want to write the same path.",
    # memory
    "tag-moved": "The tag is another object than an earlier release accepted under its name.",
    "version-went-back": "The version is older than one that an earlier release accepted.",
    "archive-went-back": "The archive's index is older than one that an earlier release went by.",
    "file-changed": "The file has other bytes than an earlier release accepted.",
    "pin-changed": "The manifest pins other bytes at this address than an earlier release accepted.",
    "nothing-new": "It is older than the days after which the manifest calls it stale.",
    # the engine's
    "check-crashed": "The check itself failed.",
    "check-missing": "The check was not made.",
    "not-fetched": "There was nothing to check.",
    # builds and their roots
    "build-failed": "The build did not end with exit 0, was killed at a limit, or could not be run.",
    "recipe-refused": "The recipe is unknown, or the component lacks what it needs.",
    "products-missing": "A declared pattern found nothing.",
    "second-build-failed": "The second build of the component failed, could not be run, or had a product that is refused.",
    "not-reproduced": "A second build gave other bytes, or other products.",
    "product-refused": "A product is no plain file with one plain name, or there are too many, or they are too large.",
    "environment-refused": "What the manifest or a Build-Depends asks for names no package, suite or relation.",
    "environment-failed": "The build root could not be made or unpacked.",
    "packages-missing": "The host lacks what the build asks for.",
    "index-changed": "Apt went by another index than the one that was verified.",
    "package-not-in-index": "A package of the root is not in the signed index.",
    "package-mismatch": "A package that the mirror gives is not the one that the signed index names.",
    # products beside what others made of the same source
    "differs-from-archive": "A product is not, byte for byte, the package that the archive published under its name.",
    "not-in-archive": "The archive published no package of the product's name, version and architecture.",
    "reference-missing": "There is no package among the products, so nothing was compared with the archive.",
}
WAIVABLE = frozenset(
    {
        "commit-signed-only",
        "differs-from-archive",
        "key-expired-since",
        "not-in-archive",
        "not-reproduced",
        "nothing-new",
        "pin-changed",
        "rotation-overdue",
        "rpm-unsigned-extra",
        "tag-timestamped",
        "text-mode",
        "unhashed-extra",
        "uploader-rights-unproven",
    }
)


def passed(reason: str, subject_sha256: str, evidence: Evidence | None = None) -> Passed:
    """A green verdict about the bytes with that SHA-256."""
    return Passed(reason, subject_sha256, evidence or {})


def warned(code: str, reason: str, next_step: str, subject: str, evidence: Evidence | None = None) -> Warned:
    """A yellow verdict; KeyError for a code that `WAIVABLE` doesn't have."""
    if not WAIVABLE.issuperset(code.split("+")):
        raise KeyError(f"{code} is no documented warning")
    return Warned(code, reason, next_step, subject, evidence or {})


def failed(code: str, reason: str, next_step: str, subject: str = "", evidence: Evidence | None = None) -> Failed:
    """A red verdict; KeyError for a code that `CODES` doesn't have."""
    return Failed(_known(code), reason, next_step, subject, evidence or {})


class RefusedError(Exception):
    """Something inside a check was refused; becomes a `Failed` where the check ends."""

    def __init__(self, code: str, reason: str, next_step: str) -> None:
        super().__init__(reason)
        self.code, self.reason, self.next_step = _known(code), reason, next_step

    def verdict(self, subject: str = "", evidence: Evidence | None = None) -> Failed:
        """The red verdict that this refusal is."""
        return Failed(self.code, self.reason, self.next_step, subject, evidence or {})


def path_taken(path: str) -> RefusedError:
    """The refusal of a path where another source of the component has written already."""
    return RefusedError(
        "path-taken",
        f"two sources of the component write {shown(path)}",
        "rename one of them, or make it a component of its own",
    )


def not_fetched(code: str, what: str, because: str, next_step: str) -> FetchError:
    """The error of a fetch; KeyError for a code that `CODES` doesn't have."""
    return FetchError(what, because, next_step, _known(code))


def shown(text: str | bytes, limit: int = 200) -> str:
    """Text from outside as printable characters only: controls, bidi marks and the like as escapes."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    kept = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text[:limit])
    return kept + ("..." if len(text) > limit else "")


def _known(code: str) -> str:
    for part in code.split("+"):  # several weaknesses of one signature come joined
        if part not in CODES:
            raise KeyError(f"{part} is no documented code")
    return code
