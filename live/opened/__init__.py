"""What one ranking, or one of its keys, is opened with: where it comes from, its past, its whole view."""
