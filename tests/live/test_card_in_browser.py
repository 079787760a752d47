"""The card in a real Chromium, without a server: what moves when a new card is swapped in."""
