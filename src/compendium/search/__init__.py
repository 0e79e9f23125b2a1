"""From a search strategy to a frozen, verified snapshot of a registry."""
