"""Asks both arms the same texts and compares their answers pairwise."""
