"""Every setting of `live`, and the constants of time and size that are not settings.

A project sets LIVE_POLL_SECONDS; the code of `live` reads `live_settings.POLL_SECONDS`. A setting is read
when it is used, so that `override_settings` works. `manage.py check` checks them all: live/checks.py.
"""

from __future__ import annotations

from typing import Any

from live.setting_types import Count, Flag, Networks, Seconds, Secret, Setting, Sources, WebhookURL


class LiveSettings:
    """The settings of `live`, by their names without the prefix. docs/settings.md lists them."""

    # ---- who may look

    #: Whether everyone may see the rankings. Otherwise only users who are logged in may.
    OPEN = Flag(False, "a boolean")
    #: Whether users with the permission live.add_ranking may declare rankings on the page.
    USER_RANKINGS = Flag(True, "a boolean")
    #: Sites that may show a widget in an iframe. By default only this site may.
    FRAME_ANCESTORS = Sources(["'self'"], "a list of sources")
    #: Proxies whose X-Forwarded-For says from which address a request comes.
    #: Only what runs on this machine can connect from a loopback address.
    TRUSTED_PROXIES = Networks(["127.0.0.0/8", "::1"], "a list of networks")
    #: Addresses that may ask for /livez, /readyz and /metrics.
    OPERATORS = Networks(["127.0.0.0/8", "::1"], "a list of networks")
    #: How long a process remembers whether a session is logged in, instead of asking the database again.
    LOGIN_CACHE_SECONDS = Seconds(5)
    #: Time between two checks that all subscribers are still logged in, by one query. They notice what sends
    #: no signal: a user who is deactivated, a changed password, a session that is deleted or expires.
    SESSION_CHECK_SECONDS = Seconds(3)
    #: How long subscribers stay while the database of users can't be asked, since it was last asked.
    USERS_LOST_SECONDS = Seconds(300)

    # ---- how fresh the rankings are

    #: Time between two polls of a page. A snapshot older than this is read again before it answers a request.
    POLL_SECONDS = Seconds(2)
    #: Least time between two reads of a ranking. A change after a quiet second is shown at once; faster ones
    #: are sent together, because nobody could follow them.
    UPDATE_SECONDS = Seconds(1)
    #: Time between two polls of RisingWave's subscriptions, which tell what has changed. Longer if a poll
    #: takes more than a tenth of it.
    SUBSCRIPTION_POLL_SECONDS = Seconds(0.1)
    #: Time between two reads of a ranking without a subscription. By default RisingWave makes changes visible
    #: once a second.
    REFRESH_SECONDS = Seconds(1)
    #: Time between two checks that the server is alive, which read no table, and between two reads of totals.
    SERVER_CHECK_SECONDS = Seconds(5)
    #: How long a query may run. A server that takes longer counts as lost.
    QUERY_TIMEOUT_SECONDS = Seconds(5)
    #: Time between two pings, which tell subscribers when each ranking was last read.
    PING_SECONDS = Seconds(5)
    #: Time since the last successful read after which rows are shown as stale.
    STALE_SECONDS = Seconds(15)
    #: How long a process goes on reading after its last request or subscriber.
    IDLE_SECONDS = Seconds(10)

    # ---- what is kept

    #: Whether what the rankings were is kept, once a minute, in the database of users.
    HISTORY = Flag(True, "a boolean")
    #: How many days it is kept by minute, and then by quarter-hour, both counted from now.
    HISTORY_DAYS = Count(1, "a number of days")
    HISTORY_QUARTER_DAYS = Count(30, "a number of days")

    # ---- who is told of crossed thresholds

    #: Where a message is posted when a ranking crosses one of its thresholds; nowhere if empty.
    WEBHOOK_URL = WebhookURL("", "a URL")
    #: Signs the messages: their header Live-Signature is an HMAC with it.
    WEBHOOK_SECRET = Secret("", "a text")

    # ---- how much a process takes

    #: Subscribers of a process. Each needs a file descriptor and about 30 KiB of memory.
    MAX_SUBSCRIBERS = Count(10_000, "a number of subscribers")
    #: Connections that one address may have to a process on Daphne, except trusted proxies.
    MAX_CONNECTIONS_PER_ADDRESS = Count(500, "a number of connections")
    #: Bytes of a request's body on Daphne. The largest that `live` itself needs is a login form.
    MAX_BODY_BYTES = Count(65_536, "bytes")
    #: Rows that an export as CSV has at most. A slow client's answer waits in memory, 60 bytes a row.
    EXPORT_ROWS = Count(100_000, "a number of rows")
    #: How long a subscriber may take no data before it is dropped.
    STALLED_SECONDS = Seconds(30)

    # ---- how a process shuts down

    #: How long a request waits for a read. Then it gets the snapshots that there are.
    REQUEST_WAIT_SECONDS = Seconds(3)
    #: How long a process that shuts down waits for its requests.
    DRAIN_SECONDS = Seconds(4)
    #: Time within which a process shuts down, even if something in it hangs. Supervisors often wait 5 s.
    SHUTDOWN_SECONDS = Seconds(4.8)


live_settings = LiveSettings()
#: All settings by their full names.
SETTINGS: dict[str, Setting[Any]] = {
    setting.name: setting for setting in vars(LiveSettings).values() if isinstance(setting, Setting)
}
#: In each line the first setting must be less than the second, for the reason given.
ORDERINGS: tuple[tuple[Setting[Any], Setting[Any], str], ...] = (
    (LiveSettings.REQUEST_WAIT_SECONDS, LiveSettings.DRAIN_SECONDS, "draining waits for the requests"),
    (LiveSettings.DRAIN_SECONDS, LiveSettings.SHUTDOWN_SECONDS, "draining is part of the shutdown"),
    (LiveSettings.POLL_SECONDS, LiveSettings.STALE_SECONDS, "a page learns from polls what is fresh"),
    (LiveSettings.PING_SECONDS, LiveSettings.STALE_SECONDS, "a page learns from pings what is fresh"),
    (LiveSettings.REFRESH_SECONDS, LiveSettings.STALE_SECONDS, "rows are fresh until the next read"),
    (
        LiveSettings.SUBSCRIPTION_POLL_SECONDS,
        LiveSettings.STALE_SECONDS,
        "rows are fresh until the next poll",
    ),
    (LiveSettings.SERVER_CHECK_SECONDS, LiveSettings.STALE_SECONDS, "rows are fresh until the next check"),
    (
        LiveSettings.SESSION_CHECK_SECONDS,
        LiveSettings.USERS_LOST_SECONDS,
        "subscribers stay until a check fails",
    ),
    (
        LiveSettings.HISTORY_DAYS,
        LiveSettings.HISTORY_QUARTER_DAYS,
        "records by quarter-hour are older than those by minute",
    ),
)

# ---- constants, which no project has needed to change

#: Time after which a page or a program should repeat a request that can't be answered now: Retry-After.
RETRY_AFTER_SECONDS = 5
#: Time between two ticks of the hub, which send pings and stop an idle feed.
TICK_SECONDS = 1.0
#: Time after which a ranking that nobody asks for any more isn't read any more: a page that is reloaded, or
#: polls rarely, finds it still up to date.
UNWATCHED_SECONDS = 60.0
#: Delay before the first attempt to reach a lost server again. It doubles with each further attempt.
FIRST_RETRY_SECONDS = 0.25
#: The feed's longest delay. Viewers wait for it.
MAX_FEED_RETRY_SECONDS = 2.0
#: How long the feed's shared session waits for one query. A ranking that takes longer is read with a session
#: of its own, so that no other ranking is more than a second late.
SHARED_READ_SECONDS = 0.5
#: Time after which a subscription that fails is tried again. Until then its ranking is read at intervals. A
#: trial opens the cursors of all subscriptions anew, and reads all rankings once.
RETRY_SUBSCRIPTION_SECONDS = 60.0
#: Rankings that fail or take long that are read at the same time. Others wait for their turn.
MAX_OWN_SESSIONS = 4
#: Requests that ask the rankings' database themselves at the same time, such as those for a key's page.
MAX_REQUEST_SESSIONS = 4
#: Exports of whole views at the same time. Others are told to try again.
MAX_EXPORTS = 2
#: How much longer than QUERY_TIMEOUT_SECONDS the server may take to say that a query took too long. Then its
#: connection is cut: a server that hangs enforces no limit.
HANG_SLACK_SECONDS = 1.0
#: How long after that a feed that still hangs is replaced.
ABANDON_SECONDS = 5.0
#: Threads of feeds that hang and have been replaced. With more, no other is started.
MAX_HUNG_FEEDS = 3
#: Time without a tick after which the hub's clock counts as stopped. A busy process may delay several.
CLOCK_LATE_SECONDS = 5.0
#: The longest delay of the listener for logouts. Until it is back, the checks of sessions notice them.
MAX_LISTENER_RETRY_SECONDS = 10.0
#: Time between two signs of life of the listener's connection. Behind a proxy that drops what it is sent, a
#: lost connection looks like a quiet one.
LISTENER_HEARTBEAT_SECONDS = 5.0
#: The longest delay between two attempts to reach the lost database of users. Whoever logs in waits for it.
MAX_USERS_RETRY_SECONDS = 2.0
#: Time within which a process claims and reads the rankings of one minute. What is left by then is for other
#: processes, or a gap.
RECORD_SECONDS = 50.0
#: Time after which a process reads what others have found in their records of a minute. Reads take less.
TELL_ALERTS_AFTER_SECONDS = 5.0
#: The first delay of the clock of the history after a failure, at most a minute.
RETRY_HISTORY_SECONDS = 1.0
#: Time between two log lines about the same outage.
OUTAGE_LOG_SECONDS = 60.0
#: Outages of one thing that are logged in that time, when it fails and succeeds again and again.
MAX_LOGGED_OUTAGES = 5
#: Delay before a page whose socket is lost connects again. It doubles with each further attempt.
RECONNECT_SECONDS = 1.0
#: The longest delay before a page connects again.
MAX_RECONNECT_SECONDS = 5.0
#: The share by which a page's delay varies: thousands of pages may lose their sockets at the same moment.
RECONNECT_JITTER = 0.9
#: Pings, or polls if they are rarer, without which a page takes its connection for dead. One may be late on a
#: busy machine.
SILENT_PINGS = 3
#: Sessions whose logins a process remembers. With more, it forgets the oldest.
MAX_CACHED_SESSIONS = 10_000
#: Sessions that one query checks.
SESSIONS_PER_QUERY = 5_000
#: Sessions that are checked each time if each needs queries of its own.
MAX_SINGLE_SESSION_CHECKS = 100
#: File descriptors that subscribers leave to databases, requests and the log.
RESERVED_FILES = 100
