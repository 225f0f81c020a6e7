"""What `make demo` shows: the split, a promotion by evidence, a rollback."""
