"""Counts of both arms over the same seconds."""
