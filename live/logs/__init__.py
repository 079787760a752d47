"""What is written to logs and error reports, and what is hidden there."""
