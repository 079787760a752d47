"""The backend works on a RisingWave server: docs/backend/unconfirmed.md.

With the server's URL in RISINGWAVE_URL, `pytest -m risingwave` runs these modules and others with the mark.
On the stand-in, tests that need RisingWave are skipped.
"""
