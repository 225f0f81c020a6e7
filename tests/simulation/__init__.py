"""The whole promoter in simulated time against a simulated cluster full of faults."""
