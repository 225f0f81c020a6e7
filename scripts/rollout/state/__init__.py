"""Plain values that every layer may hold: state, observations, actions, notes."""
