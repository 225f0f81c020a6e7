"""What was decided, kept so that it can be decided again."""
