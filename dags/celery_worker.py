"""What a Celery worker imports as it begins, so that none of its tasks does: named by `imports` in Airflow's `celery.extra_celery_config`."""

from importlib import import_module

from dags.beforehand import FILES, of_tasks

for name in (*FILES, *of_tasks()):
    import_module(name)
