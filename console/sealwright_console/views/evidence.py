"""The evidence of an item as a tree that is folded line by line: reason, what was checked, by whom, how to repeat it.

- A branch that is folded is one line, and nothing below it is made.
- Labels stand in one column, values in another; what is longer than its line goes on below itself, not below the label.
- Each line knows what it stands for in full: that is what is copied.
- Evidence is JSON text from a verifier: what can't be read as JSON is shown as the text that it is.
- A text of many lines, such as a report of differences, has a page of its own.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, zip_longest

from sealwright_console.figures import clock, grouped, spaced
from sealwright_console.lines import Line, Part, Row, Tone, fit, word
from sealwright_console.repeat import Places, Repeat, repeat, signatures, wrapped
from sealwright_console.sanitise import LIMIT
from sealwright_console.views.overview import doing
from sealwright_stages.state import Item
from sealwright_stages.verdict import Status

APART = "\x1f"
"""Stands between the parts of a key: the item's id, and the way down from it."""
_COLUMN, _INNER = 16, 30  # cells before a value: of an item, and within its evidence
_DEEPEST = 6
_EDGES = 18  # cells of a line beside title and reason: cursor, marks, status, gaps, scroll bar
_MOST = 400
_COMMAND = 60  # lines of a command that are shown; all of it is copied
_ASIDE = 4  # cells beside a line of a command: cursor, scroll bar
_PAGE = 8  # lines of a text that are shown in place
_HEX = frozenset("0123456789abcdefABCDEF")
_MARKS = {True: "▾", False: "▸"}
_NO_COMMAND = "no command of its own; the evidence says what was done"


@dataclass(frozen=True)
class Node:
    """A line of the tree, or several, some with labels of their own: what is copied, what is below it or on its page."""

    key: str
    label: str
    value: Sequence[Line]
    raw: str
    kids: Callable[[], Sequence[Node]] | None = None
    page: str = ""
    labels: Sequence[str] = ()
    column: int = _COLUMN
    data: object = None

    @property
    def whole(self) -> str:
        """What is copied: a branch of the evidence as JSON, made only when it is asked for."""
        return self.raw or (said(self.data) if self.data is not None else "")


@dataclass(frozen=True)
class Tree:
    """What a page knows beside the state.

    `open` has the keys of what is unfolded, `width` the cells of a line; `text` gives an item's evidence, `others` that
    of another item, read; `policy` says where the policy names a person.
    """

    open: frozenset[str] = frozenset()
    text: Callable[[Item], str] = lambda item: item.evidence
    others: Callable[[str], Mapping[str, object]] = lambda item: {}
    places: Places = field(default_factory=Places)
    policy: Callable[[str], str] = lambda person: ""
    width: int = 80


def item_rows(item: Item, tree: Tree, width: int, titles: int) -> list[Row]:
    """An item in one line of `width` cells, its title in `titles` of them, and what is below it if it is open."""
    opened = item.id in tree.open
    head: Line = (
        Part(f"{_MARKS[opened]} ", Tone.KEY),
        word(item.status, 10),
        Part(f" {fit(item.title, titles)}  ", Tone.HEAD),
    )
    more = fit(item.kind if opened else doing(item), max(8, width - titles - _EDGES)).rstrip()
    rows = [Row(item.id, ((*head, Part(more, Tone.DIM)),))]
    return [*rows, *_rows(nodes(item, tree), tree.open, 1)] if opened else rows


def _rows(found: Sequence[Node], opened: frozenset[str], depth: int) -> Iterator[Row]:
    for node in found:
        is_open = node.key in opened
        mark = _MARKS[is_open] if node.kids else "▸" if node.page else " "
        names = [f"{'':{2 * depth}}{mark} {node.label}", *(f"{'':{2 * depth}}  {name}" for name in node.labels)]
        lines = [
            (Part(fit(name, node.column - 2) + "  ", Tone.DIM), *line)
            for name, line in zip_longest(names[: len(node.value)], node.value, fillvalue="")
        ]
        yield Row(node.key, tuple(lines))
        if node.kids and is_open:
            yield from _rows(node.kids(), opened, depth + 1)


def nodes(item: Item, tree: Tree) -> list[Node]:
    """What is below an item: what a person needs to decide first, then the proofs."""
    text = tree.text(item)
    evidence = read(text)
    found = _said(item, "t", _told(item))
    compared = _compared(item, evidence)
    found += compared
    for number, each in enumerate(signatures(evidence)):
        found += _signature(f"{item.id}{APART}s{number}", each)
    people = [(person, tree.policy(person)) for person in _texts(_inside(evidence, "persons"))]
    found += _said(item, "p", [("person", f"{name}, {at}" if at else name, Tone.PLAIN) for name, at in people])
    if item.verdict() is not None:
        found.append(
            _by_hand(item, repeat(item, evidence, tree.places, tree.others), tree.width - _COLUMN - _ASIDE)
        )
    if item.subject_sha256 and not compared:
        found.append(_digits(f"{item.id}{APART}subject", "sha256", item.subject_sha256))
    found += _said(item, "r", _recorded(item))
    if text:
        found.append(_evidence(item, text))
    return found


def _said(item: Item, part: str, told: Sequence[tuple[str, str, Tone]]) -> list[Node]:
    return [
        Node(f"{item.id}{APART}{part}{number}", label, ((Part(value, tone),),), value)
        for number, (label, value, tone) in enumerate(told)
        if value
    ]


def _told(item: Item) -> list[tuple[str, str, Tone]]:
    """Why it stands as it does, what to do, who accepted it, what was deleted."""
    tone = Tone(item.status.value) if item.status in (Status.FAILED, Status.WARNED) else Tone.PLAIN
    told = [("why", doing(item), tone), ("do", item.next_step if not item.green else "", Tone.PLAIN)]
    if item.waiver is not None:
        accepted = f"by {item.waiver.person}: {item.waiver.reason}"
        told.append(("waived", accepted, Tone.PASSED if item.green else Tone.DIM))
    told += [("deleted", name, Tone.FAILED) for name in item.deleted]
    more = item.gone - len(item.deleted)
    return [*told, ("deleted", f"and {more} more", Tone.FAILED)] if more > 0 else told


def _recorded(item: Item) -> list[tuple[str, str, Tone]]:
    """Which records of the log hold it."""
    tries = f", try {item.tries}" if item.tries > 1 else ""
    stream = f", evidence in the stream {item.evidence_stream}" if item.evidence_stream else ""
    record = f"{item.n:,} at {clock(item.t)}{tries}{stream}" if item.n else ""
    return [("code", item.code if item.code != "ok" else "", Tone.DIM), ("record", record, Tone.DIM)]


@functools.lru_cache(maxsize=16)
def read(text: str) -> Mapping[str, object]:
    """Evidence as a table; empty if it is none."""
    try:
        value = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _inside(evidence: Mapping[str, object], name: str) -> object:
    inner = evidence.get("signature")
    return evidence.get(name) or (inner.get(name) if isinstance(inner, dict) else None)


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _compared(item: Item, evidence: Mapping[str, object]) -> list[Node]:
    """What was expected above what was found, if they differ."""
    wanted = evidence.get("wanted") or evidence.get("expected")
    found = evidence.get("found")
    if not (isinstance(wanted, str) and isinstance(found, str)) or wanted == found:
        return []
    lines = difference(wanted, found)
    labels = ("found", "", *("expected", "found", "") * (len(lines) // 3))[: len(lines) - 1]
    raw = f"expected {wanted}\nfound    {found}"
    return [Node(f"{item.id}{APART}compared", "expected", lines, raw, labels=labels)]


def difference(wanted: str, found: str) -> list[Line]:
    """Two digests one above the other, half by half; the groups that differ are marked by a shape and a tone."""
    lines: list[Line] = []
    for left, right in zip_longest(_halves(wanted), _halves(found), fillvalue=()):
        differs = [other != one for one, other in zip_longest(left[: len(right)], right)]
        gaps = [Part(" " if number else "") for number in range(len(right))]
        groups = [
            Part(group, Tone.FAILED if bad else Tone.PLAIN) for group, bad in zip(right, differs, strict=True)
        ]
        marks = " ".join(("^" if bad else " ") * len(group) for group, bad in zip(right, differs, strict=True))
        lines.append((Part(" ".join(left)),))
        lines.append(tuple(part for pair in zip(gaps, groups, strict=True) for part in pair))
        lines.append((Part(marks.rstrip(), Tone.FAILED),))
    return lines


def _halves(digits: str) -> list[tuple[str, ...]]:
    groups = [digits[start : start + 4] for start in range(0, len(digits), 4)]
    return [tuple(groups[start : start + 8]) for start in range(0, len(groups), 8)]


def _digits(key: str, label: str, digits: str, tone: Tone = Tone.PLAIN) -> Node:
    """A fingerprint or digest in fours: a digest in two lines, a fingerprint in one."""
    lines: list[Line] = [(Part(grouped(digits), tone),)]
    if len(digits) > 40:
        lines = [(Part(" ".join(half), tone),) for half in _halves(digits)]
    return Node(key, label, lines, digits)


def _signature(key: str, each: Mapping[str, object]) -> Iterator[Node]:
    """By which key, when, and which programs said so."""
    made = str(each.get("key") or "")
    if made:
        is_hex = set(made) <= _HEX
        yield _digits(f"{key}k", "key", made) if is_hex else Node(f"{key}k", "key", ((Part(made),),), made)
    signed = str(each.get("signed_at") or "")
    if signed:
        yield Node(f"{key}t", "signed", ((Part(signed),),), signed)
    tool = str(each.get("tool") or "")
    if tool:
        second = str(each.get("second_check") or "")
        said = f"{tool}, exit {each.get('exit')}" + (f"; our own check {second}" if second else "")
        sequoia = each.get("sequoia")
        said += f"; Sequoia {sequoia.get('says')}" if isinstance(sequoia, dict) else ""
        yield Node(f"{key}p", "checked", ((Part(said),),), said)


def _by_hand(item: Item, found: Repeat | None, width: int) -> Node:
    key = f"{item.id}{APART}hand"
    if found is None:
        return Node(key, "by hand", ((Part(_NO_COMMAND, Tone.DIM),),), "")
    copied = wrapped(found.command)
    count = copied.count("\n") + 1
    told = f"{count} lines" if count > 1 else "1 line"
    head: Line = (
        Part("c", Tone.KEY),
        Part(f" copies the command ({told}), ", Tone.DIM),
        Part("enter", Tone.KEY),
        Part(" shows it", Tone.DIM),
    )

    def kids() -> list[Node]:
        lines = wrapped(found.command, width).split("\n")
        command: list[Line] = [(Part(line),) for line in lines[:_COMMAND]]
        if len(lines) > _COMMAND:
            command.append((Part(f"… {len(lines) - _COMMAND:,} more lines; all are copied", Tone.DIM),))
        good: Line = (Part(found.good, Tone.PASSED),)
        return [
            Node(f"{key}{APART}run", "run", command, copied),
            Node(f"{key}{APART}good", "good", (good,), found.good),
        ]

    return Node(key, "by hand", (head,), copied, kids)


def _evidence(item: Item, text: str) -> Node:
    key = f"{item.id}{APART}evidence"
    try:
        value = json.loads(text) if len(text) < 65_536 else dict(read(text))
    except (ValueError, RecursionError):
        return Node(key, "evidence", ((Part(text),),), text)
    count = len(value) if isinstance(value, (dict, list)) else 1
    head: Line = (Part("Y", Tone.KEY), Part(f" copies it as JSON; {count} entries", Tone.DIM))
    return Node(key, "evidence", (head,), text, partial(_kids, key, value, 2))


def _kids(key: str, value: object, depth: int) -> list[Node]:
    """What is in a table or a list, as far as it is shown."""
    pairs: list[tuple[str, object]] = [("", value)]
    if isinstance(value, dict):
        pairs = [(str(name), inner) for name, inner in islice(value.items(), _MOST)]
    elif isinstance(value, list):
        pairs = [(f"{number}.", inner) for number, inner in enumerate(value[:_MOST], 1)]
    found = [_pair(f"{key}{APART}{number}", name, inner, depth) for number, (name, inner) in enumerate(pairs)]
    more = len(value) - _MOST if isinstance(value, (dict, list)) else 0
    if more > 0:
        told: Line = (Part(f"… {more} more entries in the log", Tone.DIM),)
        found.append(Node(f"{key}{APART}more", "", (told,), "", column=_INNER))
    return found


def _pair(key: str, name: str, value: object, depth: int) -> Node:
    if isinstance(value, (dict, list)) and value and depth < _DEEPEST:
        told: Line = (Part(f"{len(value)} entries" if len(value) > 1 else "1 entry", Tone.DIM),)
        return Node(key, name, (told,), "", partial(_kids, key, value, depth + 1), data=value, column=_INNER)
    raw = said(value)
    count = raw.rstrip("\n").count("\n") + 1
    if count > _PAGE:
        opens: Line = (Part("enter", Tone.KEY), Part(f" opens its {count:,} lines", Tone.DIM))
        return Node(key, name, (opens,), raw, page=raw, column=_INNER)
    lines = raw.rstrip("\n").split("\n")
    shown = [spaced(line) if len(line) <= LIMIT else line for line in lines]
    return Node(key, name, [(Part(line),) for line in shown], raw, column=_INNER)


def said(value: object) -> str:
    """A value of the evidence as text: a string as it is, else JSON."""
    try:
        return value if isinstance(value, str) else json.dumps(value, ensure_ascii=True)
    except (ValueError, RecursionError):
        return "?"


def found_node(state_items: Mapping[str, Item], key: str, tree: Tree) -> Node | None:
    """The node that has this key, as far as it is unfolded; None for an item's own line, or if there is none."""
    item = state_items.get(key.partition(APART)[0])
    if item is None or APART not in key:
        return None
    looked: Sequence[Node] = nodes(item, tree)
    while True:
        node = next((each for each in looked if key == each.key or key.startswith(each.key + APART)), None)
        if node is None or node.key == key or node.kids is None:
            return node if node is not None and node.key == key else None
        looked = node.kids()
