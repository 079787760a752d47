"""How Django's functions, lookups and subqueries are written in RisingWave's SQL."""
