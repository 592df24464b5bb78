"""Encoders: from text and lists to numeric attributes that statistics and models can use."""
