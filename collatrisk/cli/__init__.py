"""The command line. `main` is its entry point; nothing heavy is imported before a command needs it."""

from __future__ import annotations


def main() -> None:
    """Run the command line with the arguments of this process."""
    from collatrisk.cli.app import app

    app()
