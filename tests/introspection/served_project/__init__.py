"""A project that generated models are put into, one after the other, in one process."""
