"""What it costs to check one downloaded file beside hashing it: a file of 1 GB, a release of 100,000 records.

The evidence is whole, sealed and signed with throw-away keys. Most of its records are small output of builds; one in
twenty is an event.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from audit.forge import EPOCH, ROOT, SUBJECT, TAG, Eof, Forger, Said, Step, Tale, begun, built, judged, placed
from sealwright_stages import events as ev
from sealwright_stages.declared import Declaration
from sealwright_stages.events import Stage
from support.release_folder import HEAD, component
from support.small_release import make_key, stop_agent, write_keyring

_COMPONENTS = 50
_SIZE = 1 << 30


def tale(records: int, digest: str, size: int, share: int = 20) -> Tale:
    """A lawful release of about that many records; the first component's product has these bytes."""

    def told(declared: Declaration, tool: str) -> list[Step]:
        return list(_steps(declared, tool, records, digest, size, share))

    return told


def _steps(declared: Declaration, tool: str, records: int, digest: str, size: int, share: int) -> Iterator[Step]:
    specs = list(declared.items.values())
    names = [each.name for each in declared.manifest.components]
    yield begun(declared, tool)
    yield from (ev.ItemDeclared(s.id, s.component, s.stage, s.kind, s.title) for s in specs)
    yield from (ev.StageStarted(Stage.GET_SOURCES), ev.StageStarted(Stage.VERIFY))
    for spec in specs:
        if spec.stage is not Stage.BUILD:
            tag = {**TAG, "url": f"https://example.org/{spec.component}.git"}
            yield from judged(spec.id, tag if spec.stage is Stage.VERIFY else {})
    for name in names:
        yield ev.SourcesPromoted(name, SUBJECT, 1, 7, *placed({"epoch": EPOCH}))
    yield from (ev.StageEnded(Stage.GET_SOURCES, True), ev.StageEnded(Stage.VERIFY, True))
    yield from (ev.GateDecided(Stage.BUILD, True, 0, 0, 0, 0), ev.StageStarted(Stage.BUILD))
    each = max(1, (records - 12 * len(names)) // len(names))
    for name in names:
        stream = f"build/{name}/1-1"
        yield ev.ItemStarted(f"{name}/build")
        yield ev.BuildStarted(name, f"{name}/build", stream, "commands", "host", ROOT, SUBJECT, EPOCH)
        for number in range(each):
            if number % share == 0:
                yield ev.BuildSample(name, number % 400, 1 << 20, 9, number, number)
            else:
                yield Said(stream, b"CC      tools/libxl/libxl_part.o -Wall -O2\n")
        yield Eof(stream, data=b"")
        yield ev.BuildEnded(name, 0, 1, "", False, 9, "cgroup", 1 << 20, 1 << 20, 9, 0, 0, each, each)
        yield ev.ProductCollected(name, f"{name}.tar", digest, size)
        yield built(name, {f"{name}.tar": digest})
    yield ev.StageEnded(Stage.BUILD, True)
    yield from (ev.GateDecided(Stage.SEAL, True, 0, 0, 0, 0), ev.StageStarted(Stage.SEAL))


def evidence(folder: Path, records: int, digest: str, size: int, share: int = 20) -> Path:
    """The evidence folder of such a release, without its products, and the keyring beside it."""
    keys = make_key(folder / "manager", "manager-a"), make_key(folder / "author", "release-key-a")
    write_keyring(folder / "keyring", keys)
    text = HEAD + "".join(component(f"c{number:03}") for number in range(_COMPONENTS))
    forger = Forger(folder, keys[:1], text=text, tale=tale(records, digest, size, share), every=20_000)
    made = forger.evidence()
    for key in keys:
        stop_agent(key.home)
    return made
