"""What a process counts, for Prometheus. docs/operating.md lists the metrics.

What happens once per delivered message is counted by plain numbers of the hub and the servers, and collected
when Prometheus asks: a Counter takes a lock, which would cost as much as a tenth of a delivery.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram

#: Requests and WebSockets that were refused, by reason: a word such as "origin" or "body_size".
REFUSED = Counter("live_refused", "Requests and WebSockets that were refused.", ["reason"])
#: Attempts to log in that failed or were not tried.
LOGIN_FAILURES = Counter("live_login_failures", "Attempts to log in that failed.")
#: Reads of a ranking from its database: how long they took, and those that failed.
READ_SECONDS = Histogram(
    "live_read_seconds",
    "Time that a read of a ranking took.",
    ["ranking"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
READ_ERRORS = Counter("live_read_errors", "Reads of a ranking that failed.", ["ranking"])
#: Outages that have begun, by what could not be reached.
OUTAGES = Counter("live_outages", "Outages that have begun.", ["subject"])
#: Records of the history that this process has written, and rankings that it couldn't read for one.
HISTORY_RECORDS = Counter("live_history_records", "Records of the history written.", ["ranking"])
HISTORY_ERRORS = Counter("live_history_errors", "Records of the history that couldn't be read.", ["ranking"])
#: Messages of crossed thresholds, by outcome: "delivered", "failed" or "dropped".
WEBHOOKS = Counter("live_webhooks", "Messages of crossed thresholds that were posted.", ["outcome"])
