"""The command line of rollouts: a module a kind of verb, the options of all in app."""
