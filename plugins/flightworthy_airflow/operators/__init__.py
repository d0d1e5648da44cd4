"""One verb per file: the tasks of the deployment line, each usable alone in any DAG."""
