"""Peers, each as its documentation shows it, and floors that answer without thinking.

Each runs in an environment of its own, which knows its packages and this folder.
"""
