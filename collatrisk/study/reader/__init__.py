"""The reader of study files: the only place below the command line that knows pydantic."""

from collatrisk.study.reader.read import load_study
from collatrisk.study.reader.schema import study_schema

__all__ = ["load_study", "study_schema"]
