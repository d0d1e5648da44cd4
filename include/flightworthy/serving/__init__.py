"""What runs inside a model's container: an HTTP server for one model version. No Airflow, no MLflow, no pandas."""
