"""Builders for networks that YAML alone would make clumsy."""
