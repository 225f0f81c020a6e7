"""`make demo`: the split, a promotion by evidence, a rollback."""
