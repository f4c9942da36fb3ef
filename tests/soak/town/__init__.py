"""What the programs of the soak write: a bank, and papers with files."""
