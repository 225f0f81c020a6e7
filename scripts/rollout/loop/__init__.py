"""The loop: observe, decide, write the journal, act, read back."""
