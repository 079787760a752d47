"""What `manage.py doctor` looks at: the process, the settings, the databases and the rankings in them."""
