"""The demo and Django's own apps on the engine, to be made, inspected, and made again."""
