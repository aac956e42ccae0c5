"""Reads what a program wrote to a terminal as a strict terminal would, and names all that is not the console's own.

- Text is valid UTF-8 of characters that only stand there: none that acts, hides, reorders or piles up.
- A control sequence must be one of the few shapes that Textual 8.2.8 writes, with parameters that it uses.
- `CANARY` stands in each sequence of an attack, and in none of the console's: one that has it came from outside.
"""

from __future__ import annotations

import base64
import binascii
import re
import unicodedata

CANARY = "7351"
_COPIED = base64.b64encode(CANARY.encode()).rstrip(b"=")
_SEQUENCE = re.compile(
    rb"\x1b(?:\[(?P<csi>[0-?]*[ -/]*[@-~])|\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)|(?P<other>[^\[\]]))", re.DOTALL
)
_SGR = {*range(0, 5), 7, 9, *range(21, 26), 27, 29, *range(30, 50), *range(90, 98), *range(100, 108)}
_MODES = {
    "7",
    "25",
    "1000",
    "1002",
    "1003",
    "1004",
    "1006",
    "1015",
    "1016",
    "1049",
    "2004",
    "2026",
    "2031",
    "2048",
}
_CSI = re.compile(
    r"(\d+;\d+H|H|[0-3]?[JK]|\?\d+\$p|[<>=]?\d*u|\?u|\?996n|6n|>0?q|\d*[ABCD]|\?4m|>4;?\d?m|1[46]t|c)\Z"
)
_POINTER = re.compile(r"22;[a-z-]*\Z")
_COPY = re.compile(r"52;c;([A-Za-z0-9+/=]*)\Z")
_BELL = b"\x07"
_PLAIN = {"\r", "\n"}
_DEAD = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def foreign(data: bytes, own: tuple[str, ...] = ()) -> list[str]:
    """What is neither text that only stands there nor the console's own; `own` are shapes of OSC that it may write, too.

    A sequence that the end of `data` cuts off is not looked at.
    """
    found: list[str] = []
    at = 0
    while at < len(data):
        escape = data.find(b"\x1b", at)
        end = len(data) if escape < 0 else escape
        if data[at:end].strip(_BELL):  # one that stands between sequences is the console's; in a text it is not
            found += _text(data[at:end], cut=escape < 0)
        if escape < 0:
            break
        match = _SEQUENCE.match(data, escape)
        if match is None:
            rest = data[escape : escape + 40]
            if len(data) - escape > 8192:
                found.append(f"no sequence: {rest!r}")
                at = escape + 1
                continue
            break
        found += _judged(match, own)
        at = match.end()
    return found


def copied(data: bytes) -> list[bytes]:
    """What was put on the clipboard."""
    return [base64.b64decode(each) for each in re.findall(rb"\x1b\]52;c;([A-Za-z0-9+/=]*)\x07", data)]


def _text(data: bytes, *, cut: bool) -> list[str]:
    if cut:  # the last character may be incomplete
        data = data[: len(data) - 3] if len(data) > 3 else b""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        return [f"no UTF-8: {data[max(0, error.start - 20) : error.end + 20]!r}"]
    found, pile = [], 0
    for place, character in enumerate(text):
        if character.isascii() and character.isprintable():
            pile = 0
            continue
        category = unicodedata.category(character)
        pile = pile + 1 if category == "Mn" else 0
        if pile > 2 or (category in _DEAD and character not in _PLAIN):
            found.append(f"{character!r} in {text[max(0, place - 20) : place + 20]!r}")
    return found


def _judged(match: re.Match[bytes], own: tuple[str, ...]) -> list[str]:
    said = match.group(0).decode("utf-8", "replace")
    if CANARY in said or _COPIED in match.group(0):
        return [f"from outside: {said!r}"]
    if match["csi"] is not None:
        return [] if _own_csi(match["csi"].decode("ascii", "replace")) else [f"CSI {said!r}"]
    if match["osc"] is not None:
        words = match["osc"].decode("utf-8", "replace")
        return [] if _own_osc(words, own) else [f"OSC {said!r}"]
    return [f"escape {said!r}"]


def _own_csi(words: str) -> bool:
    if words.endswith("m") and re.fullmatch(r"[0-9;]*m", words):
        return _own_sgr([int(each or 0) for each in words[:-1].split(";")])
    if words[:1] == "?" and words[-1:] in "hl":
        return set(words[1:-1].split(";")) <= _MODES
    return _CSI.match(words) is not None


def _own_sgr(numbers: list[int]) -> bool:
    """Whether these are styles that Textual sets; 38 and 48 are followed by a colour."""
    while numbers:
        number = numbers.pop(0)
        if number not in _SGR:
            return False
        if number in (38, 48):
            count = {5: 2, 2: 4}.get(numbers[0] if numbers else 0, 0)
            if not count or len(numbers) < count or any(not 0 <= each < 256 for each in numbers[1:count]):
                return False
            del numbers[:count]
    return True


def _own_osc(words: str, own: tuple[str, ...]) -> bool:
    if _POINTER.match(words) or any(re.fullmatch(shape, words) for shape in own):
        return True
    copy = _COPY.match(words)
    if copy is None:
        return False
    try:
        text = base64.b64decode(copy[1]).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        return False
    return not any(unicodedata.category(each) in _DEAD and each not in "\n\t" for each in text)
