"""Sends prediction requests and counts the answers of each revision."""
