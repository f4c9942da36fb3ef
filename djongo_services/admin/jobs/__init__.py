"""Work that goes on when its page has been answered."""
