"""``python -m collatrisk``: the command line."""

from __future__ import annotations

from collatrisk.cli import main

if __name__ == "__main__":  # worker processes import this module too
    main()
