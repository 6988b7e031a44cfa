"""The waybill command: the local stack, files, datasets, records, dead letters."""
