"""Anomaly models; a larger score is stranger."""
