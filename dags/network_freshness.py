"""Airflow DAG that looks after every site's freshness. Written by `mainstem sites dags`."""

from dags.freshness_dag import freshness_dag

dag = freshness_dag()
