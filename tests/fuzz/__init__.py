"""What parses bytes of strangers, fed by atheris: ``make fuzz``."""
