"""The house itself: every public name resolves, and importing stays light."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import collatrisk

HEAVY = ("arch", "statsmodels", "matplotlib", "scipy.stats", "numba")


def modules_after(code: str) -> set[str]:
    """The modules that a fresh interpreter holds after running `code`."""
    script = f"{code}\nimport json, sys\nsys.stderr.write(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(json.loads(done.stderr))


@pytest.mark.parametrize("name", collatrisk.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(collatrisk, name) is not None


def test_every_public_name_is_documented() -> None:
    bare = [n for n in collatrisk.__all__ if callable(getattr(collatrisk, n)) and not getattr(collatrisk, n).__doc__]
    assert bare == []


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'hiarcut'"):
        collatrisk.hiarcut  # noqa: B018


def test_importing_the_package_loads_nothing_heavy() -> None:
    loaded = modules_after("import collatrisk")
    assert loaded.isdisjoint({*HEAVY, "pandas", "numpy"})


def test_the_command_line_help_loads_nothing_heavy() -> None:
    code = (
        "import contextlib, io, sys\nfrom collatrisk.cli import main\nsys.argv = ['collatrisk', '--help']\n"
        "with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):\n    main()"
    )
    assert modules_after(code).isdisjoint({*HEAVY, "pandas"})


def test_public_names_are_the_same_for_people_and_for_type_checkers():
    import ast

    import collatrisk
    from collatrisk.public import HOME

    tree = ast.parse(Path(collatrisk.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    shown = {alias.name: node.module for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    loaded = {name: f"collatrisk.{module}" for module, names in HOME.items() for name in names}
    assert sorted(shown) == sorted([*loaded, *collatrisk._ROOMS])
    for name, module in loaded.items():
        assert shown[name].startswith(module), name
