"""How PostgreSQL plays RisingWave's part. Only DatabaseWrapper.standin imports this package.

server.py is what the backend calls. choosing.py decides between views.py, a plain view of the SELECT, and
summaries.py, a table that triggers keep. functions.py has the triggers that notify.
"""
