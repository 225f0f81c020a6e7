"""Asks both arms the same requests and compares their answers in pairs."""
