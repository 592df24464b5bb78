"""What a project keeps of each partition: statistics of its rows, and the position that they reach."""
