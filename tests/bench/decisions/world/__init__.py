"""The traffic that every policy meets alike."""
