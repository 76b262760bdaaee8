"""When: Airflow DAGs, thin; every task calls one function of `mainstem.refresh`."""
