"""The peers, each run in one process as its documentation recommends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peer:
    """A server of the four rankings, and its viewers."""

    name: str
    title: str
    #: A kind of benchmarks.peers.viewers.
    viewers: str
    #: Arguments of Python, with {port} for the port.
    command: tuple[str, ...]
    #: The packages whose versions the report states.
    packages: tuple[str, ...]
    #: How it is set up, for the report.
    how: str
    #: The virtual environment; by default the one of its name.
    environment: str = ""
    #: Whether its page is measured in Chromium.
    page: bool = True
    #: Whether the title includes the version of its first package.
    own_version: bool = True
    #: The path that answers 200 once the server is up.
    health: str = "/"


DAPHNE = ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "--websocket_timeout", "-1")

DASHBOARD = (
    *DAPHNE,
    *("--websocket-max-message-size", "4096", "--websocket-max-frame-size", "4096"),
    "config.asgi:application",
)

PEERS = (
    Peer(
        "dashboard",
        "this dashboard, pages",
        "page",
        DASHBOARD,
        ("daphne", "django"),
        "Daphne with the options of docs/settings.md; viewers receive HTML, as its pages do",
        own_version=False,
        health="/healthz/",
    ),
    Peer(
        "programs",
        "this dashboard, programs",
        "program",
        DASHBOARD,
        ("daphne", "django"),
        "the same; viewers subscribe with `format=json`",
        environment="dashboard",
        page=False,
        own_version=False,
        health="/healthz/",
    ),
    Peer(
        "groups",
        "Channels groups",
        "websocket",
        (*DAPHNE, "benchmarks.peers.groups:application"),
        ("channels", "daphne", "django"),
        "the asynchronous consumer of the Channels tutorial with its routing, the in-memory layer, Daphne; "
        "one feed reads a ranking after its NOTIFY, as the dashboard's does, and sends changes to the group",
    ),
    Peer(
        "eventstream",
        "django-eventstream",
        "eventsource",
        ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "benchmarks.peers.eventstream:application"),
        ("django-eventstream", "daphne", "django"),
        "Daphne, no event storage; the same feed, a `send_event` for each ranking that changed",
    ),
    Peer(
        "dash",
        "Dash",
        "dash",
        (
            *("-m", "gunicorn", "--workers", "1", "--threads", "4", "--bind", "127.0.0.1:{port}"),
            "benchmarks.peers.dash_app:server",
        ),
        ("dash", "flask-caching", "gunicorn"),
        "`dcc.Interval` of 1 s and one callback for all four tables, Flask-Caching's `memoize` for 1 s, "
        "gunicorn with one worker of four threads; a viewer polls again only once it has the last answer",
    ),
    Peer(
        "streamlit",
        "Streamlit",
        "streamlit",
        (
            *("-m", "streamlit", "run", "benchmarks/peers/streamlit_app.py", "--server.port", "{port}"),
            *("--server.address", "127.0.0.1", "--server.headless", "true"),
            *("--server.fileWatcherType", "none", "--browser.gatherUsageStats", "false"),
        ),
        ("streamlit",),
        "`st.fragment(run_every=1)` around four `st.table`, `st.cache_data(ttl=1)` over "
        '`st.connection(type="sql")`',
        health="/_stcore/health",
    ),
)
