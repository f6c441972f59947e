"""All that knows HTTP: the C1 client, and what one reply means."""
