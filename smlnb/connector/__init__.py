"""The configuration of a Kafka Connect sink, run as it is."""
