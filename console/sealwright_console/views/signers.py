"""Who has signed of those who must, how the signer's work goes, and what to do afterwards. Pure functions.

- A person has signed whose good signature over each of the signed files the verifying code found on the disk.
- What is shown of a check is what was checked, by which program; nothing else is claimed.
- What was refused or lost is red, with its reason and the next step.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from sealwright_console.figures import clock, grouped
from sealwright_console.lines import MARKS, Line, Part, Tone, fit, mark, tone_of, wrap
from sealwright_console.views.header import SIGNING, signed_live
from sealwright_console.views.seal import step_lines
from sealwright_stages.finish import Act, Check, Finish, Signer
from sealwright_stages.verdict import Status

_LABEL = 11
_BAR = 24
_PERSON, _FILE = 20, 18
_ELSEWHERE = "not asked here: signs a copy of this evidence, see docs/how-to/use-your-own-release-key.md"


def bar_line(finish: Finish) -> Line:
    """`signers     ████████▁▁▁▁  1 of 2`, from verified signatures."""
    count, wanted = len(finish.persons), finish.threshold
    full = _BAR * min(count, wanted) // wanted if wanted else 0
    done = count >= wanted > 0
    tone = Tone.PASSED if done else Tone.RUNNING
    told = f"  {count} of {wanted}" + (f" {MARKS[Status.PASSED]} enough" if done else " needed")
    label = Part(f"  {'signers':<{_LABEL}} ", Tone.DIM)
    return (label, Part("█" * full, tone), Part("▁" * (_BAR - full), Tone.DIM), Part(told, tone))


def signer_lines(finish: Finish, width: int) -> list[Line]:
    """The bar, then each person: how it stands with the signature, and the fingerprint in fours."""
    lines: list[Line] = [bar_line(finish)] if finish.threshold else []
    for signer in finish.signers:
        status, told, keys = _standing(finish, signer)
        head = (Part("  "), mark(status), Part(f" {fit(signer.person, _PERSON)} ", Tone.HEAD))
        lines += wrap((*head, Part(told, tone_of(status))), width, _PERSON + 5)
        lines += [piece for key in keys for piece in wrap((Part("    "), Part(grouped(key), Tone.DIM)), width, 4)]
    return lines


def _standing(finish: Finish, signer: Signer) -> tuple[Status, str, tuple[str, ...]]:
    """How a person stands, in words, and the fingerprints that matter."""
    made = [check for check in finish.checks if check.person == signer.person]
    if signer.person in finish.persons:
        return Status.PASSED, f"signed {_when(made[0].made)}", tuple(dict.fromkeys(c.fingerprint for c in made))
    if made:
        return Status.WARNED, f"signed {made[0].file} only", tuple(dict.fromkeys(c.fingerprint for c in made))
    if not set(signer.keys) & set(finish.asked):
        return Status.PENDING, _ELSEWHERE, signer.keys
    last = finish.steps[-1] if finish.steps else None
    if last is not None and last.status is Status.FAILED:
        return Status.FAILED, "asked, and has not signed", signer.keys
    at = finish.step(Act.ANSWER)
    since = f" since {clock(at.began)}" if at is not None else ""
    return Status.RUNNING, f"asked, waiting{since}", signer.keys


def _when(stamp: str) -> str:
    return f"{stamp[:10]} {clock(stamp)} UTC"


def work_lines(finish: Finish, width: int) -> list[Line]:
    """What the sign stage does and did, and what to look at while the key itself is asked."""
    steps = [step for act in SIGNING if (step := finish.step(act)) is not None]
    if finish.steps and finish.steps[-1].status is Status.FAILED and finish.steps[-1] not in steps:
        steps.append(finish.steps[-1])
    lines: list[Line] = []
    for step in steps:
        lines += step_lines(step, width, finish.seconds if step is finish.steps[-1] else 0)
    last = finish.steps[-1] if finish.steps else None
    if last is not None and last.act is Act.KEY and last.status is Status.RUNNING:
        lines += _look_at(finish, width)
    return lines


def _look_at(finish: Finish, width: int) -> list[Line]:
    told = (
        ("signer", finish.where),
        ("look at", "the prompt of the key: a window of pinentry, a card's reader, or the signer's own terminal"),
        ("compare", "the digest that it shows, if it shows one, with the one below"),
        ("no prompt", "it may need none; without an answer it is given up after 2 min"),
    )
    return [
        piece
        for label, text in told
        for piece in wrap((Part(f"  {label:<{_LABEL}} ", Tone.DIM), Part(text)), width, _LABEL + 3)
    ]


def outcome_line(finish: Finish, release: str) -> Line:
    """In one line how it stands after the answer."""
    signed = signed_live(finish)
    if signed is None:
        return (Part("SIGN  ", Tone.HEAD), Part(release))
    count = f", by {len(finish.persons)} of {finish.threshold}"
    words = {
        Status.PASSED: ("SIGNED", f"final{count}"),
        Status.WARNED: ("SIGNED", f"not final yet{count}"),
        Status.FAILED: ("NOT SIGNED", "sealed, and as it was before"),
        Status.RUNNING: ("SIGNING", "the signer is at work"),
    }
    word, tail = words[signed]
    tone = tone_of(signed)
    return (mark(signed), Part(f" {word}  ", tone), Part(f"{release}  ", Tone.HEAD), Part(tail, tone))


def check_lines(finish: Finish, width: int) -> list[Line]:
    """Each good signature as it was found: file, person, when made, and by what it was checked."""
    if not finish.checks:
        return []
    counted = finish.step(Act.COUNT)
    at = f" at {clock(counted.ended or counted.began)} UTC" if counted is not None else ""
    lines: list[Line] = [(Part(f"verified, as the files lay on the disk{at}", Tone.HEAD),)]
    several = len({check.person for check in finish.checks}) > 1
    for check in finish.checks:
        whose = f"{check.person}: " if several else ""
        head = (Part("  "), mark(Status.PASSED), Part(f" {fit(f'{check.file}.asc', _FILE)}  "))
        lines += wrap((*head, Part(f"{whose}{_found(check)}", Tone.DIM)), width, _FILE + 6)
    return lines


def _found(check: Check) -> str:
    second = f", own check {check.second}" if check.second else ""
    return f"{check.tool} good{second}"


def by_hand(finish: Finish) -> tuple[str, ...]:
    """The commands that check it without us, in their order; as HOW-TO-VERIFY.txt has them."""
    if not finish.folder:
        return ()
    return (
        f"cd {shlex.quote(finish.folder)}",
        'export GNUPGHOME="$(mktemp -d)"',
        "gpg --import policy/keys/*.asc",
        "gpg --fingerprint",
        *(f"gpg --verify {name}.asc {name}" for name in finish.signed_files),
        "sha256sum -c SHA256SUMS",
        "(cd log && sha256sum -c SHA256SUMS)",
        "python3 -I verify.py log",
    )


def publishing(finish: Finish, keyring: Path | None) -> str:
    """The command that publishes it; the signers are those of the manifest."""
    folder = shlex.quote(str(keyring)) if keyring is not None else "KEYRING"
    names = shlex.quote(",".join(signer.person for signer in finish.signers))
    whose = f"--keyring {folder} --signers {names} --threshold {finish.threshold}"
    return f"sealwright publish {shlex.quote(finish.folder)} --to SITE {whose}"


def after_lines(finish: Finish, keyring: Path | None, width: int) -> list[Line]:
    """Where the files are, how to check them by hand, and how to publish them."""
    if not finish.checks:
        return []
    lines = wrap((Part("files  ", Tone.HEAD), Part(finish.folder)), width, 7)
    if finish.final:
        lines.append((Part("publish", Tone.HEAD), Part("  nothing of it can be taken back", Tone.DIM)))
        lines += wrap((Part("  "), Part(publishing(finish, keyring))), width, 4)
    lines.append((Part("check by hand", Tone.HEAD), Part("  y copies all commands", Tone.DIM)))
    for command in by_hand(finish):
        lines += wrap((Part("  "), Part(command)), width, 4)
    return lines


def copied_commands(finish: Finish, keyring: Path | None) -> str:
    """The commands for the clipboard, a line each."""
    return "\n".join([*by_hand(finish), *([publishing(finish, keyring)] if finish.final else [])])
