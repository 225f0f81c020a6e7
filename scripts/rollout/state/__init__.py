"""Plain values that every part may hold: state, observation, actions."""
