"""An app whose migrations go forwards and backwards while the soak lasts."""
