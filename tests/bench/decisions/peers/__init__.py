"""How others decide, on the same requests."""
