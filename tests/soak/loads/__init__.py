"""What the programs of the soak do, each a module with ``make(how)``, which gives its loads."""
