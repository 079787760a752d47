"""A double of RisingWave: a proxy in front of the stand-in that answers as RisingWave 2.8.0 has answered.

The rows come from the stand-in. What describes them comes from the transcripts in ../data/: columns
with the oids of their types, tags, and the errors of statements that RisingWave refuses. What isn't recorded
is refused by the rules in ../statements/. Modules:

    messages        the protocol's messages
    translation     the statement that PostgreSQL is sent in place of RisingWave's
    connectors      sources, tables with a connector, and secrets
    subscriptions   cursors over the changes of a view, which PostgreSQL doesn't have
    attached        sinks and indexes of views, which PostgreSQL doesn't have either, and changed names
    answers         PostgreSQL's answer in the form of RisingWave's
    errors          errors in RisingWave's words
    catalog         rw_catalog, and notifications of changed views
    server          connections, changes, and faults on request
    client          a session that keeps answers as they come over the wire

It differs from RisingWave: writes are visible at once, and materialized views are plain views. An epoch ends
with each notification of a change and with FLUSH. A change has any row of the view, since a notification
doesn't say which row changed. In the repository,
tests/django_risingwave/data/differences.toml lists where its answers differ from the transcripts.
"""

from __future__ import annotations

from django_risingwave.testing.double.server import Double, Session

__all__ = ["Double", "Session"]
