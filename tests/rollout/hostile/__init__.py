"""Whoever the promoter asks, hostile: bounded answers, no traceback, nothing stuck."""
