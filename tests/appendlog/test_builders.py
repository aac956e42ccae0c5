"""Sixteen builders at once, by the real program: each byte in its own stream, nobody starves, memory stays flat."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from appendlog.log_making import KEY
from appendlog.real_program import connect, served
from bench.flood import flood
from sealwright_appendlog.audit import check_log, read_records

BUILDERS = 16
LIMIT_KIB = 64 << 10


def peak_kib(process: int) -> int:
    """The most memory that the process has taken so far."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM")))


def test_sixteen_builders_flood_the_log_while_events_are_acknowledged(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    marks: dict[str, int] = {}
    with served(tmp_path) as child:
        engine = connect(tmp_path)
        engine.hello("engine")
        engine.wait("C")
        flooding = threading.Thread(target=lambda: marks.update(flood(tmp_path / "s", BUILDERS, 1.0)))
        flooding.start()
        events = 0
        while flooding.is_alive():
            engine.say("J", b'{"e":"made.up"}')
            assert json.loads(engine.wait_line())["k"] == "ev"
            events += 1
        flooding.join()
        peak = peak_kib(child.pid)
        engine.sock.settimeout(60)
        engine.say("S")
        assert json.loads(engine.wait_line())["k"] == "seal"
        engine.wait("C")
        engine.close()
    report = check_log(tmp_path / "log", sums=True)
    assert report.unclean == [] and report.kinds["ev"] == events > 5
    assert len(marks) == BUILDERS and min(marks.values()) > max(marks.values()) / 3, marks
    assert peak < LIMIT_KIB
    ended = {entry["s"]: entry["bytes"] for entry, _ in read_records(tmp_path / "log") if entry["k"] == "eof"}
    for number in range(BUILDERS):
        stream = f"build/{number}"
        parts = [path.read_bytes() for path in sorted((tmp_path / "log/data" / stream).iterdir())]
        assert all(set(part) == {number} for part in parts)
        assert sum(map(len, parts)) == ended[stream] >= marks[stream]
