"""What is configured: environment, site files and their secrets, logs, DAG stubs. Reads files, connects to nothing."""
