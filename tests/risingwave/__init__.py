"""Everything that only a real RisingWave can tell, with one command: `make live RISINGWAVE_URL=…`.

Modules, in the order of their use:

    servers     the given server, databases on it, and its end and beginning
    recorder    a proxy in front of the server that records statements and answers
    recording   what is kept of them: transcripts
    marked      the tests with the mark `risingwave`, among them the comparison with PostgreSQL
    dashboard   from an INSERT to the frame that shows it
    crashes     RECOVER and `kill -9` under load
    report      the report
"""
