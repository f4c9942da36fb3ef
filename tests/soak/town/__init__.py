"""The models of the soak's programs: a bank, and papers with files."""
