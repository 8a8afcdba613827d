"""Rewrite constraints.txt: install every extra into a fresh environment and pin what came out.

Run by `make lock`. No index address is written: the file holds names, versions and Python markers only.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXTRAS = "excel,parquet,dask,notebooks,docs,test,bench"
MARKER = 'python_version >= "3.11"'
HEADER = "# Exact versions that the project is tested with; rewritten by `make lock`.\n"


def main() -> None:
    """Install `.[all extras]` into a temporary environment and write its pins."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        python = str(Path(folder) / "bin" / "python")
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*install, f"{ROOT}[{EXTRAS}]"], check=True)
        frozen = subprocess.run(
            [python, "-m", "pip", "freeze", "--exclude", "collatrisk"], check=True, capture_output=True, text=True
        ).stdout
    pins = [line for line in frozen.splitlines() if re.fullmatch(r"[A-Za-z0-9._-]+==[^\s@]+", line)]
    body = "".join(f"{pin} ; {MARKER}\n" for pin in sorted(pins, key=str.lower))
    (ROOT / "constraints.txt").write_text(HEADER + body)


if __name__ == "__main__":
    main()
