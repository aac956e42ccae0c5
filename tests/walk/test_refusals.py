"""What is refused before or at the first stage: one error that names what, the documented exit code, nothing begun."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import sys
from pathlib import Path

import pytest

from support.small_release import stop_agent
from verify.miniature import Miniature
from verify.workbench import Keys
from walk.held import Held
from walk.walking import INSTALLED, Done, Walk, events, files

pytestmark = [pytest.mark.sandbox, pytest.mark.usefixtures("sandbox")]
BUILD = "[component.build]\n"
WRONG = {
    "unknown-key": ('version = "1.0"\n', 'version = "1.0"\nsigner = ["manager"]\n', "signer"),
    "unknown-table": ("[signer]\n", "[singer]\n", "singer"),
    "duplicate-key": ('tag = "v1.0"\n', 'tag = "v1.0"\ntag = "v1.1"\n', "release.toml:"),
    "wrong-type": ('products = ["*.out"]', 'products = "*.out"', "products"),
    "cycle": ('name = "greeting"\n', 'name = "greeting"\nneeds = ["greeting"]\n', "cycle"),
    "unknown-person": ('signers = ["manager"]', 'signers = ["nobody-known"]', "nobody-known"),
    "no-toml": ("[release]\n", "[release\n", "release.toml:"),
    "unknown-environment": (BUILD, f'{BUILD}environment = "elsewhere"\n', "elsewhere"),
}


def nothing_was_begun(walk: Walk) -> None:
    """Not even a work folder."""
    walk.nothing_survives()
    assert not walk.work.exists()


@pytest.mark.parametrize("kind", WRONG)
def test_a_manifest_that_is_wrong_is_refused_with_its_file_and_line(walk: Walk, kind: str) -> None:
    old, new, word = WRONG[kind]
    walk.change(old, new)
    done = walk.look("run", walk.manifest, "--work", walk.work, "--batch").refused(2, f"{walk.manifest}:", word)
    line = done.err.split(f"{walk.manifest}:", 1)[1].split()[0].rstrip(":")
    assert line.isdigit(), done.told()
    nothing_was_begun(walk)


def test_a_cycle_through_several_components_is_refused_with_its_file_and_line(walk: Walk) -> None:
    more = walk.text[walk.text.index("[[component]]") :]
    walk.text += more.replace('name = "greeting"\n', 'name = "second"\nneeds = ["greeting"]\n')
    walk.change('name = "greeting"\n', 'name = "greeting"\nneeds = ["second"]\n')
    walk.run().refused(2, f"{walk.manifest}:", "cycle")
    nothing_was_begun(walk)


def test_a_keyring_without_a_key_file_is_refused_by_name(walk: Walk) -> None:
    for key in (walk.folder / "keyring" / "keys").iterdir():
        key.unlink()
    walk.run().refused(2, "signers.toml:")
    nothing_was_begun(walk)


def test_a_short_key_id_is_refused_with_its_file_and_line(walk: Walk) -> None:
    signers = walk.folder / "keyring" / "signers.toml"
    text = signers.read_text()
    fingerprint = text.split('openpgp = ["', 1)[1].split('"', 1)[0]
    signers.write_text(text.replace(fingerprint, fingerprint[-16:]))
    walk.run().refused(2, f"{signers}:2", "40")
    nothing_was_begun(walk)


@pytest.mark.parametrize("words", [["frob"], ["run"], ["run", "release.toml", "--until", "midnight"], ["check"]])
def test_a_wrong_command_line_is_one_error(walk: Walk, words: list[str]) -> None:
    walk.say(*words).refused(2, "the command line")


def test_the_console_without_a_terminal_is_refused_before_its_library_is_loaded(walk: Walk) -> None:
    walk.env["PYTHONPROFILEIMPORTTIME"] = "1"
    done = walk.say("run", walk.manifest, "--work", walk.work, before=INSTALLED)
    done.refused(2, "no terminal", "--batch")
    assert "textual" not in done.err and "sealwright_stages.errors" in done.err
    nothing_was_begun(walk)


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as once:
        once.bind(("127.0.0.1", 0))
        port: int = once.getsockname()[1]
        return port


@pytest.mark.parametrize("key", ["git", "url", "signature"])
def test_an_address_that_does_not_answer_makes_its_item_red(walk: Walk, key: str) -> None:
    line = next(line for line in walk.text.splitlines() if line.startswith(f"{key} = "))
    name = line.rsplit("/", 1)[1]
    walk.change(line, f'{key} = "http://127.0.0.1:{closed_port()}/{name}')
    done = walk.run().refused(1, "the gate before build is closed", "did not arrive", "127.0.0.1")
    assert "Failed to connect" in done.err
    walk.nothing_is_half_done()
    assert not [e for e in events(walk.work) if e["e"] == "build.started"]
    walk.run().refused(1, "the gate before build is closed")


@pytest.fixture
def mirror(walk: Walk) -> Miniature:
    """A Debian archive with one package."""
    keys = Keys(walk.folder / "archive-home")
    made = Miniature(walk.folder / "mirror", keys)
    made.publish()
    made.source()
    stop_agent(keys.home)
    return made


def test_a_mirror_without_the_package_makes_its_item_red_and_builds_nothing(walk: Walk, mirror: Miniature) -> None:
    walk.text += (
        f'\n[[component]]\nname = "absent"\ndsc = "debian:bookworm/absent"\nuploaders = "./uploaders.gpg"\n'
        f'\n[environment]\nmirror = "{mirror.folder.as_uri()}"\narchive_keyring = "archive.gpg"\n'
    )
    walk.manifest.write_text(walk.text)
    walk.run().refused(1, "the gate before build is closed", "absent")
    walk.nothing_is_half_done()
    assert not [e for e in events(walk.work) if e["e"] == "build.started"]
    assert (walk.work / "sources" / "greeting").exists()


def test_a_machine_without_bwrap_is_refused_with_its_cure(walk: Walk) -> None:
    if os.geteuid() != 0:
        pytest.skip("hiding bwrap needs root and a mount namespace")
    empty = walk.folder / "empty"
    empty.touch(0o644)
    hide = 'mount --bind "$1" "$2" && shift 2 && exec "$@"'
    bwrap = str(shutil.which("bwrap"))
    before = ["unshare", "--mount", "--propagation", "private", "sh", "-c", hide, "sh", empty, bwrap]
    walk.run(before=before).refused(3, "bwrap is missing", "install bubblewrap")
    nothing_was_begun(walk)
    told = walk.say("doctor", walk.manifest, before=before)
    assert told.exit == 3 and "bwrap is missing" in told.out
    walk.resumes()


def test_a_machine_without_user_namespaces_is_refused_with_its_cure(walk: Walk) -> None:
    if os.geteuid() != 0:
        pytest.skip("a namespace with a limit of its own needs root")
    before = [sys.executable, Path(__file__).with_name("no_namespaces.py")]
    walk.run(before=before).refused(3, "there is no sandbox on this machine", "allow user namespaces")
    nothing_was_begun(walk)
    walk.resumes()


def test_a_work_folder_of_another_release_is_left_untouched(walk: Walk) -> None:
    walk.work.mkdir()
    (walk.work / "release.json").write_text('{"release": "other-2.0"}\n')
    walk.run().refused(2, str(walk.work), "other-2.0", "--work")
    assert set(files(walk.work)) == {"lock", "release.json"}


def test_a_folder_that_is_no_work_folder_is_left_untouched(walk: Walk) -> None:
    walk.work.mkdir()
    (walk.work / "thesis.txt").write_text("mine\n")
    walk.run().refused(2, str(walk.work), "something else", "--work")
    assert set(files(walk.work)) == {"lock", "thesis.txt"}


@pytest.mark.parametrize("what", ["manifest", "policy"])
def test_a_work_folder_goes_on_only_under_the_rules_that_it_began_with(walk: Walk, what: str) -> None:
    walk.run("--until", "verify").well()
    before = (walk.work / "log" / "index.jsonl").read_bytes()
    path = walk.manifest if what == "manifest" else walk.folder / "keyring" / "signers.toml"
    held = path.read_text()
    path.write_text(held + "\n# changed\n")
    walk.run().refused(2, f"the {what} has changed", "--work")
    assert events(walk.work)[: before.count(b'"k":"ev"')][-1]["e"] == "run.ended"
    path.write_text(held)
    walk.resumes()


def test_a_second_console_is_refused_and_the_first_goes_on(held: Held) -> None:
    running = held.start()
    held.to(running, "fetch")
    held.run().refused(3, "is in use", str(running.child.pid))
    held.say("status", "--work", held.work).well()
    held.to(running, "sign")
    held.let_go("before-sign")
    running.end().well()
    held.is_done()


def test_a_lock_that_a_dead_process_left_does_not_hold(walk: Walk) -> None:
    walk.run("--until", "verify").well()
    (walk.work / "lock").write_text("1\n")
    walk.resumes()


# -- JSON and status ------------------------------------------------------------------------------------------


def records(done: Done) -> list[dict[str, object]]:
    """What `--json` printed: JSON objects only, the last one the result, with the exit code of the program."""
    told = [json.loads(line) for line in done.out.splitlines()]
    assert [each for each in told if each["event"] == "result"] == told[-1:], done.told()
    assert told[-1]["exit"] == done.exit, done.told()
    return told


def test_json_is_all_that_is_on_stdout_and_ends_with_the_result(walk: Walk) -> None:
    done = walk.run("--json").well()
    told = records(done)
    assert [each["n"] for each in told[:-1]] == sorted(each["n"] for each in told[:-1])  # type: ignore[type-var]
    assert "gate before build: OPEN" in done.err


def test_json_ends_with_the_result_also_when_a_gate_is_closed(walk: Walk) -> None:
    walk.change('tag = "v1.0"', 'tag = "v9.9"')
    assert "v9.9" in str(records(walk.run("--json").refused(1, "v9.9"))[-1])


def test_json_ends_with_the_result_also_when_nothing_was_begun(walk: Walk) -> None:
    walk.change('tag = "v1.0"\n', "")
    (told,) = records(walk.run("--json").refused(2, "release.toml:"))
    assert told["because"] and told["next"]
    for words in (["run", "--json"], ["run", "nowhere.toml", "--json"]):
        (told,) = records(walk.say(*words).refused(2))
        assert told["what"]


def test_json_ends_with_the_result_also_when_it_is_interrupted(held: Held) -> None:
    running = held.start("--json")
    held.to(running, "build")
    running.stop(signal.SIGTERM)
    assert len(records(running.end().refused(130))) > 10


def test_status_finds_the_only_work_folder_and_asks_where_there_are_more(walk: Walk) -> None:
    walk.say("status").refused(2, "there is none here", "--work")
    walk.say("run", walk.manifest, "--batch").well()
    assert "greeting/greeting.out" in walk.say("status").well().out
    state = json.loads(walk.say("status", "--json").well().out)
    assert state["release"] == "small" and state["sealed"] is True
    assert {item["status"] for item in state["items"].values()} == {"passed"}
    (walk.folder / "other-1.0.release").mkdir()
    walk.say("status").refused(2, "other-1.0.release", "small-1.0.release", "--work")
    walk.say("status", "--work", walk.folder / "other-1.0.release").refused(2, "there is no log")


def test_doctor_looks_at_the_release_and_new_writes_one_that_is_read(walk: Walk) -> None:
    assert "sandbox" in walk.say("doctor", walk.manifest).out
    walk.say("doctor", "nowhere.toml").refused(2, "nowhere.toml")
    walk.say("new", walk.folder / "fresh").well()
    walk.say("new", walk.folder / "fresh").refused(2, "not empty")
    walk.say("run", walk.folder / "fresh" / "release.toml", "--batch").refused(2, "signers.toml")


def test_what_is_refused_once_the_log_is_open_ends_the_run_on_the_record(walk: Walk) -> None:
    build = walk.text[walk.text.index("[component.build]") :]
    package = f'[[component]]\nname = "tool"\ndsc = "debian:nowhere/tool"\nuploaders = "debian-keyring"\n{build}'
    walk.change(build, f"{build}\n{package}")
    walk.run().refused(3, "nowhere")
    assert [body["e"] for body in events(walk.work)] == ["run.started", "run.ended"]
    assert events(walk.work)[-1]["exit"] == 3
    walk.nothing_is_half_done()
