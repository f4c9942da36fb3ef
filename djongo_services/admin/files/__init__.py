"""The admin of files: buckets, what is in them, and what can be done with it."""
