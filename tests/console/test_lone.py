"""The start screen and the doctor: what they show, what their keys do, and that nothing in them is trusted."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from console import lone, made_up
from console.hands import press
from console.hostile import attack
from sealwright_console import cli, recent, start
from sealwright_console.app import ConsoleApp
from sealwright_console.lines import Row, plain, wrap
from sealwright_console.recent import Recent, Stand, remember, remembered, stand
from sealwright_console.screens.doctor import DoctorScreen
from sealwright_console.start import PathScreen, StartApp, StartScreen, recent_rows
from sealwright_console.views.doctor import attempt_rows, cure, finding_rows, verdict_line
from sealwright_console.widgets.ledger import Ledger
from sealwright_console.widgets.texts import Texts
from sealwright_stages.doctor import Finding
from sealwright_stages.selftest.attempts import ATTEMPTS, Result, Tried
from sealwright_stages.verdict import Status

SIZE = (80, 24)


def text(rows: list[Row]) -> str:
    return "\n".join(plain(line) for row in rows for line in row.lines)


@pytest.fixture
def folders(tmp_path: Path) -> list[Recent]:
    red = lone.work_folder(tmp_path, "example-1.0", made_up.troubled())
    done = lone.work_folder(tmp_path, "other-2.0", made_up.sealed())
    (done.work / "evidence").mkdir()
    return [red, done, Recent(tmp_path / "gone.release", tmp_path / "release.toml")]


# -- the list ---------------------------------------------------------------------------------------


def manifest(folder: Path, name: str = "example") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(f'[release]\nname = "{name}"\nversion = "1.0"\n')
    return path


def test_the_newest_release_is_first_once_and_the_list_is_bounded(tmp_path: Path) -> None:
    file = tmp_path / "state" / "recent.json"
    for number in range(30):
        remember(manifest(tmp_path, f"r{number}"), tmp_path / f"{number}.release", file)
    remember(manifest(tmp_path, "r20"), tmp_path / "20.release", file)
    found = remembered(file)
    assert len(found) == 20 and found[0] == Recent(tmp_path / "20.release", tmp_path / "r20.toml")
    assert [each.work.name for each in found].count("20.release") == 1
    assert file.stat().st_mode & 0o777 == 0o600 and [path.name for path in file.parent.iterdir()] == [file.name]


def test_without_a_work_folder_it_is_the_one_that_run_would_take(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    remember(manifest(tmp_path), None, tmp_path / "recent.json")
    assert remembered(tmp_path / "recent.json")[0].work == tmp_path / "example-1.0.release"


def test_what_can_not_be_remembered_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text("[release")
    (tmp_path / "file").write_text("")
    remember(tmp_path / "bad.toml", None, tmp_path / "recent.json")
    remember(manifest(tmp_path), None, tmp_path / "file" / "recent.json")
    assert not (tmp_path / "recent.json").exists()


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        b'[1, ["/a"], ["a", "/b"], ["/a\\u0000", "/b"], [["/a"], "/b"]]',
        b"x" * 99_999,
    ],
)
def test_a_list_that_is_none_is_no_list(tmp_path: Path, said: bytes) -> None:
    (tmp_path / "recent.json").write_bytes(said)
    assert remembered(tmp_path / "recent.json") == []
    (tmp_path / "recent.json").unlink()
    (tmp_path / "recent.json").symlink_to("/dev/zero")
    assert remembered(tmp_path / "recent.json") == []


def test_a_release_stands_as_its_own_log_says(folders: list[Recent]) -> None:
    red, done, gone = map(stand, folders)
    assert (red.release, red.status, red.stage, red.trouble) == ("example-1.0", Status.FAILED, "verify", "")
    assert (done.status, done.stage, done.sealed) == (Status.PASSED, "sealed", True)
    assert gone.gone and gone.trouble
    index = folders[0].work / "log" / "index.jsonl"
    index.write_bytes(b"\x1b[2J not a log\n")
    assert "can't be read" in stand(folders[0]).trouble
    index.unlink()
    assert stand(folders[0]).trouble == "there is no log in it"


def test_a_very_long_log_is_not_read(folders: list[Recent], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent, "_LOG", 100)
    assert "long" in stand(folders[0]).trouble


# -- the start screen -------------------------------------------------------------------------------


async def settled(app: StartApp) -> None:
    await app.workers.wait_for_complete()


async def test_the_start_screen_shows_how_each_release_stands(folders: list[Recent]) -> None:
    app = StartApp(folders)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app)
        await pilot.pause()
        said = text(app.screen.query_one(Ledger)._rows)
        assert "✗ failed    example-1.0" in said and "✓ passed    example-1.0" in said
        assert "! missing   gone" in said and "the folder is gone" in said


async def test_a_sealed_release_is_reviewed_and_one_that_goes_on_is_asked_about(folders: list[Recent]) -> None:
    app = StartApp(folders)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app)
        await press(pilot, "enter", "enter")  # stands on no
        assert isinstance(app.screen, StartScreen) and app.return_value is None
        await press(pilot, "enter", "escape")
        assert isinstance(app.screen, StartScreen) and app.return_value is None
        await press(pilot, "enter", "tab", "enter")
    assert app.return_value == ["run", str(folders[0].manifest), "--work", str(folders[0].work)]
    app = StartApp(folders)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app)
        await press(pilot, "down", "enter")
    assert app.return_value == ["review", str(folders[1].work / "evidence")]


async def test_a_missing_folder_is_told_and_opens_nothing(folders: list[Recent]) -> None:
    app = StartApp(folders)
    async with app.run_test(size=SIZE) as pilot:
        await settled(app)
        await press(pilot, "down", "down", "enter")
        assert isinstance(app.screen, StartScreen)
        assert "gone" in plain(app.screen.query_one("#notices", Texts).lines[0])


async def test_esc_quits_nothing_and_q_quits(folders: list[Recent]) -> None:
    app = StartApp([])
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "escape", "escape", "n", "escape", "escape", "o", *"q", "escape")
        assert app.is_running and isinstance(app.screen, StartScreen)
        await press(pilot, "q")
    assert app.return_value == []


async def test_a_new_release_is_written_where_it_was_asked_for_and_never_over_another(tmp_path: Path) -> None:
    app = StartApp([])
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "n")
        app.screen.query_one("#path").value = str(tmp_path)  # type: ignore[attr-defined]
        (tmp_path / "other").write_text("")
        await press(pilot, "enter")
        assert isinstance(app.screen, PathScreen)
        assert "not empty" in plain(app.screen.query_one("#wrong", Texts).lines[0])
        app.screen.query_one("#path").value = str(tmp_path / "new")  # type: ignore[attr-defined]
        await press(pilot, "enter")
        assert isinstance(app.screen, StartScreen) and (tmp_path / "new" / "release.toml").is_file()


async def test_evidence_opens_by_its_path_and_what_is_none_is_told(folders: list[Recent], tmp_path: Path) -> None:
    app = StartApp([])
    async with app.run_test(size=SIZE) as pilot:
        await press(pilot, "o")
        app.screen.query_one("#path").value = str(tmp_path)  # type: ignore[attr-defined]
        await press(pilot, "enter")
        assert "no log" in plain(app.screen.query_one("#wrong", Texts).lines[0])
        app.screen.query_one("#path").value = str(folders[0].work)  # type: ignore[attr-defined]
        await press(pilot, "enter")
    assert app.return_value == ["review", str(folders[0].work)]


async def test_a_click_on_the_selected_line_chooses_it(folders: list[Recent]) -> None:
    app = StartApp(folders[1:])
    async with app.run_test(size=SIZE) as pilot:
        await settled(app)
        await pilot.pause()
        await pilot.click(Ledger, offset=(6, 1))
    assert app.return_value == ["review", str(folders[1].work / "evidence")]


def test_what_was_chosen_is_run_as_a_command(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for stream in ("stdin", "stdout", "stderr"):
        monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setattr(start, "run_start", lambda looks: ["new", str(tmp_path / "made")])
    assert cli.main([]) == 0 and (tmp_path / "made" / "release.toml").is_file()
    monkeypatch.setattr(start, "run_start", lambda looks: [])
    assert cli.main([]) == 0


def test_without_a_terminal_and_a_command_the_help_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 2
    assert "sealwright --help" in capsys.readouterr().err


def test_no_name_of_a_release_is_live() -> None:
    evil = attack("M-x")
    each = Stand(Recent(Path(f"/{evil}"), Path(f"/{evil}")), evil, evil, Status.FAILED, evil)
    said = text(recent_rows([each, Stand(each.recent, trouble=evil)]))
    assert "M-x" in said and said.replace("\n", "").isprintable()


# -- the doctor -------------------------------------------------------------------------------------


def test_the_word_of_the_machine_stands_on_top() -> None:
    assert plain(verdict_line(lone.findings())).startswith("DOCTOR  ✗ NOT FIT")
    assert plain(verdict_line([finding for finding in lone.findings() if finding.ok != "bad"])).startswith(
        "DOCTOR  ✓ FIT"
    )
    assert "running" in plain(verdict_line(None))


@pytest.mark.parametrize(
    ("said", "command"),
    [
        ("install minisign", "apt-get install minisign"),
        ("install gnupg 2.2 or newer", "apt-get install gnupg"),
        ("install gnupg again", "apt-get install gnupg"),
        ("for reports that look into archives: apt install xz-utils zstd", "apt-get install xz-utils zstd"),
        ("set the clock", "set the clock"),
        ("install a gnupg with that fix, run again", "install a gnupg with that fix, run again"),
        ("install x; rm -rf /", "install x; rm -rf /"),
    ],
)
def test_a_package_to_install_is_a_command(said: str, command: str) -> None:
    assert cure(Finding("x", "bad", "", said)) == command


def test_what_is_bad_comes_first_and_nothing_wraps_below_its_label() -> None:
    rows = finding_rows([*lone.findings(), Finding("gpg's fixes", "advice", "long " * 40, "words " * 40)])
    assert [row.lines[0][0].text.split()[1] for row in rows][:2] == ["bad", "advice"]
    lines = [plain(piece) for row in rows for line in row.lines for piece in wrap(line, 77)]
    assert {line[27:29] for line in lines} == {"  "} and all(line[29] != " " for line in lines)


async def test_no_line_is_cut_where_the_scroll_bar_comes() -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(DoctorScreen(lambda: [Finding(f"part {n}", "good", "words " * 30) for n in range(30)]))
        await app.workers.wait_for_complete()
        await pilot.pause()
        ledger = app.screen.query_one(Ledger)
        assert ledger.show_vertical_scrollbar
        assert max(len(plain(line)) for _, line, _ in ledger._flat) <= SIZE[0] - 3


def test_two_attempts_of_one_name_are_two_lines_and_the_one_that_got_out_is_seen() -> None:
    names = [attempt.name for attempt in ATTEMPTS]
    twice = [attempt for attempt in ATTEMPTS if names.count(attempt.name) == 2][:2]
    tried = {attempt: Tried(attempt, Result.HELD, "") for attempt in ATTEMPTS}
    tried[twice[1]] = Tried(twice[1], Result.GOT_OUT, "it is outside")
    rows = [row for row in attempt_rows(tried) if row.key]
    assert len(rows) == len(ATTEMPTS) and text(rows).count("✗ GOT OUT") == 1 and "it is outside" in text(rows)


async def shown(app: ConsoleApp) -> str:
    return text(app.screen.query_one(Ledger)._rows)


async def test_the_doctor_is_in_the_palette_and_on_the_start_screen() -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE):
        assert "Doctor" in [command.title for command in app.get_system_commands(app.screen)]


async def test_the_selftest_tells_each_attempt_as_it_ends_and_all_keys_answer() -> None:
    go, heard = threading.Event(), threading.Event()

    def slow(tell: lone.Tell, stop: threading.Event) -> None:
        tell([Tried(attempt, Result.HELD, "") for attempt in ATTEMPTS[:3]])
        heard.set()
        assert go.wait(20)
        tell([Tried(attempt, Result.HELD, "") for attempt in ATTEMPTS[3:]])

    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(DoctorScreen(lone.findings, slow))
        await pilot.pause(0.2)
        await press(pilot, "s")
        assert heard.wait(20)
        await pilot.pause(0.2)
        assert (await shown(app)).count("✓ held") == 3
        await press(pilot, "s", "down", "y")  # a second one does not begin, and keys answer
        assert app.clipboard
        go.set()
        await app.workers.wait_for_complete()
        await pilot.pause(0.2)
        assert (await shown(app)).count("✓ held") == len(ATTEMPTS)
        assert f"{len(ATTEMPTS)} of {len(ATTEMPTS)} held" in plain(
            app.screen.query_one("#notices", Texts).lines[0]
        )


@pytest.mark.parametrize("key", ["x", "escape"])
async def test_the_selftest_is_stopped_by_x_and_by_going_back(key: str) -> None:
    stopped = threading.Event()

    def endless(tell: lone.Tell, stop: threading.Event) -> None:
        assert stop.wait(20)
        stopped.set()

    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(DoctorScreen(lone.findings, endless))
        await pilot.pause(0.2)
        await press(pilot, "s", key)
        assert stopped.wait(20)
        await app.workers.wait_for_complete()
        await pilot.pause(0.2)
        assert isinstance(app.screen, DoctorScreen) is (key == "x")
        if key == "x":
            assert "held" not in (await shown(app))
            assert "✓" not in plain(app.screen.query_one("#notices", Texts).lines[0])


async def test_what_a_part_or_an_attempt_says_is_dead() -> None:
    app = ConsoleApp(made_up.MadeUpFeed(made_up.troubled()))
    async with app.run_test(size=SIZE) as pilot:
        app.push_screen(DoctorScreen(lone.hostile_findings, lone.hostile_trial))
        await press(pilot, "s")
        await app.workers.wait_for_complete()
        await pilot.pause(0.2)
        said = await shown(app)
    assert all(mark in said for mark in ("M-name", "M-found", "M-cure", "M-why"))
    assert said.replace("\n", "").isprintable()


def test_the_list_is_json_of_pairs(tmp_path: Path) -> None:
    remember(manifest(tmp_path), tmp_path, tmp_path / "recent.json")
    assert json.loads((tmp_path / "recent.json").read_text()) == [[str(tmp_path), str(tmp_path / "example.toml")]]
