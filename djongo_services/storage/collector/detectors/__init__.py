"""What makes files and chunks garbage, and how old an item is."""
