"""Schema and storage services for Django projects that keep data in MongoDB."""

__version__ = "1.0.0rc1"
