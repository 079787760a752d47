"""What PostgreSQL's columns do and RisingWave's can't: generate keys, and enforce limits on values."""
