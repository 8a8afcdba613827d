"""What a user sees when something goes wrong: one message, one exit code, never a traceback unless asked for."""

from __future__ import annotations

import functools
import os
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, ParamSpec

import typer

from collatrisk.base.errors import CollatriskError, DataError, FitError, InputError
from collatrisk.cli import talk

OK, INTERNAL, USAGE, REJECTED, SOME_FAILED, INTERRUPTED = 0, 1, 2, 3, 4, 130
CODES = "Exit codes: 0 done, 1 internal error, 2 usage or configuration, 3 data rejected, 4 some cells failed."
Arguments = ParamSpec("Arguments")


def guarded(command: Callable[Arguments, int | None]) -> Callable[Arguments, None]:
    """A command whose result is its exit code and whose errors are messages."""

    @functools.wraps(command)
    def run(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        raise typer.Exit(_code(command, *args, **kwargs))

    return run


def _code(command: Callable[..., int | None], *args: Any, **kwargs: Any) -> int:
    try:
        return command(*args, **kwargs) or OK
    except typer.Exit as exit_:
        return int(exit_.exit_code)
    except InputError as error:
        return refuse(error, USAGE)
    except (DataError, FitError) as error:
        return refuse(error, REJECTED)
    except KeyboardInterrupt:
        talk.error("Interrupted. What is finished is kept: the same command goes on from there.")
        return INTERRUPTED
    except BrokenPipeError:
        os._exit(OK)
    except Exception as error:
        return _internal(error)


def refuse(error: CollatriskError, code: int) -> int:
    """Say what is wrong, all of it; as JSON too where the command promised JSON."""
    if talk.debugging():
        traceback.print_exc()
    talk.refusal(error)
    if talk.speaks_json():
        talk.json_out({"status": "error", "exit_code": code, "error": error.title, "problems": _problems(error)})
    return code


def _problems(error: CollatriskError) -> list[dict[str, str]]:
    return [{"name": one.name, "value": one.value, "rule": one.rule, "remedy": one.remedy} for one in error.problems]


def _internal(error: Exception) -> int:
    if talk.debugging():
        traceback.print_exc()
    handle, path = tempfile.mkstemp(prefix="collatrisk-", suffix=".log", text=True)
    with os.fdopen(handle, "w", encoding="utf-8") as log:
        traceback.print_exception(error, file=log)
    said = (str(error).splitlines() or [""])[0]
    message = f"{type(error).__name__}: {said}" if said else type(error).__name__
    talk.error(f"Internal error, not your mistake: {message}\nThe details are in {path}; please report them.")
    if talk.speaks_json():
        talk.json_out({"status": "error", "exit_code": INTERNAL, "error": message, "log": path})
    return INTERNAL
