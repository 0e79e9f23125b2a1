"""Connectomes: read, prepare, map, test."""
