"""What a project answers from its statistics."""
