"""Readers of files of records: CSV as a live instance exports it, JSON Lines, Parquet.

A reader does not convert texts; `fit` does.
"""

from outhaul.records.readers.delimited import DELIMITERS
from outhaul.records.readers.opening import open_reader
from outhaul.records.readers.reader import FileError, Problem, Reader, Report

__all__ = ["DELIMITERS", "FileError", "Problem", "Reader", "Report", "open_reader"]
