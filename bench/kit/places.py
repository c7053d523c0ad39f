"""Where things are."""

import os
import shutil
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
TOOLS = BENCH / ".tools"


def built(name: str) -> Path | None:
    """An executable of this workspace, built with --release."""
    folders = [os.environ.get("CARGO_TARGET_DIR"), ROOT / "target"]
    found = (Path(folder) / "release" / name for folder in folders if folder)
    return next((path for path in found if path.is_file()), None)


def installed(name: str) -> Path | None:
    """An executable of this machine; Debian keeps some where only root looks."""
    search = os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin"
    found = shutil.which(name, path=search)
    return Path(found) if found else None
