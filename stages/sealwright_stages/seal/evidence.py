"""The evidence folder: what is published, made from the sealed log and the products, and nothing else.

- Each product is hashed once more against the log before the seal, and again as it is copied; one that differs
  stops the run. So does a build that saw products which are not those of the release.
- Policy, keys, manifest and the policy's own signature lie in it as they were read when the run began; if they are
  others on the disk by now, nothing is sealed.
- `SHA256SUMS` holds products only, sorted: the same bytes for every builder that reproduced them.
- The folder is made under another name and renamed whole; an interrupted run makes it anew, a signed one is left
  as it is.
- It is signed only as it was made: what is another file by then, or was written to, is told.
- Whatever stops it leaves nothing half made.
"""

from __future__ import annotations

from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.note import Checkpoint
from sealwright_keyring.errors import KeyringError
from sealwright_keyring.policy import read_files
from sealwright_keyring.policy_sums import read_sums
from sealwright_stages.context import Context
from sealwright_stages.errors import LogError, MachineError, SigningError
from sealwright_stages.files import read_small, remove_tree, sha256_file, sync_folder, write_whole
from sealwright_stages.finish import Act
from sealwright_stages.needed import digest_now, seen_by
from sealwright_stages.plan import Plan
from sealwright_stages.seal.pages import how_to_verify, index_page
from sealwright_stages.seal.proofs import write_proofs
from sealwright_stages.sign.provenance import Told, sealed_log, told
from sealwright_stages.sign.release_signatures import SIGNED
from sealwright_stages.sign.sbom import SBOM
from sealwright_stages.state import Product
from sealwright_stages.state import published_path as published_path  # noqa: PLC0414 - known by this module's name, too
from sealwright_stages.verify.codes import RefusedError
from sealwright_stages.verify.copy import copy_judged

_NOTE = 1 << 20  # bytes of a checkpoint
_MOVE = "find out how it came there; move it away and run again to make and sign it anew"
PUT_BACK = "find out who changed it; put it back and run again, or begin anew with another --work DIR"


class EvidenceFolder:
    """Makes and names the evidence folder of a run."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.folder = context.work.evidence
        self._made: dict[str, tuple[int, ...]] = {}

    @property
    def signed(self) -> bool:
        """Whether every signature is there; a part of them is none, and the release is signed anew."""
        return all((self.folder / f"{name}.asc").exists() for name in SIGNED)

    def products(self) -> list[Product]:
        """The products as the log names them, sorted by their published path."""
        return sorted(self.context.journal.state.products.values(), key=published_path)

    def check_policy(self) -> None:
        """Compare manifest and keyring on the disk with what the run began with.

        Raises:
            LogError: one is another by now, so nothing is sealed.
        """
        if changed := policy_changed(self.context.plan):
            raise LogError("nothing was sealed", f"{changed} is not what the run began with", PUT_BACK)

    def check_products(self) -> None:
        """Hash every stored product against the log, and ask each build whether it saw those of what it needs.

        Raises:
            LogError: one is missing or differs, or a build saw another.
        """
        for product in self.products():
            path = self.context.work.products / product.component / product.name
            try:
                found = sha256_file(path)
            except OSError:
                found = "nothing"
            if found != product.sha256:
                raise _changed(product, f"{found[:16]}…")
        state = self.context.journal.state
        for name, needs in seen_by(self.context.plan.components()).items():
            if state.components[name].built_with != digest_now(state, needs):
                because = f"{name} was built with products that are not those of the release"
                raise LogError("nothing was sealed", because, f"run again: {name} is built again")

    def sums(self) -> bytes:
        """`SHA256SUMS` of the products."""
        return "".join(f"{p.sha256}  {published_path(p)}\n" for p in self.products()).encode()

    def provenance(self) -> bytes:
        """The in-toto statement about this build, as bytes to sign.

        Raises:
            SigningError: the evidence in the sealed log can't be read.
        """
        return self._told(self.folder).statement

    def _told(self, folder: Path) -> Told:
        """What the sealed log in `folder` tells, to be signed and to be published."""
        try:
            log = sealed_log(folder / "log")
            return told(self.context.journal.state, self.context.plan.manifest, log)
        except (OSError, ValueError) as error:
            because = f"the evidence in its log can't be read: {error}"
            raise SigningError("there is no provenance", because, _MOVE) from error

    def log_that_was_checked(self, folder: Path | None = None) -> str:
        """Tell of the sealed log in the evidence folder, whose root was just computed anew by the caller.

        Raises:
            SigningError: it is not the log that was sealed here.
        """
        note = read_small((folder or self.folder) / "log" / layout.SEALED, _NOTE).decode("utf-8")
        sealed = Checkpoint.parse(note.partition("\n\n")[0] + "\n")
        if sealed != self.context.journal.log.checkpoint:
            raise SigningError(
                f"{self.folder} is of another run", "its log is not the log that was sealed here", _MOVE
            )
        self.context.finishing.know(root=sealed.root.hex(), records=sealed.size)
        return f"computed here from {sealed.size:,} records, and it is the one that the log authority signed"

    def write(self) -> None:
        """Make the folder whole from the sealed log and the products; signatures come later.

        Raises:
            MachineError: the disk is full.
            LogError: a product is not the one in the log.
            LogLost: the authority does not hand over the sealed log.
        """
        fresh = self.folder.with_name("evidence.new")
        remove_tree(fresh)
        try:
            fresh.mkdir()
            with self.context.finishing.step(Act.ROOT) as say:
                self.context.journal.log.export(fresh / "log")
                say(self.log_that_was_checked(fresh))
            with self.context.finishing.step(Act.EVIDENCE, str(self.folder)):
                self._fill(fresh)
                remove_tree(self.folder)
                fresh.rename(self.folder)
                sync_folder(self.folder.parent)
                self._made = _files(self.folder)
                self.context.finishing.know(folder=str(self.folder))
        except OSError as error:
            remove_tree(fresh)
            raise MachineError(
                f"{self.folder} can't be written", error.strerror or str(error), "make room, run again"
            ) from error
        except BaseException:
            remove_tree(fresh)
            raise

    def check_untouched(self) -> None:
        """Look whether the folder holds the very files that `write` put there, and that nobody wrote to them.

        Raises:
            SigningError: one was changed, came or is gone.
        """
        now = _files(self.folder)
        if changed := sorted(name for name in now.keys() | self._made if now.get(name) != self._made.get(name)):
            because = f"{changed[0]} was changed after it was made, before it was signed"
            raise SigningError(
                "nothing was signed", because, "find out by whom; run again to make it anew and sign"
            )

    def _fill(self, fresh: Path) -> None:
        """Write all but the log."""
        for product in self.products():
            target = fresh / published_path(product)
            target.parent.mkdir(parents=True, exist_ok=True)
            self._copy(product, target)
        write_whole(fresh / "SHA256SUMS", self.sums())
        write_proofs(fresh / "log", self.products())
        self._policy(fresh / "policy")
        state, manifest = self.context.journal.state, self.context.plan.manifest
        write_whole(fresh / SBOM, self._told(fresh).sbom)
        write_whole(fresh / "HOW-TO-VERIFY.txt", how_to_verify(manifest).encode())
        write_whole(fresh / "verify.py", verifier().read_bytes(), 0o755)
        write_whole(fresh / "index.html", index_page(state, manifest).encode())

    def _copy(self, product: Product, target: Path) -> None:
        try:
            copy_judged(self.context.work.products / product.component / product.name, target, [product.sha256])
        except RefusedError as error:
            raise _changed(product, "other bytes") from error
        except MachineError as error:
            raise MachineError(f"{self.folder} can't be written", error.because, error.next_step) from error

    def _policy(self, folder: Path) -> None:
        plan = self.context.plan
        (folder / "keys").mkdir(parents=True)
        signed = plan.policy_signature.files if plan.policy_signature else {}
        for name, data in {"release.toml": plan.manifest.data, **plan.policy.files, **signed}.items():
            write_whole(folder / name, data)


def _files(folder: Path) -> dict[str, tuple[int, ...]]:
    """Each file and folder below `folder`: which one it is, its size, and when it was written to, as the kernel says."""
    found: dict[str, tuple[int, ...]] = {}
    for path in folder.rglob("*"):
        held = path.lstat()
        found[path.relative_to(folder).as_posix()] = held.st_ino, held.st_mode, held.st_size, held.st_ctime_ns
    return found


def policy_changed(plan: Plan) -> str:
    """The file of manifest or keyring that is not on the disk as it was read at the start; empty if all are."""
    manifest = plan.manifest
    try:
        if read_small(manifest.path, len(manifest.data), follow=True) != manifest.data:
            return str(manifest.path)
        now, then = read_files(manifest.keyring), dict(plan.policy.files)
        if plan.policy_signature:
            now, then = now | read_sums(manifest.keyring), then | dict(plan.policy_signature.files)
    except (OSError, KeyringError) as error:
        return str(error.what if isinstance(error, KeyringError) else manifest.path)
    changed = {name for name, _ in set(now.items()) ^ set(then.items())}
    return str(manifest.keyring / min(changed)) if changed else ""


def _changed(product: Product, found: str) -> LogError:
    return LogError(
        f"product {product.component}/{product.name}",
        f"the log says {product.sha256[:16]}…, the disk holds {found}",
        "something wrote into the products folder; find out what, then start a new release folder",
    )


def verifier() -> Path:
    """The stand-alone verifier that goes into each evidence folder."""
    import sealwright_appendlog  # noqa: PLC0415 - only its place is wanted

    return Path(sealwright_appendlog.__file__).with_name("verify.py")
