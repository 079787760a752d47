"""What this backend changes in psycopg2 and psycopg 3: parameters, literals, server-side cursors."""
