"""What schema.py consists of: the definition, the indexes and the copies of tables."""
