"""What it costs to check one downloaded file beside hashing it: a file of 1 GB, a release of 100,000 records.

The evidence is whole, sealed and signed with throw-away keys. Most of its records are small output of builds; one in
twenty is an event.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from audit.forge import EPOCH, ROOT, SUBJECT, TAG, Eof, Forger, Said, Step, Tale, begun, built, judged, placed
from bench.report import Line, timed
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
    forger = Forger(folder, keys[:1], text=text, tale=tale(records, digest, size, share), every=1 << 40)
    made = forger.evidence()
    for empty in (made / "log" / "tile").rglob("*.p"):
        if not any(empty.iterdir()):
            empty.rmdir()
    for key in keys:
        stop_agent(key.home)
    return made


def lines(folder: Path, records: int = 100_000, size: int = _SIZE) -> Iterator[Line]:
    """The check of a file of `size` bytes beside `sha256sum` of it, each in a process of its own; the median of three."""
    folder.mkdir()
    file = folder / "c000.tar"
    digest = hashlib.sha256()
    with file.open("wb") as stream:
        for number in range(size >> 20):
            block = number.to_bytes(8, "big") * (1 << 17)
            stream.write(block)
            digest.update(block)
    made = evidence(folder, records, digest.hexdigest(), size)
    state = {**os.environ, "XDG_STATE_HOME": str(folder)}
    code = "import sys; from sealwright_console.cli import main; sys.exit(main(sys.argv[1:]))"
    check = [sys.executable, "-c", code, "check", str(file), "--evidence", str(made)]
    _run([*check, "--pin"], state)
    pairs = [
        (timed(lambda: _run(check, state)), timed(lambda: _run(["sha256sum", str(file)], state))) for _ in "123"
    ]
    ours, peer = sorted(pairs, key=lambda pair: pair[0] - pair[1])[1]
    note = f"{ours - peer:.2f} s beyond it; bar 2 s"
    yield Line(f"check of {size >> 20} MiB, {records:,} records", ours, peer, "sha256sum", note)
    file.unlink()


def _run(words: list[str], env: dict[str, str]) -> None:
    subprocess.run(words, env=env, stdout=subprocess.DEVNULL, check=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as nest:
        for line in lines(Path(nest) / "check"):
            print(line)
