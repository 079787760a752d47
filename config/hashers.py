"""How passwords are hashed: as Django does it, one at a time."""

from __future__ import annotations

import threading

from django.contrib.auth import hashers

#: A hash takes a core for some tenths of a second. As many at once as attempts to log in would keep the pages
#: waiting; one leaves them a core, and takes no longer for all attempts together.
_one_at_a_time = threading.Lock()


class PBKDF2PasswordHasher(hashers.PBKDF2PasswordHasher):
    """Django's default hasher; the attempts to log in to a process wait for each other."""

    def encode(self, password: str, salt: str, iterations: int | None = None) -> str:
        """Return the hash, with its algorithm and salt."""
        with _one_at_a_time:
            return super().encode(password, salt, iterations)
