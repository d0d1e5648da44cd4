#!/bin/sh
# Run by PostgreSQL on its very first start: one database per owner, so that none can read another's.
set -eu
for owner in airflow mlflow flightworthy; do
    case "$owner" in
        airflow) password="$AIRFLOW_DATABASE_PASSWORD" ;;
        mlflow) password="$MLFLOW_DATABASE_PASSWORD" ;;
        flightworthy) password="$FLIGHTWORTHY_DATABASE_PASSWORD" ;;
    esac
    psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set owner="$owner" --set password="$password" <<'SQL'
CREATE ROLE :"owner" LOGIN PASSWORD :'password';
CREATE DATABASE :"owner" OWNER :"owner";
REVOKE CONNECT ON DATABASE :"owner" FROM PUBLIC;
SQL
done
