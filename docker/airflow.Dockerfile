# One image for every process of the stack but the databases and the router: Airflow, MLflow's server, the deployer.
# Everything in it comes from requirements.lock, by hash. Build from the root of the repository:
#   docker build -f docker/airflow.Dockerfile -t flightworthy-airflow .

FROM python:3.11-slim-bookworm AS environment
WORKDIR /build
RUN python -m venv /opt/venv
COPY requirements.lock ./
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md LICENSE ./
COPY include/flightworthy include/flightworthy
COPY plugins/flightworthy_airflow plugins/flightworthy_airflow
RUN /opt/venv/bin/pip install --no-cache-dir --no-deps --no-build-isolation .

FROM python:3.11-slim-bookworm
RUN groupadd --gid 10001 flightworthy \
    && useradd --uid 10001 --gid 10001 --no-create-home --home-dir /opt/airflow --shell /usr/sbin/nologin flightworthy \
    # Volumes take the owner of the folder that they are first mounted over.
    && install --directory --owner=10001 --group=10001 \
        /opt/airflow /opt/airflow/logs /opt/airflow/state /opt/mlflow \
        /opt/flightworthy/home /opt/flightworthy/home/router /opt/flightworthy/landing
COPY --from=environment /opt/venv /opt/venv
WORKDIR /opt/flightworthy
# Beside the models' folder: what a model's own image installs is read from this lock.
COPY requirements.lock pyproject.toml ./
COPY include include
COPY dags dags
COPY docker/first-start.sh docker/first-start.sh
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    AIRFLOW_HOME=/opt/airflow \
    AIRFLOW__CORE__DAGS_FOLDER=/opt/flightworthy/dags \
    AIRFLOW__CORE__LOAD_EXAMPLES=False \
    FLIGHTWORTHY_HOME=/opt/flightworthy/home \
    FLIGHTWORTHY_LANDING=/opt/flightworthy/landing \
    FLIGHTWORTHY_MODELS=/opt/flightworthy/include/models \
    DO_NOT_TRACK=1 \
    GX_ANALYTICS_ENABLED=false \
    MLFLOW_DISABLE_TELEMETRY=true \
    ORT_DISABLE_TELEMETRY=1 \
    MPLBACKEND=Agg
USER 10001:10001
CMD ["airflow", "version"]
