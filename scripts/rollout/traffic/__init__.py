"""Who moves the weight: one file a value of target.backend."""
