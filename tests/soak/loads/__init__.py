"""The loads of the soak's programs, each a module with ``make(how)``, which returns its loads."""
