"""The policy file: its keys, their defaults, and how it is read."""
