"""Reports: plain tables in; one self-contained page, JSON and CSV out. Only this room knows matplotlib and jinja2."""

from collatrisk.report.page import render_html
from collatrisk.report.write import ReportFiles, write_report, write_text

__all__ = ["ReportFiles", "render_html", "write_report", "write_text"]
