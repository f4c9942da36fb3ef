"""Work that continues after its page has responded."""
