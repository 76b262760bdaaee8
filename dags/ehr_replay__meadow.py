"""Airflow DAG that maps one site's landing again. Written by `mainstem sites dags`."""

from dags.site_dag import replay_dag

dag = replay_dag("meadow")
