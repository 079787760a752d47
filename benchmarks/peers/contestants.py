"""The peers, and how each is run: in one process, as its documentation recommends."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contestant:
    """A server of the four rankings, and the viewers that speak to it."""

    name: str
    title: str
    #: Of benchmarks.peers.viewers.
    viewers: str
    #: Arguments of its Python; {port} is filled in.
    command: tuple[str, ...]
    #: Whose versions are told.
    packages: tuple[str, ...]
    #: What is done as its documentation recommends.
    how: str
    #: By default that of its name.
    environment: str = ""
    #: Whether it has a page that isn't another's.
    page: bool = True
    #: Whether the first of its packages is what is measured.
    own_version: bool = True
    #: Answers 200 when the server is up.
    health: str = "/"


DAPHNE = ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "--websocket_timeout", "-1")

DASHBOARD = (
    *DAPHNE,
    *("--websocket-max-message-size", "4096", "--websocket-max-frame-size", "4096"),
    "config.asgi:application",
)

CONTESTANTS = (
    Contestant(
        "dashboard",
        "this dashboard, pages",
        "page",
        DASHBOARD,
        ("daphne", "django"),
        "Daphne with the options of docs/settings.md; viewers get HTML, as its pages do",
        own_version=False,
        health="/healthz/",
    ),
    Contestant(
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
    Contestant(
        "groups",
        "Channels groups",
        "websocket",
        (*DAPHNE, "benchmarks.peers.groups:application"),
        ("channels", "daphne", "django"),
        "the asynchronous consumer of the Channels tutorial with its routing, the in-memory layer, Daphne; "
        "one feed reads what NOTIFY tells, as the dashboard's does, and sends what changed to the group",
    ),
    Contestant(
        "eventstream",
        "django-eventstream",
        "eventsource",
        ("-m", "daphne", "-b", "127.0.0.1", "-p", "{port}", "benchmarks.peers.eventstream:application"),
        ("django-eventstream", "daphne", "django"),
        "Daphne, no event storage; the same feed, a `send_event` for each ranking that changed",
    ),
    Contestant(
        "dash",
        "Dash",
        "dash",
        (
            *("-m", "gunicorn", "--workers", "1", "--threads", "4", "--bind", "127.0.0.1:{port}"),
            "benchmarks.peers.dash_app:server",
        ),
        ("dash", "flask-caching", "gunicorn"),
        "`dcc.Interval` of 1 s and one callback for all four tables, Flask-Caching's `memoize` for 1 s, "
        "gunicorn with one worker of four threads; a viewer asks again only when the last answer is there",
    ),
    Contestant(
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
