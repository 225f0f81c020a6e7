"""Counters from a Prometheus: its answers, whose a series is, and how to log in."""
