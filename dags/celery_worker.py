"""What a Celery worker imports as it begins, so that none of its tasks does: named by `imports` in Airflow's `celery.extra_celery_config`."""

from dags.beforehand import FILES, of_tasks, stand_ready

stand_ready((*FILES, *of_tasks()))
