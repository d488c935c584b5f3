"""Whether a unit's row settles it, in SQL: the rule of a plain ``bnnray run``.

It is that of ``bnnray/runtime/rerun.py``, for many rows at once; a test compares the two over every
way to end.
"""

from __future__ import annotations

from collections.abc import Iterable

from bnnray.verdicts import FAILED, HIT_TIME_LIMIT, Status


def _listed(statuses: Iterable[Status]) -> str:
    return ", ".join(f"'{status.value}'" for status in sorted(statuses))


STATE = f"""
case when r.key is null then 'left'
     when r.status in ({_listed(FAILED)}) then 'failed'
     when r.status in ({_listed(HIT_TIME_LIMIT)}) and r.time_limit < u.time_limit then 'left'
     when r.status = '{Status.MEMORY_LIMIT}' and r.memory_limit_bytes is not null
          and coalesce(r.memory_limit_bytes < u.memory_limit_bytes, true) then 'left'
     else 'done' end
"""
"""Of a unit ``u`` and its row ``r``, if it has one: done, failed or left."""
