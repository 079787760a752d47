"""What is wrong with one ranking, in words for its viewers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True)
class Fault:
    """Why one ranking can't be read, while others can. The log has the whole error."""

    #: Follows "Can't be read: ". Has no SQL, no name of a host and no secret.
    reason: str
    #: When the ranking could not be read for the first time.
    since: datetime
