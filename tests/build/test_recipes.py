from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sealwright_stages.build.recipes import recipe
from sealwright_stages.errors import BuildError
from sealwright_stages.ports import BuildJob, Limits, Prepared

JOB = BuildJob(
    component="xen",
    recipe="commands",
    commands=("make", "echo $(id)"),
    environment=Prepared("host", None, "0" * 64, ()),
    sources=Path("/nowhere"),
    epoch=1234,
    limits=Limits(),
    products=(),
)


def test_nothing_of_the_manifest_becomes_part_of_a_script() -> None:
    how = recipe(JOB)
    assert how.argv[:2] == ("sh", "-c")
    assert how.argv[4:] == ("/build/xen", "", "make", "echo $(id)")
    assert recipe(replace(JOB, commands=("other",))).argv[2] == how.argv[2]


def test_a_recipe_that_is_not_offered_is_refused() -> None:
    with pytest.raises(BuildError, match="no recipe 'pacman'"):
        recipe(replace(JOB, recipe="pacman"))


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "-x", "a b", "a\n"])
def test_a_component_whose_name_can_not_name_a_folder_is_refused(name: str) -> None:
    with pytest.raises(BuildError, match="can't name a folder"):
        recipe(replace(JOB, component=name))


def test_commands_without_commands_are_refused() -> None:
    with pytest.raises(BuildError, match="no commands"):
        recipe(replace(JOB, commands=()))


def test_a_debian_package_gets_no_date_from_us() -> None:
    assert "SOURCE_DATE_EPOCH" not in recipe(replace(JOB, recipe="deb")).environment
    assert recipe(JOB).environment["SOURCE_DATE_EPOCH"] == "1234"


def test_unpacked_archives_have_a_place_that_no_component_can_be_called() -> None:
    place = recipe(JOB).environment["UNPACKED"]
    assert place.startswith("/build/")
    with pytest.raises(BuildError, match="can't name a folder"):
        recipe(replace(JOB, component=place.removeprefix("/build/")))
