"""Attacks on a log by whoever keeps its folder, its key, or the way to it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable

from appendlog.log_making import RawClient
from appendlog.real_program import PROGRAM
from log_client import forging
from log_client.forging import Forge
from log_client.scene import Scene, another_authority, some_run, through, work
from sealwright_appendlog import layout
from sealwright_appendlog.note import VerifierKey, open_checkpoint
from sealwright_stages.log import LogSession

# -- between two runs ---------------------------------------------------------------------------------------


def whole_folder_rolled_back(scene: Scene) -> None:
    """The whole folder, checkpoint and all, is one of an earlier time."""
    some_run(scene)
    older = scene.older()
    session = scene.embedded()
    work(session, "second", scene.rng.randrange(1, 5))
    session.close()
    scene.put_back(older)
    scene.embedded()


def index_rolled_back(scene: Scene) -> None:
    """The index is cut, and the newest checkpoint stays."""
    some_run(scene)
    lines = forging.lines_of(scene.log)
    rest = lines[: scene.rng.randrange(1, len(lines) - 1)]
    (scene.log / layout.INDEX).write_bytes(b"".join(line + b"\n" for line in rest))
    scene.embedded()


def crashed(scene: Scene, events: int) -> int:
    """A console and its authority that died right after an acknowledgement; the size that the console saw signed."""
    some_run(scene)
    while True:  # again, if a checkpoint over the last event came before the end did
        session = scene.embedded()
        for number in range(events):
            session.append({"e": "honest.late", "number": number})
        os.kill(session.process_id, signal.SIGKILL)
        session.close()
        key = VerifierKey.parse((scene.log / layout.VKEY).read_text().strip())
        size = open_checkpoint(scene.saved.read_bytes(), key).size
        if size < len(forging.lines_of(scene.log)):
            return size


def rolled_back_to_what_was_seen(scene: Scene) -> None:
    """To just the checkpoint that the console saw last; what was acknowledged after it is gone."""
    size = crashed(scene, scene.rng.randrange(1, 5))
    forging.rewrite(scene.log, scene.key, forging.lines_of(scene.log)[:size])
    scene.embedded()


def acknowledged_record_replaced(scene: Scene) -> None:
    """A record after the checkpoint that was seen last is another, and all is signed anew."""
    size = crashed(scene, 4)
    lines = forging.lines_of(scene.log)
    changed = [*lines[:size], *forging.event_changed(lines[size:], scene.rng)]
    forging.rewrite(scene.log, scene.key, changed)
    scene.embedded()


def forged_anew(how: Forge) -> Callable[[Scene], None]:
    """A record before the checkpoint that was seen last, changed; all signed anew with the log's own key."""

    def attack(scene: Scene) -> None:
        some_run(scene)
        forging.forge(scene.log, scene.key, how, scene.rng)
        scene.embedded()

    attack.__doc__ = f"{(how.__doc__ or '').removesuffix('.')}; all is signed anew with the log's key."
    return attack


def split_view(scene: Scene) -> None:
    """Another branch of the log, of the same key and origin, that went on longer."""
    some_run(scene)
    twin = scene.older()
    session = scene.embedded()
    work(session, "ours", scene.rng.randrange(1, 5))
    session.close()
    scene.put_back(twin)
    other = scene.embedded("another console")
    work(other, "theirs", 8)
    other.close()
    scene.embedded()


def another_log_of_key_and_origin(scene: Scene) -> None:
    """A log that was begun anew under the same key and origin."""
    some_run(scene)
    (vkey,) = [(scene.log / layout.VKEY).read_text()]
    shutil.rmtree(scene.log)
    scene.log.mkdir()
    (scene.log / layout.VKEY).write_text(vkey)  # so the authority takes the origin up
    scene.embedded()


def another_key(scene: Scene) -> None:
    """A log of another key, under the same origin."""
    some_run(scene)
    origin = (scene.log / layout.VKEY).read_text().partition("+")[0]
    shutil.rmtree(scene.log)
    scene.key.unlink()
    other = Scene(scene.root / "other", scene.rng)
    with another_authority(other.root, origin):
        pass
    shutil.copytree(other.log, scene.log)
    shutil.copy(other.key, scene.key)
    scene.embedded()


def another_origin(scene: Scene) -> None:
    """Another log of the same key."""
    some_run(scene)
    shutil.rmtree(scene.log)
    scene.embedded()


# -- a log elsewhere, and a transport that lies -------------------------------------------------------------


def another_key_elsewhere(scene: Scene) -> None:
    """Behind the same transport, a log of another key and the same origin."""
    with another_authority(scene.root):
        session = scene.remote()
        work(session, "first")
        session.close()
        with another_authority(scene.root / "other"):
            argv = [*PROGRAM, "connect", "--socket", str(scene.root / "other" / "s")]
            vkey = (scene.log / layout.VKEY).read_text().strip()
            scene.carried(argv, vkey)


def rolled_back_elsewhere(scene: Scene) -> None:
    """The log elsewhere lost records that its console had, and went on with others until it was longer."""
    with another_authority(scene.root):
        session = scene.remote()
        work(session, "first")
        size = session.checkpoint.size if session.checkpoint else 0
        session.append({"e": "honest.late"})
        seen = scene.saved.read_bytes()
        session.close()
        scene.saved.write_bytes(seen)  # as if that console had died before the next checkpoint
    lines = forging.lines_of(scene.log)[: max(size, 2)]
    forging.rewrite(scene.log, scene.key, lines)
    (scene.root / "seen.acknowledged").unlink()  # found without it, too
    with another_authority(scene.root):
        client = scene.client()
        client.hello("build/other")
        for _ in range(40):
            client.say("D", b"x")
            client.wait("A")
        client.close()
        scene.remote().close()


def twins(scene: Scene, when: str, theirs: Callable[[RawClient], None]) -> None:
    """Two authorities of one key and origin; from frame `when` on the transport speaks with the other one."""
    other = scene.root / "other"
    with another_authority(scene.root):
        session = scene.remote()
        work(session, "common", 2)
        session.close()
    shutil.copytree(scene.log, other / "log")
    shutil.copy(scene.key, other / "key")
    with another_authority(scene.root), another_authority(other):
        client = scene.client(other)
        client.say("I", b"local")
        client.hello("engine")
        client.wait("C")
        theirs(client)
        client.close()
        session = scene.remote(str(other / "s"), when, "-")
        work(session, "ours", 3)
        session.seal()
        session.export(scene.root / "out")


def split_view_at_the_seal(scene: Scene) -> None:
    """The authority that seals is another than the one that logged; of the same key and origin."""

    def theirs(client: RawClient) -> None:
        for number in range(60):
            client.say("J", b'{"e":"forged","number":%d}' % number)
            client.wait_line()

    twins(scene, "S", theirs)


def split_view_at_the_export(scene: Scene) -> None:
    """The log that comes back is another branch, sealed and signed by the same key."""

    def theirs(client: RawClient) -> None:
        client.say("J", b'{"e":"forged"}')
        client.wait_line()
        client.say("S")
        client.wait_line()

    twins(scene, "X", theirs)


def lying(how: str, said: str, *, remote: bool = True) -> Callable[[Scene], None]:
    """A transport, or an authority, that changes what passes."""

    def attack(scene: Scene) -> None:
        with another_authority(scene.root):
            session = scene.remote(str(scene.root / "s"), "-", how)
            work(session, "first", 3)
            session.seal()
            session.export(scene.root / "out")

    attack.__doc__ = said
    return attack


def logged_otherwise(scene: Scene) -> None:
    """The authority acknowledges what was sent, logs something else, and its files are all that there is to see."""
    with another_authority(scene.root):
        scene.saved.with_name("seen.vkey").write_text((scene.log / layout.VKEY).read_text())
        connect = through(scene.root / "s", scene.root / "s", "-", "both")
        session = LogSession(connect, scene.log, scene.saved, mirror=False, end=lambda: None)
        scene.sessions.append(session)
        work(session, "first", 3)
        session.seal()
        session.export(scene.root / "out")


def exported_after(change: Callable[[Scene], None], said: str) -> Callable[[Scene], None]:
    """The sealed log's files are changed before they are handed over."""

    def attack(scene: Scene) -> None:
        session = scene.embedded()
        work(session, "first", 4)
        session.seal()
        change(scene)
        session.export(scene.root / "out")

    attack.__doc__ = said
    return attack


def changed_event(scene: Scene) -> None:
    forging.forge(scene.log, scene.key, forging.event_changed, scene.rng)


def changed_output(scene: Scene) -> None:
    forging.output_changed(scene.log, scene.key, "build/first/one")


def torn(scene: Scene) -> None:
    path = scene.log / layout.INDEX
    data = bytearray(path.read_bytes())
    data[scene.rng.randrange(len(data))] ^= 1
    path.write_bytes(data)
