"""A Python below a folder that only root may enter, as one in root's home is: nothing loads after the uid is dropped.

- Its standard library, its packages and ours are all reached through that folder.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
from pathlib import Path

OURS = Path(__file__).parents[2]


def closed_python(folder: Path) -> Path:
    """Make it below `folder`, which is made and closed; gives the program."""
    folder.mkdir(mode=0o700)
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    base, venv = folder / "base", folder / "venv"
    packages = venv / "lib" / version / "site-packages"
    for each in (base / "bin", base / "lib", venv / "bin", packages):
        each.mkdir(parents=True)
    shutil.copy(Path(sys.executable).resolve(), base / "bin" / version)
    (base / "lib" / version).symlink_to(sysconfig.get_path("stdlib"))
    (venv / "bin" / "python3").symlink_to(base / "bin" / version)
    (venv / "pyvenv.cfg").write_text(f"home = {base / 'bin'}\ninclude-system-site-packages = false\n")
    sources = {"stages": OURS / "stages", "keyring": OURS / "keyring", "site": Path(sysconfig.get_path("purelib"))}
    for name, target in sources.items():
        (folder / name).symlink_to(target)
    (packages / "ours.pth").write_text("".join(f"{folder / name}\n" for name in sources))
    return venv / "bin" / "python3"
