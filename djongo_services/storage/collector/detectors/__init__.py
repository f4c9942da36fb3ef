"""What makes files and chunks garbage, and how old a find is."""
