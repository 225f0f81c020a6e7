"""What the server bounds, and the attackers who try its bounds."""
