"""What each ranking was, once a minute: written to the database of users, and read for viewers."""
