"""Where the brokers and the schema registry are, and what is on them."""
