"""Rollouts as people read them: summary, tables, live view, page."""
