"""Sends prediction requests and counts who answered."""
