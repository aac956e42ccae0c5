"""`compare`: two releases in, their difference out. A pure function.

- A release compared with itself gives nothing.
- Compared the other way round, each change is turned, and nothing else is different but the alarms.
- The order of changes and alarms depends on what they say alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from sealwright_stages.compare.alarms import alarms
from sealwright_stages.compare.difference import SECTIONS, Change, Difference, Names, Same, Section
from sealwright_stages.compare.facts import Release
from sealwright_stages.compare.rows import rows


def compare(a: Release, b: Release) -> Difference:
    """What changed from `a` to `b`."""
    things: set[tuple[Section, str, Names]] = set()
    changes: list[Change] = []
    for row in rows(a, b):
        if row.before or row.after:
            things.add((row.section, row.component, row.names))
        if row.before != row.after:
            changes.append(row)
    changes.sort(key=lambda change: change.order)
    same_release = (a.name, a.version) == (b.name, b.version)
    of = Counter(section for section, _, _ in things)
    different = Counter(section for section, _, _ in {(c.section, c.component, c.names) for c in changes})
    return Difference(
        same_release=same_release,
        changes=tuple(changes),
        alarms=alarms(a, b, changes, same_release=same_release),
        same={section: Same(of[section] - different[section], of[section]) for section in SECTIONS},
        unmoved=tuple(sorted(_unmoved(a, b))),
    )


def _unmoved(a: Release, b: Release) -> Iterator[tuple[str, str]]:
    """The products that have the same bytes although something that they are made from has not."""
    for name in a.components.keys() & b.components.keys():
        one, other = a.components[name], b.components[name]
        if one.inputs == other.inputs:
            continue
        for product in one.products.keys() & other.products.keys():
            if one.products[product].sha256 == other.products[product].sha256:
                yield name, product
