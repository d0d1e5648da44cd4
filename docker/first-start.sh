#!/bin/sh
# Before Airflow starts: its tables, and the people who may log in. Idempotent; passwords come from the environment.
set -eu
umask 077
python - <<'PYTHON'
import json, os, pathlib
names = {"admin": "AIRFLOW_ADMIN_PASSWORD", "viewer": "AIRFLOW_VIEWER_PASSWORD"}
users = {name: os.environ[variable] for name, variable in names.items()}
pathlib.Path(os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]).write_text(json.dumps(users))
PYTHON
exec airflow db migrate
