"""What operators ask a process: whether it is ready, its metrics, and what is wrong with the site."""
