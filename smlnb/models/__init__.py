"""What every model shares; one module per family."""
