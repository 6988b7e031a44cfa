"""The local stack: fetches, starts, watches and stops real Kafka, MinIO, MongoDB and PostgreSQL."""
