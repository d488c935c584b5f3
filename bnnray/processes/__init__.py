"""Processes that can be killed at any moment, and replaced within milliseconds."""

from bnnray.processes.last_words import forget_words
from bnnray.processes.memory import format_bytes, parse_bytes
from bnnray.processes.memory_watch import MemoryWatch, watching
from bnnray.processes.nursery import Nursery
from bnnray.processes.process import Process

__all__ = [
    "MemoryWatch",
    "Nursery",
    "Process",
    "forget_words",
    "format_bytes",
    "parse_bytes",
    "watching",
]
