"""From a state and one observation to the next state: pure, no clock, no network."""
