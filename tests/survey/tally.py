"""A count of verdicts by reason code, with who got which, so that every red can be looked at by hand."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from sealwright_stages.verdict import Passed, Verdict, Warned

NOT_JUDGED = "not judged"


@dataclass
class Tally:
    """Counts verdicts; `told` holds, by code, the name and the sentence of each that is not green."""

    title: str
    counts: Counter[tuple[str, str]] = field(default_factory=Counter)
    told: dict[str, list[tuple[str, str]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, name: str, verdict: Verdict) -> None:
        """Count one verdict about the thing called `name`."""
        colour = {Passed: "green", Warned: "waivable"}.get(type(verdict), "red")
        self.note(colour, name, verdict.code, verdict.reason)

    def note(self, colour: str, name: str, code: str, reason: str) -> None:
        """Count what came to no verdict, too."""
        self.counts[colour, code] += 1
        if colour != "green":
            self.told[code].append((name, reason))

    @property
    def judged(self) -> int:
        """How many verdicts there were."""
        return sum(count for (colour, _), count in self.counts.items() if colour != NOT_JUDGED)

    def lines(self, each: int) -> Iterator[str]:
        """The counts, then up to `each` names by code."""
        yield f"## {self.title}: {self.judged} verdicts"
        for (colour, code), count in sorted(self.counts.items(), key=lambda item: (item[0][0], -item[1])):
            yield f"{count:6} {colour:9} {code}"
        for code, found in sorted(self.told.items()):
            yield from (f"       {code}: {name}: {reason}" for name, reason in found[:each])
            if len(found) > each:
                yield f"       {code}: and {len(found) - each} more"
