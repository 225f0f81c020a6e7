"""The command line of rollouts: its options in `app`, one module per kind of verb."""
