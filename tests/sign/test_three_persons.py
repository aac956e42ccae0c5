"""Three persons on three uids sign one release, and every tool agrees at the end."""

from __future__ import annotations

import os

import pytest

from sign.three_persons import signed
from support.ordinary import as_ordinary_user


@pytest.mark.slow
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become three persons")
def test_three_persons_on_three_uids_sign_one_release() -> None:
    as_ordinary_user()
    told: list[str] = []
    signed(told.append)
    whole = "\n".join(told)
    assert "1 of 3 needed" in whole and "2 of 3 needed" in whole and "3 of 3 needed" in whole
    assert "verdict: yes\n" in whole
