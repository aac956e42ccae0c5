"""What a second build finds otherwise: decided purely, and found by builds in real sandboxes that leak just that."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from build.workbench import Remembered, job
from sealwright_stages.build.builder import SandboxBuilder
from sealwright_stages.build.variation import Machine, listing, vary
from sealwright_stages.manifest_build import VARIATIONS
from sealwright_stages.ports import BuildJob, Surroundings

MACHINE = Machine((0, 1, 2, 3), frozenset({"C.utf8", "de_DE.utf8"}), 9, "newest")
LEAKS = {
    "hostname": "uname -n",
    "locale": "locale",
    "timezone": "date +%F",
    "uid": "id -u",
    "path": "pwd",
    "parallel": "nproc",
    "order": "ls -U many",
}
MANY = ("one", "two", "three", "four", "five")


def test_all_is_varied_or_said_not_to_be_with_the_reason(tmp_path: Path) -> None:
    made = job(tmp_path, "true")
    found = vary(made, None, MACHINE)
    assert tuple(found.changed) == VARIATIONS and not found.kept
    assert all(first != second for first, second in found.changed.values())
    assert found.changed["locale"] == ("C.UTF-8", "de_DE.utf8")
    assert found.changed["parallel"] == ("4", "3") and found.around.processors == (0, 1, 2)
    none = vary(made, (), MACHINE)
    assert none.around == Surroundings() and set(none.kept) == set(VARIATIONS)
    few = vary(made, None, Machine((5,), frozenset(), 13, ""))
    assert set(few.kept) == {"parallel", "order"} and few.changed["locale"] == ("C.UTF-8", "C")


def test_a_debian_package_keeps_uid_and_path_unless_the_manifest_names_the_path(tmp_path: Path) -> None:
    made = replace(job(tmp_path), recipe="deb")
    assert set(vary(made, None, MACHINE).kept) == {"uid", "path"}
    assert set(vary(made, VARIATIONS, MACHINE).kept) == {"uid"}
    assert set(vary(replace(made, recipe="rpm"), None, MACHINE).kept) == {"order"}


@pytest.mark.parametrize("hour", range(24))
def test_the_zone_is_one_where_another_day_is(tmp_path: Path, hour: int) -> None:
    zone = vary(job(tmp_path), None, replace(MACHINE, hour=hour)).around.timezone
    offset = -int(zone[-3:])  # POSIX counts from the zone to UTC
    assert offset in (14, -12) and not 0 <= hour + offset < 24


def test_a_second_build_on_a_later_day_is_in_a_zone_of_no_day_on_which_the_first_was_at_work(
    tmp_path: Path,
) -> None:
    now = datetime.now(UTC)
    yesterday, clock = (now - timedelta(days=1)).isoformat(), now.isoformat()
    assert Machine.of(None, tmp_path, yesterday).later and not Machine.of(None, tmp_path, clock).later
    for hour in range(24):
        zone = vary(job(tmp_path), None, replace(MACHINE, hour=hour, later=True)).around.timezone
        assert hour - int(zone[-3:]) >= 24, "tomorrow: today the first may have ended, yesterday it began"


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder of a file system that lists names as they were made, where the machine has one; all may read it."""
    with tempfile.TemporaryDirectory(prefix="sw-order-", dir="/dev/shm") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def built(builder: SandboxBuilder, made: BuildJob, out: Path) -> str:
    """What a build that leaks wrote down."""
    out.mkdir()
    output = Remembered()
    result = builder.run(made, out, output, lambda sample: None, lambda: "")
    assert result.exit == 0, output.data["E"].decode()
    return (out / "products" / "leak").read_text()


@pytest.mark.sandbox
@pytest.mark.parametrize("name", VARIATIONS)
def test_each_variation_finds_what_leaks_just_that_and_without_it_nothing_is_found(
    builder: SandboxBuilder, room: Path, name: str
) -> None:
    if name == "order" and not listing(room):
        pytest.skip("no file system here lists names as they were made")
    made = job(room, f"{LEAKS[name]} > $OUT/leak")
    (room / "sources" / "source" / "many").mkdir()
    for each in MANY:
        (room / "sources" / "source" / "many" / each).write_text(each)
    first = built(builder, made, room / "first")
    varied = builder.vary(made, (name,), room)
    assert set(varied.changed) == {name}, varied.kept
    without = builder.vary(made, [each for each in VARIATIONS if each != name], room)
    assert built(builder, replace(made, around=varied.around), room / "second") != first
    assert built(builder, replace(made, around=without.around), room / "third") == first


@pytest.mark.sandbox
@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_what_is_arranged_anew_is_all_there_with_its_modes(
    builder: SandboxBuilder, tmp_path: Path, order: str
) -> None:
    commands = ("find . -printf '%P %m %l\\n' | sort > $OUT/leak", "cat 'many/odd\nname' >> $OUT/leak")
    made = job(tmp_path, *commands)
    many = tmp_path / "sources" / "source" / "many"
    (many / "deep" / "er").mkdir(parents=True)
    (many / "odd\nname").write_text("odd")
    (many / "-n").write_text("")
    (many / "deep" / "run").write_text("")
    (many / "deep" / "run").chmod(0o755)
    (many / "link").symlink_to("deep/run")
    first = built(builder, made, tmp_path / "first")
    again = replace(made, around=replace(made.around, order=order))
    assert built(builder, again, tmp_path / "second") == first


def test_a_listing_is_told_for_what_it_is(tmp_path: Path, room: Path) -> None:
    assert listing(room) in ("newest", "oldest")
    assert listing(tmp_path) in ("newest", "oldest", "")
    assert not list(room.iterdir())
