"""Schema and storage services for Django projects that keep data in MongoDB."""

__version__ = "0.1.0"
