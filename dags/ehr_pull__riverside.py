"""Airflow DAG of one site. Written by `mainstem sites dags`."""

from dags.site_dag import site_dag

dag = site_dag("riverside")
