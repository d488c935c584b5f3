"""Rows: their schema, the sinks that take them, the run folder, and queries."""

from bnnray.results.folder import RunFolder, find_run
from bnnray.results.query import Answer, query
from bnnray.results.schema import SCHEMA_VERSION, TABLES, Column
from bnnray.results.sink import MemorySink, ParquetSink, Record, Sink, write_table

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "Answer",
    "Column",
    "MemorySink",
    "ParquetSink",
    "Record",
    "RunFolder",
    "Sink",
    "find_run",
    "query",
    "write_table",
]
