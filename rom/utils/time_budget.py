"""The wall clock of a fit: `max_seconds` bounds the whole call, from the first check of its arguments on."""

from __future__ import annotations

import time

__all__ = ["TimeBudget"]


class TimeBudget:
    """Started when it is made; `limit` is in seconds, None for no limit."""

    def __init__(self, limit: float | None = None):
        self.limit = limit
        self.started = time.monotonic()

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def remaining(self) -> float | None:
        """Seconds until the limit, never negative; None without one."""
        return None if self.limit is None else max(0.0, self.limit - self.elapsed)

    @property
    def half_over(self) -> bool:
        """Whether half of the time is over; never without a limit."""
        return self.limit is not None and self.elapsed > 0.5 * self.limit

    def share(self, part: float) -> float | None:
        """`part` of what remains, always positive; None without a limit."""
        remaining = self.remaining
        return None if remaining is None else max(part * remaining, 1e-3)
