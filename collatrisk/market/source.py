"""Files to tables of text: compression, encoding, separators and line numbers. Nothing is interpreted here."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zlib
from collections import Counter
from dataclasses import dataclass, field
from difflib import get_close_matches
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pandas as pd

from collatrisk.base.errors import DataError, InputError, Problem, show_value
from collatrisk.base.findings import Finding
from collatrisk.market.frames import counted, note

_SEPARATORS = (",", ";", "\t", "|")
_SAMPLE = 50
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_BINARY = "load_prices reads CSV, CSV.gz and Parquet"


@dataclass(frozen=True, slots=True)
class Table:
    """A file as columns of text (CSV) or of typed values (Parquet).

    Attributes
    ----------
    names : the header, stripped.
    columns : one list of cells, or one pandas Series, per name.
    lines : the line of the file of each row (the header of a plain CSV is line 1).
    unit : what `lines` counts: ``"line"`` or ``"row"``.
    findings : what was noticed while reading.
    """

    names: list[str]
    columns: list[Any]
    lines: list[int]
    unit: str = "line"
    findings: list[Finding] = field(default_factory=list)


def read_table(path: str | os.PathLike[str]) -> Table:
    """Read a file of prices as a table.

    Raises
    ------
    InputError : no such file, or a Parquet file without pyarrow.
    DataError : an empty, broken or binary file.
    """
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        problem = Problem("path", show_value(path), "must be the path of a file", "give 'prices.csv'")
        raise InputError("Prices cannot be read", [problem])
    where = Path(path)
    _require_file(where)
    content = where.read_bytes()
    if content[:4] == _PARQUET or where.suffix.lower() in {".parquet", ".pq"}:
        return _parquet_table(where)
    if content[:2] == _GZIP:
        content = _gunzip(where, content)
    if content[:4] == _ZIP:
        raise _data_error(where, f"this is a zip archive or an Excel workbook; {_BINARY}; export the sheet as CSV")
    text, findings = _decode(where, content)
    table = _csv_table(where, text)
    table.findings.extend(findings)
    return table


def _data_error(where: Path, message: str) -> DataError:
    rule, _, remedy = message.rpartition("; ")
    return DataError("Prices cannot be read", [Problem("path", str(where), rule, remedy)])


def _require_file(where: Path) -> None:
    if where.is_file():
        return
    rule, remedy = "must be an existing file", "check the path; it is relative to the current directory"
    if where.is_dir():
        rule, remedy = "is a directory, not a file", "name one file in it"
    elif where.parent.is_dir():
        close = get_close_matches(where.name, [entry.name for entry in where.parent.iterdir()], n=1)
        remedy = f"did you mean {close[0]!r}?" if close else remedy
    raise InputError("Prices cannot be read", [Problem("path", str(where), rule, remedy)])


def _gunzip(where: Path, content: bytes) -> bytes:
    try:
        return gzip.decompress(content)
    except (EOFError, OSError, zlib.error) as error:
        raise _data_error(where, f"the gzip file is damaged ({error}); fetch it again") from error


def _decode(where: Path, content: bytes) -> tuple[str, list[Finding]]:
    """The text of a file: UTF-8 (with or without mark), UTF-16 with its mark, else Windows-1252 with a warning."""
    encoding = "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig"
    try:
        text, findings = content.decode(encoding), []
    except UnicodeDecodeError as error:
        rule = f"byte {error.start} is not {encoding} text, so it was read as Windows-1252"
        findings = [note("encoding", "warning", "file", rule, "check the names of the assets, or save it as UTF-8")]
        text = content.decode("cp1252", errors="replace")
    if "\x00" in text:
        raise _data_error(where, f"the file holds binary data (a zero byte); {_BINARY}")
    if text.lstrip()[:1] in {"{", "[", "<"}:
        kind = "a web page" if text.lstrip().startswith("<") else "JSON"
        raise _data_error(where, f"the file looks like {kind}, not a table; {_BINARY}: export it as CSV")
    if not text.strip():
        raise _data_error(where, "the file is empty; it must have a header and at least two rows of prices")
    return text, findings


def _fields(text: str, separator: str) -> list[tuple[int, list[str]]]:
    """The non-blank records with the number of their first line; a record may span lines within quotes."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True)
    records: list[tuple[int, list[str]]] = []
    before = 0
    for record in reader:
        if record and (record[0].strip() or any(cell.strip() for cell in record)):
            records.append((before + 1, record))
        before = reader.line_num
    return records


def _separator(text: str) -> str:
    """The separator under which most of the first lines have the same number (at least two) of fields."""
    head = "".join(text.splitlines(keepends=True)[:_SAMPLE])

    def score(separator: str) -> tuple[int, int]:
        widths = Counter(len(record) for _, record in _fields(head, separator))
        width, lines = max(((w, n) for w, n in widths.items() if w > 1), key=lambda item: item[1], default=(0, 0))
        return lines, width

    return max(_SEPARATORS, key=score)


def _csv_table(where: Path, text: str) -> Table:
    try:
        records = _fields(text, _separator(text))
    except csv.Error as error:
        raise _data_error(where, f"the file is not a readable CSV ({error}); {_BINARY}") from error
    if not records:
        raise _data_error(where, "the file has no cells; it must have a header and at least two rows of prices")
    findings: list[Finding] = []
    quoted = records if '"' in text else []
    open_quotes = [f"line {line}" for line, record in quoted if any("\n" in cell for cell in record)]
    if open_quotes:
        rule = (
            f"{counted(len(open_quotes), 'cell')} over several lines: a quotation mark that is never closed hides rows"
        )
        findings.append(note("open-quote", "error", "file", rule, "close or remove it", open_quotes))
    records = _drop_preamble(records, findings)
    (header_line, header), body = records[0], records[1:]
    names = [name.strip() for name in header]
    if not body:
        raise _data_error(where, f"the file has a header ({len(names)} columns) and no rows; it needs prices")
    rows, ragged = [], []
    for line, record in body:
        if len(record) == len(names):
            rows.append(record)
            continue
        # Separators at the end of a line, with nothing after them, are harmless.
        if len(record) < len(names) or any(cell.strip() for cell in record[len(names) :]):
            ragged.append(f"line {line} ({len(record)} fields)")
        rows.append((record + [""] * len(names))[: len(names)])
    if ragged:
        rule = f"{counted(len(ragged), 'row')} without the {len(names)} fields of the header in line {header_line}"
        findings.append(note("ragged-row", "error", "file", rule, "complete or remove these lines", ragged))
    columns: list[Any] = [[cell.strip() for cell in column] for column in zip(*rows, strict=True)]
    return Table(names, columns, [line for line, _ in body], "line", findings)


def _drop_preamble(records: list[tuple[int, list[str]]], findings: list[Finding]) -> list[tuple[int, list[str]]]:
    """Leave out comment lines and one-field title lines above the header, and say so."""
    usual = Counter(len(record) for _, record in records[:_SAMPLE]).most_common(1)[0][0]
    first = 0
    while first < len(records) - 1:
        record = records[first][1]
        title = usual > 1 and sum(bool(cell.strip()) for cell in record) == 1 and bool(record[0].strip())
        if not record[0].lstrip().startswith("#") and not title:
            break
        first += 1
    if first:
        lines = [f"line {line}" for line, _ in records[:first]]
        rule = f"{counted(first, 'line')} above the header left out"
        findings.append(note("preamble", "info", "file", rule, "nothing to do if they are a title or comments", lines))
    return records[first:]


def _parquet_table(where: Path) -> Table:
    if find_spec("pyarrow") is None:
        problem = Problem(
            "path", str(where), "Parquet needs pyarrow", "pip install 'collatrisk[parquet]', or save the prices as CSV"
        )
        raise InputError("Prices cannot be read", [problem])
    try:
        frame = pd.read_parquet(where, engine="pyarrow")
    except (OSError, ValueError) as error:  # pyarrow.ArrowInvalid is a ValueError
        raise _data_error(where, f"the Parquet file is damaged ({error}); write it again") from error
    if not isinstance(frame.index, pd.RangeIndex):
        frame = frame.reset_index()
    if frame.empty:
        raise _data_error(where, "the file is empty; it must have at least two rows of prices")
    names = [str(name).strip() for name in frame.columns]
    return Table(names, [frame.iloc[:, k] for k in range(len(names))], list(range(1, len(frame) + 1)), "row")
