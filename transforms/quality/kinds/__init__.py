"""Makers of like checks."""
