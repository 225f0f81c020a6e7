"""A local web page: all rollouts, live, with buttons for the requests of the verbs."""
