"""Named checkpoints, saved on the database `default`: they say where following changes goes on."""

from __future__ import annotations

import os
import secrets
import socket
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import Error, router
from django.utils import timezone

from django_risingwave.streaming.following.positions import Position
from django_risingwave.streaming.subscriptions import check_since

if TYPE_CHECKING:
    import threading

    from django_risingwave.streaming.subscriptions import Since

#: Seconds after which a checkpoint that its owner hasn't renewed is free: the owner has died. Longer than
#: most handlers of a change take, since they delay the renewal.
LEASE_SECONDS = 30.0
#: Seconds between two renewals while there are no changes.
RENEW_SECONDS = 5.0
# Seconds between two looks at a checkpoint that another process seems to have.
_LOOK_SECONDS = 0.25


class CheckpointInUseError(Error):
    """A checkpoint that another process follows by, or that was reset meanwhile."""


class Checkpoint:
    """A name under which the position in a relation's changes is kept.

    The first run begins at `start`: with all existing rows by default, or with "now", "begin" or a timestamp.
    Later runs go on where the last one ended. The app "django_risingwave.checkpoints" has the table.

    Only one process at a time can follow by a checkpoint.
    """

    def __init__(self, name: str, *, start: Since | datetime = "full", using: str | None = None) -> None:
        """Describe a checkpoint on the alias `using`, by default the one that the router chooses.

        Raises ValueError for a name that is empty or longer than 100 characters, and for an unknown `start`.
        """
        if not name or len(name) > 100:
            raise ValueError(f"A checkpoint's name must have 1 to 100 characters, not {name!r}.")
        self.name = name
        self.start = check_since(start)
        self._using = using
        self._owner = ""
        self._saved: Position | None = None
        self._saved_at = 0.0

    def __repr__(self) -> str:
        return f"Checkpoint({self.name!r})"

    @property
    def using(self) -> str:
        """The alias of the database that it is saved on."""
        return self._using or router.db_for_write(_model())

    def position(self) -> Position | None:
        """Return the saved position; None before the first, and while existing rows are read."""
        saved = self._rows().first()
        return None if saved is None else _position(saved)

    def reset(self) -> None:
        """Forget the position: the next run begins at `start`. A process that follows by it fails."""
        self._rows().delete()

    # While changes are followed --------------------------------------------------------------------------

    def acquire(self, relation: str, stopped: threading.Event) -> Position | None:
        """Take the checkpoint for this process, and return its position.

        If another process has it and may be dead, wait until it is renewed or free. Raises
        CheckpointInUseError if it is renewed or `stopped` is set, ValueError if it is for another relation.
        """
        self._owner = f"{socket.gethostname()[:200]}:{os.getpid()}:{secrets.token_hex(8)}"
        saved, is_new = self._manager().get_or_create(
            name=self.name,
            defaults={"relation": relation, "owner": self._owner, "updated_at": timezone.now()},
        )
        if saved.relation != relation:
            raise ValueError(
                f"Checkpoint {self.name!r} is for {saved.relation!r}, not for {relation!r}. Use another "
                "name, or reset it: Checkpoint(…).reset()."
            )
        seen_at = time.monotonic()
        first_seen = saved.updated_at
        while not is_new:
            is_free = (
                not saved.owner
                or saved.updated_at < timezone.now() - timedelta(seconds=LEASE_SECONDS)
                or time.monotonic() > seen_at + LEASE_SECONDS
            )
            if is_free and self._rows().filter(owner=saved.owner, updated_at=saved.updated_at).update(
                owner=self._owner, updated_at=timezone.now()
            ):
                break
            is_stopped = stopped.wait(_LOOK_SECONDS)
            found = self._rows().first()
            if found is None:
                return self.acquire(relation, stopped)
            if is_stopped or (found.owner and found.updated_at != first_seen):
                raise CheckpointInUseError(
                    f"Checkpoint {self.name!r} is in use by {_process(found.owner)}. Stop that process, or "
                    "use a checkpoint of another name."
                )
            saved = found
        self._saved, self._saved_at = _position(saved), time.monotonic()
        return self._saved

    def save(self, position: Position | None, *, interval: float = 0.0) -> None:
        """Save a position, or renew the claim to the checkpoint if that is due. None: it is unknown yet.

        Not within `interval` seconds of the last save. Raises CheckpointInUseError if another process has
        taken the checkpoint, or it was reset.
        """
        position = position or self._saved
        age = time.monotonic() - self._saved_at
        if age < (RENEW_SECONDS if position == self._saved else interval):
            return
        values: dict[str, Any] = {"updated_at": timezone.now()}
        if position is not None:
            values |= {"timestamp": position.timestamp, "done": position.done, "digest": position.digest}
        if not self._rows().filter(owner=self._owner).update(**values):
            found = self._rows().first()
            raise CheckpointInUseError(
                f"Checkpoint {self.name!r} was reset while it was in use. Start again."
                if found is None
                else f"Checkpoint {self.name!r} was taken by {_process(found.owner)}, because this process "
                f"had not renewed it for {LEASE_SECONDS:.0f} s. Handle each change in less."
            )
        self._saved, self._saved_at = position, time.monotonic()

    def note_rollback(self, position: Position | None) -> None:
        """Note that what save() wrote was rolled back, to this position."""
        self._saved = position

    @property
    def saved(self) -> Position | None:
        """The position that was saved last."""
        return self._saved

    def release(self) -> None:
        """Let other processes have the checkpoint."""
        self._rows().filter(owner=self._owner).update(owner="")

    def _rows(self) -> Any:
        return self._manager().filter(name=self.name)

    def _manager(self) -> Any:
        return _model()._default_manager.using(self.using)


def _model() -> Any:
    try:
        return apps.get_model("risingwave_checkpoints", "SavedCheckpoint")
    except LookupError as error:
        raise ImproperlyConfigured(
            'Checkpoints need the app "django_risingwave.checkpoints". Add it to INSTALLED_APPS and migrate.'
        ) from error


def _position(saved: Any) -> Position | None:
    return None if saved.timestamp is None else Position(saved.timestamp, saved.done, saved.digest)


def _process(owner: str) -> str:
    host, pid, _ = owner.rsplit(":", 2) if owner.count(":") >= 2 else (owner, "?", "")
    return f"process {pid} on {host}"
