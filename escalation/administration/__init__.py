"""Pages of administrators about promises, calendars and shifts."""
