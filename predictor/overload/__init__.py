"""What the server bounds: bytes, letters, work, time, connections, its own end."""
