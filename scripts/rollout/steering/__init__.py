"""What people see of a rollout and ask of it, for the verbs and the page alike."""
