"""Who may look: logins, sessions, and the database that has them."""
