"""Charts: they draw tables that others computed."""
