"""Streamlit: one fragment that runs every second, and a cache of the rows.

The fragment follows https://docs.streamlit.io/develop/concepts/architecture/fragments, and st.cache_data
https://docs.streamlit.io/develop/concepts/design/performance. The tables are small, hence st.table.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from benchmarks.peers.rankings import POLL_SECONDS, RANKINGS, URL

connection = st.connection(
    "rankings", type="sql", url=URL.replace("postgres://", "postgresql+psycopg2://", 1)
)


@st.cache_data(ttl=POLL_SECONDS, show_spinner=False)
def read() -> list[pd.DataFrame]:
    """Return the rows of each ranking."""
    tables = []
    for ranking in RANKINGS:
        values = connection.query(ranking.sql, ttl=0, show_spinner=False)
        rows = pd.DataFrame(ranking.rows(values.itertuples(index=False, name=None)))
        tables.append(rows[["rank", "name", "display"]].set_index("rank"))
    return tables


@st.fragment(run_every=POLL_SECONDS)
def show() -> None:
    for ranking, table in zip(RANKINGS, read(), strict=True):
        st.subheader(ranking.title)
        st.table(table)


show()
