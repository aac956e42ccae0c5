"""Which version is older: Debian's by dpkg's own word, tags by the rule that is written down."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealwright_stages.memory.versions import compare_debian, compare_tags

PART = "[A-Za-z0-9.+~]"
DEBIAN = st.from_regex(rf"([0-9]{{1,3}}:)?[0-9]{PART}{{0,6}}(-{PART}{{1,4}}){{0,2}}", fullmatch=True)
TAGS = st.from_regex(r"(v|release-)?[0-9]{1,2}([._][0-9]{1,2}){0,3}(-?(rc|beta|x)[0-9]?)?", fullmatch=True)


def sign(number: int | None) -> str:
    return "?" if number is None else "<" if number < 0 else ">" if number else "="


def by_dpkg(one: str, other: str) -> str:
    for name, operator in (("lt", "<"), ("eq", "="), ("gt", ">")):
        if subprocess.run(["dpkg", "--compare-versions", "--", one, name, other], check=False).returncode == 0:
            return operator
    return "?"


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg here")
@settings(max_examples=60, deadline=None)
@given(DEBIAN, DEBIAN)
def test_debian_versions_are_compared_as_dpkg_does(one: str, other: str) -> None:
    assert sign(compare_debian(one, other)) == by_dpkg(one, other)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="no dpkg here")
@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("1.0~rc1-1", "1.0-1", "<"),
        ("1:0.9-1", "1.0-1", ">"),
        ("1.0-1", "1.0-1+deb12u1", "<"),
        ("1.0-1~bpo12+1", "1.0-1", "<"),
        ("1.10-1", "1.9-1", ">"),
        ("1.0-0", "1.0", "="),
        ("1.0a-1", "1.0+-1", "<"),
        ("0" * 5000 + "1-1", "2-1", "<"),
        ("9" * 5000, "8" * 5000, ">"),
    ],
)
def test_known_pairs_of_debian_versions(one: str, other: str, wanted: str) -> None:
    assert sign(compare_debian(one, other)) == wanted == by_dpkg(one, other)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        ("RELEASE-4.17.3", "RELEASE-4.18.0", "<"),
        ("v1.9", "v1.10", "<"),
        ("v6.2", "v6.2.1", "<"),
        ("v1.2", "v1.2.0", "="),
        ("v1.0-rc1", "v1.0", "<"),
        ("v1.0rc2", "v1.0-rc1", ">"),
        ("v1.0-alpha", "v1.0-beta", "<"),
        ("v1.0.1", "v1.0.1-rc3", ">"),
        ("v2_03_23", "v2_03_22", ">"),
        ("curl-8_5_0", "curl-8_4_0", ">"),
        ("v1.2-3", "v1.2-4", "<"),
        ("v1", "v2.0", "<"),
        ("v" + "9" * 5000, "v" + "8" * 5000, ">"),
        # what no rule covers: other prefixes, other separators, letters that mean something else
        ("v1.2", "release-1.3", "?"),
        ("v1_2", "v1.3", "?"),
        ("OpenSSL_1_1_1v", "OpenSSL_1_1_1w", "?"),
        ("v1.0-final", "v1.0", "?"),
        ("latest", "v1.0", "?"),
        ("v1.2-3", "v1.2.1", "?"),
    ],
)
def test_tags_are_compared_by_the_rule_or_not_at_all(one: str, other: str, wanted: str) -> None:
    assert sign(compare_tags(one, other)) == wanted


@given(st.text(max_size=12), st.text(max_size=12))
def test_any_two_texts_give_an_answer_and_its_mirror(one: str, other: str) -> None:
    for compare in (compare_debian, compare_tags):
        there, back = compare(one, other), compare(other, one)
        assert sign(there) == sign(back).translate(str.maketrans("<>", "><"))
        assert compare(one, one) == 0


@given(TAGS, TAGS)
def test_tags_of_one_shape_can_be_compared_and_equal_ones_are_equal(one: str, other: str) -> None:
    assert compare_tags(one, one) == 0
    there, back = compare_tags(one, other), compare_tags(other, one)
    assert (there is None) == (back is None)
    assert there is None or back is None or there == -back
