"""From a topic through a model into a topic."""
