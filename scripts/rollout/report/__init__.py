"""Shows rollouts to people: summary, tables, live view, HTML page."""
