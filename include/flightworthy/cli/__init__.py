"""``flightworthy …``: what a person, or a script, asks and decides without opening Airflow."""
