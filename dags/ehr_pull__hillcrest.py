"""Airflow DAGs of one site: its refresh, and its landing mapped again. Written by `mainstem sites dags`."""

from dags.site_dag import replay_dag, site_dag

pull, replay = site_dag("hillcrest"), replay_dag("hillcrest")
