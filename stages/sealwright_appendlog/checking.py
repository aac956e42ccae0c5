"""The commands that read: check a log, prove a record, check a proof, cosign as a witness."""

from __future__ import annotations

import argparse
import os
import time
from pathlib import Path

from sealwright_appendlog import layout
from sealwright_appendlog.audit import LogBroken, check_log
from sealwright_appendlog.cosignature import WitnessKey
from sealwright_appendlog.keyfile import read_key, read_or_make_key
from sealwright_appendlog.note import VerifierKey, key_name, shown, told_name
from sealwright_appendlog.proof import check_carried, is_product, make_proof, parse_proof
from sealwright_appendlog.saved import Saved
from sealwright_appendlog.saying import FAILED, MEND, complain, one_line, say
from sealwright_appendlog.tree import ProofError
from sealwright_appendlog.witness import Witness, WitnessError, cosign


def check(options: argparse.Namespace) -> int:
    """Do what `options.command` names; gives the exit code.

    Raises:
        OSError, ValueError: a file can't be read, or is none of its kind. Unread: nobody hears the answer.
    """
    try:
        return _COMMANDS[options.command](options)
    except (LogBroken, WitnessError, ProofError) as error:
        complain(f"{options.command} failed", str(error), _next(error, options.command))
        return FAILED


def _next(error: Exception, command: str) -> str:
    if isinstance(error, WitnessError):
        return error.next_step
    if isinstance(error, LogBroken) and error.notes:
        return "keep the log and both notes as evidence, and show them to whoever keeps the log"
    if isinstance(error, LogBroken):
        return "get the log again, whole; if it says the same, believe nothing of it and ask whoever keeps it"
    if command == "verify-proof":
        return "don't use the file on this proof's word; get file, proof and key again, the key from elsewhere"
    return MEND


def _verify(options: argparse.Namespace) -> int:
    witnesses = [WitnessKey.parse(text) for text in options.witness]
    saved = [Saved(str(path), layout.whole(path, 1 << 20)) for path in options.checkpoint]
    try:
        report = check_log(options.dir, sums=options.sums, witnesses=witnesses, saved=saved)
    except LogBroken as error:
        for what, note in zip(("saved earlier", "sealed here"), error.notes, strict=False):
            say(f"{what}:\n{shown(note)}")
        raise
    say(f"whole: {report.records} records, {report.data_bytes} bytes, root {report.checkpoint.root.hex()}")
    for line in [*report.notices, *(f"stream {name} ended unclean" for name in report.unclean)]:
        say(f"notice: {line}")
    for cosigned in report.cosigned:
        say(f"cosigned: by {cosigned.witness.name} at {cosigned.when()}")
    for each in report.continued:
        say(f"continues: the checkpoint of {each.size} records in {one_line(each.name)}")
    return 0


def _vkey(options: argparse.Namespace) -> int:
    say(str(VerifierKey.parse((options.dir / layout.VKEY).read_text("ascii").removesuffix("\n"))))
    return 0


def _prove(options: argparse.Namespace) -> int:
    say(make_proof(options.dir, options.index).decode(), end="")
    return 0


def _verify_proof(options: argparse.Namespace) -> int:
    witnesses = [WitnessKey.parse(text) for text in options.witness]
    proof = layout.whole(options.proof)
    carried = check_carried(proof, VerifierKey.parse(options.log), witnesses)
    record, checkpoint = carried.record, carried.checkpoint
    say(f"record {record['n']} of {checkpoint.size} of {told_name(checkpoint.origin)}, at {record['t']}")
    for cosigned in carried.cosigned:
        say(f"cosigned: by {cosigned.witness.name} at {cosigned.when()}")
    if options.file is None:
        say(parse_proof(proof).extra.decode("ascii"))
        say("yes: this record is in the log")
        return 0
    if not is_product(carried, layout.sha256(Path(os.path.realpath(options.file)))):
        raise ProofError(f"the record does not say that {options.file} was a product")
    body = record["body"]
    say(f"yes: it was collected as the product {body.get('name')} of {body.get('component')}")
    say("not said by this: whether the release was signed, and kept that product (sealwright check says it)")
    return 0


def _cosign(options: argparse.Namespace) -> int:
    witness = Witness(key_name(options.name), read_key(options.key), options.state)
    try:
        done = cosign(witness, options.dir, VerifierKey.parse(options.log), int(time.time()), first=options.first)
    except WitnessError as error:
        for what, note in zip(("seen last", "shown now"), error.notes, strict=False):
            say(f"{what}:\n{shown(note)}")
        raise
    say(f"cosigned: by {done.witness.name} at {done.when()}")
    return 0


def _witness_key(options: argparse.Namespace) -> int:
    name = key_name(options.name)
    say(str(WitnessKey(name, read_or_make_key(options.key).public_key().public_bytes_raw())))
    return 0


_COMMANDS = {
    "verify": _verify,
    "vkey": _vkey,
    "prove": _prove,
    "verify-proof": _verify_proof,
    "cosign": _cosign,
    "witness-key": _witness_key,
}
