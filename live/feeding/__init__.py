"""How the feed reads: what from, when, and how one ranking that fails is kept from the others."""
