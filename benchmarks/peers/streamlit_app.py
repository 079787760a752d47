"""Streamlit: one fragment that runs again every second, and a cache for what is read.

https://docs.streamlit.io/develop/concepts/architecture/fragments and, for st.cache_data with a ttl,
https://docs.streamlit.io/develop/concepts/design/performance; the tables are small, so st.table.
"""

from __future__ import annotations

import pandas as pd
import streamlit as st

from benchmarks.peers.rankings import INTERVAL, RANKINGS, URL

connection = st.connection(
    "rankings", type="sql", url=URL.replace("postgres://", "postgresql+psycopg2://", 1)
)


@st.cache_data(ttl=INTERVAL, show_spinner=False)
def read() -> list[pd.DataFrame]:
    """Rows of each ranking."""
    tables = []
    for ranking in RANKINGS:
        values = connection.query(ranking.sql, ttl=0, show_spinner=False)
        rows = pd.DataFrame(ranking.rows(values.itertuples(index=False, name=None)))
        tables.append(rows[["rank", "name", "display"]].set_index("rank"))
    return tables


@st.fragment(run_every=INTERVAL)
def show() -> None:
    for ranking, table in zip(RANKINGS, read(), strict=True):
        st.subheader(ranking.title)
        st.table(table)


show()
