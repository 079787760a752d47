"""How PostgreSQL plays RisingWave's part. Only DatabaseWrapper.standin imports this package.

server.py is what the backend calls; summaries.py has the SQL of a materialized view's stand-in.
"""
