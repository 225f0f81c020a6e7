"""The policy file: its keys, their defaults, and its reader."""
