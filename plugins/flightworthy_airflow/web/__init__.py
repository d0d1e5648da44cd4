"""Pages that Flightworthy adds to the Airflow web server, each behind its login."""
