"""Flightworthy, the release plane for machine-learning models: decides, proves and undoes. No Airflow in here."""
