"""Loaded by the nurseries of the tests, so that their slots know ``kind = "hostile"``."""

from hostile import Hostile, HostileBatch

from bnnray.attacks import ATTACKS, SINGLE

ATTACKS["hostile"] = SINGLE["hostile"] = Hostile
ATTACKS["hostile batch"] = HostileBatch
