"""Sensors for those who prefer waiting in a DAG to being woken by an asset."""
