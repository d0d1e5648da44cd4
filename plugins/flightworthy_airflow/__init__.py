"""The Airflow shell of Flightworthy: thin operators, hooks, triggers and pages over the core."""
