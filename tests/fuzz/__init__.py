"""The parsers of untrusted input, fed by atheris: ``make fuzz``."""
