"""What a client says that is not its to say, and what a witness says of a log that was changed."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable

from appendlog.log_making import RawClient
from appendlog.real_program import PROGRAM
from log_client.scene import SEEN, SHOWN, Scene, another_authority, some_run
from sealwright_appendlog import layout
from sealwright_stages.errors import LogError

# -- what a client says -------------------------------------------------------------------------------------


def refused(client: RawClient) -> str:
    """Why the authority refuses a client."""
    return client.wait("R").decode()


def event_with_stamps(scene: Scene) -> str:
    """An event whose body has a `src`, `t`, `n`, `k` and `s` of its own."""
    with another_authority(scene.root):
        client = scene.client()
        client.hello("engine")
        forged = {"src": "-", "t": "2000-01-01T00:00:00.000000Z", "n": 0, "k": "seal", "s": "build/xen", "up": 1}
        client.say("J", json.dumps(forged).encode())
        entry = json.loads(client.wait_line())
        client.close()
    true = (entry["src"], entry["n"], entry["k"], entry["s"]) == (f"uid:{os.getuid()}", 1, "ev", "engine")
    return "stays inside its body" if true and entry["body"] == forged else f"TAKEN: {entry}"


def event_of_a_build(scene: Scene) -> str:
    """A builder tells an event on its own stream: that an item passed."""
    with another_authority(scene.root):
        client = scene.client()
        client.hello("build/xen")
        client.say("J", b'{"e":"item.verdict","verdict":"passed"}')
        return refused(client)


def builder_as_engine(scene: Scene) -> str:
    """A builder takes up the stream `engine` while no console is there."""
    with another_authority(scene.root):
        scene.remote().close()
        client = scene.client()
        client.say("I", b"ssh:builder")
        client.hello("engine")
        return refused(client)


def anothers_stream(scene: Scene) -> str:
    """A client opens a stream that another one has open."""
    with another_authority(scene.root):
        first, second = scene.client(), scene.client()
        first.hello("build/xen")
        first.wait("A")
        second.hello("build/xen")
        return refused(second)


def anothers_ended_stream(scene: Scene) -> str:
    """A client goes on with a stream that another one has ended."""
    with another_authority(scene.root):
        first, second = scene.client(), scene.client()
        first.hello("build/xen")
        first.say("F", b"0")
        first.wait_line()
        second.hello("build/xen")
        return refused(second)


def second_identity(scene: Scene) -> str:
    """A client behind a bridge names itself once more."""
    with another_authority(scene.root):
        client = scene.client()
        client.say("I", b"ssh:builder")
        client.say("I", b"ssh:console")
        return refused(client)


# -- a witness ----------------------------------------------------------------------------------------------


def witnessed(change: Callable[[Scene], None], said: str) -> Callable[[Scene], None]:
    """A witness cosigned; then the log's keeper changes the log and signs it anew."""

    def attack(scene: Scene) -> None:
        some_run(scene)
        before = scene.older()
        session = scene.embedded()
        session.append({"e": "honest.late"})
        session.close()
        vkey = (scene.log / layout.VKEY).read_text().strip()
        words = ["cosign", scene.log, "--log", vkey, "--key", scene.root / "witness", "--name", "witness.example"]
        words += ["--state", scene.root / "seen-by-witness"]
        told = [*PROGRAM, *map(str, words)]
        made = [*PROGRAM, "witness-key", "--key", str(scene.root / "witness"), "--name", "witness.example"]
        subprocess.run(made, check=True, capture_output=True)
        subprocess.run([*told, "--first"], check=True, capture_output=True)
        if change is older:
            scene.put_back(before)
        else:
            change(scene)
        done = subprocess.run(told, check=False, capture_output=True, text=True)
        for path in scene.root.glob("seen-by-witness.refused-*"):
            path.rename(path.with_name(path.name.replace("seen-by-witness", "seen")))
            assert path.name.endswith((SEEN, SHOWN)) and done.stdout.count("\N{EM DASH} ") >= 2
        assert done.returncode == 4
        raise LogError("cosign", done.stderr.partition("because: ")[2].partition("\n")[0], done.stderr)

    attack.__doc__ = said
    return attack


def older(scene: Scene) -> None:
    """Stands for the folder of an earlier time."""
