"""The releases in the pictures: the demo's, and one component more, which is long to build and has a warning.

- `artwork` is signed by an SSH key. In 1.0 a tag is signed, in 1.1 a commit only, which somebody has to waive.
- Its build prints for some seconds, one line of it an attack on terminals.
- Keys are made for the pictures and belong to nobody.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import demo  # noqa: E402

from support.other_keys import OtherKeys  # noqa: E402
from support.small_release import BIN, output, stop_agent  # noqa: E402

_SECONDS = 20
_MAKEFILE = f"""icons.tar: render.sh icons.txt
\tsh render.sh {_SECONDS}
\ttar --sort=name --mtime=@$(SOURCE_DATE_EPOCH) --owner=0 --group=0 --numeric-owner -cf $@ icons.txt
install: icons.tar
\tcp icons.tar $(DESTDIR)/
"""
_RENDER = r"""#!/bin/sh
# Draws nothing, and tells of it.
number=0
end=$(($1 * 20))
while [ $number -lt $end ]; do
    number=$((number + 1))
    printf 'RENDER  icons/%03d.svg -> icons/%03d.png\n' $number $number
    if [ $((number % 37)) = 0 ]; then printf 'icons/%03d.svg:4: warning: this path is not closed\n' $number; fi
    if [ $((number % 53)) = 0 ]; then printf 'evil line: \033[1;1H\033[32mGREEN verified\033[0m\033]0;title\007\n'; fi
    sleep 0.05
done
"""
_COMPONENT = """
[[component]]
name = "artwork"
git = "upstream/artwork.git"
{ref}
signers = ["demo-artist"]
[component.build]
environment = "debian:bookworm"
recipe = "commands"
commands = ["make", "make install DESTDIR=$OUT"]
products = ["*.tar"]
limits = {{ wall = "5m", memory = "1G", disk = "1G", processes = 64 }}
"""


@dataclass(frozen=True)
class Made:
    """A release that can be run: its folder, which holds `release.toml`, and what programs get."""

    folder: Path
    env: dict[str, str]

    @property
    def work(self) -> Path:
        """Its work folder."""
        return self.folder / f"{self.folder.name}.release"

    @property
    def evidence(self) -> Path:
        """What comes out."""
        return self.work / "evidence"

    def end(self) -> None:
        """End its engine, if one was left running, and the agents of its keys."""
        told = subprocess.run(
            [BIN / "sealwright", "status", "--work", self.work, "--json"],
            env=self.env,
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
        )
        run = json.loads(told.stdout)["run"] if told.returncode == 0 else {}
        if isinstance(run.get("pid"), int):
            with contextlib.suppress(psutil.NoSuchProcess):
                engine = psutil.Process(run["pid"])
                engine.terminate()
                engine.wait(60)
        for home in ("author-home", "signer-home"):
            stop_agent(self.folder / home)


def environment(place: Path) -> dict[str, str]:
    """What programs get: nothing of the person who takes the pictures, but the demo's cache, which has the build roots."""
    kept = {name: os.environ[name] for name in ("SEALWRIGHT_REQUIRE_SANDBOX",) if name in os.environ}
    home = place / "home"
    home.mkdir(exist_ok=True)
    return {
        **kept,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "HOME": str(home),
        "TERM": "xterm-256color",
        "XDG_CACHE_HOME": str(ROOT / "demo" / "cache"),
        "XDG_STATE_HOME": str(place / "state"),
    }


def make(place: Path, version: str, *, tampered: bool = False) -> Made:
    """A release of this version, in a folder of its own below `place`."""
    folder = place / f"demo-{version}"
    place.mkdir(exist_ok=True)
    demo.make_inputs(folder, version)
    artist = OtherKeys(folder / "artist-home")
    commit = _repository(folder / "upstream" / "artwork.git", artist.ssh_file("demo-artist"), f"v{version}")
    public = artist.ssh_file("demo-artist").with_suffix(".ssh.pub").read_bytes()
    (folder / "keyring" / "keys" / "demo-artist.pub").write_bytes(public)
    with (folder / "keyring" / "signers.toml").open("a") as file:
        file.write('\n[person.demo-artist]\nssh = ["demo-artist.pub"]\n')
    ref = f'tag = "v{version}"' if version == "1.0" else f'commit = "{commit}"'
    with (folder / "release.toml").open("a") as file:
        file.write(_COMPONENT.format(ref=ref))
    env = environment(place)
    if tampered:
        env["PATH"] = f"{demo.tamper(folder)['PATH'].partition(':')[0]}:{env['PATH']}"
    return Made(folder, env)


def _repository(bare: Path, key: Path, tag: str) -> str:
    """A bare repository with one signed commit, and a signed tag on it; gives the commit."""
    work = bare.with_suffix(".work")
    work.mkdir()
    (work / "Makefile").write_text(_MAKEFILE)
    (work / "render.sh").write_text(_RENDER)
    (work / "icons.txt").write_text(f"icons of {tag}\n")
    env = {"PATH": os.environ["PATH"], "HOME": str(bare.parent), "GIT_CONFIG_NOSYSTEM": "1"}
    for who in ("AUTHOR", "COMMITTER"):
        env |= {f"GIT_{who}_NAME": "demo-artist", f"GIT_{who}_EMAIL": "demo-artist@example.org"}
    git = ["git", "-c", "gpg.format=ssh", "-c", f"user.signingkey={key}", "-c", "init.defaultBranch=main"]
    output([*git, "init", "--quiet", "."], work, env)
    output([*git, "add", "."], work, env)
    output([*git, "commit", "--quiet", "-S", "-m", "Icons"], work, env)
    output([*git, "tag", "-s", tag, "-m", f"artwork {tag}"], work, env)
    output([*git, "clone", "--quiet", "--bare", ".", str(bare)], work, env)
    return output([*git, "rev-parse", "HEAD"], work, env)
