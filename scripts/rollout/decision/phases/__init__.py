"""What each phase of a rollout waits for, and what follows."""
