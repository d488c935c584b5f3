"""Rows: their schema, the sinks that take them, the run folder, its archive, and queries."""

from bnnray.results.archive import take_back, tidy
from bnnray.results.batches import Batch, Buffer, Record, write_batch
from bnnray.results.compact import Compaction, compact
from bnnray.results.folder import RunFolder, find_run
from bnnray.results.parts import Problem
from bnnray.results.query import Answer, Tables, queries, query, query_table, read
from bnnray.results.repair import repair
from bnnray.results.schema import SCHEMA_VERSION, TABLES, Column
from bnnray.results.sink import MemorySink, ParquetSink, Sink
from bnnray.results.tables import write_arrow, write_csv, write_table

__all__ = [
    "SCHEMA_VERSION",
    "TABLES",
    "Answer",
    "Batch",
    "Buffer",
    "Column",
    "Compaction",
    "MemorySink",
    "ParquetSink",
    "Problem",
    "Record",
    "RunFolder",
    "Sink",
    "Tables",
    "compact",
    "find_run",
    "queries",
    "query",
    "query_table",
    "read",
    "repair",
    "take_back",
    "tidy",
    "write_arrow",
    "write_batch",
    "write_csv",
    "write_table",
]
