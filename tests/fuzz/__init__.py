"""Hostile requests, drawn by the ten thousand and read both ways, without sockets."""
