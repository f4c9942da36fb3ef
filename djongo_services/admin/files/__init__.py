"""The admin of files: buckets, their contents, and actions on them."""
