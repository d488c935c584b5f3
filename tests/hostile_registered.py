"""Loaded by the nurseries of the tests, so that their slots know ``kind = "hostile"``."""

from hostile import Hostile

from bnnray.attacks import ATTACKS

ATTACKS["hostile"] = Hostile
