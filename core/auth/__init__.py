"""Authentication: signing keys, access tokens, registered clients and rate limits."""
